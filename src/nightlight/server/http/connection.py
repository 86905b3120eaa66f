"""One device's WebSocket from our side: what waits to be sent, bounded, and the log behind it.

An entry goes straight to the outbox of a device that has been told everything before it. A device that has not, or
whose outbox is full, is *behind* in that room, and continues from the log as fast as it reads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

from nightlight.protocol.ids import DeviceUri, RoomUri, UserUri
from nightlight.protocol.messages import Accepted, Goodbye, Refused, ServerFrame, Typing, Wake, encode_frame
from nightlight.server.ports.delivery import Caller, Published
from nightlight.server.services.log import LogFrame

Send = Callable[[bytes], Awaitable[None]]
ReadLog = Callable[[RoomUri, int], Awaitable[Sequence[LogFrame]]]


class Connection:
    """What one device is to be told."""

    __slots__ = (
        "_behind",
        "_ended",
        "_outbox",
        "_outbox_bytes",
        "_outbox_bytes_max",
        "_told",
        "_unanswered",
        "_waiting_reader",
        "_waiting_writer",
        "_wakes",
        "caller",
    )

    def __init__(self, caller: Caller, *, outbox_bytes_max: int) -> None:
        """Nothing waits; no room is known yet."""
        self.caller = caller
        self._outbox: list[bytes] = []
        self._outbox_bytes = 0
        self._outbox_bytes_max = outbox_bytes_max
        self._told: dict[str, int] = {}
        self._behind: dict[str, int] = {}
        self._wakes: set[str] = set()
        self._unanswered = 0
        self._ended: str | None = None
        self._waiting_writer: asyncio.Future[None] | None = None
        self._waiting_reader: asyncio.Future[None] | None = None

    # --- what others tell us ------------------------------------------------------------------------------

    def tell(self, frame: ServerFrame) -> None:
        """``frame`` is sent, whatever else waits; for answers, of which there is one a frame read (``readable``)."""
        self._put(encode_frame(frame))

    def answer(self, frame: Accepted | Refused) -> None:
        """A submission has its answer."""
        self._unanswered -= 1
        self._put(encode_frame(frame))
        self._wake_reader()

    def own(self, room: str, seq: int) -> None:
        """The device has heard of its own entry by its answer."""
        if self._told.get(room) == seq - 1:
            self._told[room] = seq
        else:
            self.behind(room, seq)

    def offer(self, room: str, seq: int, data: bytes) -> None:
        """The entry ``seq`` of ``room``, encoded, is sent now or read from the log later."""
        if (
            self._told.get(room) == seq - 1
            and room not in self._behind
            and self._outbox_bytes + len(data) <= self._outbox_bytes_max
        ):
            self._told[room] = seq
            self._put(data)
        else:
            self.behind(room, seq)

    def behind(self, room: str, seq: int, *, told: int | None = None) -> None:
        """The log of ``room`` goes on to ``seq``; ``told``: where the device says it stands."""
        if told is not None:
            self._told[room] = told
        if seq > self._told.get(room, 0) and seq > self._behind.get(room, 0):
            self._behind[room] = seq
            self._wake_writer()

    def told(self, room: str) -> int:
        """The last entry of ``room`` that the device was told, 0 for none."""
        return self._told.get(room, 0)

    def wake(self, what: str) -> None:
        """The device is told that ``what`` has changed; once, however often it did."""
        self._wakes.add(what)
        self._wake_writer()

    def mention(self, data: bytes) -> None:
        """The device is told now, or not at all if anything else waits to be read."""
        if not self._outbox and not self._behind:
            self._put(data)

    def end(self, reason: str) -> None:
        """The device is told goodbye, and nothing after it."""
        if self._ended is None:
            self._ended = reason
            self._wake_writer()

    # --- our own two loops --------------------------------------------------------------------------------

    def submitted(self) -> None:
        """One more submission waits for its answer."""
        self._unanswered += 1

    async def readable(self, unanswered_max: int) -> None:
        """Another frame may be read: not too many submissions wait for answers, nor too much for the device to read."""
        while self._unanswered >= unanswered_max or self._outbox_bytes > self._outbox_bytes_max:
            self._waiting_reader = asyncio.get_running_loop().create_future()
            await self._waiting_reader

    async def write(self, send: Send, read_log: ReadLog) -> None:
        """Sends what waits, until the end. ``read_log(room, after)`` reads on in a log."""
        while True:
            while self._wakes:
                self._put(encode_frame(Wake(self._wakes.pop())))
            if self._outbox:
                sending, self._outbox, self._outbox_bytes = self._outbox, [], 0
                self._wake_reader()
                for data in sending:
                    await send(data)
            elif self._ended is not None:
                await send(encode_frame(Goodbye(self._ended)))
                return
            elif self._behind:
                await self._catch_up(read_log)
            else:
                self._waiting_writer = asyncio.get_running_loop().create_future()
                await self._waiting_writer

    async def _catch_up(self, read_log: ReadLog) -> None:
        room = next(iter(self._behind))
        frames = await read_log(RoomUri(room), self._told.get(room, 0))
        for frame in frames:
            self._put(encode_frame(frame))
            self._told[room] = frame.seq
        if not frames or self._told[room] >= self._behind[room]:
            del self._behind[room]

    def _put(self, data: bytes) -> None:
        self._outbox.append(data)
        self._outbox_bytes += len(data)
        self._wake_writer()

    def _wake_reader(self) -> None:
        if self._waiting_reader is not None and not self._waiting_reader.done():
            self._waiting_reader.set_result(None)

    def _wake_writer(self) -> None:
        if self._waiting_writer is not None and not self._waiting_writer.done():
            self._waiting_writer.set_result(None)


class Connections:
    """Everyone who is connected: ``ports.delivery.Bus`` within one process."""

    def __init__(self) -> None:
        """Nobody is."""
        self._by_device: dict[DeviceUri, Connection] = {}
        self._by_user: dict[UserUri, set[Connection]] = {}

    def __len__(self) -> int:
        return len(self._by_device)

    def add(self, connection: Connection) -> None:
        """The device is connected by this connection, and no longer by another."""
        caller = connection.caller
        former = self._by_device.get(caller.device)
        if former is not None:
            self.remove(former)
            former.end("replaced")
        self._by_device[caller.device] = connection
        self._by_user.setdefault(caller.user, set()).add(connection)

    def remove(self, connection: Connection) -> None:
        """The connection is told nothing more."""
        caller = connection.caller
        if self._by_device.get(caller.device) is connection:
            del self._by_device[caller.device]
            theirs = self._by_user[caller.user]
            theirs.discard(connection)
            if not theirs:
                del self._by_user[caller.user]

    def end_all(self, reason: str) -> None:
        """Everyone is told goodbye."""
        for connection in self._by_device.values():
            connection.end(reason)

    def publish(self, entry: Published) -> None:
        """As the port says."""
        delivery = entry.delivery
        room, seq, sender = delivery.room, delivery.seq, delivery.sender
        data: bytes | None = None
        for device in entry.members & self._by_device.keys():  # the fewer of both are looked at
            connection = self._by_device[device]
            if device == sender:
                connection.own(room, seq)
            else:
                if data is None:
                    data = encode_frame(delivery)
                connection.offer(room, seq, data)
        for device in entry.changed & self._by_device.keys():
            self._by_device[device].behind(room, seq)

    def typing(self, room: RoomUri, user: UserUri, devices: Iterable[DeviceUri]) -> None:
        """As the port says."""
        data = encode_frame(Typing(room, user))
        for device in devices:
            connection = self._by_device.get(device)
            if connection is not None:
                connection.mention(data)

    def wake(self, user: UserUri, what: str) -> None:
        """As the port says."""
        for connection in self._by_user.get(user, ()):
            connection.wake(what)

    def revoke(self, device: DeviceUri) -> None:
        """As the port says."""
        connection = self._by_device.get(device)
        if connection is not None:
            self.remove(connection)
            connection.end("removed")
