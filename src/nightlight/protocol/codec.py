"""TLS presentation language with MLS vectors, and the outer fields of MLS messages that a hub must read.

Source: RFC 8446 section 3; RFC 9420 section 2.1.2 "Variable-Size Vector Length Headers", section 6 "Message Framing".
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

from nightlight.errors import LocalProtocolError, RemoteProtocolError

_U16 = Struct(">H")
_U32 = Struct(">I")
_U64 = Struct(">Q")

MAX_U64 = 2**64 - 1
MAX_VECTOR_BYTES = 2**30 - 1
_ONE_BYTE_VECTOR = 2**6 - 1
_TWO_BYTE_VECTOR = 2**14 - 1

_MLS_PRIVATE_MESSAGE = bytes.fromhex("0001 0002")


@dataclass(frozen=True, slots=True)
class PrivateMessageHeader:
    """What anyone can read of an application message."""

    group_id: bytes
    epoch: int
    authenticated_data: bytes


def u16(value: int) -> bytes:
    """Two bytes, big-endian."""
    return _U16.pack(value)


def u64(value: int) -> bytes:
    """Eight bytes, big-endian."""
    return _U64.pack(value)


def write_vector(content: bytes) -> bytes:
    """``content`` behind its length in the shortest form: 1, 2 or 4 bytes."""
    length = len(content)
    if length <= _ONE_BYTE_VECTOR:
        return length.to_bytes(1, "big") + content
    if length <= _TWO_BYTE_VECTOR:
        return _U16.pack(0x4000 | length) + content
    if length <= MAX_VECTOR_BYTES:
        return _U32.pack(0x8000_0000 | length) + content
    raise LocalProtocolError("a vector of more than 2^30 - 1 bytes")


def _vector_bounds(data: bytes, at: int) -> tuple[int, int]:
    """Where the content of the vector at ``at`` starts and ends."""
    try:
        first = data[at]
    except IndexError:
        raise RemoteProtocolError("NL-101", "ends inside a field") from None
    width = 1 << (first >> 6)
    start = at + width
    if width == 1:
        end = start + first
    else:
        if width > 4:  # noqa: PLR2004 - the prefix 0b11 names no width
            raise RemoteProtocolError("NL-102", "a vector length with prefix 11")
        header = data[at:start]
        if len(header) < width:
            raise RemoteProtocolError("NL-101", "ends inside a field")
        length = int.from_bytes(header, "big") & ((1 << (8 * width - 2)) - 1)
        if length <= (_ONE_BYTE_VECTOR if width == 2 else _TWO_BYTE_VECTOR):  # noqa: PLR2004 - of 1, 2 and 4
            raise RemoteProtocolError("NL-102", "a vector length longer than it need be")
        end = start + length
    if end > len(data):
        raise RemoteProtocolError("NL-101", "ends inside a field")
    return start, end


class Reader:
    """Reads fields off the front of ``data``; never past its end.

    Every method raises ``RemoteProtocolError`` NL-101 where the data ends first, ``vector`` also NL-102.
    """

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        """Stands at the first byte."""
        self._data = data
        self._at = 0

    @property
    def at_end(self) -> bool:
        """Nothing is left."""
        return self._at == len(self._data)

    def take(self, length: int) -> bytes:
        """The next ``length`` bytes."""
        end = self._at + length
        if end > len(self._data):
            raise RemoteProtocolError("NL-101", "ends inside a field")
        taken = self._data[self._at : end]
        self._at = end
        return taken

    def u8(self) -> int:
        """One byte."""
        return self.take(1)[0]

    def u16(self) -> int:
        """Two bytes, big-endian."""
        return int.from_bytes(self.take(2), "big")

    def u64(self) -> int:
        """Eight bytes, big-endian."""
        return int.from_bytes(self.take(8), "big")

    def vector(self) -> bytes:
        """The content of a vector whose length header has the shortest form."""
        start, end = _vector_bounds(self._data, self._at)
        self._at = end
        return self._data[start:end]

    def text(self) -> str:
        """The content of a vector, which is UTF-8. Raises also NL-104."""
        try:
            return self.vector().decode()
        except UnicodeDecodeError:
            raise RemoteProtocolError("NL-104", "not UTF-8") from None

    def finish(self) -> None:
        """Nothing is left. Raises ``RemoteProtocolError`` NL-103."""
        if not self.at_end:
            raise RemoteProtocolError("NL-103", "bytes after the last field")


def read_private_message(message: bytes) -> PrivateMessageHeader:
    """``message`` is an MLSMessage that holds one PrivateMessage of content type application, and nothing else.

    The hub's hot path, so it is written flat instead of with a ``Reader``. Raises ``RemoteProtocolError`` NL-101 to
    NL-103; NL-105 for another version or wire format; NL-106 for a handshake.
    """
    if message[:4] != _MLS_PRIVATE_MESSAGE:
        raise RemoteProtocolError("NL-105", "not an MLS 1.0 PrivateMessage")
    group_start, group_end = _vector_bounds(message, 4)
    aad_at = group_end + 9
    if aad_at > len(message):
        raise RemoteProtocolError("NL-101", "ends inside a field")
    if message[aad_at - 1] != 1:
        raise RemoteProtocolError("NL-106", "a PrivateMessage that is not application data")
    aad_start, aad_end = _vector_bounds(message, aad_at)
    _, sender_end = _vector_bounds(message, aad_end)
    _, ciphertext_end = _vector_bounds(message, sender_end)
    if ciphertext_end != len(message):
        raise RemoteProtocolError("NL-103", "bytes after the last field")
    return PrivateMessageHeader(
        group_id=message[group_start:group_end],
        epoch=_U64.unpack_from(message, group_end)[0],
        authenticated_data=message[aad_start:aad_end],
    )
