"""An ASGI application on a real port, in the test's own process."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import uvicorn

from tests.support.people import until


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals stay pytest's."""
        yield


@asynccontextmanager
async def serving(application: Callable[..., Any], port: int, *, lifespan: bool = False) -> AsyncIterator[None]:
    """``application`` answers on ``port`` of the loopback inside."""
    server = _Server(
        uvicorn.Config(
            application,
            host="127.0.0.1",
            port=port,
            interface="asgi3",
            lifespan="on" if lifespan else "off",
            log_level="critical",
        )
    )
    running = asyncio.create_task(server.serve())
    await until(lambda: server.started, "the port is open")
    try:
        yield
    finally:
        server.should_exit = True
        await running
