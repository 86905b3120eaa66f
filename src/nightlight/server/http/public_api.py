"""What anyone may ask: who this hub is, whether it works, and what the operator counts."""

from __future__ import annotations

from collections.abc import Callable

from litestar import Response, Router, get
from msgspec import Struct

from nightlight.protocol.messages import Directory
from nightlight.server.http.metrics import Metrics
from nightlight.server.services.directory import DirectoryService

_EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"


class Health(Struct, frozen=True):
    """``status`` is always ``ok``: otherwise the answer is a problem."""

    status: str = "ok"


def public_api(directory: DirectoryService, metrics: Metrics, check_ready: Callable[[], None]) -> Router:
    """``check_ready`` raises ``UnavailableError`` while the server cannot do its work."""

    @get("/v1/directory", operation_id="directory", summary="What clients pin of this hub", sync_to_thread=False)
    def pins() -> Directory:
        return directory.pins()

    @get("/health", operation_id="health", summary="The process runs", sync_to_thread=False)
    def health() -> Health:
        return Health()

    @get("/ready", operation_id="ready", summary="The server can do its work", sync_to_thread=False)
    def ready() -> Health:
        check_ready()
        return Health()

    @get("/metrics", operation_id="metrics", summary="Prometheus metrics", sync_to_thread=False)
    def exposition() -> Response[bytes]:
        return Response(metrics.exposition(), media_type=_EXPOSITION)

    return Router("/", route_handlers=[pins, health, ready, exposition])
