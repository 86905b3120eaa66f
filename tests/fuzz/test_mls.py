"""Whatever bytes reach the crate, as a message or as stored state: a typed exception or a result, and no harm."""

import random

import pytest

from nightlight.mls.group import Group, MlsError, read_key_package, read_welcome
from nightlight.mls.public_group import PublicGroup
from tests.fuzz.mutate import mutants
from tests.support.mls import TAG, Room, key_package, new_member, now_s, room_of

ROUNDS = 400


@pytest.fixture
def room() -> Room:
    return room_of(["mira", "tomas"])


def test_random_bytes_are_refused(room: Room) -> None:
    chance = random.Random(7)  # noqa: S311 - repeatable, and keeps nothing secret
    for _ in range(ROUNDS):
        noise = chance.randbytes(chance.randrange(200))
        refused_everywhere(room, noise)
        refused_everywhere(room, b"\x00\x01\x00" + bytes([chance.randrange(8)]) + noise)


def test_damaged_messages_are_refused_and_harm_nothing(room: Room) -> None:
    mira, tomas = room["mira"].group, room["tomas"]
    newcomer = key_package(new_member("nadia"))
    staged = mira.commit(add=[newcomer], now_s=now_s())
    message = mira.encrypt(b"hello", TAG)
    assert staged.welcome is not None
    samples = [message, staged.commit, staged.welcome, newcomer, mira.group_info()]
    for damaged in mutants(samples, ROUNDS, seed=11):
        if damaged not in samples:
            refused_everywhere(room, damaged)
    assert tomas.group.take_writes() == []
    assert tomas.read(message).data == b"hello"
    room.enter("mira", staged)


def test_damaged_state_never_ends_the_process(room: Room) -> None:
    tomas = room["tomas"]
    message = room["mira"].group.encrypt(b"hello", TAG)
    commit = room["mira"].group.commit(now_s=now_s()).commit
    whole = dict(tomas.entries.stored)
    outcomes = set()
    for key, value in whole.items():
        for damaged in mutants([value], ROUNDS // len(whole), seed=13):
            tomas.entries.stored = {**whole, key: damaged}
            try:
                tomas.reload()
                use(tomas.group, message, commit)
            except MlsError as error:
                outcomes.add(error.check)
    assert "NL-203" in outcomes


def refused_everywhere(room: Room, message: bytes) -> None:
    for take in (
        room["tomas"].group.receive,
        lambda bytes_: room.hub.process(bytes_, now_s()),
        PublicGroup.from_group_info,
        new_member("nadia").join,
        read_key_package,
    ):
        with pytest.raises(MlsError):
            take(message)
    try:  # what a Welcome is for can be read although nobody can join by it
        assert all(len(reference) < len(message) for reference in read_welcome(message))
    except MlsError:
        return


def use(group: Group, message: bytes, commit: bytes) -> None:
    """Everything that a member does with a group."""
    group.receive(message)
    group.receive(commit)
    group.apply()
    group.encrypt(b"hello", TAG)
    group.commit(now_s=now_s())
    group.accept()
    group.take_writes()
