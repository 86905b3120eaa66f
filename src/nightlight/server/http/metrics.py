"""What the operator may count. No label ever holds a name, a URI or anything else of a person."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from litestar.types import Message, Scope
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from nightlight.errors import ProblemName

_BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)


class Metrics:
    """One server's counters, in a registry of their own."""

    def __init__(self, connections: Callable[[], int]) -> None:
        """Everything is at zero. ``connections``: how many devices are connected."""
        self.registry = CollectorRegistry()
        self._accepted = Counter(
            "nightlight_accepted", "Submissions made durable, or known already.", registry=self.registry
        )
        self._refused = Counter("nightlight_refused", "Submissions refused.", ["problem"], registry=self.registry)
        self._failed_batches = Counter(
            "nightlight_failed_batches", "Batches of which nothing became durable.", registry=self.registry
        )
        self._batch_size = Histogram(
            "nightlight_batch_size", "Submissions in one transaction.", buckets=_BATCH_SIZES, registry=self.registry
        )
        self._batch_seconds = Histogram(
            "nightlight_batch_seconds",
            "From a batch's first check to its durability.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._requests = Counter(
            "nightlight_requests", "HTTP requests answered.", ["route", "status"], registry=self.registry
        )
        self._purge_held = Gauge(
            "nightlight_purge_held", "1: nothing is erased, since the clock is far ahead.", registry=self.registry
        )
        connected = Gauge("nightlight_connections", "Devices connected now.", registry=self.registry)
        connected.set_function(connections)

    def batch(self, submissions: int, refused: Sequence[ProblemName], seconds: float) -> None:
        """As ``ports.delivery.Meter``."""
        self._batch_size.observe(submissions)
        self._batch_seconds.observe(seconds)
        self._accepted.inc(submissions - len(refused))
        for problem in refused:
            self._refused.labels(problem.value).inc()

    def failed_batch(self) -> None:
        """As ``ports.delivery.Meter``."""
        self._failed_batches.inc()

    def purge_held(self, *, held: bool) -> None:
        """As ``ports.delivery.Meter``."""
        self._purge_held.set(held)

    async def count_request(self, message: Message, scope: Scope) -> None:
        """Litestar's hook before an answer. The label is the route's template, never the path."""
        if message["type"] == "http.response.start":
            route = scope.get("path_template") or "none"
            self._requests.labels(str(route), str(message["status"])).inc()

    def exposition(self) -> bytes:
        """The Prometheus text format."""
        return generate_latest(self.registry)
