"""Erasing what the table of records no longer allows to be kept."""

from __future__ import annotations

from dataclasses import dataclass

from nightlight.protocol.ids import TimestampMs
from nightlight.server.domain.records import RECORDS
from nightlight.server.ports.delivery import Clock, DeliveryStore

_ROWS_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class RetentionService:
    """The purge."""

    store: DeliveryStore
    clock: Clock

    async def purge(self) -> dict[str, int]:
        """Everything whose time is over is gone, in transactions short enough to let messages through.

        Returns how many rows of each table went.
        """
        now_ms = self.clock()
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
        return gone
