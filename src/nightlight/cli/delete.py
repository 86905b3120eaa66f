"""Deleting a message."""

from __future__ import annotations

from cyclopts import App

from nightlight.cli.arguments import Json, examples
from nightlight.cli.one_message import Id, say_about
from nightlight.cli.profile import DEFAULT_WHO, Who

app = App(name="delete", help_epilogue=examples("nightlight delete 01f3a9c2"))


@app.default
async def delete(message: Id, /, *, json: Json = False, who: Who = DEFAULT_WHO) -> None:
    """Your message is taken away for everyone; that there was one is still seen. Others may keep, and report, it."""
    await say_about(
        who,
        message,
        lambda client, found: client.delete(found.message_id),
        done="Deleted.",
        json=json,
    )
