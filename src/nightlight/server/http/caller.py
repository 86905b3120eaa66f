"""Who calls: found out before anything of a request's body is read."""

from __future__ import annotations

from typing import Any

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.params import SkipValidation
from litestar.types import Guard

from nightlight.errors import ProblemName, RefusedError
from nightlight.server.http.allowance import Allowances
from nightlight.server.ports.delivery import Caller
from nightlight.server.services.authentication import Authentication

_SCHEME = "Bearer "
_TOKEN_MAX = 128

Signed = NamedDependency[SkipValidation[Caller]]


def require_caller(authentication: Authentication, allowances: Allowances[int]) -> Guard:
    """What lets those in who have signed in and call no more often than they may.

    Raises ``RefusedError``: ``unauthenticated`` NL-454 without a bearer token, NL-453 with a wrong one; ``too_many``
    NL-455 for a device that calls too often.
    """

    async def check(request: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        header = request.headers.get("authorization", "")
        token = header.removeprefix(_SCHEME)
        if token == header or not 0 < len(token) <= _TOKEN_MAX:
            raise RefusedError(ProblemName.UNAUTHENTICATED)  # NL-454
        caller = await authentication.authenticate(token)
        allowances.take(caller.device_id)  # NL-455
        request.scope["auth"] = caller

    return check


def signed_caller(request: Request[Any, Caller, Any]) -> Caller:
    """Whom ``require_caller`` has let in."""
    return request.auth
