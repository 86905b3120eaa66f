"""The HTTP interface described for machines: OpenAPI, as JSON and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from litestar import Litestar, Request, Router
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.routes import HTTPRoute

from nightlight.errors import ProblemName, RefusedError
from nightlight.server.http.problem_json import MEDIA_TYPE, ProblemBody

PATH = "/schema/openapi.json"
_TOKEN = "token"  # noqa: S105 - the name of a scheme
_SUCCESS = ("1", "2", "3")
_REFERENCE = "#/components/schemas/{name}"


def interface() -> OpenAPIConfig:
    """The document under ``PATH``, and no page: Litestar's would run others' code at the web app's own origin."""

    def check_path(request: Request[Any, Any, Any]) -> None:
        if request.scope["path"] != PATH:
            raise RefusedError(ProblemName.NOT_FOUND)

    folder, _, name = PATH.rpartition("/")
    return OpenAPIConfig(
        title="Nightlight",
        version="1",
        render_plugins=[_Document(path=f"/{name}")],
        openapi_router=Router(folder, route_handlers=[], before_request=check_path, include_in_schema=False),
    )


class _Document(JsonRenderPlugin):
    """Litestar's, but for how we refuse and who has to be signed in, which it cannot know."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """As Litestar's."""
        (problem,), schemas = msgspec.json.schema_components([ProblemBody], ref_template=_REFERENCE)
        signed = set(_signed(request.app))
        paths = {
            path: {verb: _described(operation, problem, (path, verb) in signed) for verb, operation in verbs.items()}
            for path, verbs in openapi_schema["paths"].items()
        }
        components = openapi_schema["components"]
        schemes = {_TOKEN: {"type": "http", "scheme": "bearer"}}
        components = components | {"schemas": components["schemas"] | schemas, "securitySchemes": schemes}
        return super().render(request, openapi_schema | {"paths": paths, "components": components})


def _described(operation: dict[str, Any], problem: dict[str, Any], signed: bool) -> dict[str, Any]:  # noqa: FBT001
    refusal = {"description": "A problem (RFC 9457).", "content": {MEDIA_TYPE: {"schema": problem}}}
    answers = {status: answer for status, answer in operation["responses"].items() if status.startswith(_SUCCESS)}
    return operation | {"responses": answers | {"default": refusal}, "security": [{_TOKEN: []}] if signed else []}


def _signed(app: Litestar) -> Iterator[tuple[str, str]]:
    """Path and verb of each handler that asks who calls."""
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                if "caller" in handler.parsed_fn_signature.parameters:
                    yield from ((route.path_format, str(verb).lower()) for verb in handler.http_methods)
