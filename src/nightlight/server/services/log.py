"""The rooms' logs from the reader's side: what a device is told, and how far it has got."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import TypeAlias

from nightlight.errors import UnavailableError
from nightlight.protocol.codec import write_vector
from nightlight.protocol.ids import DeviceUri, RoomUri
from nightlight.protocol.messages import Accepted, Delivery, EntryKind, Removed
from nightlight.server.cache import RoomCache
from nightlight.server.ports.delivery import Caller, DeliveryStore, Entry, Stay

_ROOMS_AT_ONCE = 200

LogFrame: TypeAlias = Accepted | Delivery | Removed


@dataclass(frozen=True, slots=True)
class LogService:
    """Reading, and acknowledging what was read."""

    store: DeliveryStore
    rooms: RoomCache
    _cursors: dict[tuple[RoomUri, DeviceUri], tuple[int, int]] = field(default_factory=dict, init=False)
    _read_on: dict[int, None] = field(default_factory=dict, init=False)

    async def stays(self, caller: Caller) -> list[Stay]:
        """The rooms of which the caller's device has something to be told."""
        async with self.store.read() as unit:
            return await unit.rooms.stays(caller.device_id)

    async def owes_removal(self, caller: Caller) -> bool:
        """Whether a device has to be removed from a room that the caller's device is in."""
        async with self.store.read() as unit:
            return await unit.rooms.owes(caller.device_id)

    async def read(self, caller: Caller, room: RoomUri, after_seq: int, bytes_max: int) -> list[LogFrame]:
        """What the caller's device is told of ``room`` after ``after_seq``, in order and as much as fits ``bytes_max``.

        Nothing, if there is nothing more; else at least one frame.
        """
        async with self.store.read() as unit:
            stay = await unit.rooms.stay(caller.device_id, room)
            if stay is None:
                return []
            after_seq = max(after_seq, stay.joined_seq - 1)
            page = await unit.log.page(stay.room_id, after_seq, stay.end, bytes_max)
        return [_told(entry, stay, caller.device) for entry in page]

    def acknowledge(self, caller: Caller, room: RoomUri, seq: int) -> None:
        """The device has everything up to ``seq``, which it was told; what a crash loses, the next ``Hello`` says."""
        self._cursors[room, caller.device] = (caller.device_id, seq)

    async def flush_cursors(self) -> None:
        """Cursors are durable. Raises ``UnavailableError``."""
        if not self._cursors:
            return
        moved = dict(self._cursors)
        self._cursors.clear()
        try:
            async with self.store.write("ack") as unit:
                cursors: dict[tuple[int, int], int] = {}
                for (room, _), (device_id, seq) in moved.items():
                    state = await self.rooms.state(unit, room)
                    if state is not None:
                        cursors[state.room_id, device_id] = seq
                if cursors:
                    await unit.rooms.move_cursors(cursors)
        except UnavailableError:
            for where, cursor in moved.items():
                self._cursors.setdefault(where, cursor)
            raise
        self._read_on.update(dict.fromkeys(room_id for room_id, _ in cursors))

    async def find_received(self) -> None:
        """What was still to be erased when the server ended will be. Raises ``UnavailableError``."""
        async with self.store.read() as unit:
            self._read_on.update(dict.fromkeys(await unit.housekeeping.received()))

    async def erase_received(self) -> None:
        """Ciphertext that every device has is gone; in the rooms read first, first. Raises ``UnavailableError``.

        One short transaction a call, so that messages get through.
        """
        rooms = list(islice(self._read_on, _ROOMS_AT_ONCE))
        if rooms:
            async with self.store.write("erase") as unit:
                unfinished = await unit.housekeeping.purge_received(rooms)
            for room in rooms:
                del self._read_on[room]
            self._read_on.update(dict.fromkeys(unfinished))


def _told(entry: Entry, stay: Stay, device: DeviceUri) -> LogFrame:
    """How ``device`` hears of ``entry``."""
    room, seq, at_ms = stay.room, entry.seq, entry.accepted_at_ms
    if seq == stay.left_seq:
        return Removed(room, seq)
    if entry.sender == device:
        return Accepted(entry.submission_id, room, seq, entry.epoch, at_ms, entry.frank)
    if seq == stay.joined_seq:
        payload = write_vector(entry.welcome or b"") + write_vector(entry.roles or b"")
        return Delivery(room, seq, EntryKind.WELCOME, entry.sender, at_ms, payload, b"")
    return Delivery(room, seq, entry.kind, entry.sender, at_ms, entry.payload, entry.frank)
