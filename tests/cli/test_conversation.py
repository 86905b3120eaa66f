"""Two people on two machines, by commands alone: from registering to a verified message."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.server import ServerProcess
from tests.support.terminal import Terminal

ALICE, BOB, CAROL = "alice@courier.example", "bob@gallery.example", "carol@ring.example"


@pytest.fixture(scope="module")
def register(server: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Terminal]:
    """A person with a machine of their own."""

    def machine_of(person: str) -> Terminal:
        terminal = Terminal(tmp_path_factory.mktemp("home"), server.url)
        assert terminal.ok("register", person) == f"You are {person}.\n"
        return terminal

    return machine_of


@pytest.fixture(scope="module")
def alice(register: Callable[[str], Terminal]) -> Terminal:
    return register(ALICE)


@pytest.fixture(scope="module")
def bob(register: Callable[[str], Terminal], alice: Terminal) -> Terminal:
    """He and Alice are in contact."""
    terminal = register(BOB)
    alice.ok("contacts", "request", BOB)
    terminal.ok("contacts", "accept", ALICE)
    return terminal


def test_a_message_goes_there_and_back(alice: Terminal, bob: Terminal) -> None:
    sent = alice.json("send", BOB, "hello from the lake")
    assert sent["state"] == "sent"

    assert [
        {name: message[name] for name in ("message_id", "sender", "text", "own", "state")}
        for message in bob.json("read", ALICE)
    ] == [
        {
            "message_id": sent["message"],
            "sender": "mimi://courier.example/u/alice",
            "text": "hello from the lake",
            "own": False,
            "state": "received",
        }
    ]
    assert bob.ok("send", ALICE, "-", stdin="line one\nline two\n") == "Sent.\n"

    first, second, third = alice.ok("read", BOB).splitlines()
    assert first.endswith("you  hello from the lake ✓✓ read")
    assert second.endswith(f"{BOB}  line one")
    assert third == "      line two"


def test_messages_are_answered_reacted_to_edited_forwarded_and_deleted(alice: Terminal, bob: Terminal) -> None:
    heron = alice.json("send", BOB, "the heron is back")["message"]
    shown = {message["message_id"]: message for message in bob.json("read", ALICE)}
    assert shown[heron]["reactions"] == []
    assert bob.ok("send", ALICE, "where?", "--reply-to", heron[:12]) == "Sent.\n"
    assert bob.ok("react", heron[:12], "❤") == "Sent.\n"
    assert bob.ok("react", heron[:12], "❤") == "It is so already.\n"
    assert alice.ok("edit", heron[:12], "the heron is back at the lake") == "Edited.\n"
    bob.ok("read", ALICE)
    assert bob.json("forward", heron[:12], ALICE)["rooms"] == [shown[heron]["room"]]

    *_, heron_line, reactions, answer, answer_text, forwarded = alice.ok("read", BOB).splitlines()
    assert heron_line.endswith("you  the heron is back at the lake (edited) ✓✓ read")
    assert reactions == "      ❤"
    assert answer.endswith(f"{BOB}  ↳ alice@courier.example: the heron is back at the lake")
    assert answer_text == "      where?"
    assert forwarded.endswith(f"{BOB}  forwarded: the heron is back at the lake")

    assert bob.ok("react", heron[:12], "❤", "--undo") == "Taken back.\n"
    assert alice.ok("delete", heron[:12]) == "Deleted.\n"
    *_, heron_line, answer, answer_text, forwarded = bob.ok("read", ALICE).splitlines()
    assert heron_line.endswith(f"{ALICE}  this message was deleted")
    assert answer.endswith("you  ↳ a deleted message")

    assert bob.refused("delete", heron[:12]) == "refused: There is nothing here for you."
    assert alice.refused("send", BOB, "x", "--reply-to", "ffff").startswith("this device has no message 'ffff'")
    assert alice.refused("send", BOB, "x", "--expires", "soon").startswith("'soon' is not a time")
    assert alice.refused("edit", heron[:12], " ").startswith("there is nothing to say")


def test_a_message_vanishes_after_it_was_read(alice: Terminal, bob: Terminal) -> None:
    room = alice.json("send", BOB, "meet me at the pier", "--expires", "5s")["room"]
    assert "meet me at the pier" in bob.ok("read", ALICE)
    for terminal, other in ((alice, BOB), (bob, ALICE)):
        while "meet me at the pier" in terminal.ok("read", other):
            pass
    name = room.rpartition("/")[2]
    assert alice.ok("rooms", "expire", name, "1h") == "What you send there goes 1h after it is read.\n"
    alice.ok("send", BOB, "for an hour")
    assert bob.ok("read", ALICE, "--limit", "1").endswith("for an hour ⏱ 1h\n")
    assert alice.ok("rooms", "expire", name, "off") == "What you send there stays.\n"


def test_somebody_is_asked_by_their_contact_code(register: Callable[[str], Terminal]) -> None:
    fern, emil = register("fern@ring.example"), register("emil@courier.example")
    code = emil.ok("contacts", "code")
    assert code.startswith("nightlight:")
    picture, _, below = emil.ok("contacts", "code", "--qr").rpartition("\n\n")
    assert below == code
    assert len(picture.splitlines()) > 20

    assert "emil@courier.example" in fern.ok("contacts", "request", code.strip())
    emil.ok("contacts", "accept", "fern@ring.example")
    assert fern.json("send", "emil@courier.example", "hello")["state"] == "sent"

    assert fern.refused("contacts", "request", code.strip()[:-1]) == "that is not a contact code, or not all of it"


def test_receipts_and_typing_can_be_switched_off(alice: Terminal, bob: Terminal) -> None:
    assert bob.ok("settings") == "receipts: on\ntyping: on\n"
    assert bob.json("settings", "receipts", "off") == {"receipts": False, "typing": True}
    assert bob.ok("settings", "typing", "off") == "receipts: off\ntyping: off\n"
    alice.ok("send", BOB, "read this")
    bob.ok("read", ALICE)
    assert alice.ok("read", BOB, "--limit", "1").endswith("you  read this ✓\n")
    bob.ok("settings", "receipts", "on")
    bob.ok("settings", "typing", "on")


def test_both_see_the_same_safety_number(alice: Terminal, bob: Terminal) -> None:
    number = alice.json("verify", BOB)["safety_number"]

    assert bob.json("verify", ALICE)["safety_number"] == number
    assert len(number) == 60
    assert number.isdecimal()


def test_a_message_is_verified_without_the_server(alice: Terminal, bob: Terminal) -> None:
    message = alice.json("send", BOB, "to be verified")["message"]
    bob.ok("read", ALICE)
    away = replace(bob, server_url="http://127.0.0.1:9")

    assert away.json("verify", "message", message[:20]) == {
        "message": message,
        "sender": "mimi://courier.example/u/alice",
        "verified": True,
        "check": None,
    }
    assert f"the provider signed that {ALICE} sent a message" in alice.ok("verify", "message", message)
    assert "this device has no message" in bob.refused("verify", "message", "ffff")


def test_a_group_with_a_name_and_roles(alice: Terminal, bob: Terminal, register: Callable[[str], Terminal]) -> None:
    mona = register("mona@ring.example")
    for friend in (ALICE, BOB):
        mona.ok("contacts", "request", friend)
    alice.ok("contacts", "accept", "mona@ring.example")
    bob.ok("contacts", "accept", "mona@ring.example")
    assert alice.ok("rooms", "create", BOB, "mona@ring.example", "--name", "Lake trip") == "The room is Lake trip.\n"
    bob.ok("read", "lake")
    assert "owners" in bob.ok("rooms", "--help")
    assert bob.refused("rooms", "rename", "lake", "Hill trip")
    assert bob.refused("rooms", "remove", "lake", "mona@ring.example")
    assert alice.ok("rooms", "role", "lake", "admin", BOB) == f"{BOB} is admin in Lake trip.\n"
    assert bob.ok("rooms", "rename", "lake", "Hill trip") == "The room is Hill trip.\n"
    assert bob.ok("rooms", "remove", "hill", "mona@ring.example", "--ban")
    assert [(row["user"].rpartition("/")[2], row["role"]) for row in alice.json("rooms", "members", "hill")] == [
        ("alice", "owner"),
        ("bob", "admin"),
        ("mona", "banned"),
    ]
    assert alice.refused("rooms", "add", "hill", "mona@ring.example")
    alice.ok("rooms", "unban", "hill", "mona@ring.example")
    alice.ok("rooms", "add", "hill", "mona@ring.example")
    assert "Hill trip" in mona.ok("rooms", "list")
    assert mona.json("rooms", "list")[0]["roles"]["mimi://ring.example/u/mona"] == "member"
    assert alice.ok("rooms", "leave", "hill") == "You have left Hill trip.\n"
    assert "Hill trip" not in [row["name"] for row in alice.json("rooms", "list")]
    assert alice.refused("rooms", "leave", "hill")
    bob.ok("send", "hill", "Alice has left")
    assert [(row["user"].rpartition("/")[2], row["role"]) for row in bob.json("rooms", "members", "hill")] == [
        ("bob", "owner"),
        ("mona", "member"),
    ]


def test_rooms_of_three(alice: Terminal, bob: Terminal, register: Callable[[str], Terminal]) -> None:
    carol = register(CAROL)
    carol.ok("contacts", "request", ALICE)
    alice.ok("contacts", "accept", CAROL)

    room = alice.json("rooms", "create", BOB, CAROL)["room"]
    name = room.rpartition("/")[2]
    alice.ok("send", name, "hello, both")
    assert bob.json("read", name[:12])[-1]["text"] == "hello, both"
    assert carol.json("read", room)[-1]["text"] == "hello, both"

    alice.ok("rooms", "remove", name, BOB)
    alice.ok("send", name, "hello, Carol")
    assert carol.json("read", name)[-1]["text"] == "hello, Carol"
    assert "hello, Carol" not in bob.run("read", name).stdout

    alice.ok("rooms", "add", name, BOB)
    alice.ok("send", name, "welcome back")
    assert [message["text"] for message in bob.json("read", name)] == ["hello, both", "welcome back"]
    listed = {room["room"]: sorted(room["members"]) for room in bob.json("rooms", "list")}
    assert len(listed[room]) == 3


def test_nobody_reaches_a_person_who_has_not_accepted(alice: Terminal, register: Callable[[str], Terminal]) -> None:
    stranger = register("stranger@ring.example")

    assert stranger.refused("send", ALICE, "hello").startswith("refused: ")
    stranger.ok("contacts", "request", ALICE)
    assert stranger.refused("send", ALICE, "hello").startswith("refused: ")
    alice.ok("contacts", "decline", "stranger@ring.example")
    assert stranger.refused("send", ALICE, "hello").startswith("refused: ")
    states = {contact["user"]: contact["state"] for contact in alice.json("contacts", "list")}
    assert "mimi://ring.example/u/stranger" not in states


def test_a_blocked_person_is_listed_until_unblocked(alice: Terminal, register: Callable[[str], Terminal]) -> None:
    dora = register("dora@ring.example")
    asked = {"user": "mimi://courier.example/u/alice", "state": "requested"}
    assert dora.json("contacts", "request", ALICE) == asked
    assert dora.json("contacts", "cancel", ALICE) == asked | {"state": None}
    dora.ok("contacts", "request", ALICE)

    alice.ok("contacts", "block", "dora@ring.example")
    assert "blocked by you" in alice.ok("contacts", "list")
    alice.ok("contacts", "unblock", "dora@ring.example")
    assert "dora@ring.example" not in alice.ok("contacts", "list")


def test_a_handle_is_given_once(alice: Terminal, tmp_path: Path) -> None:
    elsewhere = replace(alice, home=tmp_path / "elsewhere")

    assert elsewhere.refused("register", ALICE) == "refused: That handle is taken."
    assert "has no profile" in elsewhere.refused("contacts", "list")
    assert "already registered" in alice.refused("register", ALICE)


def test_an_unknown_provider_is_refused(alice: Terminal) -> None:
    assert alice.refused("register", "zoe@nowhere.example").startswith("refused: ")


def test_with_two_profiles_in_one_home_one_is_chosen(register: Callable[[str], Terminal]) -> None:
    home = register("erin@courier.example")
    home.ok("register", "finn@gallery.example")

    assert home.refused("rooms", "list") == ("whose? choose one with --as: erin@courier.example, finn@gallery.example")
    home.ok("contacts", "request", "finn@gallery.example", "--as", "erin@courier.example")
    assert "asks you" in home.ok("contacts", "list", "--as", "finn@gallery.example")


def test_without_a_server_a_message_waits_and_goes_out_later(
    server: ServerProcess, register: Callable[[str], Terminal]
) -> None:
    gus, hana = register("gus@courier.example"), register("hana@ring.example")
    gus.ok("contacts", "request", "hana@ring.example")
    hana.ok("contacts", "accept", "gus@courier.example")
    gus.ok("send", "hana@ring.example", "first")
    asyncio.run(server.stop())
    try:
        assert gus.json("send", "hana@ring.example", "written in the dark")["state"] == "queued"
        done = gus.run("read", "hana@ring.example")
        assert done.stderr == "Offline: this is what this device has.\n"
        assert done.stdout.splitlines()[-1].endswith("you  written in the dark ◷")
    finally:
        asyncio.run(server.start())

    gus.ok("rooms", "list")
    assert [message["text"] for message in hana.json("read", "gus@courier.example")] == ["first", "written in the dark"]


def test_a_wrong_key_opens_nothing(register: Callable[[str], Terminal], tmp_path: Path) -> None:
    ida = register("ida@courier.example")
    key = ida.home / "key"
    key.write_text("00" * 32)

    assert "key" in ida.refused("contacts", "list")
    assert not list(tmp_path.iterdir())
