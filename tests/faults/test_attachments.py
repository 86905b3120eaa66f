"""Files from one person to another, while the network, the server, the disk and the senders are not kind."""

import asyncio
import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from nightlight.client.events import AttachedFile, Message
from nightlight.client.records import ItemKind
from nightlight.client.sdk import Client
from nightlight.errors import ProblemName, RefusedError, VerificationError
from nightlight.protocol import content
from nightlight.protocol.attachment import Attachment, Seal
from nightlight.protocol.content import MimiContent
from nightlight.protocol.ids import BlobId, HubUri, MessageId, RoomUri
from nightlight.server.main import DATABASE
from nightlight.server.services.blobs import CHUNK_BYTES
from tests.faults.conftest import Friends
from tests.faults.test_disk import full_disk
from tests.support.people import (
    JUNO,
    MIRA,
    befriend,
    conversation,
    newcomer,
    returning,
    settled,
    share_room,
    until,
)
from tests.support.pictures import SECRET, saved
from tests.support.relay import CUT, Deed, cut_after, cut_before
from tests.vectors.reading import read

CHUNKS_FIRST = 2
"""Those that arrive before something happens."""
LINE = b"A canary sits by the lake and sings of Meadow Seven. "


def written(folder: Path, size: int, name: str = "song.txt") -> Path:
    """A file of our own, with a line that is looked for."""
    path = folder / name
    path.write_bytes((LINE * (size // len(LINE) + 1))[:size])
    return path


async def newest(client: Client, room: RoomUri, message_id: MessageId) -> Message:
    """The message, once ``client`` shows it."""
    await until(lambda: client.message(message_id) is not None, "the message is shown")
    message = client.message(message_id)
    assert message is not None
    assert message.room == room
    return message


async def received(client: Client, message_id: MessageId, number: int = 0) -> bytes:
    """The message's attachment."""
    await until(lambda: client.message(message_id) is not None, "the message is shown")
    return b"".join(await client.files.open(message_id, number))


async def sent(friends: Friends, path: Path, caption: str = "") -> MessageId:
    """Mira has sent the file."""
    upload = await friends.mira.files.send(friends.room, path, caption=caption)
    message_id = await friends.mira.files.outcome(upload)
    await friends.mira.wait_sent(message_id)
    return message_id


def holds(folder: Path, text: bytes) -> list[str]:
    """The files below ``folder`` in which ``text`` is."""
    return [str(file) for file in folder.rglob("*") if file.is_file() and text in file.read_bytes()]


def chunks(friends: Friends) -> list[Path]:
    """What the server holds of blobs."""
    return [file for file in (friends.server.data / "blobs").rglob("*") if file.is_file()]


def befalling_chunks(deed: Deed) -> Deed:
    """``deed`` befalls requests with a large body; all others pass."""
    return lambda body: deed(body) if len(body) > CHUNK_BYTES // 2 else [body]


async def test_a_picture_is_saved_by_the_other_as_it_was_made_and_the_server_has_ciphertext_alone(
    friends: Friends,
) -> None:
    path = saved(friends.folder / "lake.jpg", "JPEG")
    message_id = await sent(friends, path, caption="in the morning")
    message = await newest(friends.tomas, friends.room, message_id)
    (file,) = message.attachments
    assert (message.text, file.filename, file.content_type) == ("in the morning", "lake.jpg", "image/jpeg")
    assert file.preview is not None
    downloads = friends.folder / "downloads"
    downloads.mkdir()
    target = await friends.tomas.files.save(message_id, downloads)
    picture = target.read_bytes()
    assert target == downloads / "lake.jpg"
    assert picture == await received(friends.mira, message_id)
    assert len(picture) == file.size
    assert SECRET.encode() not in picture
    assert sum(chunk.stat().st_size for chunk in chunks(friends)) == file.size + 16
    for data in (picture[:64], picture[1000:1064], file.preview[:64]):
        assert holds(friends.server.data, data) == []


async def test_a_file_is_nowhere_on_the_disk_of_those_who_sent_and_opened_it(friends: Friends) -> None:
    elsewhere = friends.folder / "elsewhere"
    elsewhere.mkdir()
    path = written(elsewhere, 3 * CHUNK_BYTES)
    message_id = await sent(friends, path, "canary caption")
    assert await received(friends.tomas, message_id) == path.read_bytes()
    path.unlink()
    assert holds(friends.folder, LINE) == []
    assert holds(friends.folder, b"canary caption") == []
    folders = [client._store.files for client in (friends.mira, friends.tomas)]
    assert [len(list(folder.iterdir())) for folder in folders] == [1, 1]
    assert {path.stat().st_mode & 0o077 for folder in folders for path in (folder, *folder.iterdir())} == {0}


async def test_what_was_opened_once_needs_no_server(friends: Friends) -> None:
    path = written(friends.folder, 100)
    message_id = await sent(friends, path)
    assert await received(friends.tomas, message_id) == path.read_bytes()
    await friends.server.stop()
    for client in (friends.mira, friends.tomas):
        assert await received(client, message_id) == path.read_bytes()


@pytest.mark.parametrize("deed", [cut_before, cut_after])
async def test_an_upload_that_is_cut_at_every_tenth_arrives_whole(friends: Friends, deed: Deed) -> None:
    path = written(friends.folder, 10 * CHUNK_BYTES - 16)
    seen = 0

    def cut(body: bytes) -> Sequence[bytes | Literal["cut"]]:
        nonlocal seen
        seen += 1
        return deed(body) if seen % 2 else [body]

    friends.relay.requests = befalling_chunks(cut)
    message_id = await sent(friends, path)
    assert seen >= 10
    assert await received(friends.tomas, message_id) == path.read_bytes()
    assert [message.message_id for message in conversation(friends.tomas, friends.room)] == [message_id]


async def test_a_download_that_is_cut_goes_on_where_it_was(friends: Friends) -> None:
    path = written(friends.folder, 9 * CHUNK_BYTES)
    await sent(friends, path)
    message_id = conversation(friends.mira, friends.room)[-1].message_id
    asked: list[bytes] = []
    await friends.mira.close()
    for file in friends.mira._store.files.iterdir():
        file.unlink()
    friends.mira = await returning(MIRA, friends.folder, through=friends.relay.url)
    await friends.mira.wait_online()

    def first_range_only(path: str, body: bytes) -> bytes:
        if "/v1/blobs/" not in path:
            return body
        asked.append(body)
        return body if len(asked) != 2 else b""

    friends.relay.answers = first_range_only
    with pytest.raises(Exception, match="go on"):
        await received(friends.mira, message_id)
    friends.relay.reset()
    heard: list[int] = []
    pieces = await friends.mira.files.open(message_id, progress=lambda here, _size: heard.append(here))
    assert b"".join(pieces) == path.read_bytes()
    assert heard[0] == len(asked[0]) > 0


@pytest.mark.parametrize("deed", [cut_before, cut_after])
async def test_a_server_that_dies_in_an_upload_loses_nothing_that_it_had(friends: Friends, deed: Deed) -> None:
    path = written(friends.folder, 5 * CHUNK_BYTES)
    cut = asyncio.Event()

    seen = 0

    def befall(body: bytes) -> Sequence[bytes | Literal["cut"]]:
        nonlocal seen
        seen += 1
        if seen == CHUNKS_FIRST + 1:
            cut.set()
        return [body] if seen <= CHUNKS_FIRST else deed(body)

    friends.relay.requests = befalling_chunks(befall)
    upload = await friends.mira.files.send(friends.room, path)
    await cut.wait()
    await friends.server.kill()
    kept = {chunk: chunk.read_bytes() for chunk in chunks(friends)}
    assert len(kept) >= CHUNKS_FIRST
    friends.relay.reset()
    await friends.server.start()
    message_id = await friends.mira.files.outcome(upload)
    assert {chunk: chunk.read_bytes() for chunk in kept} == kept
    assert await received(friends.tomas, message_id) == path.read_bytes()


async def test_an_upload_waits_for_its_person_to_come_back(friends: Friends) -> None:
    path = written(friends.folder, 3 * CHUNK_BYTES)
    friends.relay.requests = befalling_chunks(cut_before)
    upload = await friends.mira.files.send(friends.room, path, caption="later")
    path.unlink()
    await friends.mira.close()
    friends.relay.reset()
    friends.mira = await returning(MIRA, friends.folder, through=friends.relay.url)
    assert [waiting.caption for waiting in friends.mira.files.waiting(friends.room)] == ["later"]
    message_id = await friends.mira.files.outcome(upload)
    assert len(await received(friends.tomas, message_id)) == 3 * CHUNK_BYTES
    await settled(friends.room, friends.mira, friends.tomas)
    assert friends.mira.files.waiting(friends.room) == []


async def test_a_full_disk_at_the_server_delays_an_upload(friends: Friends) -> None:
    path = written(friends.folder, 2 * CHUNK_BYTES)
    with full_disk(friends.server):
        upload = await friends.mira.files.send(friends.room, path)
        await asyncio.sleep(1)
        assert friends.server.running
        assert [waiting.problem for waiting in friends.mira.files.waiting(friends.room)] == [None]
    message_id = await friends.mira.files.outcome(upload)
    assert await received(friends.tomas, message_id) == path.read_bytes()


async def test_who_is_removed_during_an_upload_sends_nothing(friends: Friends) -> None:
    juno = await newcomer(friends.server.url, JUNO, friends.folder, through=friends.relay.url)
    await befriend(friends.tomas, juno)
    room = await share_room(friends.tomas, juno)
    begun, go_on = asyncio.Event(), asyncio.Event()

    def hold(body: bytes) -> Sequence[bytes | Literal["cut"]]:
        begun.set()
        return [body] if go_on.is_set() else [CUT]

    friends.relay.requests = befalling_chunks(hold)
    upload = await juno.files.send(room, written(friends.folder, 3 * CHUNK_BYTES))
    await begun.wait()
    await friends.tomas.remove(room, [JUNO])
    await until(lambda: juno.rooms() == [], "Juno is out")
    go_on.set()
    with pytest.raises(RefusedError) as refused:
        await juno.files.outcome(upload)
    assert refused.value.problem is ProblemName.NOT_FOUND
    assert [waiting.problem for waiting in juno.files.waiting(room)] == [ProblemName.NOT_FOUND]
    assert conversation(friends.tomas, room) == []
    await juno.files.cancel(upload)
    assert juno.files.waiting(room) == []
    with closing(sqlite3.connect(friends.server.data / DATABASE)) as database:
        assert database.execute("SELECT count(*) FROM blobs").fetchone() == (0,)
    await juno.close()


async def test_a_cancelled_upload_is_gone(friends: Friends) -> None:
    begun = asyncio.Event()

    def hold(body: bytes) -> Sequence[bytes | Literal["cut"]]:
        begun.set()
        return cut_before(body)

    friends.relay.requests = befalling_chunks(hold)
    upload = await friends.mira.files.send(friends.room, written(friends.folder, 3 * CHUNK_BYTES))
    await begun.wait()
    await friends.mira.files.cancel(upload)
    with pytest.raises(RefusedError):
        await friends.mira.files.outcome(upload)
    friends.relay.reset()
    await sent(friends, written(friends.folder, 100))
    assert len(conversation(friends.mira, friends.room)) == 1


def swap(chunk: Path) -> None:
    """Other bytes lie there, as many."""
    chunk.write_bytes(os.urandom(chunk.stat().st_size))


def change(chunk: Path) -> None:
    """One bit is another."""
    data = chunk.read_bytes()
    chunk.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


def rewritten(friends: Friends, statement: str) -> None:
    """The server's records of blobs are changed by ``statement``."""
    with closing(sqlite3.connect(friends.server.data / DATABASE, isolation_level=None)) as database:
        database.execute(statement)


async def refused_to_save(friends: Friends, message_id: MessageId, target: Path) -> str:
    """The check that Tomas's client makes, every time, without leaving anything beside what Mira sent."""
    await newest(friends.tomas, friends.room, message_id)
    checks = set()
    for _ in range(2):
        with pytest.raises(VerificationError) as refused:
            await friends.tomas.files.save(message_id, target)
        checks.add(refused.value.check)
    assert holds(target.parent, LINE) == [str(target.with_name("song.txt"))]
    (check,) = checks
    return check


@pytest.mark.parametrize("spoil", [swap, change])
async def test_a_blob_that_was_swapped_is_not_opened(friends: Friends, spoil: Callable[[Path], None]) -> None:
    path = written(friends.folder, 2 * CHUNK_BYTES)
    message_id = await sent(friends, path)
    good = {chunk: chunk.read_bytes() for chunk in chunks(friends)}
    for chunk in good:
        spoil(chunk)
    target = friends.folder / "saved.txt"
    assert await refused_to_save(friends, message_id, target) == "NL-155"
    for chunk, data in good.items():
        chunk.write_bytes(data)
    await friends.tomas.files.save(message_id, target)
    assert target.read_bytes() == path.read_bytes()


async def test_a_blob_that_was_truncated_is_not_opened(friends: Friends) -> None:
    path = written(friends.folder, 2 * CHUNK_BYTES)
    message_id = await sent(friends, path)
    rewritten(friends, "UPDATE blobs SET size = size - 20")
    target = friends.folder / "saved.txt"
    assert await refused_to_save(friends, message_id, target) == "NL-154"
    rewritten(friends, "UPDATE blobs SET size = size + 20")
    await friends.tomas.files.save(message_id, target)
    assert target.read_bytes() == path.read_bytes()


async def test_a_blob_that_is_missing_is_said_to_be(friends: Friends) -> None:
    message_id = await sent(friends, written(friends.folder, 100))
    rewritten(friends, "DELETE FROM blobs")
    await newest(friends.tomas, friends.room, message_id)
    with pytest.raises(RefusedError) as refused:
        await friends.tomas.files.open(message_id)
    assert refused.value.problem is ProblemName.NOT_FOUND


async def test_what_the_disk_has_spoilt_here_is_fetched_again(friends: Friends) -> None:
    path = written(friends.folder, 1000)
    message_id = await sent(friends, path)
    assert await received(friends.tomas, message_id) == path.read_bytes()
    (kept,) = friends.tomas._store.files.iterdir()
    kept.write_bytes(b"?" + kept.read_bytes()[1:])
    assert await received(friends.tomas, message_id) == path.read_bytes()


# --- what senders may try -----------------------------------------------------------------------------------


async def uploaded(client: Client, data: bytes, content_hash: bytes) -> BlobId:
    """``data`` is a blob."""
    state = await client._hub.begin_upload(len(data))
    blob = BlobId(state.blob)
    await client._hub.append_chunk(blob, 0, data)
    await client._hub.finish_upload(blob, content_hash)
    return blob


def say(client: Client, room: RoomUri, attachment: Attachment) -> MessageId:
    """``client`` sends a message with ``attachment`` as it is."""
    return client._say(client._author.text(room, "", attachments=[attachment]))


async def test_a_salamander_shows_each_message_s_own_picture(friends: Friends) -> None:
    vector = {name: bytes.fromhex(value) for name, value in read("salamander").items() if name != "source"}
    ciphertext = vector["ciphertext_and_tag"]
    blob = await uploaded(friends.mira, ciphertext, vector["sha256"])
    hub = await friends.mira.files._hub_uri()
    said = []
    for key in ("k1", "k2"):
        seal = Seal(vector[key], vector["nonce"], vector["sha256"], len(ciphertext), vector["aad"])
        said.append(say(friends.mira, friends.room, Attachment(hub, blob, seal, "image/png")))
    for _ in range(2):  # the second time from what is kept
        shown = [await received(friends.tomas, message_id) for message_id in said]
        assert shown == [vector["plaintext_k1"], vector["plaintext_k2"]]


async def attachment_of(friends: Friends, path: Path) -> Attachment:
    """What a message of Mira's says of the file."""
    message_id = await sent(friends, path)
    (attachment,) = friends.mira._store.timeline.attachments(message_id)
    return attachment


async def test_a_hostile_name_stays_in_the_folder(friends: Friends) -> None:
    path = written(friends.folder, 100)
    attachment = await attachment_of(friends, path)
    folder = friends.folder / "a" / "b"
    folder.mkdir(parents=True)
    for name, harmless in (
        ("../../evil.txt", "evil.txt"),
        ("lake\u202egpj.exe", "lakegpj.exe"),
        ("\x1b]0;x\x07", "]0;x"),
    ):
        message_id = say(friends.mira, friends.room, replace(attachment, filename=name))
        message = await newest(friends.tomas, friends.room, message_id)
        assert [file.filename for file in message.attachments] == [harmless]
        assert await friends.tomas.files.save(message_id, folder) == folder / harmless
    assert sorted(file.name for file in folder.iterdir()) == ["]0;x", "evil.txt", "lakegpj.exe"]


async def test_an_attachment_at_another_hub_is_asked_of_nobody(friends: Friends) -> None:
    attachment = await attachment_of(friends, written(friends.folder, 100))
    other = replace(attachment, hub=HubUri("mimi://elsewhere.example"), seal=replace(attachment.seal, key=bytes(16)))
    message_id = say(friends.mira, friends.room, other)
    await newest(friends.tomas, friends.room, message_id)
    with pytest.raises(VerificationError) as refused:
        await friends.tomas.files.open(message_id)
    assert refused.value.check == "NL-551"


def smuggle(client: Client, message: MimiContent) -> None:
    """``client`` sends ``message`` without looking at it."""
    device = client._connection.device
    with device.groups.transaction():
        item = device._outbox._enqueue(message.room, ItemKind.MESSAGE, content.encode(message), None)
    device._queued(item)
    client._connection.wake()


async def test_a_message_with_an_attachment_that_fails_a_check_is_not_shown_and_the_next_one_is(
    friends: Friends,
) -> None:
    attachment = await attachment_of(friends, written(friends.folder, 100))
    for seal in (replace(attachment.seal, key=bytes(32)), replace(attachment.seal, size=1)):
        broken = replace(attachment, seal=seal)
        smuggle(friends.mira, friends.mira._author.text(friends.room, "look", attachments=[broken]))
    last = await friends.mira.send(friends.room, "hello")
    await newest(friends.tomas, friends.room, last)
    assert [message.text for message in conversation(friends.tomas, friends.room)] == ["", "hello"]
    assert [(fault.check, fault.culprit) for fault in friends.tomas.faults()] == [
        ("NL-150", friends.mira.device),
        ("NL-152", friends.mira.device),
    ]


async def test_a_file_is_forwarded_with_what_opens_it(friends: Friends) -> None:
    path = written(friends.folder, 100)
    message_id = await sent(friends, path, "hello")
    await newest(friends.tomas, friends.room, message_id)
    (forwarded,) = await friends.tomas.forward(message_id, [friends.room])
    message = await newest(friends.mira, friends.room, forwarded)
    assert (message.text, message.forwarded) == ("hello", 1)
    assert await received(friends.mira, forwarded) == path.read_bytes()


async def test_a_deleted_message_has_no_file(friends: Friends) -> None:
    message_id = await sent(friends, written(friends.folder, 100))
    await newest(friends.tomas, friends.room, message_id)
    await friends.mira.delete(message_id)
    await until(lambda: bool((found := friends.tomas.message(message_id)) and found.deleted), "it is deleted")
    assert (await newest(friends.tomas, friends.room, message_id)).attachments == ()
    with pytest.raises(RefusedError):
        await friends.tomas.files.open(message_id)


async def test_an_edit_changes_the_caption_and_keeps_the_file(friends: Friends) -> None:
    path = written(friends.folder, 100)
    message_id = await sent(friends, path, "before")
    await friends.mira.edit(message_id, "after")
    await until(lambda: bool((found := friends.tomas.message(message_id)) and found.edited), "it is edited")
    message = await newest(friends.tomas, friends.room, message_id)
    assert (message.text, message.attachments) == ("after", (AttachedFile("song.txt", "text/plain", 100),))
    assert await received(friends.tomas, message_id) == path.read_bytes()
