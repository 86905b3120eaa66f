"""Measures what Nightlight promises about speed, prints tables, and writes build/bench.json.

Everything runs on this machine, beside its peer and in turns with it: servers on one core, the load on another.
"""

from __future__ import annotations

import argparse
import asyncio
import platform
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path

import psutil
import uvloop
from rich.console import Console

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import bench.append
import bench.catchup
import bench.crypto
import bench.delivery
import bench.franking
import bench.group
import bench.idle
import bench.receive
import bench.web
from bench.effort import FULL, QUICK, Effort
from bench.figure import GOALS, Figure, absent, print_table, write
from bench.pinned import AbsentError, pin_load

BUILD = Path(__file__).resolve().parents[1] / "build"
Measure = Callable[[Collection[str], Effort, Path, Console], Awaitable[list[Figure]]]

SECTIONS: dict[str, Measure] = {
    "delivery": bench.delivery.measure,
    "crypto": bench.crypto.measure,
    "franking": bench.franking.measure,
    "receive": bench.receive.measure,
    "append": bench.append.measure,
    "idle": bench.idle.measure,
    "catchup": bench.catchup.measure,
    "group": bench.group.measure,
    "web": bench.web.measure,
}
"""What measures the figures whose names begin like this."""


async def measure(names: Collection[str], effort: Effort, folder: Path, console: Console) -> list[Figure]:
    """One row for each of ``names``, and those that belong to it."""
    task = asyncio.current_task()
    assert task is not None
    # Told to end, it still stops the servers that it has started.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    figures: list[Figure] = []
    for section, measure_section in SECTIONS.items():
        wanted = [name for name in names if name.startswith(f"{section}.")]
        if not wanted:
            continue
        own = folder / section
        own.mkdir()
        console.print(f"[dim]{', '.join(wanted)} …[/]")
        try:
            figures += await measure_section(wanted, effort, own, console)
        except AbsentError as reason:
            figures += [absent(name, "", str(reason)) for name in wanted]
    return figures


def _names(asked: list[str]) -> list[str]:
    """Every figure that is asked for, by its whole name or its first word, in the table's order."""
    return [name for name in GOALS if not asked or name in asked or name.partition(".")[0] in asked]


def main() -> None:
    """What the command line asks for is measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    choices = [*SECTIONS, *GOALS]
    parser.add_argument(
        "--only", nargs="+", default=[], choices=choices, metavar="NAME", help=f"some of: {', '.join(choices)}"
    )
    parser.add_argument("--quick", action="store_true", help="short rounds: is everything there? The figures are rough")
    asked = parser.parse_args()

    pin_load()
    console = Console(width=None if sys.stdout.isatty() else 160)
    BUILD.mkdir(exist_ok=True)
    console.print(
        f"{platform.processor() or platform.machine()}, {psutil.cpu_count()} cores, "
        f"{psutil.virtual_memory().total / 2**30:.0f} GiB, Python {platform.python_version()}"
    )
    # Next to the result and not in the system's temporary folder, which may be memory: durable has to mean the disk.
    with tempfile.TemporaryDirectory(dir=BUILD, prefix="bench-") as folder:
        effort = QUICK if asked.quick else FULL
        try:
            figures = uvloop.run(measure(_names(asked.only), effort, Path(folder), console))
        except (asyncio.CancelledError, KeyboardInterrupt):
            sys.exit("stopped before the end; nothing is written")
    print_table(figures, "Nightlight's figures", console)
    write(figures, BUILD / "bench.json")
    console.print(f"written to {BUILD / 'bench.json'}")


if __name__ == "__main__":
    main()
