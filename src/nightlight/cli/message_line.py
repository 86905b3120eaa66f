"""One message as people see it: time, sender, text, ticks."""

from __future__ import annotations

from collections.abc import Callable

from rich.table import Table
from rich.text import Text

from nightlight.cli.output import clock_time, duration
from nightlight.cli.people import written
from nightlight.cli.plain import neutralise
from nightlight.client.author import FORWARDED_OFTEN
from nightlight.client.sdk import Message, MessageState, Reaction
from nightlight.protocol.ids import MessageId

Find = Callable[[MessageId], Message | None]
QUOTED = 60

_TICKS = {
    MessageState.QUEUED: (" ◷", "dim"),
    MessageState.SENT: (" ✓", "dim"),
    MessageState.DELIVERED: (" ✓✓", "dim"),
    MessageState.READ: (" ✓✓ read", "bold cyan"),  # in words, too, for those who do not see the colour
    MessageState.FAILED: (" ✗ not sent", "bold red"),
    MessageState.RECEIVED: ("", ""),
}


def message_cells(message: Message, find: Find) -> tuple[Text, Text]:
    """The time, and what was said by whom, neutralised; the latter may have several lines. ``find``: by its id."""
    said = Text.assemble(("you", "green") if message.own else (written(message.sender), "yellow"), "  ")
    if message.forwarded:
        said.append("forwarded many times: " if message.forwarded >= FORWARDED_OFTEN else "forwarded: ", "dim")
    if message.reply_to is not None:
        said.append(f"↳ {_quoted(find(message.reply_to))}\n", "dim")
    if message.deleted:
        said.append("this message was deleted", "dim italic")
    else:
        words = Text(neutralise(message.text))
        words.highlight_words([f"@{written(user)}" for user in message.mentions], "bold")
        said.append_text(words)
    if message.edited:
        said.append(" (edited)", "dim")
    if message.lifetime_s is not None:
        said.append(f" ⏱ {duration(message.lifetime_s)}", "dim")
    said.append_text(Text.assemble(_TICKS[message.state]))
    if message.reactions:
        said.append("\n" + "  ".join(map(_reacted, message.reactions)))
    return Text(clock_time(message.accepted_at_ms) or "--:--", style="dim"), said


def _quoted(message: Message | None) -> str:
    """The beginning of what is answered, on one line."""
    if message is None:
        return "a message that is not here"
    if message.deleted:
        return "a deleted message"
    line = " ".join(neutralise(message.text).split())
    return f"{written(message.sender)}: {line if len(line) <= QUOTED else line[: QUOTED - 1] + '…'}"


def _reacted(reaction: Reaction) -> str:
    text = neutralise(reaction.text)
    return text if len(reaction.users) == 1 else f"{text} {len(reaction.users)}"


def message_row(message: Message, find: Find) -> Table:
    """The cells side by side: however a text wraps, no line of it can pose as another message."""
    row = Table.grid(padding=(0, 1, 0, 0))
    row.add_column(no_wrap=True)
    row.add_column(overflow="fold")
    row.add_row(*message_cells(message, find))
    return row
