"""Blobs: uploaded in chunks, fetched in ranges by whoever knows the id, gone when their time is over."""

import asyncio
import hashlib
import os
from typing import Any

import httpx
import pytest

from nightlight.protocol.ids import BlobId, UserUri
from nightlight.protocol.messages import BlobCreation, BlobHash, BlobUpload
from nightlight.server.adapters.blobs import FolderBlobs
from nightlight.server.domain.records import DAY_MS
from nightlight.server.services import blobs as blob_service
from nightlight.server.services.blobs import CHUNK_BYTES, BlobService
from tests.contract.conftest import Hub
from tests.contract.device import Line
from tests.contract.test_accounts import problem
from tests.contract.test_storage import count, full_disk, locked, purge_in

HANNA = UserUri("mimi://ring.example/u/hanna")
SOON_GONE_MS = 11 * 60_000


@pytest.fixture
def settings() -> dict[str, Any]:
    """Small limits, so that tests reach them."""
    return {"blob_bytes_max": 3 * CHUNK_BYTES, "blob_quota_bytes": 8 * CHUNK_BYTES, "uploads_max": 4}


def picture(size: int) -> bytes:
    """What a sealed picture looks like from outside."""
    return os.urandom(size)


async def begun(line: Line, size: int) -> BlobUpload:
    """A new upload."""
    return await line.call("POST", "/v1/blobs", BlobUpload, BlobCreation(size))


async def put(line: Line, blob: str, offset: int, chunk: bytes) -> httpx.Response:
    """The answer to one chunk."""
    headers = {"authorization": f"Bearer {line.token}"}
    return await line.http.put(f"/v1/blobs/{blob}/upload", params={"offset": offset}, content=chunk, headers=headers)


async def told(line: Line, blob: str) -> BlobUpload:
    """How far the upload is."""
    return await line.call("GET", f"/v1/blobs/{blob}/upload", BlobUpload)


async def finish(line: Line, blob: str, data: bytes) -> httpx.Response:
    """The answer to what ends an upload of ``data``."""
    return await line.raw("POST", f"/v1/blobs/{blob}/upload", BlobHash(hashlib.sha256(data).digest()))


async def uploaded(line: Line, data: bytes) -> BlobId:
    """``data`` is a blob."""
    upload = await begun(line, len(data))
    for offset in range(0, len(data), upload.chunk_bytes):
        assert (await put(line, upload.blob, offset, data[offset : offset + upload.chunk_bytes])).is_success
    assert (await finish(line, upload.blob, data)).is_success
    return BlobId(upload.blob)


async def fetch(line: Line, blob: str, wanted: str | None = None) -> httpx.Response:
    """The answer to a request for the blob, or for a range of it."""
    headers = {"authorization": f"Bearer {line.token}"} | ({} if wanted is None else {"range": wanted})
    return await line.http.get(f"/v1/blobs/{blob}", headers=headers)


def service(hub: Hub) -> BlobService:
    """The hub's."""
    return hub.application.blobs


async def test_who_knows_its_id_fetches_a_blob_as_it_was_uploaded(mira: Line, tomas: Line) -> None:
    data = picture(2 * CHUNK_BYTES + 100)
    blob = await uploaded(mira, data)
    answer = await fetch(tomas, blob)
    assert (answer.status_code, answer.content) == (200, data)
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-disposition"] == "attachment"


