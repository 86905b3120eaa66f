"""HTTP for blobs: uploads in chunks, downloads in ranges.

Source: RFC 9110 "Range Requests"; a range of another unit or several at once are passed over, as it allows.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Annotated, Any

from litestar import Request, Router, delete, get, post, put
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody, QueryParameter, SkipValidation
from litestar.response import Stream
from litestar.types import Guard

from nightlight.errors import ProblemName, RefusedError
from nightlight.protocol.ids import parse_blob_id
from nightlight.protocol.messages import BlobCreation, BlobHash, BlobUpload
from nightlight.server.http.caller import Signed, signed_caller
from nightlight.server.ports.blobs import Blob
from nightlight.server.services.blobs import BlobService

Blobs = NamedDependency[SkipValidation[BlobService]]
Id = FromPath[str]
Offset = Annotated[int, QueryParameter(ge=0, le=2**53 - 1)]
_RANGE = re.compile(r"bytes=(\d{0,16})-(\d{0,16})")
_HEADERS = {
    "accept-ranges": "bytes",
    "cache-control": "no-store",
    "content-disposition": "attachment",
    "x-content-type-options": "nosniff",
}


@post("/blobs", summary="Begin an upload")
async def begin_upload(caller: Signed, data: JSONBody[BlobCreation], blobs: Blobs) -> BlobUpload:
    """As ``BlobService.begin``."""
    return await blobs.begin(caller, data.size)


@get("/blobs/{blob:str}/upload", summary="How far your upload is")
async def upload_state(caller: Signed, blob: Id, blobs: Blobs) -> BlobUpload:
    """As ``BlobService.upload``."""
    return await blobs.upload(caller, parse_blob_id(blob))


@put("/blobs/{blob:str}/upload", summary="Go on with your upload: the body is the chunk at that offset")
async def append_chunk(
    request: Request[Any, Any, Any], caller: Signed, blob: Id, offset: Offset, blobs: Blobs
) -> BlobUpload:
    """As ``BlobService.append``."""
    return await blobs.append(caller, parse_blob_id(blob), offset, await request.body())


@post("/blobs/{blob:str}/upload", summary="Finish your upload", status_code=200)
async def finish_upload(caller: Signed, blob: Id, data: JSONBody[BlobHash], blobs: Blobs) -> BlobUpload:
    """As ``BlobService.finish``."""
    return await blobs.finish(caller, parse_blob_id(blob), data.sha256)


@delete("/blobs/{blob:str}", summary="Remove your upload or blob")
async def remove_blob(caller: Signed, blob: Id, blobs: Blobs) -> None:
    """As ``BlobService.remove``."""
    await blobs.remove(caller, parse_blob_id(blob))


@get("/blobs/{blob:str}", summary="Fetch a blob, or a range of its bytes", media_type="application/octet-stream")
async def fetch_blob(request: Request[Any, Any, Any], caller: Signed, blob: Id, blobs: Blobs) -> Stream:
    """As ``BlobService.read``."""
    del caller  # whoever is signed in and knows the id
    found = await blobs.find(parse_blob_id(blob))
    wanted = _range(request.headers.get("range", ""), found)
    first, last = wanted or (0, found.size - 1)
    headers = _HEADERS | {"content-length": str(last + 1 - first)}
    if wanted is not None:
        headers["content-range"] = f"bytes {first}-{last}/{found.size}"
    chunks = blobs.read(found, first, last)
    beginning = await anext(chunks)  # what is not to be had is refused, not broken off
    return Stream(
        _continued(beginning, chunks),
        status_code=200 if wanted is None else 206,
        headers=headers,
        media_type="application/octet-stream",
    )


async def _continued(beginning: bytes, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield beginning
    async for chunk in chunks:
        yield chunk


def _range(header: str, blob: Blob) -> tuple[int, int] | None:
    """First and last byte that are wanted, or None for all. Raises ``range_not_satisfiable`` NL-499."""
    found = _RANGE.fullmatch(header)
    if found is None or found[0] == "bytes=-":
        return None
    first, last = found.groups()
    begin = int(first) if first else max(0, blob.size - int(last))
    end = min(int(last), blob.size - 1) if first and last else blob.size - 1
    if first and last and int(last) < begin:
        return None
    if begin > end:
        raise RefusedError(ProblemName.RANGE_NOT_SATISFIABLE)  # NL-499
    return begin, end


def blob_api(blobs: BlobService, check_caller: Guard) -> Router:
    """Everything under ``/v1/blobs``."""
    return Router(
        "/v1",
        route_handlers=[begin_upload, upload_state, append_chunk, finish_upload, remove_blob, fetch_blob],
        dependencies={
            "blobs": Provide(lambda: blobs, sync_to_thread=False),
            "caller": Provide(signed_caller, sync_to_thread=False),
        },
        guards=[check_caller],
    )
