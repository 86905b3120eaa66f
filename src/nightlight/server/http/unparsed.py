"""Requests that never reach the application: what is not HTTP gets a problem too."""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from nightlight.errors import ProblemName
from nightlight.server.http.problem_json import MEDIA_TYPE, problem_body

_BODY = problem_body(ProblemName.MALFORMED)
_ANSWER = b"HTTP/1.1 400 Bad Request\r\ncontent-type: %b\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b" % (
    MEDIA_TYPE.encode(),
    len(_BODY),
    _BODY,
)


class HttpProtocol(HttpToolsProtocol):
    """uvicorn's, but for its words about what it cannot parse."""

    def send_400_response(self, msg: str) -> None:
        """The connection ends with a problem."""
        del msg
        self.transport.write(_ANSWER)
        self.transport.close()
