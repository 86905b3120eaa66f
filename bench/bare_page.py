"""The bare limit in a browser: one page with a text field, whose line goes through one WebSocket to all other pages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from bench.pinned import free_port

WIRE_BYTES = 512
"""About what a short message of ours is as a frame of the stream."""

_PAGE = f"""<!doctype html><title>bare</title>
<label>Message <input></label><ol></ol>
<script>
const field = document.querySelector('input');
const list = document.querySelector('ol');
const socket = new WebSocket(`ws://${{location.host}}/stream`);
socket.binaryType = 'arraybuffer';
socket.onmessage = ({{ data }}) => {{
  const line = document.createElement('li');
  line.textContent = new TextDecoder().decode(data).trimEnd();
  list.append(line);
}};
field.addEventListener('keydown', ({{ key }}) => {{
  if (key !== 'Enter') return;
  socket.send(new TextEncoder().encode(field.value.padEnd({WIRE_BYTES})));
  field.value = '';
}});
</script>
""".encode()


def _page(connection: ServerConnection, request: Request) -> Response | None:
    del connection
    if request.path == "/stream":
        return None
    headers = Headers([("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(_PAGE)))])
    return Response(HTTPStatus.OK, "OK", headers, _PAGE)


@asynccontextmanager
async def bare_page() -> AsyncIterator[str]:
    """The page's address."""
    present: set[ServerConnection] = set()

    async def pass_on(connection: ServerConnection) -> None:
        present.add(connection)
        try:
            async for line in connection:
                broadcast(present - {connection}, line)
        finally:
            present.discard(connection)

    port = free_port()
    async with serve(pass_on, "127.0.0.1", port, process_request=_page, compression=None):
        yield f"http://127.0.0.1:{port}/"
