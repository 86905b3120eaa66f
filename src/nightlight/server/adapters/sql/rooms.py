"""Rooms, who is in them, and the hub's view of their MLS groups, in SQL."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, Select, bindparam, delete, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from nightlight.protocol.ids import DeviceUri, RoomUri, TimestampMs, UserUri
from nightlight.protocol.roles import Role, decode_roles, encode_roles
from nightlight.server.adapters.sql.tables import accounts, devices, entries, group_state, members, rooms, stances
from nightlight.server.domain.contact import BLOCKING
from nightlight.server.domain.room import Member, RoomState
from nightlight.server.ports.delivery import Caller, RoomFacts, Stay

_head = (
    select(func.coalesce(func.max(entries.c.seq), rooms.c.erased_seq))
    .where(entries.c.room_id == rooms.c.room_id)
    .scalar_subquery()
    .label("head")
)

# Bound once: a room that falls out of the cache is loaded by these two on the way of a message.
_ROOM = (
    select(
        rooms.c.room_id,
        rooms.c.roles,
        rooms.c.epoch,
        func.coalesce(entries.c.seq, rooms.c.erased_seq),
        func.coalesce(entries.c.accepted_at_ms, rooms.c.erased_at_ms),
    )
    .select_from(rooms.outerjoin(entries, rooms.c.room_id == entries.c.room_id))
    .where(rooms.c.room == bindparam("room"))
    .order_by(entries.c.seq.desc())
    .limit(1)
)
_MEMBERS = (
    select(
        devices.c.device,
        devices.c.device_id,
        accounts.c.user,
        members.c.joined_seq,
        devices.c.revoked_at_ms.is_not(None),
        members.c.lost_seq.is_not(None),
    )
    .select_from(members.join(devices, members.c.device_id == devices.c.device_id).join(accounts))
    .where(members.c.room_id == bindparam("room_id"), members.c.left_seq.is_(None))
    .order_by(members.c.joined_seq, devices.c.device_id)
)
_BLOCKS = select(stances.c.stance).where(
    stances.c.owner == bindparam("owner"),
    stances.c.other == bindparam("other"),
    stances.c.stance.in_(sorted(BLOCKING)),
)
_MOVE_CURSOR = (
    update(members)
    .where(
        members.c.room_id == bindparam("of_room"),
        members.c.device_id == bindparam("of_device"),
        members.c.cursor < bindparam("up_to"),
    )
    .values(cursor=bindparam("up_to"))
)
_STAYS = (
    select(rooms.c.room, rooms.c.room_id, members.c.joined_seq, members.c.left_seq, members.c.cursor, _head)
    .select_from(members.join(rooms, members.c.room_id == rooms.c.room_id))
    .order_by(members.c.room_id, members.c.joined_seq)
)
_STAY = _STAYS.where(members.c.device_id == bindparam("device_id"), rooms.c.room == bindparam("room"))


class SqlRooms:
    """``ports.delivery.Rooms`` on one connection."""

    def __init__(self, connection: Connection) -> None:
        """Works within the connection's transaction."""
        self._connection = connection

    async def add(
        self,
        room: RoomUri,
        creator: Caller,
        group_info_hash: bytes,
        state: Iterable[tuple[bytes, bytes]],
        now_ms: TimestampMs,
    ) -> bool:
        """As the port says."""
        there = self._connection.execute(
            select(rooms.c.creator_id, rooms.c.group_info_hash).where(rooms.c.room == room)
        ).one_or_none()
        if there is not None:
            return tuple(there) == (creator.user_id, group_info_hash)
        room_id = self._connection.execute(
            insert(rooms)
            .values(
                room=room,
                creator_id=creator.user_id,
                group_info_hash=group_info_hash,
                epoch=0,
                roles=encode_roles({creator.user: Role.OWNER}),
                created_at_ms=now_ms,
            )
            .returning(rooms.c.room_id)
        ).scalar_one()
        await self.join(room_id, [creator.device_id], 1)
        await self.write_group(room_id, 0, state)
        return True

    async def load(self, room: RoomUri) -> RoomState | None:
        """As the port says."""
        row = self._connection.execute(_ROOM, {"room": room}).one_or_none()
        if row is None:
            return None
        room_id, roles, epoch, head, last_accepted_at_ms = row
        present = {
            DeviceUri(device): Member(DeviceUri(device), device_id, UserUri(user), joined_seq, revoked, lost)
            for device, device_id, user, joined_seq, revoked, lost in self._connection.execute(
                _MEMBERS, {"room_id": room_id}
            )
        }
        return RoomState(
            room=room,
            room_id=room_id,
            roles=decode_roles(roles),
            epoch=epoch,
            head=head,
            last_accepted_at_ms=TimestampMs(last_accepted_at_ms),
            severed=self._severed({member.user for member in present.values()}),
            members=present,
        )

    async def group_entries(self, room_id: int) -> list[tuple[bytes, bytes]]:
        """As the port says."""
        found = select(group_state.c.key, group_state.c.value).where(group_state.c.room_id == room_id)
        return [(bytes(key), bytes(value)) for key, value in self._connection.execute(found)]

    async def write_group(self, room_id: int, epoch: int, writes: Iterable[tuple[bytes, bytes | None]]) -> None:
        """As the port says."""
        gone: list[dict[str, object]] = []
        put: list[dict[str, object]] = []
        for key, value in dict(writes).items():
            if value is None:
                gone.append({"of_room": room_id, "of_key": key})
            else:
                put.append({"room_id": room_id, "key": key, "value": value})
        if gone:
            self._connection.execute(
                delete(group_state).where(
                    group_state.c.room_id == bindparam("of_room"), group_state.c.key == bindparam("of_key")
                ),
                gone,
            )
        if put:
            new = upsert(group_state)
            self._connection.execute(
                new.on_conflict_do_update(
                    index_elements=[group_state.c.room_id, group_state.c.key], set_={"value": new.excluded.value}
                ),
                put,
            )
        self._connection.execute(update(rooms).where(rooms.c.room_id == room_id).values(epoch=epoch))

    async def write_roles(self, room_id: int, roles: bytes) -> None:
        """As the port says."""
        self._connection.execute(update(rooms).where(rooms.c.room_id == room_id).values(roles=roles))

    async def join(self, room_id: int, device_ids: Iterable[int], seq: int) -> None:
        """As the port says."""
        rows = [
            {"room_id": room_id, "device_id": device_id, "joined_seq": seq, "cursor": seq - 1}
            for device_id in device_ids
        ]
        if rows:
            self._connection.execute(insert(members), rows)

    async def leave(self, room_id: int, device_ids: Iterable[int], seq: int, now_ms: TimestampMs) -> None:
        """As the port says."""
        self._connection.execute(
            update(members)
            .where(
                members.c.room_id == room_id,
                members.c.device_id.in_(list(device_ids)),
                members.c.left_seq.is_(None),
            )
            .values(left_seq=seq, left_at_ms=now_ms)
        )

    async def count(self, device_id: int) -> int:
        """As the port says."""
        present = select(func.count()).where(members.c.device_id == device_id, members.c.left_seq.is_(None))
        return self._connection.execute(present).scalar_one()

    async def of_device(self, device_id: int, after: RoomUri | None, limit: int) -> list[RoomFacts]:
        """As the port says."""
        mine = _in(device_id).order_by(members.c.room_id).limit(limit)
        if after is not None:
            begun = select(rooms.c.room_id).where(rooms.c.room == after).scalar_subquery()
            mine = mine.where(members.c.room_id > begun)
        return self._facts(self._connection.execute(mine).scalars().all())

    async def facts(self, device_id: int, room: RoomUri) -> RoomFacts | None:
        """As the port says."""
        one = _in(device_id).join(rooms, members.c.room_id == rooms.c.room_id).where(rooms.c.room == room)
        return next(iter(self._facts(self._connection.execute(one).scalars().all())), None)

    def _facts(self, room_ids: Sequence[int]) -> list[RoomFacts]:
        present: defaultdict[int, list[tuple[DeviceUri, int, bool, bool]]] = defaultdict(list)
        for room_id, device, joined_seq, revoked, lost in self._connection.execute(
            select(
                members.c.room_id,
                devices.c.device,
                members.c.joined_seq,
                devices.c.revoked_at_ms.is_not(None),
                members.c.lost_seq.is_not(None),
            )
            .select_from(members.join(devices, members.c.device_id == devices.c.device_id))
            .where(members.c.room_id.in_(room_ids), members.c.left_seq.is_(None))
            .order_by(members.c.joined_seq, devices.c.device_id)
        ):
            present[room_id].append((DeviceUri(device), joined_seq, revoked, lost))
        found = select(rooms.c.room_id, rooms.c.room, rooms.c.epoch, _head, rooms.c.roles).where(
            rooms.c.room_id.in_(room_ids)
        )
        return [
            RoomFacts(RoomUri(room), epoch, head, present[room_id], decode_roles(roles))
            for room_id, room, epoch, head, roles in self._connection.execute(found.order_by(rooms.c.room_id))
        ]

    async def revoked(self, device_ids: Sequence[int]) -> tuple[list[RoomUri], list[UserUri]]:
        """As the port says."""
        theirs = select(members.c.room_id).where(members.c.device_id.in_(device_ids), members.c.left_seq.is_(None))
        found = self._connection.execute(select(rooms.c.room).where(rooms.c.room_id.in_(theirs)))
        present = (
            select(accounts.c.user)
            .select_from(members.join(devices, members.c.device_id == devices.c.device_id).join(accounts))
            .where(members.c.room_id.in_(theirs), members.c.left_seq.is_(None))
            .distinct()
        )
        return [RoomUri(room) for room in found.scalars()], [
            UserUri(user) for user in self._connection.execute(present).scalars()
        ]

    async def mark_lost(self, room_id: int, device_id: int, seq: int) -> None:
        """As the port says."""
        present = members.c.room_id == room_id, members.c.device_id == device_id, members.c.left_seq.is_(None)
        self._connection.execute(update(members).where(*present).values(lost_seq=seq))

    async def lost_beside(self, device_id: int, candidates: Sequence[DeviceUri]) -> list[DeviceUri]:
        """As the port says."""
        found = _beside(device_id).where(members.c.lost_seq.is_not(None), devices.c.device.in_(candidates))
        return [DeviceUri(device) for (device,) in self._connection.execute(found.distinct())]

    async def owes(self, device_id: int) -> bool:
        """As the port says."""
        needy = devices.c.revoked_at_ms.is_not(None) | members.c.lost_seq.is_not(None)
        return self._connection.execute(_beside(device_id).where(needy).limit(1)).first() is not None

    async def stays(self, device_id: int) -> list[Stay]:
        """As the port says."""
        rows = self._connection.execute(_STAYS.where(members.c.device_id == device_id))
        latest = {row.room: _stay(*row) for row in rows}
        return [stay for stay in latest.values() if stay.left_seq is None or stay.cursor < stay.left_seq]

    async def stay(self, device_id: int, room: RoomUri) -> Stay | None:
        """As the port says."""
        rows = self._connection.execute(_STAY, {"device_id": device_id, "room": room}).all()
        return _stay(*rows[-1]) if rows else None

    async def move_cursors(self, cursors: Mapping[tuple[int, int], int]) -> None:
        """As the port says."""
        self._connection.execute(
            _MOVE_CURSOR,
            [
                {"of_room": room_id, "of_device": device_id, "up_to": seq}
                for (room_id, device_id), seq in cursors.items()
            ],
        )

    def _severed(self, users: set[UserUri]) -> bool:
        if len(users) != 2:  # noqa: PLR2004 - a block closes a room of two, and no other
            return False
        one, other = users
        return any(
            self._connection.execute(_BLOCKS, {"owner": owner, "other": about}).first() is not None
            for owner, about in ((one, other), (other, one))
        )


def _in(device_id: int) -> Select[int]:
    """The ids of the rooms that the device is in."""
    return select(members.c.room_id).where(members.c.device_id == device_id, members.c.left_seq.is_(None))


def _beside(device_id: int) -> Select[str]:
    """Other devices in rooms that the device is in."""
    return (
        select(devices.c.device)
        .join(members, members.c.device_id == devices.c.device_id)
        .where(members.c.room_id.in_(_in(device_id)), members.c.left_seq.is_(None), devices.c.device_id != device_id)
    )


def _stay(room: str, room_id: int, joined_seq: int, left_seq: int | None, cursor: int, head: int) -> Stay:  # noqa: PLR0913, PLR0917
    return Stay(RoomUri(room), room_id, joined_seq, left_seq, cursor, head)
