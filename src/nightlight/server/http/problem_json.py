"""Failures as ``application/problem+json``: the one place where an exception becomes something a person sees.

Source: RFC 9457 "Problem Details for HTTP APIs".
"""

from __future__ import annotations

from typing import Any

import msgspec
import structlog
from litestar import MediaType, Request, Response
from litestar.exceptions import HTTPException, InternalServerException
from msgspec import UNSET, Struct, UnsetType

from nightlight.errors import PROBLEMS, ProblemName, RefusedError, RemoteProtocolError, UnavailableError

_TYPE = "/problems/"
MEDIA_TYPE = "application/problem+json"
_BY_STATUS = {
    401: ProblemName.UNAUTHENTICATED,
    403: ProblemName.NOT_ALLOWED,
    404: ProblemName.NOT_FOUND,
    405: ProblemName.METHOD_NOT_ALLOWED,
    413: ProblemName.TOO_LARGE,
    414: ProblemName.TOO_LARGE,
    429: ProblemName.TOO_MANY,
    431: ProblemName.TOO_LARGE,
}
_CLIENT_ERRORS = range(400, 500)
_LEFT = "client disconnected prematurely"
"""Litestar's words for a body that never ended, which it takes for a fault of ours."""

_log = structlog.get_logger()


class ProblemBody(Struct, frozen=True):
    """What every failure looks like. ``type`` ends in the problem's name."""

    type: str
    title: str
    status: int
    epoch: int | UnsetType = UNSET


def render(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """The answer to ``request``, which failed with ``error``. Only what the table names gets out."""
    name, epoch, retry_after_s, headers = ProblemName.INTERNAL, None, None, {}
    match error:
        case RefusedError():
            name, epoch, retry_after_s = error.problem, error.epoch, error.retry_after_s
        case RemoteProtocolError() | RecursionError():  # the latter is how the JSON decoder ends on deep nesting
            name = ProblemName.MALFORMED
        case UnavailableError():
            name, retry_after_s = ProblemName.UNAVAILABLE, error.retry_after_s
            _log.warning("unavailable", reason=error.reason)
        case InternalServerException(detail=detail) if detail == _LEFT:
            name = ProblemName.MALFORMED
        case HTTPException(status_code=status):
            name = name_of_status(status)
            headers = {key: value for key, value in (error.headers or {}).items() if key.lower() == "allow"}
    if retry_after_s is not None:
        headers["retry-after"] = str(retry_after_s)
    if name is ProblemName.INTERNAL:
        _log.error("internal error", route=request.scope.get("path_template"), **where(error))
    return Response(
        problem_body(name, epoch),
        status_code=PROBLEMS[name].status,
        headers=headers,
        media_type=MEDIA_TYPE if request.scope["method"] != "HEAD" else MediaType.TEXT,
    )


def name_of_status(status: int) -> ProblemName:
    """The problem that says what another's HTTP status does."""
    return _BY_STATUS.get(status, ProblemName.MALFORMED if status in _CLIENT_ERRORS else ProblemName.INTERNAL)


def problem_body(name: ProblemName, epoch: int | None = None) -> bytes:
    """The problem as JSON. ``epoch`` goes with ``wrong_epoch`` alone."""
    problem = PROBLEMS[name]
    body = ProblemBody(_TYPE + name.value, problem.title, problem.status, UNSET if epoch is None else epoch)
    return msgspec.json.encode(body)


def where(error: BaseException) -> dict[str, object]:
    """Class and place of a bug, for the log; never its text, which may quote what it met."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = None if trace is None else f"{trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}"
    return {"error": type(error).__name__, "place": place}
