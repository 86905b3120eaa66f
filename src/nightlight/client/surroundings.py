"""What a client takes from outside: time, randomness, and what its person has chosen."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from nightlight.protocol.ids import TimestampMs


def _now_ms() -> TimestampMs:
    return TimestampMs(time.time_ns() // 1_000_000)


def _monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Tests put their own clocks and randomness here.

    ``clock``: Unix time; it may jump. ``monotonic_ms``: for waiting; it never does. ``random(n)``: n random bytes.
    ``receipts``: senders are told what this device holds and its person has read. ``key_packages``: how many the
    server should have of this device.
    """

    receipts: bool = True
    key_packages: int = 100
    clock: Callable[[], TimestampMs] = _now_ms
    monotonic_ms: Callable[[], int] = _monotonic_ms
    random: Callable[[int], bytes] = os.urandom
