"""A hub's database with people, their contacts, rooms and messages in it, written straight into the tables.

Row for row what the services would have written, only quicker; the people sign in to it with their tokens.
"""

from __future__ import annotations

import hashlib
import itertools
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection, NullPool, Table, create_engine, insert

from bench.rooms import Couple, Person, Room, submission_ids
from nightlight.protocol.roles import Role, encode_roles
from nightlight.server.adapters.sql.tables import (
    accounts,
    devices,
    entries,
    group_state,
    members,
    payloads,
    rooms,
    sessions,
    stances,
)
from nightlight.server.domain.contact import Stance

_DAY_MS = 86_400_000
_ROWS_AT_ONCE = 10_000
_APPLICATION, _COMMIT = 0, 1
_SOME_FRANK = bytes(100)

Row = dict[str, Any]


class Place(NamedTuple):
    """A room, whose it is, its number and its sender's."""

    number: int
    room: Room
    couple: Couple
    sender: int


def settle(database: Path, couples: Sequence[Couple], *, messages_each: int = 0) -> None:
    """The couples are connected, and their rooms have ``messages_each`` messages, received by all but the absent.

    ``database``: of a hub that nobody has used.
    """
    people = {person: number for number, person in enumerate((p for couple in couples for p in couple.people), 1)}
    places = [
        Place(number, room, couple, people[couple.sender])
        for number, (couple, room) in enumerate(((couple, room) for couple in couples for room in couple.rooms), 1)
    ]
    now_ms = time.time_ns() // 1_000_000
    begun_at_ms = now_ms - _DAY_MS
    head = 1 + messages_each
    with create_engine(f"sqlite:///{database}", poolclass=NullPool).begin() as connection:
        _put(connection, accounts, (_account(number, person, now_ms) for person, number in people.items()))
        _put(connection, devices, (_device(number, person, now_ms) for person, number in people.items()))
        _put(connection, sessions, (_session(number, person, now_ms) for person, number in people.items()))
        _put(connection, stances, (row for couple in couples for row in _stances(couple, begun_at_ms)))
        _put(connection, rooms, (_room(place, begun_at_ms) for place in places))
        _put(connection, members, (row for place in places for row in _members(place, people, head)))
        _put(connection, group_state, (row for place in places for row in _group_state(place)))
        _put(connection, entries, _entries(places, begun_at_ms, messages_each))
        _put(connection, payloads, _payloads(places, messages_each))


def _put(connection: Connection, table: Table, rows: Iterable[Row]) -> None:
    remaining = iter(rows)
    while some := list(itertools.islice(remaining, _ROWS_AT_ONCE)):
        connection.execute(insert(table), some)


def _account(number: int, person: Person, now_ms: int) -> Row:
    return {
        "user_id": number,
        "user": person.user,
        "account_key": person.account_key,
        "list_version": 1,
        "device_list": person.device_list,
        "listed_at_ms": now_ms,
        "created_at_ms": now_ms,
    }


def _device(number: int, person: Person, now_ms: int) -> Row:
    return {
        "device_id": number,
        "device": person.device,
        "user_id": number,
        "session_key": person.session_key,
        "added_at_ms": now_ms,
    }


def _session(number: int, person: Person, now_ms: int) -> Row:
    return {
        "token_hash": hashlib.sha256(person.token.encode()).digest(),
        "device_id": number,
        "expires_at_ms": now_ms + _DAY_MS,
    }


def _stances(couple: Couple, at_ms: int) -> Iterator[Row]:
    for other in (couple.recipient, *couple.absent):
        for owner, about in itertools.permutations((couple.sender, other)):
            yield {"owner": owner.user, "other": about.user, "stance": Stance.CONNECTED.value, "since_ms": at_ms}


def _room(place: Place, at_ms: int) -> Row:
    return {
        "room_id": place.number,
        "room": place.room.room,
        "creator_id": place.sender,
        "group_info_hash": place.room.group_info_hash,
        "roles": _roles(place.couple),
        "epoch": 1,
        "created_at_ms": at_ms,
    }


def _roles(couple: Couple) -> bytes:
    others = {person.user: Role.MEMBER for person in couple.people}
    return encode_roles(others | {couple.sender.user: Role.OWNER})


def _members(place: Place, people: Mapping[Person, int], head: int) -> Iterator[Row]:
    for person in place.couple.people:
        cursor = 0 if person in place.couple.absent else head
        yield {"room_id": place.number, "device_id": people[person], "joined_seq": 1, "cursor": cursor}


def _group_state(place: Place) -> Iterator[Row]:
    for key, value in place.room.state:
        yield {"room_id": place.number, "key": key, "value": value}


def _entries(places: Sequence[Place], begun_at_ms: int, messages_each: int) -> Iterator[Row]:
    """The commits that began the rooms; then a message in each room, and another, as a day goes by."""
    ids = submission_ids(begun_at_ms)
    for turn in range(1 + messages_each):
        for place in places:
            yield {
                "room_id": place.number,
                "seq": 1 + turn,
                "kind": _APPLICATION if turn else _COMMIT,
                "device_id": place.sender,
                "submission_id": next(ids),
                "epoch": 1 if turn else 0,
                "accepted_at_ms": begun_at_ms + turn,
                "frank": _SOME_FRANK if turn else b"",
            }


def _payloads(places: Sequence[Place], messages_each: int) -> Iterator[Row]:
    """In the order of ``_entries``, which number themselves from 1."""
    entry_ids = itertools.count(1)
    for turn in range(1 + messages_each):
        for room in (place.room for place in places):
            yield {
                "entry_id": next(entry_ids),
                "payload": room.messages[turn % len(room.messages)] if turn else room.commit,
                "welcome": None if turn else room.welcome,
            }
