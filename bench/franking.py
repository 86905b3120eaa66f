"""The tag of a message of 1 KiB: what franking costs the sender."""

from __future__ import annotations

import statistics
from collections.abc import Collection
from pathlib import Path

from rich.console import Console

from bench.effort import Effort
from bench.figure import Figure
from bench.sample import text_content
from bench.timing import seconds_per_call
from nightlight.protocol.franking import franking_tag

_CALLS = 20_000


async def measure(_names: Collection[str], effort: Effort, _folder: Path, _console: Console) -> list[Figure]:
    """``franking.client_us``: microseconds for one tag."""
    content = text_content()
    seconds = statistics.median(seconds_per_call(lambda: franking_tag(content), _CALLS) for _ in range(effort.rounds))
    return [Figure("franking.client_us", seconds * 1e6, "µs")]
