"""Writes frames.json: each frame of the WebSocket, and what a client refuses to read."""

from typing import Any

import msgspec

from nightlight.errors import ProblemName
from nightlight.protocol import messages
from nightlight.protocol.messages import EntryKind, encode_frame
from tests.vectors.writing import write

PHONE = "mimi://courier.example/d/ada/phone"
TABLET = "mimi://gallery.example/d/ben/tablet"
ROOM = "mimi://courier.example/r/harbour"
ID = bytes(range(16))
AT_MS = 1_900_000_000_000
GREATEST = 2**53 - 1

CLIENT: list[messages.ClientFrame] = [
    messages.Hello("token", {}),
    messages.Hello("t" * 128, {ROOM: 3, "mimi://ring.example/r/" + "meadow" * 4: GREATEST}),
    messages.Hello("token", {f"mimi://courier.example/r/{number}": 2**number for number in range(53)}),
    messages.SubmitMessage(ID, ROOM, b""),
    messages.SubmitMessage(ID, ROOM, b"\x01" * 255),
    messages.SubmitMessage(ID, ROOM, b"\x02" * 256),
    messages.SubmitCommit(ID, ROOM, b"commit"),
    messages.SubmitCommit(ID, ROOM, b"commit", b"welcome"),
    messages.TellTyping(ROOM),
    *(messages.Acknowledge(ROOM, seq) for seq in (0, 127, 128, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32, GREATEST)),
]

SERVER: list[messages.ServerFrame] = [
    messages.Ready(PHONE, {}),
    messages.Ready(PHONE, {ROOM: 3, "mimi://ring.example/r/meadow": GREATEST}),
    messages.Accepted(ID, ROOM, 1, 0, AT_MS, bytes(100)),
    messages.Accepted(ID, ROOM, 2, 1, AT_MS, b""),
    messages.Refused(None, ProblemName.MALFORMED),
    messages.Refused(ID, ProblemName.WRONG_EPOCH, epoch=8),
    messages.Refused(ID, ProblemName.TOO_MANY, retry_after_ms=1_500),
    *(messages.Delivery(ROOM, 5, kind, TABLET, AT_MS, b"payload", bytes(100)) for kind in EntryKind),
    messages.Removed(ROOM, 9),
    messages.Wake("contacts"),
    messages.Goodbye("stopping"),
    messages.Typing(ROOM, "mimi://gallery.example/u/ben"),
]


def _packed(*fields: Any) -> bytes:
    return msgspec.msgpack.encode(fields)


_REMOVED = _packed("removed", ROOM, 9)

READ_ALIKE: dict[str, tuple[bytes, bytes]] = {
    "a field that is not known yet": (_packed("removed", ROOM, 9, {"why": [1.5, None]}), _REMOVED),
    "a long integer": (_REMOVED[:-1] + b"\xcf" + bytes(7) + b"\x09", _REMOVED),
    "a signed integer": (_REMOVED[:-1] + b"\xd1\x00\x09", _REMOVED),
    "a long text": (_REMOVED.replace(b"\xa7removed", b"\xda\x00\x07removed"), _REMOVED),
    "what may be left out": (_packed("refused", None, "malformed"), _packed("refused", None, "malformed", None, None)),
}

REFUSED: dict[str, bytes] = {
    "nothing": b"",
    "an empty array": _packed(),
    "an unknown frame": _packed("farewell"),
    "a frame of a client": _packed("ack", ROOM, 9),
    "a field is missing": _packed("removed", ROOM),
    "a number that no double holds": _packed("removed", ROOM, 2**53),
    "a negative number": _packed("removed", ROOM, -1),
    "a float": _packed("removed", ROOM, 9.0),
    "a boolean": _packed("removed", ROOM, True),
    "text for a number": _packed("removed", ROOM, "9"),
    "bytes for text": _packed("removed", ROOM.encode(), 9),
    "text for bytes": _packed("accepted", "0123456789abcdef", ROOM, 1, 0, AT_MS, b""),
    "a URI of 256 characters": _packed("removed", "r" * 256, 9),
    "text that is not UTF-8": _REMOVED.replace(b"harbour", b"harbo\xff\xff"),
    "a submission id of 15 bytes": _packed("refused", bytes(15), "malformed"),
    "an unknown problem": _packed("refused", None, "misfortune"),
    "an unknown kind": _packed("deliver", ROOM, 5, "rumour", TABLET, AT_MS, b"", b""),
    "bytes left over": _REMOVED + b"\x00",
    "a map": msgspec.msgpack.encode({"type": "removed", "room": ROOM, "seq": 9}),
    "a marker that means nothing": _packed("removed", ROOM, 9, None)[:-1] + b"\xc1",
    "an array without its end": b"\x94" + _REMOVED[1:],
}


def vector() -> dict[str, Any]:
    """All of frames.json."""
    return {
        "source": "made by generate_frames.py after docs/protocol.md, WebSocket",
        "client": [_row(frame) for frame in CLIENT],
        "server": [_row(frame) for frame in SERVER],
        "read_alike": [{"name": name, "bytes": data, "as": plain} for name, (data, plain) in READ_ALIKE.items()],
        "refused": [{"name": name, "bytes": data, "check": "NL-011"} for name, data in REFUSED.items()],
    }


def _row(frame: messages.ClientFrame | messages.ServerFrame) -> dict[str, Any]:
    tag = frame.__struct_config__.tag
    return {"frame": tag, "fields": msgspec.structs.asdict(frame), "bytes": encode_frame(frame)}


if __name__ == "__main__":
    write("frames", vector())
