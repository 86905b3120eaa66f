"""The encrypted store: what it keeps together, what it survives, and who may open it."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import apsw
import pytest

from nightlight.client.events import FaultSeen, MessageState
from nightlight.client.records import Evidence, Identity, ItemKind, OutboxItem, RoomRecord, Standing
from nightlight.client.schema import MIGRATIONS
from nightlight.client.store import EVIDENCE_WINDOW_MS, KEPT_FAULTS, Store, StoreError
from nightlight.client.timeline import Placed
from nightlight.protocol.content import MessageStatus
from nightlight.protocol.conversation import Kind, Said
from nightlight.protocol.ids import DeviceUri, MessageId, RoomUri, SubmissionId, TimestampMs, UserUri
from nightlight.protocol.messages import Contact, ContactState
from nightlight.protocol.words import Words

KEY = bytes(range(32))
ROOM = RoomUri("mimi://courier.example/r/lake")
TOMAS = UserUri("mimi://gallery.example/u/tomas")
NOW_MS = TimestampMs(1_800_000_000_000)
WORDS = "hello from the lake"
WORDS_SAID = Said(Kind.MESSAGE, words=Words(WORDS))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mira.store"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    store = Store.create(path, KEY, os.urandom)
    yield store
    store.close()


def message_id(number: int) -> MessageId:
    return MessageId(bytes([1, number]) * 16)


def received(number: int) -> Placed:
    return Placed(ROOM, message_id(number), TOMAS, own=False, state=MessageState.RECEIVED, seq=5, accepted_at_ms=NOW_MS)


def item(number: int, kind: ItemKind = ItemKind.MESSAGE, epoch: int | None = 1) -> OutboxItem:
    return OutboxItem(SubmissionId(bytes([number]) * 16), ROOM, kind, b"content", message_id(number), epoch, b"payload")


# --- who may open it ------------------------------------------------------------------------------------------


def test_it_opens_with_its_key_and_no_other(path: Path, store: Store) -> None:
    store.close()
    Store.open(path, KEY, os.urandom).close()
    with pytest.raises(StoreError, match="key is of another one"):
        Store.open(path, bytes(32), os.urandom)
    with pytest.raises(StoreError, match="32 bytes"):
        Store.open(path, b"short", os.urandom)


def test_a_store_that_is_not_there_is_not_made_by_opening(path: Path) -> None:
    with pytest.raises(StoreError, match="no store here"):
        Store.open(path, KEY, os.urandom)
    assert not path.exists()


def test_a_store_that_is_there_is_not_made_anew(path: Path, store: Store) -> None:
    del store
    with pytest.raises(StoreError, match="already"):
        Store.create(path, KEY, os.urandom)


def test_two_have_it_open_never(path: Path, store: Store) -> None:
    del store
    with pytest.raises(StoreError, match="in use"):
        Store.open(path, KEY, os.urandom)
    program = (
        "import os, sys; from pathlib import Path; from nightlight.client.store import Store, StoreError\n"
        "try: Store.open(Path(sys.argv[1]), bytes(range(32)), os.urandom)\n"
        "except StoreError as error: print(error)"
    )
    other = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)
    assert "in use by another process" in other.stdout


def test_a_file_that_is_no_store_is_refused(path: Path) -> None:
    path.write_bytes(b"landscape" * 1000)
    with pytest.raises(StoreError, match="not a store"):
        Store.open(path, KEY, os.urandom)


def test_a_store_of_a_newer_version_is_refused(path: Path, store: Store) -> None:
    store._connection.pragma("user_version", len(MIGRATIONS) + 1)
    store.close()
    with pytest.raises(StoreError, match="newer version"):
        Store.open(path, KEY, os.urandom)


def test_a_store_of_an_older_version_opens_with_everything_in_it(path: Path, store: Store) -> None:
    store.close()
    path.unlink()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nightlight.client.store.MIGRATIONS", MIGRATIONS[:1])
        store = Store.create(path, KEY, os.urandom)
    connection = store._connection
    connection.execute("INSERT INTO rooms VALUES (?, 'joined', 5, 1, x'', '[]', 0, 0)", (ROOM,))
    row = (message_id(1), ROOM, TOMAS, WORDS, NOW_MS)
    connection.execute("INSERT INTO messages VALUES (NULL, ?, ?, 5, ?, 0, ?, 'received', ?, NULL)", row)
    store.close()
    store = Store.open(path, KEY, os.urandom)
    (message,) = store.timeline.messages(ROOM, 10)
    assert (message.text, message.sender, message.accepted_at_ms) == (WORDS, TOMAS, NOW_MS)
    assert store.timeline.unread(ROOM) == [message_id(1)]
    assert store.room(ROOM) == RoomRecord(ROOM, Standing.JOINED, 5, 1, b"", ())
    store.close()


def test_nothing_in_the_files_can_be_read_without_the_key(path: Path, store: Store) -> None:
    with store.transaction():
        store.timeline.add(received(1), WORDS_SAID, NOW_MS)
        store.keep_evidence(message_id(1), ROOM, Evidence(WORDS.encode(), b"frank", NOW_MS))
    for file in path.parent.glob("mira.store*"):
        content = file.read_bytes()
        assert WORDS.encode() not in content
        assert ROOM.encode() not in content
        assert b"SQLite format" not in content
    store.close()
    with pytest.raises(sqlite3.DatabaseError):
        sqlite3.connect(path).execute("SELECT * FROM messages")


# --- one transaction ------------------------------------------------------------------------------------------


class PowerFailureError(Exception):
    pass


def fail_power() -> None:
    raise PowerFailureError


@pytest.mark.parametrize("writes", range(7))
def test_what_belongs_together_is_there_whole_or_not_at_all(path: Path, store: Store, writes: int) -> None:
    steps: list[Callable[[], object]] = [
        lambda: store.write_mls([(b"\x01key", b"ratchet")]),
        lambda: store.timeline.add(received(1), WORDS_SAID, NOW_MS),
        lambda: store.keep_evidence(message_id(1), ROOM, Evidence(b"content", b"frank", NOW_MS)),
        lambda: store.put_room(RoomRecord(ROOM, Standing.JOINED, 5, 1, b"key", (TOMAS,))),
        lambda: store.owe_receipt(ROOM, message_id(1), MessageStatus.DELIVERED),
        lambda: store.enqueue(item(2)),
    ]
    with suppress(PowerFailureError), store.transaction():
        for step in [*steps[:writes], *([fail_power] if writes < len(steps) else [])]:
            step()
    store.close()
    store = Store.open(path, KEY, os.urandom)
    whole = writes == len(steps)
    assert bool(store.mls_entries(b"\x01")) is whole
    assert bool(store.timeline.messages(ROOM, 10)) is whole
    assert (store.evidence(message_id(1)) is not None) is whole
    assert (store.room(ROOM) is not None) is whole
    assert bool(store.owed_receipts(ROOM, 10)) is whole
    assert bool(store.outbox(ROOM)) is whole
    store.close()


def test_a_commit_is_on_disk_before_it_returns(store: Store) -> None:
    pragmas = {name: store._connection.pragma(name) for name in ("synchronous", "journal_mode", "secure_delete")}
    full = 2
    assert pragmas == {"synchronous": full, "journal_mode": "wal", "secure_delete": 1}


def test_a_full_disk_is_told_as_such_and_loses_nothing(store: Store) -> None:
    with store.transaction():
        store.put("before", b"1")
    pages = int(store._connection.pragma("page_count"))
    store._connection.pragma("max_page_count", pages)
    with pytest.raises(StoreError, match="disk is full"), store.transaction():
        store.put("large", bytes(1_000_000))
    store._connection.pragma("max_page_count", pages + 1000)
    assert (store.get("before"), store.get("large")) == (b"1", None)
    with store.transaction():
        store.put("after", b"2")


def test_a_mistake_in_a_statement_is_not_taken_for_a_fault_of_the_disk(store: Store) -> None:
    with pytest.raises(apsw.SQLError):
        store._rows("SELECT * FROM nowhere")


# --- evidence -------------------------------------------------------------------------------------------------


def test_evidence_is_sealed_under_a_key_of_its_own(store: Store) -> None:
    with store.transaction():
        store.keep_evidence(message_id(1), ROOM, Evidence(WORDS.encode(), b"frank", NOW_MS))
    assert store.evidence(message_id(1)) == Evidence(WORDS.encode(), b"frank", NOW_MS)
    [(sealed,)] = store._rows("SELECT sealed FROM evidence")
    assert WORDS.encode() not in sealed
    with store.transaction():
        store._write("DELETE FROM meta WHERE name = 'sealing_key'")
    store._sealing = None
    with pytest.raises(StoreError, match="wiped"):
        store.evidence(message_id(1))


def test_evidence_is_erased_when_its_window_is_over(store: Store) -> None:
    with store.transaction():
        store.keep_evidence(message_id(1), ROOM, Evidence(b"old", b"", NOW_MS))
        store.keep_evidence(message_id(2), ROOM, Evidence(b"new", b"", TimestampMs(NOW_MS + 1)))
    with store.transaction():
        assert store.purge_evidence(TimestampMs(NOW_MS + EVIDENCE_WINDOW_MS)) == 0
        assert store.purge_evidence(TimestampMs(NOW_MS + EVIDENCE_WINDOW_MS + 1)) == 1
    assert store.evidence(message_id(1)) is None
    assert store.evidence(message_id(2)) is not None


# --- the rest -------------------------------------------------------------------------------------------------


def test_mls_entries_are_found_by_their_prefix_alone(store: Store) -> None:
    with store.transaction():
        store.write_mls([(b"\x00a", b"1"), (b"\x01\xff", b"2"), (b"\x01\xffb", b"3"), (b"\x02", b"4")])
        store.write_mls([(b"\x01\xffb", None), (b"\x00a", b"5")])
    assert store.mls_entries(b"\x00") == [(b"\x00a", b"5")]
    assert store.mls_entries(b"\x01\xff") == [(b"\x01\xff", b"2")]


def test_the_outbox_keeps_its_order(store: Store) -> None:
    with store.transaction():
        for number in (3, 1, 2):
            store.enqueue(item(number))
        store.dequeue(item(1).submission_id)
    assert store.outbox(ROOM) == [item(3), item(2)]
    assert store.outbox_item(item(1).submission_id) is None


def test_nothing_is_encrypted_ahead_of_what_waits_to_be_built(store: Store) -> None:
    for number, kind, epoch, ready in [
        (1, ItemKind.MESSAGE, 1, True),
        (2, ItemKind.MESSAGE, None, False),
        (3, ItemKind.MESSAGE, 2, False),
        (4, ItemKind.COMMIT, 1, False),
    ]:
        with store.transaction():
            store.enqueue(item(number, kind, epoch))
        assert store.outbox_is_built(ROOM, 1) is ready
        with store.transaction():
            store.dequeue(item(number).submission_id)


def test_a_receipt_replaces_one_that_was_not_told_yet(store: Store) -> None:
    with store.transaction():
        store.owe_receipt(ROOM, message_id(1), MessageStatus.DELIVERED)
        store.owe_receipt(ROOM, message_id(1), MessageStatus.READ)
    assert store.owed_receipts(ROOM, 10) == [(message_id(1), MessageStatus.READ)]
    assert store.rooms_with_receipts() == [ROOM]
    with store.transaction():
        store.settle_receipt(ROOM, message_id(1))
    assert store.rooms_with_receipts() == []


def test_it_knows_whose_it_is(path: Path, store: Store) -> None:
    with pytest.raises(StoreError, match="no device"):
        store.identity()
    identity = Identity("http://x", TOMAS, DeviceUri("mimi://gallery.example/d/tomas/b2"), bytes(32), bytes(32))
    with store.transaction():
        store.put_identity(identity)
    store.close()
    assert Store.open(path, KEY, os.urandom).identity() == identity


def test_contacts_are_replaced_as_a_whole(store: Store) -> None:
    with store.transaction():
        store.put_contacts([Contact(TOMAS, ContactState.ASKED, 1)])
        store.put_contacts([Contact(TOMAS, ContactState.CONNECTED, 2)])
    assert store.contacts() == [Contact(TOMAS, ContactState.CONNECTED, 2)]


def test_faults_are_kept_up_to_a_thousand(store: Store) -> None:
    with store.transaction():
        for number in range(KEPT_FAULTS + 5):
            store.add_fault(FaultSeen(ROOM, "NL-501", "hub", TimestampMs(number)))
    faults = store.faults()
    assert (len(faults), faults[0].at_ms, faults[-1].at_ms) == (KEPT_FAULTS, 5, KEPT_FAULTS + 4)


def test_expired_key_packages_are_taken_once(store: Store) -> None:
    with store.transaction():
        store.add_key_packages([b"a" * 32], 100)
        store.add_key_packages([b"b" * 32], 200)
    with store.transaction():
        assert store.take_expired_key_packages(150) == [b"a" * 32]
        assert store.take_expired_key_packages(150) == []


def test_a_deleted_store_leaves_no_file(path: Path, store: Store) -> None:
    store.close()
    store.delete()
    assert list(path.parent.iterdir()) == []
