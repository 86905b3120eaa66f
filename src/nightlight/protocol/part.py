"""The parts of a message's body: nothing, a text or file inside it, something at a URL, or several of these.

Source: draft-ietf-mimi-content-08, "Message Bodies" and "External content".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, TypeAlias

from nightlight.errors import RemoteProtocolError

TEXT_PLAIN = "text/plain;charset=utf-8"
TEXT_MARKDOWN = "text/markdown;variant=GFM-MIMI"
TEXT_TYPES = frozenset({TEXT_PLAIN, TEXT_MARKDOWN})

MAX_PARTS = 1024


class Disposition(IntEnum):
    """What a part is for. On receipt an unknown one, up to 255, counts as ``RENDER``."""

    UNSPECIFIED = 0
    RENDER = 1
    REACTION = 2
    PROFILE = 3
    INLINE = 4
    ICON = 5
    ATTACHMENT = 6
    SESSION = 7
    PREVIEW = 8


class PartSemantics(IntEnum):
    """How the parts of a ``MultiPart`` belong together."""

    CHOOSE_ONE = 0
    SINGLE_UNIT = 1
    PROCESS_ALL = 2


class _Cardinality(IntEnum):
    NULL = 0
    SINGLE = 1
    EXTERNAL = 2
    MULTI = 3


@dataclass(frozen=True, slots=True)
class NullPart:
    """No body: a message that deletes another."""

    disposition: int = Disposition.RENDER
    language: str = ""


@dataclass(frozen=True, slots=True)
class SinglePart:
    """A body inside the message. ``content_type`` is an IANA media type."""

    content_type: str
    content: bytes
    disposition: int = Disposition.RENDER
    language: str = ""


@dataclass(frozen=True, slots=True)
class ExternalPart:
    """A body at ``url``, encrypted under ``key`` unless ``encryption_algorithm`` is 0.

    ``expires_s``: Unix seconds, or 0; ``size``: bytes, or 0; ``content_hash`` is over the ciphertext.
    """

    content_type: str
    url: str
    expires_s: int = 0
    size: int = 0
    encryption_algorithm: int = 0
    key: bytes = field(default=b"", repr=False)
    nonce: bytes = b""
    aad: bytes = b""
    hash_algorithm: int = 0
    content_hash: bytes = b""
    description: str = ""
    filename: str = ""
    disposition: int = Disposition.ATTACHMENT
    language: str = ""


@dataclass(frozen=True, slots=True)
class MultiPart:
    """Two parts or more."""

    semantics: PartSemantics
    parts: tuple[Part, ...]
    disposition: int = Disposition.RENDER
    language: str = ""


Part: TypeAlias = NullPart | SinglePart | ExternalPart | MultiPart


# --- values of CBOR ---------------------------------------------------------------------------------------


def part_value(part: Part) -> list[Any]:
    """``part`` as CBOR holds it."""
    head = [part.disposition, part.language]
    match part:
        case NullPart():
            return [*head, _Cardinality.NULL]
        case SinglePart():
            return [*head, _Cardinality.SINGLE, part.content_type, part.content]
        case ExternalPart():
            return [*head, _Cardinality.EXTERNAL, *(getattr(part, name) for name, _ in _EXTERNAL_FIELDS)]
        case MultiPart():
            return [*head, _Cardinality.MULTI, part.semantics, [part_value(inner) for inner in part.parts]]


def _text(value: object) -> str:
    if type(value) is not str:
        raise RemoteProtocolError("NL-126", "a part with a field of another type")
    return value


def _bytes(value: object) -> bytes:
    if type(value) is not bytes:
        raise RemoteProtocolError("NL-126", "a part with a field of another type")
    return value


def _uint(bits: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        if type(value) is not int or value < 0 or value >> bits:
            raise RemoteProtocolError("NL-126", "a part with a field of another type")
        return value

    return read


_u8 = _uint(8)
_EXTERNAL_FIELDS: list[tuple[str, Callable[[object], Any]]] = [
    ("content_type", _text),
    ("url", _text),
    ("expires_s", _uint(32)),
    ("size", _uint(64)),
    ("encryption_algorithm", _uint(16)),
    ("key", _bytes),
    ("nonce", _bytes),
    ("aad", _bytes),
    ("hash_algorithm", _u8),
    ("content_hash", _bytes),
    ("description", _text),
    ("filename", _text),
]


def read_body(value: object) -> Part:
    """The part that ``value`` holds. That parts nest four deep at most follows from ``cbor.MAX_DEPTH``.

    Raises ``RemoteProtocolError`` NL-126 to NL-128.
    """
    body = _read_part(value)
    if _count(body) > MAX_PARTS:
        raise RemoteProtocolError("NL-127", "too many parts")
    return body


def _count(part: Part) -> int:
    return 1 + sum(_count(inner) for inner in part.parts) if isinstance(part, MultiPart) else 1


def _read_part(value: object) -> Part:
    if type(value) is not list or len(value) < 3:  # noqa: PLR2004 - disposition, language, cardinality
        raise RemoteProtocolError("NL-126", "not a part")
    disposition, language = _u8(value[0]), _text(value[1])
    match _u8(value[2]), value[3:]:
        case _Cardinality.NULL, []:
            return NullPart(disposition, language)
        case _Cardinality.SINGLE, [content_type, content]:
            single = SinglePart(_text(content_type), _bytes(content), disposition, language)
            _check_text(single)
            return single
        case _Cardinality.EXTERNAL, fields if len(fields) == len(_EXTERNAL_FIELDS):
            named = {name: read(item) for (name, read), item in zip(_EXTERNAL_FIELDS, fields, strict=True)}
            return ExternalPart(**named, disposition=disposition, language=language)
        case _Cardinality.MULTI, [semantics, [_, _, *_] as parts]:
            if _u8(semantics) > max(PartSemantics):
                raise RemoteProtocolError("NL-126", "unknown part semantics")
            inner = tuple(_read_part(part) for part in parts)
            return MultiPart(PartSemantics(semantics), inner, disposition, language)
    raise RemoteProtocolError("NL-126", "not a part")


def _check_text(part: SinglePart) -> None:
    if part.content_type in TEXT_TYPES:
        try:
            part.content.decode()
        except UnicodeDecodeError:
            raise RemoteProtocolError("NL-128", "a text that is not UTF-8") from None
