"""A recovery key, and what it is for, by commands alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.test_devices import ALICE, BOB, link
from tests.support.server import ServerProcess
from tests.support.terminal import Terminal

Machine = Callable[[str], Terminal]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path / "hub" / "data").until_done() as process:
        asyncio.run(process.start())
        yield process


@pytest.fixture
def phone(machine: Machine) -> Terminal:
    """Alice's first device; she and Bob have a conversation."""
    phone, bob = machine("phone"), machine("bob")
    phone.ok("register", ALICE)
    bob.ok("register", BOB)
    phone.ok("contacts", "request", BOB)
    bob.ok("contacts", "accept", ALICE)
    phone.ok("send", BOB, "from the phone")
    return phone


def test_a_recovery_waits_is_told_and_can_be_ended(machine: Machine, phone: Terminal) -> None:
    assert "no recovery key" in phone.ok("recovery", "status")
    words = phone.json("recovery", "make")["words"]
    assert len(words.split()) == 24
    fresh = machine("fresh")
    wrong = fresh.run("recovery", "use", ALICE, stdin="lake lake lake\n")
    assert (wrong.returncode, "not the 24 words" in wrong.stderr) == (2, True)
    others = machine("bob").json("recovery", "make")["words"]
    wrong = fresh.run("recovery", "use", ALICE, stdin=f"{others}\n")
    assert (wrong.returncode, "not the recovery key of that person" in wrong.stderr) == (2, True)

    waits = fresh.run("recovery", "use", ALICE, stdin=f"{words}\n")
    assert waits.returncode == 0
    assert "waits until" in waits.stdout
    assert "waits until" in fresh.run("recovery", "use", ALICE, stdin="").stdout  # the words are not asked for again
    assert "your only device at" in phone.run("devices", "list").stdout
    assert "makes" in phone.run("recovery", "status").stdout
    assert "nightlight recovery cancel" in phone.run("read", BOB).stderr
    assert [notice["kind"] for notice in phone.json("notices")] == ["recovery_waits"]
    assert "nightlight recovery cancel" not in phone.run("read", BOB).stderr

    phone.ok("recovery", "cancel")
    assert "has ended this recovery" in fresh.run("recovery", "use", ALICE, stdin="").stderr
    assert phone.ok("send", BOB, "still here") == "Sent.\n"


def test_removing_a_device_that_may_sign_asks_for_the_words_and_changes_the_number(
    machine: Machine, phone: Terminal
) -> None:
    tablet, bob = machine("tablet"), machine("bob")
    device = link(phone, tablet, "--may-sign")
    words = phone.json("recovery", "make")["words"]
    before = bob.json("verify", ALICE, "--same")
    assert before["compared"]
    name = device.rpartition("/")[2][:8]
    assert "not the 24 words" in phone.run("devices", "remove", name, stdin="lake\n").stderr
    assert phone.run("devices", "remove", name, stdin=f"{words}\n").returncode == 0
    sent = bob.run("send", ALICE, "hello, phone")
    assert (sent.stdout, "the safety number is another one now" in sent.stderr) == ("Sent.\n", True)
    assert phone.json("read", BOB)[-1]["text"] == "hello, phone"
    assert [notice["kind"] for notice in bob.json("notices")] == ["key_replaced"]
    after = bob.json("verify", ALICE)
    assert not after["compared"]
    assert after["safety_number"] != before["safety_number"]
    assert "was removed by another of your devices" in tablet.run("read", BOB).stderr
