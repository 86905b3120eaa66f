"""Processor time per call of small things, two of them in turns: who else wants the core does not count."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Comparison:
    """Medians over rounds, in seconds a call; ``ratio`` is the median of the rounds' ratios, ours over the peer's."""

    ours_s: float
    peer_s: float
    ratio: float


def seconds_per_call(call: Callable[[], object], calls: int) -> float:
    """Mean time of ``call`` over ``calls`` of them."""
    began = time.process_time()
    for _ in range(calls):
        call()
    return (time.process_time() - began) / calls


def compare(ours: Callable[[], object], peer: Callable[[], object], *, rounds: int, calls: int) -> Comparison:
    """Both were timed in turns, after one round that does not count."""
    pairs = [(seconds_per_call(ours, calls), seconds_per_call(peer, calls)) for _ in range(rounds + 1)][1:]
    return Comparison(
        statistics.median(mine for mine, _ in pairs),
        statistics.median(theirs for _, theirs in pairs),
        statistics.median(mine / theirs for mine, theirs in pairs),
    )
