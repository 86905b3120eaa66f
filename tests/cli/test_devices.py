"""One person on two machines, by commands alone."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.server import ServerProcess
from tests.support.terminal import Terminal

ALICE, BOB = "alice@courier.example", "bob@gallery.example"
Machine = Callable[[str], Terminal]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server of its own for each test: they all are about Alice."""
    with ServerProcess(tmp_path / "hub" / "data").until_done() as process:
        asyncio.run(process.start())
        yield process


@contextmanager
def linking(terminal: Terminal, person: str) -> Iterator[tuple[dict[str, Any], subprocess.Popen[str]]]:
    """``nightlight devices link`` on a new machine: the code that it shows, and the process, which waits."""
    process = terminal.start("devices", "link", person, "--json")
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline()), process
    finally:
        process.kill()
        process.communicate()


def link(old: Terminal, new: Terminal, *options: str) -> str:
    """The URI of ``new``, which Alice has taken in on ``old``."""
    with linking(new, ALICE) as (shown, process):
        old.ok("devices", "accept", shown["code"], "--number", shown["number"], *options)
        assert process.wait(new.patience_s) == 0
        assert process.stdout is not None
        linked = json.loads(process.stdout.readline())
    assert linked["user"] == "mimi://courier.example/u/alice"
    return str(linked["device"])


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


def test_a_second_device_linked_by_code_reads_a_new_message_and_removed_cannot_read_the_next(
    machine: Machine, phone: Terminal
) -> None:
    tablet, bob = machine("tablet"), machine("bob")
    device = link(phone, tablet)
    bob.ok("send", ALICE, "hello, both of you")

    assert tablet.json("read", BOB)[-1]["text"] == "hello, both of you"
    assert phone.json("read", BOB)[-1]["text"] == "hello, both of you"
    tablet.ok("send", BOB, "from the tablet")
    assert bob.json("read", ALICE)[-1]["text"] == "from the tablet"
    assert phone.json("read", BOB)[-1]["own"]

    listed = tablet.json("devices", "list")
    assert [(entry["device"] == device, entry["this"]) for entry in listed if entry["this"]] == [(True, True)]
    assert sorted(entry["may_sign"] for entry in listed) == [False, True]
    assert "may link and remove others" in phone.ok("devices", "list")

    phone.ok("devices", "remove", device.rpartition("/")[2][:8])
    assert bob.ok("send", ALICE, "hello, phone") == "Sent.\n"
    assert phone.json("read", BOB)[-1]["text"] == "hello, phone"
    assert "hello, phone" not in tablet.run("read", BOB).stdout
    assert [entry["device"] for entry in phone.json("devices", "list")] != [device]
    assert len(phone.json("devices", "list")) == 1


def test_a_code_is_shown_as_text_with_a_number_and_a_wrong_one_is_not_taken(machine: Machine, phone: Terminal) -> None:
    with linking(machine("tablet"), ALICE) as (shown, _):
        number = " ".join(shown["number"][at : at + 4] for at in (0, 4, 8))
        done = phone.run("devices", "accept", shown["code"], stdin="no\n")
        assert done.returncode == 2
        assert f"Does the new device show the number {number}?" in done.stderr
        assert "not taken in" in done.stderr
        assert "not taken in" in phone.refused("devices", "accept", shown["code"], "--number", "0" * 12)
    assert "not a link code" in phone.refused("devices", "accept", "nightlight-link:AQ", "--number", "0")
    assert len(phone.json("devices", "list")) == 1


def test_a_device_is_linked_to_its_own_person_only(machine: Machine, phone: Terminal) -> None:
    del phone
    with linking(machine("tablet"), ALICE) as (shown, process):
        # It waits for the tablet to come into Bob's rooms, which never happens.
        taking_in = machine("bob").start("devices", "accept", shown["code"], "--number", shown["number"])
        assert process.wait(60) == 2
        taking_in.kill()
        taking_in.communicate()
    assert "already registered" not in machine("tablet").refused("devices", "list")


def test_a_device_that_may_not_sign_takes_nobody_in(machine: Machine, phone: Terminal) -> None:
    tablet = machine("tablet")
    link(phone, tablet)
    with linking(machine("laptop"), ALICE) as (shown, _):
        refused = tablet.refused("devices", "accept", shown["code"], "--number", shown["number"])
        assert refused == "refused: That is not allowed."
    first = next(entry["device"] for entry in phone.json("devices", "list") if entry["this"])
    assert tablet.refused("devices", "remove", first) == "refused: That is not allowed."


def test_a_device_that_may_sign_takes_others_in(machine: Machine, phone: Terminal) -> None:
    tablet = machine("tablet")
    link(phone, tablet, "--may-sign")
    link(tablet, machine("laptop"))
    assert len(phone.json("devices", "list")) == 3
    assert "you have no other device" in phone.refused("devices", "remove", "zzz")
