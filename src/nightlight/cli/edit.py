"""Editing a message."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from nightlight.cli.arguments import Json, examples
from nightlight.cli.faults import InputError
from nightlight.cli.one_message import Id, say_about
from nightlight.cli.profile import DEFAULT_WHO, Who

app = App(name="edit", help_epilogue=examples("nightlight edit 01f3a9c2 'hello from the hill'"))


@app.default
async def edit(
    message: Id,
    text: Annotated[str, Parameter(help="What it says instead.", allow_leading_hyphen=True)],
    /,
    *,
    json: Json = False,
    who: Who = DEFAULT_WHO,
) -> None:
    """Your message says something else, and that it was edited. Others may keep, and report, what it said before."""
    if not text.strip():
        raise InputError("there is nothing to say; nightlight delete takes a message away")
    await say_about(
        who,
        message,
        lambda client, found: client.edit(found.message_id, text),
        done="Edited.",
        json=json,
    )
