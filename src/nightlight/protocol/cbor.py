"""Deterministic CBOR: a strict layer over cbor2.

One value has one encoding, and no other is accepted. Allowed are None, booleans, integers of 64 bits, byte strings,
text, arrays and maps with keys of integer, text or byte string; tags, floats and other simple values are not.

Source: RFC 8949 section 4.2.1 "Core Deterministic Encoding Requirements"; draft-ietf-mimi-content-08, "CBOR Data Model
and Encoding Restrictions".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn, TypeAlias, cast

import cbor2

from nightlight.errors import LocalProtocolError, RemoteProtocolError

Value: TypeAlias = "bool | int | bytes | str | list[Value] | dict[Key, Value] | None"
Key: TypeAlias = int | str | bytes

MAX_DEPTH = 8
"""Arrays and maps inside each other. MIMI content needs no more: itself, four parts, the three lists between them."""

_PLAIN = frozenset({bytes, str, bool, type(None)})
_ARRAYS = (list, tuple)
_KEYS = frozenset({int, str, bytes})
_ONE_BYTE_INT = 23
_MAX_INT = 2**64 - 1
_MIN_INT = -(2**64)


class _NotAllowedError(Exception):
    """A value outside the profile; ``encode`` and ``decode`` say whose fault that is."""


def _refuse_tag(_decoder: object, _immutable: object = None) -> NoReturn:
    raise _NotAllowedError("a tag")


class _NoTags(dict[int, Callable[..., NoReturn]]):
    """Refuses every tag before cbor2 acts on it: some compile expressions or build numbers of any size."""

    def __missing__(self, _tag: int) -> Callable[..., NoReturn]:
        return _refuse_tag


_NO_TAGS = _NoTags()


def _ordered(value: object, depth: int) -> Value:
    """``value`` with the entries of its maps in the order of their encoded keys."""
    if type(value) in _PLAIN:
        return cast("Value", value)
    if isinstance(value, int):
        if not _MIN_INT <= value <= _MAX_INT:
            raise _NotAllowedError("an integer of more than 64 bits")
        return value
    if depth == MAX_DEPTH:
        raise _NotAllowedError("nested too deeply")
    if isinstance(value, _ARRAYS):
        return [_ordered(item, depth + 1) for item in value]
    if isinstance(value, dict):
        return {key: _ordered(value[key], depth + 1) for key in sorted(value, key=_encoded_key)}
    raise _NotAllowedError("a kind of value that is not in the profile")


def _encoded_key(key: object) -> bytes:
    if type(key) is int and 0 <= key <= _ONE_BYTE_INT:
        return bytes((key,))
    if type(key) not in _KEYS:
        raise _NotAllowedError("a kind of key that is not in the profile")
    _ordered(key, 0)
    return cbor2.dumps(key)


def _encode(value: object) -> bytes:
    return cbor2.dumps(_ordered(value, 0))


def encode(value: object) -> bytes:
    """The one encoding of ``value``; tuples count as arrays. Raises ``LocalProtocolError`` outside the profile."""
    try:
        return _encode(value)
    except (_NotAllowedError, cbor2.CBORError, UnicodeEncodeError) as error:
        raise LocalProtocolError(f"not encodable: {error}") from error


def decode(data: bytes) -> Value:
    """The value whose one encoding is ``data``.

    Raises ``RemoteProtocolError`` NL-110 where ``data`` is not CBOR of this profile (indefinite lengths and keys twice
    included), NL-111 where it is not the deterministic encoding: keys out of order, long integers, bytes left over.
    """
    try:
        value: Value = cbor2.loads(
            data,
            semantic_decoders=_NO_TAGS,
            max_depth=MAX_DEPTH,
            allow_indefinite=False,
            allow_duplicate_keys=False,
        )
        again = _encode(value)
    except (_NotAllowedError, cbor2.CBORError) as error:
        raise RemoteProtocolError("NL-110", "not CBOR of our profile") from error
    if again != data:
        raise RemoteProtocolError("NL-111", "not deterministic CBOR")
    return value
