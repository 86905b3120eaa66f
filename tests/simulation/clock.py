"""An event loop in which time passes only when nothing is left to do, and no thread runs."""

import asyncio
import selectors
from collections.abc import Callable
from typing import Any


class _NothingHappensError(Exception):
    """Everybody waits for somebody else, and no timer is set."""


class _Selector(selectors.DefaultSelector):
    """Instead of waiting, it lets the time pass."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise _NothingHappensError
        self.now_s += max(0.0, timeout)
        return super().select(0)


class SimulatedLoop(asyncio.SelectorEventLoop):
    """Time is virtual, and work for other threads is done at once: the same run has the same outcome."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._virtual.now_s

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]  # the same, with less variance
        """Done at once."""
        del executor
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the caller's
            future.set_exception(error)
        return future
