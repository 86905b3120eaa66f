"""Erasing what the table of records no longer allows to be kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from nightlight.protocol.ids import TimestampMs
from nightlight.server.domain.records import RECORDS
from nightlight.server.ports.delivery import Clock, DeliveryStore, Meter

_ROWS_AT_ONCE = 1_000
_S = 1_000
_HOUR_MS = 3_600_000

_log = structlog.get_logger()


@dataclass(slots=True)
class RetentionService:
    """The purge, which does not trust a clock that has gone ahead by more than ``ahead_max_ms`` since it last ran.

    ``monotonic``: seconds that this process has run, whatever the clock says. Of the time for which the server was
    stopped nobody knows whether it was so: after a longer stop the operator confirms the clock.
    """

    store: DeliveryStore
    clock: Clock
    monotonic: Callable[[], float]
    meter: Meter
    ahead_max_ms: int
    _believed: tuple[int, float] | None = field(default=None, init=False)
    """Clock and ``monotonic`` at the last run."""

    async def purge(self) -> dict[str, int]:
        """Everything whose time is over is gone, in transactions short enough to let messages through.

        Returns how many rows of each table went; none at all while the clock is further ahead than it can be.
        """
        now_ms = self.clock()
        ahead_ms = await self._ahead_ms(now_ms)
        held = ahead_ms > self.ahead_max_ms
        self.meter.purge_held(held=held)
        if held:
            _log.warning("purge held", reason="the clock is ahead", hours=ahead_ms // _HOUR_MS)
            return {}
        self._believed = now_ms, self.monotonic()
        gone: dict[str, int] = {}
        for record in RECORDS:
            if record.retention_ms is None:
                continue
            before_ms = TimestampMs(now_ms - record.retention_ms)
            gone[record.table] = 0
            while True:
                async with self.store.write("purge") as unit:
                    rows = await unit.housekeeping.purge(record.table, before_ms, now_ms, _ROWS_AT_ONCE)
                gone[record.table] += rows
                if rows < _ROWS_AT_ONCE:
                    break
        async with self.store.write("purge") as unit:
            await unit.housekeeping.note_purge(now_ms)
        return gone

    async def _ahead_ms(self, now_ms: TimestampMs) -> int:
        """How much further the clock has gone than this process knows time to have."""
        if self._believed is not None:
            then_ms, then_s = self._believed
            return now_ms - then_ms - int((self.monotonic() - then_s) * _S)
        async with self.store.read() as unit:
            latest_ms = await unit.housekeeping.latest_purge()
        return 0 if latest_ms is None else now_ms - latest_ms