async def test_a_blob_is_fetched_in_ranges(mira: Line, tomas: Line) -> None:
    data = picture(2 * CHUNK_BYTES + 100)
    blob = await uploaded(mira, data)
    size = len(data)
    for wanted, first, last in (
        ("bytes=0-0", 0, 0),
        (f"bytes=0-{CHUNK_BYTES}", 0, CHUNK_BYTES),
        (f"bytes={CHUNK_BYTES - 1}-{2 * CHUNK_BYTES}", CHUNK_BYTES - 1, 2 * CHUNK_BYTES),
        (f"bytes={size - 1}-", size - 1, size - 1),
        (f"bytes=5-{2**50}", 5, size - 1),
        ("bytes=-10", size - 10, size - 1),
        (f"bytes=-{2**50}", 0, size - 1),
    ):
        answer = await fetch(tomas, blob, wanted)
        assert (answer.status_code, answer.content) == (206, data[first : last + 1]), wanted
        assert answer.headers["content-range"] == f"bytes {first}-{last}/{size}"
    for passed_over in (
        "",
        "bytes=",
        "bytes=-",
        "bytes=2-1",
        "bytes=0-1,3-4",
        "pages=1-2",
        "bytes=x-",
        "bytes=" + "9" * 40,
    ):
        assert (await fetch(tomas, blob, passed_over)).status_code == 200, passed_over
    for beyond in (f"bytes={size}-", f"bytes={2**52}-{2**52 + 1}", "bytes=-0"):  # NL-499
        answer = await fetch(tomas, blob, beyond)
        assert (answer.status_code, problem(answer)) == (416, "range_not_satisfiable"), beyond


async def test_an_upload_goes_on_where_it_was_and_repeats_change_nothing(hub: Hub, mira: Line) -> None:
    data = picture(2 * CHUNK_BYTES + 7)
    upload = await begun(mira, len(data))
    assert (upload.received, upload.chunk_bytes, upload.finished) == (0, CHUNK_BYTES, False)
    assert (await put(mira, upload.blob, 0, data[:CHUNK_BYTES])).is_success
    await hub.restart()
    assert (await told(mira, upload.blob)).received == CHUNK_BYTES
    assert (await put(mira, upload.blob, 0, bytes(CHUNK_BYTES))).is_success
    for offset in (CHUNK_BYTES, CHUNK_BYTES, 2 * CHUNK_BYTES):
        assert (await put(mira, upload.blob, offset, data[offset : offset + CHUNK_BYTES])).is_success
    for _ in range(2):
        assert (await finish(mira, upload.blob, data)).is_success
        assert (await put(mira, upload.blob, 0, bytes(CHUNK_BYTES))).is_success
    state = await told(mira, upload.blob)
    assert (state.received, state.finished) == (len(data), True)
    assert (await fetch(mira, upload.blob)).content == data


async def test_the_same_chunk_twice_at_once_counts_once(mira: Line) -> None:
    data = picture(CHUNK_BYTES + 1)
    upload = await begun(mira, len(data))
    answers = await asyncio.gather(*(put(mira, upload.blob, 0, data[:CHUNK_BYTES]) for _ in range(4)))
    assert {answer.status_code for answer in answers} == {200}
    assert (await told(mira, upload.blob)).received == CHUNK_BYTES


async def test_a_chunk_has_its_size_and_begins_where_the_last_ended(mira: Line) -> None:
    upload = await begun(mira, CHUNK_BYTES + 10)
    for offset, size in ((0, 0), (0, 1), (0, CHUNK_BYTES - 1), (0, CHUNK_BYTES + 1), (1, CHUNK_BYTES), (2**40, 1)):
        answer = await put(mira, upload.blob, offset, bytes(size))  # NL-494
        assert (answer.status_code, problem(answer)) == (400, "malformed"), (offset, size)
    answer = await put(mira, upload.blob, CHUNK_BYTES, bytes(10))  # NL-495
    assert (answer.status_code, problem(answer)) == (409, "conflict")
    assert (await told(mira, upload.blob)).received == 0


async def test_a_blob_that_is_not_whole_or_has_another_hash_cannot_be_fetched(mira: Line) -> None:
    data = picture(CHUNK_BYTES + 10)
    upload = await begun(mira, len(data))
    await put(mira, upload.blob, 0, data[:CHUNK_BYTES])
    answer = await finish(mira, upload.blob, data)  # NL-496
    assert (answer.status_code, problem(answer)) == (409, "conflict")
    await put(mira, upload.blob, CHUNK_BYTES, data[CHUNK_BYTES:])
    answer = await finish(mira, upload.blob, data + b"!")  # NL-497
    assert (answer.status_code, problem(answer)) == (422, "invalid_blob")
    answer = await fetch(mira, upload.blob)  # NL-498
    assert (answer.status_code, problem(answer)) == (404, "not_found")
    assert (await finish(mira, upload.blob, data)).is_success
    answer = await finish(mira, upload.blob, data + b"!")
    assert (answer.status_code, problem(answer)) == (422, "invalid_blob")


