"""One message as people see it: time, sender, text, ticks."""

from __future__ import annotations

from rich.text import Text

from nightlight.cli.output import clock_time
from nightlight.cli.people import written
from nightlight.cli.plain import neutralise
from nightlight.client.sdk import Message, MessageState

_TICKS = {
    MessageState.QUEUED: ("◷", "dim"),
    MessageState.SENT: ("✓", "dim"),
    MessageState.DELIVERED: ("✓✓", "dim"),
    MessageState.READ: ("✓✓", "bold cyan"),
    MessageState.FAILED: ("✗ not sent", "bold red"),
    MessageState.RECEIVED: ("", ""),
}
READ_WORD = " read"
"""Beside the colour of the ticks, for those who do not see it."""


def message_line(message: Message) -> Text:
    """The message, neutralised; its further lines are indented, so that none can pose as another message."""
    tick, style = _TICKS[message.state]
    text = neutralise(message.text).replace("\n", "\n        ")
    line = Text.assemble(
        (f"{clock_time(message.accepted_at_ms) or '--:--'} ", "dim"),
        ("you" if message.own else written(message.sender), "green" if message.own else "yellow"),
        f"  {text}",
    )
    if tick:
        line.append(f" {tick}", style)
    if message.state is MessageState.READ:
        line.append(READ_WORD, style)
    return line
