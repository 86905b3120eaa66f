"""What one connection is told: in order, bounded, from the log when it is behind."""

import asyncio
from collections.abc import Iterable

import pytest

from nightlight.errors import ProblemName
from nightlight.protocol.ids import DeviceUri, RoomUri, SubmissionId, UserUri
from nightlight.protocol.messages import (
    Accepted,
    Delivery,
    EntryKind,
    Goodbye,
    Refused,
    ServerFrame,
    Wake,
    encode_frame,
    read_server_frame,
)
from nightlight.server.http.connection import Connection, Connections
from nightlight.server.ports.delivery import Caller, Published

LAKE = RoomUri("mimi://ring.example/r/lake")
MIRA, TOMAS = (UserUri(f"mimi://ring.example/u/{name}") for name in ("mira", "tomas"))
MIRAS, TOMS = (DeviceUri(f"mimi://ring.example/d/{name}/phone") for name in ("mira", "tomas"))
ID = SubmissionId(bytes(16))


def delivery(seq: int, size: int = 10) -> Delivery:
    """An entry by Mira."""
    return Delivery(LAKE, seq, EntryKind.APPLICATION, MIRAS, seq, bytes(size), b"")


def accepted(seq: int) -> Accepted:
    """Tomas's own entry."""
    return Accepted(ID, LAKE, seq, 1, seq, b"")


class Toms:
    """Tomas's connection, with a log of entries behind it."""

    def __init__(self, outbox_bytes_max: int = 10_000) -> None:
        """He has been told up to 0; the log is empty."""
        self.connection = Connection(Caller(TOMS, 2, TOMAS, 2), outbox_bytes_max=outbox_bytes_max)
        self.connection.behind(LAKE, 0, told=0)
        self.log: list[Delivery | Accepted] = []
        self.heard: list[ServerFrame] = []
        self.reads = 0

    def append(self, count: int) -> None:
        """Entries enter the log and are offered to him."""
        for _ in range(count):
            entry = delivery(len(self.log) + 1)
            self.log.append(entry)
            self.connection.offer(LAKE, entry.seq, encode_frame(entry))

    async def read_log(self, room: RoomUri, after: int) -> list[Delivery | Accepted]:
        """Three entries at most."""
        assert room == LAKE
        self.reads += 1
        return self.log[after : after + 3]

    async def send(self, data: bytes) -> None:
        """He has heard it."""
        self.heard.append(read_server_frame(data))

    async def listen(self) -> list[int]:
        """The sequence numbers that he hears until nothing is left."""
        writing = asyncio.create_task(self.connection.write(self.send, self.read_log))
        while self.connection._waiting_writer is None or self.connection._waiting_writer.done():  # noqa: ASYNC110 - a test may look inside
            await asyncio.sleep(0)
        self.connection.end("stopping")
        await writing
        assert self.heard.pop() == Goodbye("stopping")
        return [frame.seq for frame in self.heard if isinstance(frame, Delivery | Accepted)]


async def test_who_has_heard_everything_is_told_live_without_reading_the_log() -> None:
    toms = Toms()
    toms.append(5)
    assert await toms.listen() == [1, 2, 3, 4, 5]
    assert toms.reads == 0


async def test_who_is_behind_continues_from_the_log_in_order() -> None:
    toms = Toms()
    toms.log = [delivery(seq) for seq in range(1, 8)]
    toms.append(1)
    assert await toms.listen() == list(range(1, 9))


async def test_a_full_outbox_sends_the_rest_to_the_log() -> None:
    toms = Toms(outbox_bytes_max=300)
    toms.append(50)
    assert toms.connection._outbox_bytes <= 300
    assert await toms.listen() == list(range(1, 51))
    assert toms.reads > 0


async def test_an_entry_offered_twice_is_heard_once() -> None:
    toms = Toms()
    toms.append(3)
    toms.connection.offer(LAKE, 2, encode_frame(delivery(2)))
    toms.connection.behind(LAKE, 3)
    assert await toms.listen() == [1, 2, 3]


async def test_a_room_that_was_joined_just_now_is_read_from_the_log() -> None:
    toms = Toms()
    other = RoomUri("mimi://ring.example/r/hill")
    toms.connection.behind(other, 4)

    async def read_log(room: RoomUri, after: int) -> list[Delivery]:
        assert (room, after) == (other, 0)
        return [Delivery(other, 4, EntryKind.WELCOME, MIRAS, 4, b"", b"")]

    toms.read_log = read_log  # type: ignore[assignment, method-assign]  # another log for once
    assert await toms.listen() == [4]


async def test_a_log_that_ends_early_does_not_hold_up_the_rest() -> None:
    toms = Toms()
    toms.connection.behind(LAKE, 9)
    assert await toms.listen() == []
    assert toms.reads == 1


