"""Files between a browser and a Python client: each opens what the other sent, and neither believes the hub."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from nightlight.client.sdk import Client
from nightlight.protocol.attachment import Attachment, Seal
from nightlight.protocol.ids import BlobId, MessageId, RoomUri, UserUri
from nightlight.protocol.part import Disposition, SinglePart
from nightlight.server.services.blobs import CHUNK_BYTES
from tests.support.people import newcomer as python_newcomer
from tests.support.people import until
from tests.support.pictures import SECRET, landscape, of, saved
from tests.support.server import ServerProcess
from tests.unit.test_client_pictures import png_of
from tests.vectors.reading import read
from tests.web.people import Person, Refused, newcomer

pytestmark = pytest.mark.asyncio(loop_scope="session")

MIRA = UserUri("mimi://courier.example/u/mira")
TOMAS = UserUri("mimi://gallery.example/u/tomas")

_SEND = """async ([room, base64, filename, type, more]) => {
  const data = new Blob([Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))], { type });
  try {
    return { value: await globalThis.device.sendFile(room, { data, filename, ...more }) };
  } catch (error) {
    return { refused: error.problem ?? error.check ?? `${error.name}: ${error.message}` };
  }
}"""
_OPEN = """async ([messageId, number]) => {
  try {
    const { content, contentType, filename } = await globalThis.device.openFile(messageId, number);
    let text = '';
    for (let at = 0; at < content.length; at += 32768) text += String.fromCharCode(...content.subarray(at, at + 32768));
    return { value: { content: btoa(text), contentType, filename } };
  } catch (error) {
    return { refused: error.problem ?? error.check ?? `${error.name}: ${error.message}` };
  }
}"""
_DRAWN = """async ([messageId, index]) => {
  const message = await globalThis.device.message(messageId);
  const { preview } = message.attachments[index];
  const image = new Image();
  image.src = URL.createObjectURL(new Blob([preview.content], { type: preview.contentType }));
  await image.decode();
  return [image.naturalWidth, image.naturalHeight];
}"""


@dataclass
class Friends:
    """Mira's Python client and Tomas's browser share ``room``."""

    mira: Client
    tomas: Person
    room: RoomUri
    server: ServerProcess
    folder: Path


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def friends(
    server: ServerProcess, browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Friends]:
    """They have met."""
    folder = tmp_path_factory.mktemp("friends")
    tomas = await newcomer(browser, server, TOMAS)
    mira = await python_newcomer(server.url, MIRA, folder)
    await mira.request_contact(TOMAS)
    await tomas.accept(MIRA)
    room = await mira.room_with(TOMAS)
    await tomas.in_room(room)
    yield Friends(mira, tomas, room, server, folder)
    await mira.close()


async def said(answer: Any) -> Any:
    """What a page returned; raises ``Refused``."""
    if "refused" in answer:
        raise Refused(answer["refused"])
    return answer["value"]


async def send(friends: Friends, data: bytes, filename: str, content_type: str, **more: Any) -> str:
    """Tomas's browser sends ``data``; the id of its upload."""
    argument = [friends.room, base64.b64encode(data).decode(), filename, content_type, more]
    return str(await said(await friends.tomas.page.evaluate(_SEND, argument)))


async def becomes(friends: Friends, upload: str) -> MessageId:
    """The message that the browser's upload becomes, once Mira has it."""

    async def done() -> bool:
        events = [event for event in await friends.tomas.heard("upload_changed") if event["uploadId"] == upload]
        return any(event["messageId"] for event in events)

    await friends.tomas.until(done, "a message")
    events = await friends.tomas.heard("upload_changed")
    message_id = MessageId(
        bytes.fromhex(
            next(event["messageId"] for event in events if event["uploadId"] == upload and event["messageId"])
        )
    )
    await until(lambda: friends.mira.message(message_id) is not None, "Mira has it")
    return message_id


async def shown(friends: Friends, message_id: MessageId) -> dict[str, Any]:
    """The message in Tomas's browser, once it is there."""
    found: list[dict[str, Any]] = []

    async def there() -> bool:
        found.append(await friends.tomas.call("message", message_id.hex()))
        return bool(found[-1])

    await friends.tomas.until(there, "the message is shown")
    return found[-1]


async def opened(friends: Friends, message_id: MessageId, number: int = 0) -> dict[str, Any]:
    """The attachment in Tomas's browser. Raises ``Refused``."""
    await shown(friends, message_id)
    answer: dict[str, Any] = await said(await friends.tomas.page.evaluate(_OPEN, [message_id.hex(), number]))
    return answer | {"content": base64.b64decode(answer["content"])}


