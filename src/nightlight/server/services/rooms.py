"""Rooms: beginning one, and asking what the hub knows."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from nightlight.errors import ProblemName, RefusedError
from nightlight.mls.public_group import MlsError, PublicGroup
from nightlight.protocol.ids import parse_room_uri, provider_of
from nightlight.protocol.messages import MAX_ROOMS, EntryUnusable, Room, RoomCreation, RoomMember, RoomParticipant
from nightlight.protocol.roles import Role, Roles
from nightlight.server.cache import RoomCache
from nightlight.server.domain.identity import stored_list, vouched_leaf
from nightlight.server.ports.delivery import Bus, Caller, Clock, DeliveryStore, Entry, RoomFacts


@dataclass(frozen=True, slots=True)
class RoomService:
    """Rooms from outside their logs. ``franking_agent``: what a room's group state must name."""

    store: DeliveryStore
    bus: Bus
    rooms: RoomCache
    clock: Clock
    franking_agent: bytes
    rooms_max: int

    async def create(self, caller: Caller, creation: RoomCreation) -> Room:
        """The room is there, empty but for the caller's device. A repeat is answered alike.

        Raises ``RefusedError``: ``not_allowed`` NL-430 (a room at another provider than the caller's);
        ``invalid_commit`` NL-431 (not a group of ours), NL-432 (its name, epoch or franking agent), NL-433 (its one
        leaf is not the caller's device); ``conflict`` NL-434 (there is one of that name); ``too_many`` NL-436.
        """
        room = parse_room_uri(creation.room)
        if provider_of(room) != provider_of(caller.user):
            raise RefusedError(ProblemName.NOT_ALLOWED)  # NL-430
        try:
            group = PublicGroup.from_group_info(creation.group_info)
        except MlsError:
            raise RefusedError(ProblemName.INVALID_COMMIT) from None  # NL-431
        if (group.group_id, group.epoch, group.franking_agent) != (room.encode(), 0, self.franking_agent):
            raise RefusedError(ProblemName.INVALID_COMMIT)  # NL-432
        now_ms = self.clock()
        async with self.store.write("room") as unit:
            account = await unit.accounts.of(caller.user)
            assert account is not None, "a caller has an account"
            listed = stored_list(
                account.device_list, account.user, account.account_key, account.listed_at_ms, account.former_keys
            )
            first, *others = group.members
            leaf = None if others else vouched_leaf(first.credential, first.signature_key, listed, now_ms)
            if leaf is None or leaf.device != caller.device:
                raise RefusedError(ProblemName.INVALID_COMMIT)  # NL-433
            state = [(key, value) for key, value in group.take_writes() if value is not None]
            digest = hashlib.sha256(creation.group_info).digest()
            if not await unit.rooms.add(room, caller, digest, state, now_ms):
                raise RefusedError(ProblemName.CONFLICT)  # NL-434
            if await unit.rooms.count(caller.device_id) > self.rooms_max:
                raise RefusedError(ProblemName.TOO_MANY)  # NL-436
        return Room(
            room,
            0,
            0,
            [RoomMember(caller.device, 1, revoked=False, lost=False)],
            _participants({caller.user: Role.OWNER}),
        )

    async def unusable(self, caller: Caller, claim: EntryUnusable) -> None:
        """The members hear that the caller's device cannot go on in a room, and may add it anew. A repeat is no matter.

        Raises ``RefusedError``: ``not_found`` NL-437 (the device is not in the room), ``conflict`` NL-438 (there is no
        such entry in its time there, or it was another).
        """
        room = parse_room_uri(claim.room)
        async with self.store.write("room") as unit:
            stay = await unit.rooms.stay(caller.device_id, room)
            if stay is None or stay.left_seq is not None:
                raise RefusedError(ProblemName.NOT_FOUND)  # NL-437
            entries = await unit.log.page(stay.room_id, claim.seq - 1, claim.seq, 1) if claim.seq else []
            if claim.seq < stay.joined_seq or not entries or not _is_of(claim, entries[0]):
                raise RefusedError(ProblemName.CONFLICT)  # NL-438
            await unit.rooms.mark_lost(stay.room_id, caller.device_id, claim.seq)
            state = await self.rooms.reload(unit, room)
        assert state is not None, "a stay is in a room"
        for user in {member.user for member in state.members.values()}:
            self.bus.wake(user, "rooms")

    async def of(self, caller: Caller, after: str | None) -> list[Room]:
        """The rooms that the caller's device is in, in the order in which they began: the next 100 after ``after``."""
        begun = None if after is None else parse_room_uri(after)
        async with self.store.read() as unit:
            return [_room(facts) for facts in await unit.rooms.of_device(caller.device_id, begun, MAX_ROOMS)]

    async def one(self, caller: Caller, room: str) -> Room:
        """A room that the caller's device is in. Raises ``RefusedError`` ``not_found`` NL-435."""
        async with self.store.read() as unit:
            facts = await unit.rooms.facts(caller.device_id, parse_room_uri(room))
        if facts is None:
            raise RefusedError(ProblemName.NOT_FOUND)  # NL-435
        return _room(facts)


def _is_of(claim: EntryUnusable, entry: Entry) -> bool:
    """Whether ``claim`` is of ``entry``; which, once it is purged, is taken on trust."""
    known = claim.digest is None or not entry.payload or claim.digest == hashlib.sha256(entry.payload).digest()
    return entry.seq == claim.seq and known


def _room(facts: RoomFacts) -> Room:
    members = [RoomMember(*member) for member in facts.members]
    return Room(facts.room, facts.epoch, facts.head, members, _participants(facts.roles))


def _participants(roles: Roles) -> list[RoomParticipant]:
    return [RoomParticipant(user, role.name.lower()) for user, role in roles.items()]
