"""Arguments that several commands take."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from nightlight.cli.faults import InputError

Person = Annotated[str, Parameter(help="name@provider, such as alice@courier.example.")]
Room = Annotated[str, Parameter(help="The room's name, or the beginning of it.")]
Conversation = Annotated[str, Parameter(help="name@provider, or a room's name.")]
Json = Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON value.")]
Expires = Annotated[
    str | None, Parameter(help="It goes so long after it is read: 30s, 10m, 1h, 7d; from 5 seconds to a year.")
]
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def read_duration(text: str) -> int:
    """The seconds meant by ``text``, such as ``10m``. Raises ``InputError``."""
    number, unit = text[:-1], text[-1:]
    if not (number.isascii() and number.isdigit() and unit in _UNITS):
        raise InputError(f"{text!r} is not a time; write 30s, 10m, 1h or 7d")
    return int(number) * _UNITS[unit]


def examples(*commands: str) -> str:
    """The end of a command's help."""
    return "\n".join(["For example:", "", *(f"  {command}" for command in commands)])
