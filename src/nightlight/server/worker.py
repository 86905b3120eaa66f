"""What the server does without being asked: cursors made durable, and what may no longer be kept erased."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from nightlight.errors import UnavailableError

_log = structlog.get_logger()


async def every(seconds: float, what: str, work: Callable[[], Awaitable[object]]) -> None:
    """``work`` is done again and again, with ``seconds`` between; one failure is logged and does not end it."""
    while True:
        await asyncio.sleep(seconds)
        try:
            await work()
        except UnavailableError as error:
            _log.warning("postponed", work=what, reason=error.reason)
        except Exception as error:  # noqa: BLE001 - whatever it is, the next round may go well
            _log.error("failed", work=what, error=type(error).__name__)
