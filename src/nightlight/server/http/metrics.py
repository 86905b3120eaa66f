"""What the operator may count. No label ever holds a name, a URI or anything else of a person."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)


class Metrics:
    """One server's counters, in a registry of their own."""

    def __init__(self) -> None:
        """Everything is at zero."""
        self.registry = CollectorRegistry()
        self.connections = Gauge("nightlight_connections", "Devices connected now.", registry=self.registry)
        self.entries = Counter("nightlight_entries", "Log entries made durable.", ["kind"], registry=self.registry)
        self.refused = Counter("nightlight_refused", "Submissions refused.", ["problem"], registry=self.registry)
        self.failed_batches = Counter(
            "nightlight_failed_batches", "Batches of which nothing became durable.", registry=self.registry
        )
        self.batch_size = Histogram(
            "nightlight_batch_size", "Submissions in one transaction.", buckets=_BATCH_SIZES, registry=self.registry
        )
        self.batch_seconds = Histogram(
            "nightlight_batch_seconds",
            "From a batch's first check to its durability.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.requests = Counter(
            "nightlight_requests", "HTTP requests answered.", ["route", "status"], registry=self.registry
        )

    def exposition(self) -> bytes:
        """The Prometheus text format."""
        return generate_latest(self.registry)
