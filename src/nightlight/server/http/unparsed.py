"""Requests that never reach the application: what is not HTTP, or one connection too many, gets a problem too."""

from __future__ import annotations

import asyncio
import sys

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from nightlight.errors import PROBLEMS, ProblemName
from nightlight.server.http.problem_json import MEDIA_TYPE, problem_body


def _answer(name: ProblemName, reason: str, more: str = "") -> bytes:
    body = problem_body(name)
    head = f"content-type: {MEDIA_TYPE}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n{more}\r\n"
    return f"HTTP/1.1 {PROBLEMS[name].status} {reason}\r\n{head}".encode() + body


_MALFORMED = _answer(ProblemName.MALFORMED, "Bad Request")
_FULL = _answer(ProblemName.UNAVAILABLE, "Service Unavailable", "retry-after: 10\r\n")


class HttpProtocol(HttpToolsProtocol):
    """uvicorn's, but for its words about what it cannot parse, and for how many connections there may be."""

    connections_max = sys.maxsize

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """The connection is there; one too many ends with a problem (NL-564)."""
        super().connection_made(transport)
        if len(self.connections) > self.connections_max:  # NL-564
            self.transport.write(_FULL)
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """The connection ends with a problem."""
        del msg
        self.transport.write(_MALFORMED)
        self.transport.close()


def at_most(connections_max: int) -> type[HttpProtocol]:
    """The protocol of a server with no more connections at once, WebSockets among them."""
    return type("HttpProtocol", (HttpProtocol,), {"connections_max": connections_max})
