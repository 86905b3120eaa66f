"""Couples, each with rooms of their own: real devices, real MLS groups, and messages encrypted in advance.

The load sends what was encrypted here, so that its core does no cryptography while it measures a server.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.load import CONTENT_BYTES
from nightlight.mls.group import Member
from nightlight.mls.public_group import PublicGroup
from nightlight.mls.signing import SigningKey
from nightlight.protocol import content, credential, franking
from nightlight.protocol.ids import DeviceUri, HubUri, RoomUri, TimestampMs, UserUri, user_of

HUB = HubUri("mimi://hub.example")
PROVIDER = "courier.example"
_DAY_MS = 86_400_000
_LIFETIME_S = 30 * 86_400
_MESSAGES_EACH = 8


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """An account with one device. ``token`` is what the device says in its ``Hello``."""

    user: UserUri
    device: DeviceUri
    account_key: bytes
    device_list: bytes
    session_key: bytes
    token: str
    member: Member


@dataclass(frozen=True, slots=True)
class Room:
    """A room at epoch 1. ``messages``: PrivateMessages of its creator, 1 KiB of text in each.

    ``state``: the hub's view of the group; ``commit`` and ``welcome``: the first entry of its log.
    """

    room: RoomUri
    group_info_hash: bytes
    state: list[tuple[bytes, bytes]]
    commit: bytes
    welcome: bytes
    messages: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Couple:
    """The ``sender`` made the ``rooms`` and writes in them, the ``recipient`` reads, the ``absent`` never come."""

    sender: Person
    recipient: Person
    rooms: Sequence[Room]
    absent: Sequence[Person] = ()

    @property
    def people(self) -> list[Person]:
        """Everyone in the rooms."""
        return [self.sender, self.recipient, *self.absent]


def submission_ids(now_ms: int) -> Iterator[bytes]:
    """Ever new ids, shaped as UUIDs of version 7 made at ``now_ms``."""
    first = now_ms << 80 | 7 << 76 | 2 << 62
    return (number.to_bytes(16, "big") for number in itertools.count(first))


def make_couples(
    count: int,
    franking_key: bytes,
    *,
    rooms_each: int = 1,
    messages_each: int = _MESSAGES_EACH,
    absent: Sequence[Person] = (),
) -> list[Couple]:
    """``count`` couples whose groups name ``franking_key``, a hub's Ed25519 public key.

    ``absent``: who else is in each room, and keeps the hub from erasing what the other two have received.
    """
    agent = franking.FrankingAgent(franking_key, HUB).encode()
    # One key package serves all rooms, for nobody joins them: they only count what arrives.
    away = [key_package(person) for person in absent]
    couples = []
    for number in range(count):
        sender = make_person(f"anna{number}")
        recipient = make_person(f"ben{number}")
        others = [key_package(recipient), *away]
        uris = [RoomUri(f"mimi://{PROVIDER}/r/{number}-{index}") for index in range(rooms_each)]
        rooms = [_room(uri, sender, others, agent, messages_each) for uri in uris]
        couples.append(Couple(sender, recipient, rooms, absent))
    return couples


def make_person(name: str) -> Person:
    """A new account with one device, signed by its own account key."""
    user = UserUri(f"mimi://{PROVIDER}/u/{name}")
    device = DeviceUri(f"mimi://{PROVIDER}/d/{name}/phone")
    account_key = SigningKey.generate()
    member = Member.create()
    listed = credential.Device(device, member.signature_key)
    expires_at_ms = TimestampMs(time.time_ns() // 1_000_000 + 20 * _DAY_MS)
    device_list = credential.first_device_list(user, account_key.public_key, listed, expires_at_ms)
    member.set_credential(credential.leaf_credential(device_list, device, account_key.sign_with_label).encode())
    return Person(
        user,
        device,
        account_key.public_key,
        device_list.sign(account_key.sign_with_label).encode(),
        SigningKey.generate().public_key,
        os.urandom(32).hex(),
        member,
    )


def now_s() -> int:
    """Unix seconds."""
    return time.time_ns() // 1_000_000_000


def key_package(person: Person) -> bytes:
    """A new one, as an MLSMessage."""
    [package] = person.member.key_packages(1, lifetime_s=_LIFETIME_S, now_s=now_s())
    return package


def _room(uri: RoomUri, sender: Person, others: Sequence[bytes], agent: bytes, messages_each: int) -> Room:
    group = sender.member.create_group(uri.encode(), agent)
    group_info_hash = hashlib.sha256(group.group_info()).digest()
    staged = group.commit(add=others, now_s=now_s())
    assert staged.welcome is not None
    group.accept()
    view = PublicGroup.from_group_info(group.group_info())
    state = [(key, value) for key, value in view.take_writes() if value is not None]
    messages = []
    for _ in range(messages_each):
        salt = os.urandom(content.SALT_BYTES)
        text = content.encode(content.text_message(salt, user_of(sender.device), uri, "x" * CONTENT_BYTES))
        messages.append(group.encrypt(text, franking.franking_tag(text)))
    return Room(uri, group_info_hash, state, staged.commit, staged.welcome, messages)
