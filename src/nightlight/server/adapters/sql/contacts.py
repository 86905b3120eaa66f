"""How users stand to each other, in SQL."""

from __future__ import annotations

from sqlalchemy import Connection, Select, and_, delete, exists, func, or_, select
from sqlalchemy.dialects.sqlite import insert as upsert

from nightlight.protocol.ids import RoomUri, TimestampMs, UserUri
from nightlight.protocol.signature import PUBLIC_KEY_BYTES
from nightlight.server.adapters.sql.tables import accounts, devices, members, rooms, stances
from nightlight.server.domain.contact import Pair, Stance


class SqlContacts:
    """``ports.delivery.Contacts`` on one connection."""

    def __init__(self, connection: Connection) -> None:
        """Works within the connection's transaction."""
        self._connection = connection

    async def pair(self, mine: UserUri, theirs: UserUri) -> Pair:
        """As the port says."""
        return Pair(self._stance(mine, theirs), self._stance(theirs, mine))

    async def put(self, mine: UserUri, theirs: UserUri, before: Pair, after: Pair, now_ms: TimestampMs) -> None:
        """As the port says."""
        if after.mine is not before.mine:
            self._put(mine, theirs, after.mine, now_ms)
        if after.theirs is not before.theirs:
            self._put(theirs, mine, after.theirs, now_ms)

    async def of(self, user: UserUri) -> list[tuple[UserUri, Pair, TimestampMs]]:
        """As the port says."""
        found: dict[str, tuple[Stance, Stance, int]] = {}
        for other, stance, since_ms in self._connection.execute(
            select(stances.c.other, stances.c.stance, stances.c.since_ms).where(stances.c.owner == user)
        ):
            found[other] = (Stance(stance), Stance.NONE, since_ms)
        for owner, stance, since_ms in self._connection.execute(
            select(stances.c.owner, stances.c.stance, stances.c.since_ms).where(stances.c.other == user)
        ):
            mine, _, mine_since_ms = found.get(owner, (Stance.NONE, Stance.NONE, since_ms))
            shown_since_ms = since_ms if mine is Stance.NONE else mine_since_ms
            found[owner] = (mine, Stance(stance), shown_since_ms)
        return [
            (UserUri(other), Pair(mine, theirs), TimestampMs(since_ms))
            for other, (mine, theirs, since_ms) in sorted(found.items())
        ]

    async def count(self, user: UserUri) -> int:
        """As the port says."""
        return self._connection.execute(
            select(func.count()).select_from(stances).where(stances.c.owner == user)
        ).scalar_one()

    async def replacements(self, user: UserUri) -> dict[UserUri, int]:
        """As the port says."""
        found = (
            select(accounts.c.user, func.length(accounts.c.former_keys))
            .join(stances, stances.c.other == accounts.c.user)
            .where(stances.c.owner == user, func.length(accounts.c.former_keys) > 0)
        )
        return {UserUri(other): length // PUBLIC_KEY_BYTES for other, length in self._connection.execute(found)}

    async def rooms_of_two(self, one: UserUri, other: UserUri) -> list[RoomUri]:
        """As the port says."""
        third = (
            select(members.c.room_id)
            .join(devices, members.c.device_id == devices.c.device_id)
            .join(accounts, devices.c.user_id == accounts.c.user_id)
            .where(
                members.c.room_id == rooms.c.room_id, members.c.left_seq.is_(None), accounts.c.user.not_in([one, other])
            )
        )
        found = select(rooms.c.room).where(rooms.c.room_id.in_(_shared_rooms(one, other)), ~exists(third))
        return [RoomUri(room) for room in self._connection.execute(found).scalars()]

    async def have_met(self, one: UserUri, other: UserUri) -> bool:
        """As the port says."""
        ours, theirs = _stays(one).subquery(), _stays(other).subquery()
        met = select(ours.c.room_id).join(
            theirs,
            and_(
                ours.c.room_id == theirs.c.room_id,
                or_(theirs.c.left_seq.is_(None), ours.c.joined_seq <= theirs.c.left_seq),
                or_(ours.c.left_seq.is_(None), theirs.c.joined_seq <= ours.c.left_seq),
            ),
        )
        return self._connection.execute(met.limit(1)).first() is not None

    def _stance(self, owner: UserUri, other: UserUri) -> Stance:
        found = self._connection.execute(
            select(stances.c.stance).where(stances.c.owner == owner, stances.c.other == other)
        ).scalar_one_or_none()
        return Stance.NONE if found is None else Stance(found)

    def _put(self, owner: UserUri, other: UserUri, stance: Stance, now_ms: TimestampMs) -> None:
        if stance is Stance.NONE:
            self._connection.execute(delete(stances).where(stances.c.owner == owner, stances.c.other == other))
            return
        self._connection.execute(
            upsert(stances)
            .values(owner=owner, other=other, stance=stance.value, since_ms=now_ms)
            .on_conflict_do_update(
                index_elements=[stances.c.owner, stances.c.other],
                set_={"stance": stance.value, "since_ms": now_ms},
            )
        )


def _shared_rooms(one: UserUri, other: UserUri) -> Select[tuple[int]]:
    """The ids of the rooms in which both have a device now."""
    return _room_ids(one).where(members.c.room_id.in_(_room_ids(other)))


def _room_ids(user: UserUri) -> Select[tuple[int]]:
    return _stays(user).with_only_columns(members.c.room_id).where(members.c.left_seq.is_(None))


def _stays(user: UserUri) -> Select[tuple[int, int, int | None]]:
    """When each of the user's devices was in which room: from the entry that let it in to the one that removed it."""
    return (
        select(members.c.room_id, members.c.joined_seq, members.c.left_seq)
        .join(devices, members.c.device_id == devices.c.device_id)
        .join(accounts, devices.c.user_id == accounts.c.user_id)
        .where(accounts.c.user == user)
    )
