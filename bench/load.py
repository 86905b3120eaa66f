"""The load: pairs of people in a closed loop, each sender with a window of messages outstanding."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from bench.pinned import Server

PAIRS = 50
CONTENT_BYTES = 1024
_DRAIN_S = 20


class Pair(ABC):
    """A sender and a recipient. A message is done when nothing is left to happen to it."""

    def __init__(self) -> None:
        """Nothing is sent yet."""
        self.sent = 0
        self.done = 0
        self.running = False

    @abstractmethod
    def put(self, count: int) -> None:
        """The next ``count`` messages are on their way."""

    def begin(self, window: int) -> None:
        """``window`` messages are outstanding, and stay so until ``running`` is False."""
        self.running = True
        self._send(window)

    def completed(self, done: int) -> None:
        """``done`` messages in all are done; as many new ones follow as were finished since the last call."""
        finished, self.done = done - self.done, done
        if finished and self.running:
            self._send(finished)

    def _send(self, count: int) -> None:
        self.sent += count
        self.put(count)


@dataclass(frozen=True, slots=True)
class Rate:
    """One run of the loop. The shares are of one core."""

    messages_per_s: float
    load_share: float
    server_share: float


async def run(pairs: Sequence[Pair], server: Server, *, window: int, warm_up_s: float, measure_s: float) -> Rate:
    """The closed loop ran for the given time, and every message of it is done.

    Raises ``RuntimeError`` if messages are lost.
    """
    for pair in pairs:
        pair.begin(window)
    await asyncio.sleep(warm_up_s)
    began = _reading(pairs, server)
    await asyncio.sleep(measure_s)
    await _moved(pairs, began[1])
    ended = _reading(pairs, server)
    for pair in pairs:
        pair.running = False
    await _drained(pairs)
    seconds, done, load_s, server_s = (after - before for before, after in zip(began, ended, strict=True))
    return Rate(done / seconds, load_s / seconds, server_s / seconds)


def _reading(pairs: Sequence[Pair], server: Server) -> tuple[float, int, float, float]:
    return time.perf_counter(), sum(pair.done for pair in pairs), time.process_time(), server.cpu_s


async def _moved(pairs: Sequence[Pair], done: int) -> None:
    """At least one message more than ``done`` is done: a slow server has a rate, too."""
    for _ in range(_DRAIN_S * 100):
        if sum(pair.done for pair in pairs) > done:
            return
        await asyncio.sleep(0.01)
    raise RuntimeError(f"no message was done in {_DRAIN_S} s")


async def _drained(pairs: Sequence[Pair]) -> None:
    for _ in range(_DRAIN_S * 100):
        if all(pair.done == pair.sent for pair in pairs):
            return
        await asyncio.sleep(0.01)
    missing = sum(pair.sent - pair.done for pair in pairs)
    raise RuntimeError(f"{missing} messages were not done {_DRAIN_S} s after the last was sent")
