"""How commands print: tables for people, one JSON value for programs."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from nightlight.cli.plain import neutralise
from nightlight.protocol.ids import TimestampMs


def print_json(value: Any) -> None:
    """``value`` is on standard output, as one line of JSON."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")


def print_line(line: str) -> None:
    """A line on standard output."""
    sys.stdout.write(line + "\n")


def print_table(columns: Iterable[str], rows: Iterable[Iterable[object]], *, title: str | None = None) -> None:
    """A table on standard output; cells are shown as they are, never read as markup."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(neutralise(str(cell))) for cell in row))
    Console().print(table)


def say(line: str) -> None:
    """A remark on standard error."""
    Console(stderr=True, soft_wrap=True, highlight=False, markup=False).print(line)


def clock_time(at_ms: TimestampMs | None) -> str:
    """Hours and minutes here; the day as well when it was not today; empty for None."""
    if at_ms is None:
        return ""
    then, today = datetime.fromtimestamp(at_ms / 1000).astimezone(), datetime.now().astimezone().date()
    return then.strftime("%H:%M" if then.date() == today else "%Y-%m-%d %H:%M")
