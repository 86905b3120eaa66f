"""How commands print: tables for people, one JSON value for programs."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Any

import msgspec
import segno
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
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


def qr_code(text: str) -> str:
    """``text`` as a QR code of half blocks, for a terminal whose letters are light on dark."""
    picture = io.StringIO()
    segno.make_qr(text, error="l").terminal(picture, compact=True, border=2)
    return picture.getvalue()


def print_table(columns: Iterable[str], rows: Iterable[Iterable[object]], *, title: str | None = None) -> None:
    """A table on standard output, under a title; cells are shown as they are, never read as markup."""
    console, columns = Console(), list(columns)
    if title:
        console.print(f"\n{title}", style="bold underline", highlight=False, markup=False)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=any(columns), header_style="dim")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(neutralise(str(cell))) for cell in row))
    console.print(table)


def say(line: str) -> None:
    """A remark on standard error."""
    Console(stderr=True, soft_wrap=True, highlight=False, markup=False).print(line)


@contextmanager
def counting(*steps: tuple[str, int]) -> Iterator[list[Callable[[], None]]]:
    """Progress bars on standard error: a name and a total each; one function each that counts one more."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True)) as progress:
        tasks = [progress.add_task(name, total=total, start=False) for name, total in steps]

        def tick(task: TaskID) -> None:
            progress.start_task(task)
            progress.advance(task)

        yield [partial(tick, task) for task in tasks]


def duration(seconds: int) -> str:
    """``seconds`` in the largest unit that it is whole in: 30s, 10m, 1h, 7d."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def clock_time(at_ms: TimestampMs | None) -> str:
    """Hours and minutes here; the day as well when it was not today; empty for None."""
    if at_ms is None:
        return ""
    then, today = datetime.fromtimestamp(at_ms / 1000).astimezone(), datetime.now().astimezone().date()
    return then.strftime("%H:%M" if then.date() == today else "%Y-%m-%d %H:%M")
