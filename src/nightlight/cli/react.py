"""Reacting to a message."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from nightlight.cli.arguments import Json, examples
from nightlight.cli.one_message import Id, say_about
from nightlight.cli.profile import DEFAULT_WHO, Who

app = App(name="react", help_epilogue=examples("nightlight react 01f3a9c2 ❤", "nightlight react 01f3a9c2 ❤ --undo"))


@app.default
async def react(
    message: Id,
    reaction: Annotated[str, Parameter(help="An emoji, or at most 64 bytes without spaces.")],
    /,
    *,
    undo: Annotated[bool, Parameter(negative="", help="Take the reaction back.")] = False,
    json: Json = False,
    who: Who = DEFAULT_WHO,
) -> None:
    """Everybody in the conversation sees your reaction by the message."""
    await say_about(
        who,
        message,
        lambda client, found: (client.unreact if undo else client.react)(found.message_id, reaction),
        done="Taken back." if undo else "Sent.",
        json=json,
    )
