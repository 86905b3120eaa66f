"""Who may open a WebSocket: not too many from one address, and not too often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

from litestar.connection import ASGIConnection

from nightlight.errors import ProblemName, RefusedError
from nightlight.server.http.allowance import Allowances
from nightlight.server.http.client_address import client_address

_RETRY_AFTER_S = 10


class Admission:
    """The WebSockets that are open, by the client's address, from the handshake on."""

    def __init__(self, arrivals: Allowances[str], trusted_proxies: int, per_address_max: int) -> None:
        """Nobody is there. ``arrivals``: how often somebody may come, whatever for."""
        self._arrivals = arrivals
        self._trusted_proxies = trusted_proxies
        self._per_address_max = per_address_max
        self._open: Counter[str] = Counter()

    @contextmanager
    def of(self, scope: MutableMapping[str, Any]) -> Iterator[None]:
        """Inside, the connection of ``scope`` is one of those from its address.

        Raises ``RefusedError`` ``too_many``: NL-456 for an address that comes too often, NL-565 for one that has as
        many connections as it may.
        """
        address = client_address(ASGIConnection(scope), self._trusted_proxies)  # type: ignore[arg-type]  # by any name
        self._arrivals.take(address)  # NL-456
        if self._open[address] >= self._per_address_max:
            raise RefusedError(ProblemName.TOO_MANY, retry_after_s=_RETRY_AFTER_S)  # NL-565
        self._open[address] += 1
        try:
            yield
        finally:
            self._open[address] -= 1
            if not self._open[address]:
                del self._open[address]