async def test_an_upload_is_nobody_else_s_to_see_go_on_with_finish_or_remove(mira: Line, tomas: Line) -> None:
    data = picture(10)
    upload = await begun(mira, 10)
    blob = await uploaded(mira, data)
    for name in (upload.blob, blob, "0" * 32):  # NL-493
        answers = [
            await tomas.raw("GET", f"/v1/blobs/{name}/upload"),
            await put(tomas, name, 0, data),
            await finish(tomas, name, data),
            await tomas.raw("DELETE", f"/v1/blobs/{name}"),
        ]
        assert {(answer.status_code, problem(answer)) for answer in answers} == {(404, "not_found")}
    for malformed in ("0", "0" * 31, "A" * 32, "0" * 33, "%2e%2e"):  # NL-005
        assert problem(await tomas.raw("GET", f"/v1/blobs/{malformed}/upload")) in {"malformed", "not_found"}
    assert (await fetch(tomas, blob)).content == data


async def test_size_number_and_sum_of_what_one_person_stores_have_limits(hub: Hub, mira: Line, tomas: Line) -> None:
    answer = await mira.raw("POST", "/v1/blobs", BlobCreation(3 * CHUNK_BYTES + 1))  # NL-490
    assert (answer.status_code, problem(answer)) == (413, "too_large")
    for _ in range(4):
        await begun(mira, 1)
    answer = await mira.raw("POST", "/v1/blobs", BlobCreation(1))  # NL-491
    assert (answer.status_code, problem(answer)) == (429, "too_many")

    data = picture(3 * CHUNK_BYTES)
    fallow = await begun(tomas, 3 * CHUNK_BYTES)
    blob = await uploaded(tomas, data)
    for _ in range(2):
        answer = await tomas.raw("POST", "/v1/blobs", BlobCreation(3 * CHUNK_BYTES))  # NL-492
        assert (answer.status_code, problem(answer)) == (422, "quota_exceeded")
        await tomas.raw("DELETE", f"/v1/blobs/{blob}")  # its bytes are still there
    answers = [await put(tomas, fallow.blob, offset, bytes(CHUNK_BYTES)) for offset in range(0, len(data), CHUNK_BYTES)]
    assert all(answer.is_success for answer in answers)
    hub.clock.ahead_ms = SOON_GONE_MS
    assert await service(hub).erase() == 1
    await begun(tomas, 3 * CHUNK_BYTES)


