"""How much somebody may still do: a bucket that fills steadily."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from nightlight.errors import ProblemName, RefusedError

Seconds = Callable[[], float]
Who = TypeVar("Who", bound=Hashable)
_REMEMBERED = 100_000


class Allowance:
    """One bucket."""

    __slots__ = ("_burst", "_clock", "_counted_at", "_left", "_per_second")

    def __init__(self, clock: Seconds, per_second: float, burst: int) -> None:
        """Full: ``burst`` may be taken at once, and ``per_second`` in the long run. ``clock`` never jumps."""
        self._clock = clock
        self._per_second = per_second
        self._burst = burst
        self._left = float(burst)
        self._counted_at = clock()

    def take(self) -> int:
        """0 and one is taken; or, in ms, after how long to ask again."""
        now = self._clock()
        self._left = min(self._burst, self._left + (now - self._counted_at) * self._per_second)
        self._counted_at = now
        if self._left < 1:
            return int(1_000 * (1 - self._left) / self._per_second) + 1
        self._left -= 1
        return 0


class Allowances(Generic[Who]):
    """A bucket for each of many; that of whoever has long done nothing is full again, and forgotten.

    At most 100,000 are remembered, about 300 bytes each.
    """

    def __init__(self, clock: Seconds, per_second: float, burst: int) -> None:
        """As ``Allowance``."""
        self._clock = clock
        self._per_second = per_second
        self._burst = burst
        self._buckets: OrderedDict[Who, Allowance] = OrderedDict()

    def take(self, who: Who) -> None:
        """One is taken of what ``who`` may do. Raises ``RefusedError`` ``too_many``."""
        bucket = self._buckets.get(who)
        if bucket is None:
            bucket = self._buckets[who] = Allowance(self._clock, self._per_second, self._burst)
            if len(self._buckets) > _REMEMBERED:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(who)
        if wait_ms := bucket.take():
            raise RefusedError(ProblemName.TOO_MANY, retry_after_s=math.ceil(wait_ms / 1_000))
