"""What anyone may ask: who this hub is, whether it works, and what the operator counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from litestar import Request, Response, Router, get
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from msgspec import Struct

from nightlight.errors import ProblemName, RefusedError
from nightlight.protocol.messages import Directory
from nightlight.server.http.metrics import Metrics
from nightlight.server.services.directory import DirectoryService

_DOCUMENT = "/schema/openapi.json"
_EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"


class Health(Struct, frozen=True):
    """``status`` is always ``ok``: otherwise the answer is a problem."""

    status: str = "ok"


def interface_document() -> OpenAPIConfig:
    """The HTTP interface as JSON, and no page: Litestar's would run code from elsewhere at the web app's own origin."""

    def check_path(request: Request[Any, Any, Any]) -> None:
        if request.scope["path"] != _DOCUMENT:
            raise RefusedError(ProblemName.NOT_FOUND)

    folder, _, name = _DOCUMENT.rpartition("/")
    return OpenAPIConfig(
        title="Nightlight",
        version="1",
        render_plugins=[JsonRenderPlugin(path=f"/{name}")],
        openapi_router=Router(folder, route_handlers=[], before_request=check_path, include_in_schema=False),
    )


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
