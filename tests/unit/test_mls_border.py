"""The crate's border: whatever comes in, a typed exception or a result goes out, and state stays whole."""

import threading
import time

import pytest

import nightlight_mls
from nightlight.mls.group import (
    InvalidError,
    MalformedError,
    Member,
    StateError,
    UnknownGroupError,
    read_key_package,
    scope,
)
from nightlight.mls.public_group import PublicGroup
from nightlight.protocol.codec import read_private_message
from tests.support.mls import AGENT, ROOM, TAG, Room, key_package, new_member, now_s, room_of
from tests.vectors.reading import read


@pytest.fixture
def room() -> Room:
    return room_of(["mira", "tomas"])


def test_keys_start_with_the_vector_of_the_group_id() -> None:
    assert scope(b"") == b"\x00"
    assert scope(ROOM) == bytes([len(ROOM)]) + ROOM
    assert scope(b"x" * 64) == b"\x40\x40" + b"x" * 64


def test_a_member_s_entries_are_apart_from_its_groups(room: Room) -> None:
    mira = room["mira"]
    assert [key for key in mira.entries.stored if not key.startswith((scope(b""), scope(ROOM)))] == []
    everything = list(mira.entries.stored.items())
    again = Member.load(everything)
    assert again.signature_key == mira.member.signature_key
    assert again.open(ROOM, everything).members == mira.group.members


def test_the_hub_s_view_survives_storing(room: Room) -> None:
    entries = [(key, value) for key, value in room.hub.take_writes() if value is not None]
    loaded = PublicGroup.load(ROOM, entries)
    assert (loaded.group_id, loaded.epoch, loaded.members) == (ROOM, 1, room.hub.members)
    assert len(loaded.process(room["mira"].group.commit(now_s=now_s()).commit, now_s()).members) == 2
    assert loaded.take_writes() == []
    loaded.accept()
    assert loaded.epoch == 2
    assert loaded.take_writes() != []


def test_exported_secrets_are_equal_for_all_and_differ_by_label_and_epoch(room: Room) -> None:
    mira, tomas = room["mira"].group, room["tomas"].group
    secret = mira.export("a label", b"context", 32)
    assert secret == tomas.export("a label", b"context", 32)
    assert secret != mira.export("another label", b"context", 32)
    room.enter("mira", mira.commit(now_s=now_s()))
    assert secret != mira.export("a label", b"context", 32)


def test_the_authenticated_data_of_a_message_is_the_vector_s(room: Room) -> None:
    chain = read("franking")["chain"]
    message = room["mira"].group.encrypt(b"hello", bytes.fromhex(chain["franking_tag"]))
    expected = chain["authenticated_data = SafeAAD with only frank_aad(0x0020)"]
    assert read_private_message(message).authenticated_data.hex() == expected
    assert room["tomas"].read(message).tag.hex() == chain["franking_tag"]


def test_what_a_removed_member_cannot_do(room: Room) -> None:
    tomas = room["tomas"]
    staged = room["mira"].group.commit(remove=[1], now_s=now_s())
    assert tomas.follow(staged.commit).removes_me
    for attempt in (lambda: tomas.group.encrypt(b"hello", TAG), lambda: tomas.group.commit(now_s=now_s())):
        with pytest.raises(StateError, match="NL-262"):
            attempt()
    with pytest.raises(StateError, match="NL-262"):
        tomas.group.receive(staged.commit)


def test_calls_in_the_wrong_state_are_told_so(room: Room) -> None:
    mira, tomas = room["mira"].group, room["tomas"].group
    with pytest.raises(StateError, match="NL-261"):
        mira.accept()
    staged = mira.commit(now_s=now_s())
    with pytest.raises(StateError, match="NL-260"):
        mira.commit(now_s=now_s())
    tomas.receive(staged.commit)
    with pytest.raises(StateError, match="NL-260"):
        tomas.receive(staged.commit)
    room.hub.process(staged.commit, now_s())
    with pytest.raises(StateError, match="NL-260"):
        room.hub.process(staged.commit, now_s())
    room.hub.discard()
    with pytest.raises(StateError, match="NL-261"):
        room.hub.accept()
    with pytest.raises(StateError, match="NL-263"):
        Member.create().create_group(ROOM, AGENT)


def test_leaves_that_cannot_be_removed(room: Room) -> None:
    mira = room["mira"].group
    for leaf in (mira.own_index, 2, 2**32 - 1):
        with pytest.raises(StateError, match="NL-264"):
            mira.commit(remove=[leaf], now_s=now_s())
    assert not mira.has_pending


def test_a_device_that_is_there_already_is_not_added(room: Room) -> None:
    with pytest.raises(InvalidError, match="NL-240"):
        room["mira"].group.commit(add=[key_package(room["tomas"].member)], now_s=now_s())
    assert not room["mira"].group.has_pending


def test_arguments_of_the_wrong_size_are_refused(room: Room) -> None:
    mira = room["mira"].group
    for tag in (b"", TAG[:-1], TAG + b"\x00"):
        with pytest.raises(StateError, match="NL-265"):
            mira.encrypt(b"hello", tag)
    with pytest.raises(StateError, match="NL-265"):
        mira.export("a label", b"", 2**20)


def test_missing_entries_are_no_state(room: Room) -> None:
    with pytest.raises(UnknownGroupError, match="NL-203"):
        Member.load([])
    with pytest.raises(UnknownGroupError, match="NL-203"):
        room["mira"].member.open(b"mimi://courier.example/r/elsewhere", room["mira"].entries.stored.items())
    with pytest.raises(UnknownGroupError, match="NL-203"):
        PublicGroup.load(ROOM, [])


def test_exceptions_carry_the_number_and_the_rule() -> None:
    with pytest.raises(MalformedError) as refused:
        read_key_package(b"")
    assert (refused.value.check, str(refused.value)) == ("NL-200", f"NL-200: {refused.value.reason}")
    assert dict(nightlight_mls.CHECKS)["NL-200"] == refused.value.reason


def test_two_threads_share_a_handle(room: Room) -> None:
    mira, tomas = room["mira"].group, room["tomas"]
    sent: list[bytes] = []

    def send() -> None:
        sent.extend(mira.encrypt(b"hello", TAG) for _ in range(12))  # as many as may be out of order

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({tomas.read(message).data for message in sent}) == 1
    assert len(set(sent)) == 48


def test_other_threads_run_while_the_crate_works() -> None:
    nadia, ticks, done = new_member("nadia"), [0], threading.Event()

    def tick() -> None:
        while not done.is_set():
            ticks[0] += 1
            time.sleep(0)

    thread = threading.Thread(target=tick)
    thread.start()
    before = ticks[0]
    nadia.key_packages(500, lifetime_s=60, now_s=now_s())
    during = ticks[0] - before
    done.set()
    thread.join()
    assert during > 1
