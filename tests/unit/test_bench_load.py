"""The load generators count what arrives, however it is cut into pieces, and keep the window full."""

import asyncio
from typing import cast

import pytest

from bench.load import Pair
from bench.rooms import submission_ids
from bench.websocket import FrameConnection, FramePair, Recipient, Sender, client_frame
from bench.xmpp import XmppConnection, XmppPair
from nightlight.protocol.messages import (
    Accepted,
    Acknowledge,
    Delivery,
    EntryKind,
    ServerFrame,
    SubmitMessage,
    encode_frame,
    read_client_frame,
)

ANNA = "mimi://courier.example/d/anna/phone"
ROOM = "mimi://courier.example/r/bench"
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
CLIENT_HEAD = 8
"""Bytes before the payload in a client's frame of 126 to 65,535 bytes."""


class Wire(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))


def server_message(payload: bytes) -> bytes:
    length = len(payload)
    head = bytes((0x82, length)) if length < 126 else bytes((0x82, 126)) + length.to_bytes(2, "big")
    return head + payload


def delivery(seq: int, size: int = 1_500) -> bytes:
    frame = Delivery(
        ROOM, seq, EntryKind.APPLICATION, "mimi://courier.example/d/anna/phone", 1, bytes(size), bytes(100)
    )
    return server_message(encode_frame(frame))


def accepted(submission_id: bytes, seq: int) -> bytes:
    return server_message(encode_frame(Accepted(submission_id, ROOM, seq, 1, 1, bytes(100))))


class Heard(FrameConnection):
    def __init__(self) -> None:
        super().__init__()
        self.frames: list[ServerFrame] = []

    def heard(self, frames: list[ServerFrame]) -> None:
        self.frames += frames


@pytest.mark.parametrize("piece", [1, 3, 700, 4_000, 100_000])
async def test_frames_are_whole_however_the_stream_is_cut(piece: int) -> None:
    connection = Heard()
    connection.connection_made(Wire())
    connection.data_received(SWITCHED)
    stream = b"".join(delivery(seq, size) for seq, size in enumerate((10, 1_500, 20, 3_000), 1))
    for start in range(0, len(stream), piece):
        connection.data_received(stream[start : start + piece])
    assert [cast("Delivery", frame).seq for frame in connection.frames] == [1, 2, 3, 4]


async def test_a_ping_is_answered() -> None:
    connection, wire = Heard(), Wire()
    connection.connection_made(wire)
    connection.data_received(SWITCHED)
    connection.data_received(bytes((0x89, 4)) + b"ping")
    assert wire.written == [client_frame(b"ping", 0x8A)]


async def test_a_message_is_done_when_it_is_both_acknowledged_and_delivered() -> None:
    sender, recipient, out, back = Sender(), Recipient(), Wire(), Wire()
    for connection, wire in ((sender, out), (recipient, back)):
        connection.connection_made(wire)
        connection.data_received(SWITCHED)
    pair = FramePair(sender, recipient, {ROOM: [bytes(1_400)]})
    pair.begin(2)
    sender.data_received(accepted(bytes(16), 2) + accepted(bytes(16), 3))
    assert pair.done == 0
    recipient.data_received(delivery(2))
    assert (pair.done, pair.sent) == (1, 3)
    recipient.data_received(delivery(3))
    assert (pair.done, pair.sent) == (2, 4)
    assert [read_client_frame(sent[6:]) for sent in back.written] == [Acknowledge(ROOM, 2), Acknowledge(ROOM, 3)]


async def test_each_submission_is_a_frame_under_an_id_of_its_own() -> None:
    sender, out = Sender(), Wire()
    sender.connection_made(out)
    pair = FramePair(sender, Recipient(), {ROOM: [b"one" * 100, b"two" * 100]})
    pair.put(3)
    [written] = out.written
    size = len(written) // 3
    sent = [read_client_frame(written[at + CLIENT_HEAD : at + size]) for at in range(0, len(written), size)]
    messages = [cast("SubmitMessage", frame) for frame in sent]
    assert [message.message for message in messages] == [b"one" * 100, b"two" * 100, b"one" * 100]
    assert len({message.submission_id for message in messages}) == 3


def test_submission_ids_are_uuids_of_version_7_and_rise() -> None:
    ids = submission_ids(1_790_000_000_000)
    first, second = next(ids), next(ids)
    assert first < second
    assert (first[6] >> 4, first[8] >> 6) == (7, 2)


@pytest.mark.parametrize("piece", [1, 5, 9, 10, 64, 5_000])
async def test_stanzas_are_counted_however_the_stream_is_cut(piece: int) -> None:
    sender, recipient = XmppConnection(), XmppConnection()
    sender.connection_made(Wire())
    pair: Pair = XmppPair(sender, recipient, "ben@localhost/bench")
    stream = b"<message from='anna@localhost'><body>hello</body></message>" * 7
    for start in range(0, len(stream), piece):
        recipient.data_received(stream[start : start + piece])
    assert pair.done == 7