async def sent_by_mira(friends: Friends, path: Path, caption: str = "") -> MessageId:
    """Mira has sent the file."""
    message_id = await friends.mira.files.outcome(await friends.mira.files.send(friends.room, path, caption=caption))
    await friends.mira.wait_sent(message_id)
    return message_id


async def test_a_browser_opens_what_python_sent(friends: Friends) -> None:
    message_id = await sent_by_mira(friends, saved(friends.folder / "lake.jpg", "JPEG"), "in the morning")
    message = await shown(friends, message_id)
    (file,) = message["attachments"]
    assert (message["text"], file["filename"], file["contentType"]) == ("in the morning", "lake.jpg", "image/jpeg")
    assert "key" not in str(message)
    assert await friends.tomas.page.evaluate(_DRAWN, [message_id.hex(), 0]) == [320, 200]
    content = b"".join(await friends.mira.files.open(message_id))
    for _ in range(2):
        assert await opened(friends, message_id) == {
            "content": content,
            "contentType": "image/jpeg",
            "filename": "lake.jpg",
        }


async def test_python_opens_what_a_browser_sent(friends: Friends) -> None:
    data = b"A song of the lake. " * (3 * CHUNK_BYTES // 20 + 7)
    upload = await send(friends, data, "song.txt", "text/plain", caption="listen")
    message_id = await becomes(friends, upload)
    message = friends.mira.message(message_id)
    assert message is not None
    assert message.text == "listen"
    assert [(file.filename, file.content_type, file.size) for file in message.attachments] == [
        ("song.txt", "text/plain", len(data))
    ]
    assert b"".join(await friends.mira.files.open(message_id)) == data
    own = await opened(friends, message_id)
    assert (own["content"], own["contentType"]) == (data, "application/octet-stream")
    assert await friends.tomas.call("uploads", friends.room) == []


@pytest.mark.parametrize(
    ("kind", "content_type"), [("JPEG", "image/jpeg"), ("PNG", "image/png"), ("WEBP", "image/webp")]
)
async def test_a_browser_s_picture_is_made_anew_with_its_pixels_alone(
    friends: Friends, kind: str, content_type: str
) -> None:
    path = saved(friends.folder / "lake", kind)
    message_id = await becomes(friends, await send(friends, path.read_bytes(), "lake", content_type))
    message = friends.mira.message(message_id)
    assert message is not None
    (file,) = message.attachments
    assert (file.content_type, file.preview_type) == (content_type, "image/jpeg")
    assert file.preview is not None
    picture = b"".join(await friends.mira.files.open(message_id))
    for data in (picture, file.preview):
        assert not any(word in data for word in (SECRET.encode(), b"Canary", b"Exif", b"GPS", b"2026"))
        assert not of(data).getexif()
    assert of(picture).size == landscape().size
    assert max(of(file.preview).size) == 320


async def test_a_browser_s_picture_stands_upright(friends: Friends) -> None:
    path = saved(friends.folder / "lake.jpg", "JPEG", orientation=6)
    message_id = await becomes(friends, await send(friends, path.read_bytes(), "lake.jpg", "image/jpeg"))
    assert of(b"".join(await friends.mira.files.open(message_id))).size == (400, 640)


async def test_a_browser_refuses_pictures_that_it_cannot_make_anew(friends: Friends) -> None:
    for data, content_type in (
        (png_of(60_000, 60_000), "image/png"),
        (png_of(8_001, 8_000), "image/png"),
        (png_of(10, 10, b"damaged"), "image/png"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"),
        (saved(friends.folder / "lake.gif", "GIF").read_bytes(), "image/gif"),
    ):
        with pytest.raises(Refused) as refused:
            await send(friends, data, "lake", content_type)
        assert refused.value.reason == "malformed"
        message_id = await becomes(friends, await send(friends, data, "lake", content_type, original=True))
        assert b"".join(await friends.mira.files.open(message_id)) == data


@pytest.mark.parametrize(
    "content",
    [
        b"<script>document.title = 'changed'</script>",
        b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        b"%PDF-1.7",
        b"",
    ],
)
async def test_what_is_no_picture_is_never_called_one(friends: Friends, content: bytes) -> None:
    path = friends.folder / "lake.bin"
    path.write_bytes(content)
    attachment = await attachment_of(friends, path)
    hostile = Attachment(attachment.hub, attachment.blob, attachment.seal, "text/html", "../lake\u202e.html")
    message_id = say(friends, hostile)
    assert await opened(friends, message_id) == {
        "content": content,
        "contentType": "application/octet-stream",
        "filename": "lake.html",
    }


async def attachment_of(friends: Friends, path: Path) -> Attachment:
    """What a message of Mira's says of the file."""
    (attachment,) = friends.mira._store.timeline.attachments(await sent_by_mira(friends, path))
    return attachment


def say(friends: Friends, attachment: Attachment) -> MessageId:
    """Mira sends a message with ``attachment`` as it is."""
    mira = friends.mira
    return mira._say(mira._author.text(friends.room, "", attachments=[attachment]))


async def uploaded(friends: Friends, data: bytes) -> BlobId:
    """``data`` is a blob."""
    hub = friends.mira._hub
    blob = BlobId((await hub.begin_upload(len(data))).blob)
    await hub.append_chunk(blob, 0, data)
    await hub.finish_upload(blob, hashlib.sha256(data).digest())
    return blob


async def test_a_salamander_shows_each_message_s_own_picture(friends: Friends) -> None:
    vector = {name: bytes.fromhex(value) for name, value in read("salamander").items() if name != "source"}
    ciphertext = vector["ciphertext_and_tag"]
    blob = await uploaded(friends, ciphertext)
    hub = await friends.mira.files._hub_uri()
    said = [
        say(friends, Attachment(hub, blob, Seal(vector[key], vector["nonce"], vector["sha256"], len(ciphertext)), ""))
        for key in ("k1", "k2")
    ]
    for _ in range(2):  # the second time from what is kept
        contents = [(await opened(friends, message_id))["content"] for message_id in said]
        assert contents == [vector["plaintext_k1"], vector["plaintext_k2"]]


async def test_a_browser_does_not_open_what_is_not_the_blob_that_was_sent(friends: Friends) -> None:
    path = friends.folder / "song.txt"
    path.write_bytes(os.urandom(2 * CHUNK_BYTES))
    message_id = await sent_by_mira(friends, path)
    (attachment,) = friends.mira._store.timeline.attachments(message_id)
    chunk = friends.server.data / "blobs" / attachment.blob / "0"
    good = chunk.read_bytes()
    chunk.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    for _ in range(2):
        with pytest.raises(Refused) as refused:
            await opened(friends, message_id)
        assert refused.value.reason == "NL-155"
    chunk.write_bytes(good)
    assert (await opened(friends, message_id))["content"] == path.read_bytes()


async def test_a_preview_that_is_no_small_picture_is_not_drawn(friends: Friends) -> None:
    path = friends.folder / "song.txt"
    path.write_bytes(b"la")
    attachment = await attachment_of(friends, path)
    for content in (b"<svg/>", png_of(30_000, 30_000), png_of(641, 10)):
        preview = SinglePart("image/png", content, Disposition.PREVIEW)
        hostile = Attachment(attachment.hub, attachment.blob, attachment.seal, "image/png", preview=preview)
        message = await shown(friends, say(friends, hostile))
        assert [file["preview"] for file in message["attachments"]] == [None]


async def test_an_upload_goes_on_in_another_tab_after_the_first_is_closed(friends: Friends) -> None:
    tomas = friends.tomas
    await tomas.context.route("**/upload?offset=*", lambda route: route.abort())
    data = os.urandom(2 * CHUNK_BYTES)
    upload = await send(friends, data, "noise.bin", "")
    assert [waiting["uploadId"] for waiting in await tomas.call("uploads", friends.room)] == [upload]
    first = tomas.page
    await tomas.open_tab()
    await first.close()
    await tomas.context.unroute("**/upload?offset=*")
    message_id = await becomes(friends, upload)
    assert b"".join(await friends.mira.files.open(message_id)) == data
    assert await tomas.call("uploads", friends.room) == []


async def test_a_cancelled_upload_is_gone(friends: Friends) -> None:
    tomas = friends.tomas
    await tomas.context.route("**/upload?offset=*", lambda route: route.abort())
    upload = await send(friends, b"la", "song.txt", "text/plain")
    await tomas.call("cancelUpload", upload)
    await tomas.context.unroute("**/upload?offset=*")
    assert await tomas.call("uploads", friends.room) == []
    with pytest.raises(Refused) as refused:
        await tomas.call("cancelUpload", upload)
    assert refused.value.reason == "not_found"
