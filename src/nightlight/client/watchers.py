"""Who waits for what happens on a device: readers of events, and callers that wait for one submission."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable
from weakref import WeakSet

from nightlight.client.events import Event

MAX_BEHIND = 100_000


class EventReader(AsyncIterator[Event]):
    """What happens from its creation on. It ends with the client, or when its reader is 100,000 events behind."""

    def __init__(self) -> None:
        """Nothing has happened yet."""
        self._events: deque[Event] = deque()
        self._ended = False
        self._waiting: asyncio.Future[None] | None = None

    def tell(self, events: Iterable[Event]) -> None:
        """These have happened."""
        if not self._ended:
            self._events.extend(events)
            self._ended = len(self._events) > MAX_BEHIND
            self._wake()

    def end(self) -> None:
        """Nothing more will."""
        self._ended = True
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def __anext__(self) -> Event:
        while not self._events:
            if self._ended:
                raise StopAsyncIteration
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        return self._events.popleft()


class Watchers:
    """Everyone who waits. An ``EventReader`` that nobody holds any more is forgotten."""

    def __init__(self) -> None:
        """Nobody does."""
        self._readers: WeakSet[EventReader] = WeakSet()
        self._futures: dict[bytes, asyncio.Future[Exception | None]] = {}

    def reader(self) -> EventReader:
        """A reader of what happens from now on."""
        reader = EventReader()
        self._readers.add(reader)
        return reader

    def tell(self, events: list[Event]) -> None:
        """Every reader hears of these."""
        for reader in self._readers:
            reader.tell(events)

    def expect(self, subject: bytes) -> asyncio.Future[Exception | None]:
        """What ``settle`` will be given for ``subject``, a message or submission id."""
        future = self._futures.get(subject)
        if future is None:
            future = self._futures[subject] = asyncio.get_running_loop().create_future()
        return future

    async def outcome(self, expected: asyncio.Future[Exception | None]) -> None:
        """Returns when it is settled; raises what it was settled with."""
        error = await asyncio.shield(expected)
        if error is not None:
            raise error

    def settle(self, subject: bytes, error: Exception | None) -> None:
        """Whoever waits for ``subject`` goes on."""
        future = self._futures.pop(subject, None)
        if future is not None:
            future.set_result(error)

    def end(self, error: Exception) -> None:
        """Readers end, and whoever waits is told ``error``."""
        for reader in self._readers:
            reader.end()
        for subject in list(self._futures):
            self.settle(subject, error)
