"""What a bench says: one figure, its peer, its goal, and whether it is met."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Goal:
    """The bound a figure is held to; ``on_ratio``: the ratio is judged, not the value."""

    bound: float
    at_most: bool = False
    on_ratio: bool = True

    def met_by(self, value: float) -> bool:
        """Whether ``value`` is on the right side of the bound."""
        return value <= self.bound if self.at_most else value >= self.bound

    def __str__(self) -> str:
        return f"{'≤' if self.at_most else '≥'} {self.bound:g}"


GOALS: dict[str, Goal | None] = {
    "delivery.vs_limit": Goal(0.6),
    "delivery.vs_ejabberd_archive": Goal(10),
    "delivery.vs_prosody_archive": Goal(10),
    "delivery.vs_ejabberd_no_archive": None,
    "crypto.vs_bare": Goal(0.8),
    "crypto.with_store": None,
    "franking.client_us": Goal(10, at_most=True, on_ratio=False),
    "receive.vs_verify": Goal(1.3, at_most=True),
    "append.million_vs_empty": Goal(0.7),
    "idle.kb_per_connection": Goal(40, at_most=True, on_ratio=False),
    "catchup.10000": None,
    "group.hub_flat": Goal(1.2, at_most=True),
    "group.wire_flat": Goal(1.2, at_most=True),
    "group.client_us": None,
    "group.stored_bytes": None,
    "group.add_100": None,
    "group.join_500": None,
    "web.first_load_kb": Goal(120, at_most=True, on_ratio=False),
    "web.interactive_ms": Goal(1_500, at_most=True, on_ratio=False),
    "web.send_to_shown_ms": Goal(100, at_most=True, on_ratio=False),
    "web.longest_task_ms": Goal(100, at_most=True, on_ratio=False),
    "web.longest_task_worker_ms": None,
}
"""Every figure there is, in the order of the table; None where it is reported without a goal."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured row; ``value`` is None, and ``reason`` says why, where it could not be measured here.

    ``ratio`` is the median over interleaved rounds, not the ratio of the two medians beside it.
    """

    name: str
    value: float | None
    unit: str
    peer: str | None = None
    peer_value: float | None = None
    ratio: float | None = None
    reason: str | None = None

    @property
    def goal(self) -> Goal | None:
        """The bound of this figure, if it has one."""
        return GOALS.get(self.name)

    @property
    def meets(self) -> bool | None:
        """Whether the goal is met; None without a goal or without a measurement."""
        judged = self.ratio if self.goal is None or self.goal.on_ratio else self.value
        return None if self.goal is None or judged is None else self.goal.met_by(judged)

    def row(self) -> dict[str, str | float | bool | None]:
        """This figure as in ``build/bench.json``; only an absent one also has ``reason``."""
        row: dict[str, str | float | bool | None] = {
            "name": self.name,
            "value": self.value,
            "unit": self.unit,
            "peer": self.peer,
            "peer_value": self.peer_value,
            "ratio": self.ratio,
            "goal": None if self.goal is None else self.goal.bound,
            "meets": self.meets,
        }
        return row if self.reason is None else row | {"reason": self.reason}


def absent(name: str, unit: str, reason: str, *, peer: str | None = None) -> Figure:
    """The row of a figure that cannot be measured here."""
    return Figure(name, None, unit, peer=peer, reason=reason)


def write(figures: Sequence[Figure], path: Path) -> None:
    """``path`` holds these figures as JSON, and those of earlier runs that were not measured anew, each name once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    earlier = msgspec.json.decode(path.read_bytes()) if path.exists() else []
    rows = {row["name"]: row for row in (*earlier, *(figure.row() for figure in figures))}
    path.write_bytes(msgspec.json.format(msgspec.json.encode(list(rows.values())), indent=2) + b"\n")


def print_table(figures: Sequence[Figure], title: str, console: Console) -> None:
    """The figures are on the console as one table."""
    table = Table("figure", title=title, title_justify="left")
    for heading in ("value", "unit", "peer", "peer's", "ratio", "goal", ""):
        table.add_column(heading, justify="left" if heading in {"unit", "peer"} else "right")
    for figure in figures:
        verdict = {True: "[green]met[/]", False: "[red]missed[/]", None: ""}[figure.meets]
        table.add_row(
            figure.name,
            "absent" if figure.value is None else _number(figure.value),
            figure.unit if figure.reason is None else f"{figure.unit}: {figure.reason}",
            figure.peer or "",
            _number(figure.peer_value),
            _number(figure.ratio),
            "reported" if figure.goal is None else str(figure.goal),
            verdict,
        )
    console.print(table)


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"  # noqa: PLR2004 - from here on decimals say nothing