async def test_own_entries_keep_their_place_among_the_others() -> None:
    toms = Toms()
    toms.append(1)
    toms.log.append(accepted(2))
    toms.connection.answer(accepted(2))
    toms.connection.own(LAKE, 2)
    toms.append(1)
    assert await toms.listen() == [1, 2, 3]
    assert toms.reads == 0


async def test_an_answer_that_overtakes_comes_again_in_its_place() -> None:
    toms = Toms()
    toms.log = [delivery(1), accepted(2)]
    toms.connection.answer(accepted(2))
    toms.connection.own(LAKE, 2)
    assert await toms.listen() == [2, 1, 2]


async def test_a_change_is_told_once_however_often_it_happened() -> None:
    toms = Toms()
    for what in ("contacts", "contacts", "key_packages", "contacts"):
        toms.connection.wake(what)
    await toms.listen()
    assert sorted(frame.what for frame in toms.heard if isinstance(frame, Wake)) == ["contacts", "key_packages"]


async def test_a_device_that_waits_for_answers_is_read_again_when_they_come() -> None:
    toms = Toms()
    for _ in range(3):
        await toms.connection.readable(3)
        toms.connection.submitted()
    waiting = asyncio.create_task(toms.connection.readable(3))
    await asyncio.sleep(0)
    assert not waiting.done()
    toms.connection.answer(accepted(1))
    await waiting


async def test_a_device_that_does_not_read_its_refusals_is_not_read_either() -> None:
    toms = Toms(outbox_bytes_max=300)
    refusals = 0
    while True:
        reading = asyncio.create_task(toms.connection.readable(3))
        await asyncio.sleep(0)
        if not reading.done():
            break
        toms.connection.tell(Refused(None, ProblemName.MALFORMED))
        refusals += 1
    assert toms.connection._outbox_bytes < 400
    await toms.listen()
    await reading
    assert toms.heard == [Refused(None, ProblemName.MALFORMED)] * refusals


def connections(*callers: Caller) -> tuple[Connections, list[Connection]]:
    """Several who are connected."""
    all_of_them = Connections()
    made = [Connection(caller, outbox_bytes_max=10_000) for caller in callers]
    for connection in made:
        all_of_them.add(connection)
        connection.behind(LAKE, 0, told=0)
    return all_of_them, made


def queued(connection: Connection) -> list[ServerFrame]:
    """What waits in its outbox."""
    return [read_server_frame(data) for data in connection._outbox]


@pytest.mark.parametrize("changed", [(), (TOMS,)])
def test_an_entry_goes_to_members_and_not_to_its_sender(changed: Iterable[DeviceUri]) -> None:
    everyone, (miras, toms) = connections(Caller(MIRAS, 1, MIRA, 1), Caller(TOMS, 2, TOMAS, 2))
    everyone.publish(Published(delivery(1), {MIRAS, TOMS}, frozenset(changed)))
    assert (queued(miras), queued(toms)) == ([], [delivery(1)])
    assert miras._told[LAKE] == 1


def test_who_joins_or_leaves_by_an_entry_reads_it_from_the_log() -> None:
    everyone, (toms,) = connections(Caller(TOMS, 2, TOMAS, 2))
    everyone.publish(Published(delivery(1), {MIRAS}, frozenset([TOMS])))
    assert queued(toms) == []
    assert toms._behind == {LAKE: 1}


def test_a_device_has_one_connection_and_one_that_is_gone_is_told_nothing() -> None:
    tomas = Caller(TOMS, 2, TOMAS, 2)
    everyone, (first, second) = connections(tomas, tomas)
    assert (len(everyone), first._ended, second._ended) == (1, "replaced", None)
    everyone.remove(first)
    everyone.publish(Published(delivery(1), {TOMS}))
    everyone.wake(TOMAS, "contacts")
    assert (queued(first), queued(second)) == ([], [delivery(1)])
    assert (first._wakes, second._wakes) == (set(), {"contacts"})
    everyone.remove(second)
    assert len(everyone) == 0


def test_a_device_that_was_revoked_is_sent_away() -> None:
    everyone, (toms,) = connections(Caller(TOMS, 2, TOMAS, 2))
    everyone.revoke(TOMS)
    everyone.revoke(MIRAS)
    assert (len(everyone), toms._ended) == (0, "removed")


def test_a_refusal_is_an_answer_too() -> None:
    _, (toms,) = connections(Caller(TOMS, 2, TOMAS, 2))
    toms.answer(Refused(ID, ProblemName.MALFORMED))
    assert queued(toms)[0] == Refused(ID, ProblemName.MALFORMED)
