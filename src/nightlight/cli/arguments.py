"""Arguments that several commands take."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

Person = Annotated[str, Parameter(help="name@provider, such as alice@courier.example.")]
Room = Annotated[str, Parameter(help="The room's name, or the beginning of it.")]
Conversation = Annotated[str, Parameter(help="name@provider, or a room's name.")]
Json = Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON value.")]


def examples(*commands: str) -> str:
    """The end of a command's help."""
    return "\n".join(["For example:", "", *(f"  {command}" for command in commands)])
