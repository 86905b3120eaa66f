"""One message as people see it: time, sender, text, ticks."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from nightlight.cli.output import clock_time
from nightlight.cli.people import written
from nightlight.cli.plain import neutralise
from nightlight.client.sdk import Message, MessageState

_TICKS = {
    MessageState.QUEUED: (" ◷", "dim"),
    MessageState.SENT: (" ✓", "dim"),
    MessageState.DELIVERED: (" ✓✓", "dim"),
    MessageState.READ: (" ✓✓ read", "bold cyan"),  # in words, too, for those who do not see the colour
    MessageState.FAILED: (" ✗ not sent", "bold red"),
    MessageState.RECEIVED: ("", ""),
}


def message_cells(message: Message) -> tuple[Text, Text]:
    """The time, and what was said by whom, neutralised; the latter may have several lines."""
    said = Text.assemble(
        ("you", "green") if message.own else (written(message.sender), "yellow"),
        f"  {neutralise(message.text)}",
        _TICKS[message.state],
    )
    return Text(clock_time(message.accepted_at_ms) or "--:--", style="dim"), said


def message_row(message: Message) -> Table:
    """The cells side by side: however a text wraps, no line of it can pose as another message."""
    row = Table.grid(padding=(0, 1, 0, 0))
    row.add_column(no_wrap=True)
    row.add_column(overflow="fold")
    row.add_row(*message_cells(message))
    return row
