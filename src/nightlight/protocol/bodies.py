"""What the HTTP interface answers, read strictly, so that every client reads the same or refuses.

JSON alone leaves too much open: ``1.0`` and ``1``, integers that only some languages hold, half a surrogate pair, the
many ways to write one byte in base64. None of these is of the interface. Members that are not known are ignored, and
of two with one name the last counts, as it does for browsers.

Source: RFC 8259 "JSON"; RFC 7493 "I-JSON" section 2; RFC 4648 section 3.5 "Canonical Encoding"; ``docs/protocol.md``.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn, TypeVar

import msgspec
from msgspec import UNSET, Struct, UnsetType

from nightlight.errors import ProblemName, RemoteProtocolError
from nightlight.protocol.messages import U64

MAX_DEPTH = 8
"""Objects and arrays inside each other. The interface needs four."""
_MAX_INT = 2**53 - 1

T = TypeVar("T")


class Problem(Struct, frozen=True):
    """A failure, as RFC 9457 has it. ``epoch`` goes with ``wrong_epoch``."""

    name: ProblemName
    epoch: int | None


class _ProblemBody(Struct):
    type: str
    epoch: U64 | UnsetType = UNSET


def read_body(data: bytes, of: type[T]) -> T:
    """The answer in ``data``, UTF-8; none at all is null. Raises ``RemoteProtocolError`` NL-541."""
    try:
        value = json.loads(data.decode() or "null", parse_float=_refuse, parse_constant=_refuse)
        _check(value, 0)
        body = msgspec.convert(value, of)
    except (ValueError, RecursionError, msgspec.ValidationError, RemoteProtocolError) as error:
        raise _not_of_the_interface() from error
    if not _is_written(msgspec.to_builtins(body), value):
        raise _not_of_the_interface()
    return body


def read_problem(data: bytes) -> Problem:
    """The failure in ``data``. Raises ``RemoteProtocolError`` NL-541."""
    body = read_body(data, _ProblemBody)
    try:
        name = ProblemName(body.type.rpartition("/")[2])
    except ValueError as error:
        raise _not_of_the_interface() from error
    return Problem(name, None if body.epoch is UNSET else body.epoch)


def _not_of_the_interface() -> RemoteProtocolError:
    return RemoteProtocolError("NL-541", "an answer that is not of this interface")


def _refuse(number: str) -> NoReturn:
    raise ValueError(number)


def _check(value: object, depth: int) -> None:
    """Raises ``ValueError`` for what only some languages can hold, in members that are not known too."""
    match value:
        case str():
            value.encode()  # half a surrogate pair is no text
        case int() if abs(value) > _MAX_INT:
            raise ValueError(value)
        case dict() | list() if depth == MAX_DEPTH:
            raise ValueError(depth)
        case dict():
            for name, member in value.items():
                _check(name, depth)
                _check(member, depth + 1)
        case list():
            for item in value:
                _check(item, depth + 1)


def _is_written(body: Any, value: Any) -> bool:
    """Whether ``value`` writes what was read from it as we would: base64 has other forms than the canonical one."""
    if isinstance(body, dict):
        return all(name not in value or _is_written(member, value[name]) for name, member in body.items())
    if isinstance(body, list):
        return all(_is_written(item, written) for item, written in zip(body, value, strict=True))
    return bool(body == value)