async def test_a_person_is_charged_for_every_blob_and_for_none_that_is_gone(
    hub: Hub, mira: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    def charged() -> int:
        with hub.database.snapshot() as connection:
            return int(connection.exec_driver_sql("SELECT sum(stored_bytes) FROM accounts").scalar_one())

    for _ in range(5):
        await uploaded(mira, picture(1))
    await begun(mira, CHUNK_BYTES)
    assert charged() == 5 * 4_096 + CHUNK_BYTES
    assert (await purge_in(hub, 61))["blobs"] == 5
    assert charged() == 5 * 4_096 + CHUNK_BYTES
    monkeypatch.setattr(blob_service, "_ERASED_AT_ONCE", 2)
    hub.clock.ahead_ms = 62 * DAY_MS
    assert await service(hub).erase() == 6
    assert (charged(), count(hub, "erasures")) == (0, 0)


async def test_what_was_removed_cannot_be_fetched_and_its_bytes_go(hub: Hub, mira: Line) -> None:
    blob = await uploaded(mira, picture(CHUNK_BYTES + 1))
    kept = await uploaded(mira, picture(10))
    assert (await mira.raw("DELETE", f"/v1/blobs/{blob}")).status_code == 204
    assert (await fetch(mira, blob)).status_code == 404
    assert await service(hub).erase() == 0
    hub.clock.ahead_ms = SOON_GONE_MS
    assert await service(hub).erase() == 1
    assert [folder.name for folder in (hub.settings.data / "blobs").iterdir()] == [kept]
    assert (count(hub, "blobs"), count(hub, "uploads"), count(hub, "erasures")) == (1, 0, 0)


async def test_blobs_go_after_sixty_days_and_uploads_that_do_not_finish_after_one(hub: Hub, mira: Line) -> None:
    await uploaded(mira, picture(10))
    upload = await begun(mira, CHUNK_BYTES + 1)
    await put(mira, upload.blob, 0, picture(CHUNK_BYTES))
    erased = await purge_in(hub, 0.9)
    assert (erased["uploads"], erased["blobs"]) == (0, 0)
    erased = await purge_in(hub, 1.1)
    assert (erased["uploads"], erased["blobs"]) == (1, 0)
    erased = await purge_in(hub, 59.9)
    assert (erased["uploads"], erased["blobs"]) == (0, 0)
    erased = await purge_in(hub, 60.1)
    assert (erased["uploads"], erased["blobs"]) == (0, 1)
    hub.clock.ahead_ms = 61 * DAY_MS
    assert await service(hub).erase() == 2
    assert list((hub.settings.data / "blobs").iterdir()) == []


async def test_a_chunk_that_comes_while_its_upload_expires_does_not_stay(
    hub: Hub, mira: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = picture(2 * CHUNK_BYTES)
    upload = await begun(mira, len(data))
    put_chunk = FolderBlobs.put

    async def slow(chunks: FolderBlobs, blob: BlobId, offset: int, chunk: bytes) -> None:
        hub.clock.ahead_ms = DAY_MS + 60_000
        assert (await purge_in(hub, 0))["uploads"] == 1
        assert await service(hub).erase() == 0
        await put_chunk(chunks, blob, offset, chunk)

    await mira.sign_in()
    monkeypatch.setattr(FolderBlobs, "put", slow)
    assert (await put(mira, upload.blob, 0, data[:CHUNK_BYTES])).status_code == 404
    assert list((hub.settings.data / "blobs").iterdir()) != []
    hub.clock.ahead_ms += SOON_GONE_MS
    assert await service(hub).erase() == 1
    assert list((hub.settings.data / "blobs").iterdir()) == []


@pytest.mark.parametrize("trouble", [full_disk, locked])
async def test_while_nothing_can_be_stored_an_upload_waits_and_then_goes_on(
    hub: Hub, mira: Line, tomas: Line, trouble: Any
) -> None:
    data = picture(2 * CHUNK_BYTES)
    blob = await uploaded(tomas, data)
    upload = await begun(mira, len(data))
    await put(mira, upload.blob, 0, data[:CHUNK_BYTES])
    with trouble(hub):
        answer = await put(mira, upload.blob, CHUNK_BYTES, data[CHUNK_BYTES:])
        assert (answer.status_code, problem(answer)) == (503, "unavailable")
        assert answer.headers["retry-after"]
        assert (await told(mira, upload.blob)).received == CHUNK_BYTES
        assert (await fetch(tomas, blob)).content == data
    assert (await put(mira, upload.blob, CHUNK_BYTES, data[CHUNK_BYTES:])).is_success
    assert (await finish(mira, upload.blob, data)).is_success
    assert (await fetch(tomas, upload.blob)).content == data


async def test_a_blob_whose_bytes_are_lost_is_unavailable(hub: Hub, mira: Line) -> None:
    blob = await uploaded(mira, picture(10))
    (hub.settings.data / "blobs" / blob / "0").unlink()
    answer = await fetch(mira, blob)
    assert (answer.status_code, problem(answer)) == (503, "unavailable")


async def test_blobs_are_the_server_s_alone_to_read(hub: Hub, mira: Line) -> None:
    await uploaded(mira, picture(10))
    assert {path.stat().st_mode & 0o077 for path in (hub.settings.data / "blobs").rglob("*")} == {0}
