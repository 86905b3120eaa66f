"""A server that cheats, seen by both clients: each attack is refused, told by its check's number, and talk goes on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from nightlight.protocol.messages import ClaimedKeyPackages, Delivery, Ready, ServerFrame
from tests.support.people import MIRA, texts
from tests.web.attacks import (
    CLAIM,
    COMMIT_ATTACKS,
    MESSAGE_ATTACKS,
    SUBSTITUTIONS,
    WELCOME_ATTACKS,
    Attack,
    Substitution,
    altered,
)
from tests.web.cheating_hub import COMMITS, MESSAGES, WELCOMES, Scene

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGE = Path(__file__).parents[2] / "docs" / "threat-model.md"


def named(row: Attack | Substitution) -> str:
    return row.name.replace(" ", "_")


@pytest.mark.parametrize("attack", MESSAGE_ATTACKS, ids=named)
async def test_a_message_that_was_tampered_with_is_not_shown_and_talk_goes_on(scene: Scene, attack: Attack) -> None:
    change = await attack.prepare(scene)
    before = await scene.tomas.texts(scene.room)
    scene.hub.change_next(MESSAGES, change)
    await scene.mira.send(scene.room, "changed on its way")
    await scene.mira.send(scene.room, "as it was sent")
    await scene.reads(*before, "as it was sent")
    await scene.recorded((attack.check, attack.culprit))
    await scene.talk()


@pytest.mark.parametrize("attack", COMMIT_ATTACKS, ids=named)
async def test_a_forged_commit_ends_the_room_and_talk_goes_on_in_another(scene: Scene, attack: Attack) -> None:
    await scene.talk()
    before = await scene.tomas.texts(scene.room)
    scene.hub.change_next(COMMITS, await attack.prepare(scene))
    await scene.mira.update(scene.room)
    await scene.recorded((attack.check, attack.culprit))
    assert scene.room not in await scene.tomas.rooms()
    assert await scene.tomas.texts(scene.room) == before
    await scene.talk(await scene.tomas.create_room(MIRA))


@pytest.mark.parametrize("attack", WELCOME_ATTACKS, ids=named)
async def test_a_false_welcome_is_not_followed_and_an_honest_one_is(scene: Scene, attack: Attack) -> None:
    scene.hub.change_next(WELCOMES, await attack.prepare(scene))
    room = await scene.mira.create_room([scene.tomas.user])
    await scene.recorded((attack.check, attack.culprit))
    assert await scene.tomas.rooms() == {scene.room}
    await scene.mira.remove(room, [scene.tomas.user])
    await scene.mira.add(room, [scene.tomas.user])
    await scene.is_in(room)
    await scene.talk(room)


@pytest.mark.parametrize("substitution", SUBSTITUTIONS, ids=named)
async def test_nobody_is_added_in_the_place_of_somebody_else(scene: Scene, substitution: Substitution) -> None:
    scene.hub.change_answers(CLAIM, ClaimedKeyPackages, await substitution.prepare(scene))
    before = await scene.tomas.rooms()
    assert await scene.tomas.refusal(MIRA) == substitution.check
    await scene.recorded((substitution.check, substitution.culprit))
    assert await scene.tomas.rooms() == before
    scene.hub.be_honest()
    await scene.talk(await scene.tomas.create_room(MIRA))


@pytest.mark.parametrize("name", ["swapped account key", "forged succession"])
async def test_a_new_person_is_sent_nothing_until_accepted_anew(scene: Scene, name: str) -> None:
    (substitution,) = [row for row in SUBSTITUTIONS if row.name == name]
    await scene.talk()

    async def shown() -> bool:
        return "for whoever is Mira now" in await scene.tomas.texts(scene.room)

    scene.hub.change_answers(CLAIM, ClaimedKeyPackages, await substitution.prepare(scene))
    assert await scene.tomas.refusal(MIRA) == substitution.check
    assert await scene.tomas.strangers() == [MIRA]
    assert await scene.tomas.refusal_to_send(scene.room, "for Mira alone") == "new_person"
    await scene.tomas.accept_anew(MIRA)
    assert await scene.tomas.strangers() == []
    assert await scene.tomas.refusal_to_send(scene.room, "for whoever is Mira now") == "none"
    await scene.until(shown, "Tomas sees what he said")
    assert "for whoever is Mira now" not in texts(scene.mira, scene.room)  # her former device is in the way


# --- the log is held back, doubled or put in another order ---------------------------------------------------


async def test_a_commit_that_is_held_back_is_asked_for_and_nothing_is_shown_before_it(scene: Scene) -> None:
    greetings = 0

    def frames(frame: ServerFrame) -> Sequence[ServerFrame]:
        nonlocal greetings
        greetings += isinstance(frame, Ready)
        return [] if not greetings and isinstance(frame, Delivery) and frame.kind is COMMITS else [frame]

    scene.hub.frames = frames
    await scene.mira.update(scene.room)
    await scene.mira.send(scene.room, "after the commit")
    await scene.reads("after the commit")
    assert greetings == 1
    await scene.recorded()
    await scene.talk()


async def test_a_commit_that_is_held_back_for_good_is_a_fault_and_who_is_added_anew_goes_on(scene: Scene) -> None:
    scene.hub.frames = lambda frame: [] if isinstance(frame, Delivery) and frame.kind is COMMITS else [frame]
    await scene.mira.update(scene.room)
    await scene.mira.send(scene.room, "after the commit")
    await scene.recorded(("NL-501", "hub"), ("NL-205", "hub"))
    assert await scene.tomas.texts(scene.room) == []
    scene.hub.be_honest()
    await scene.mira.remove(scene.room, [scene.tomas.user])
    await scene.mira.add(scene.room, [scene.tomas.user])
    await scene.mira.send(scene.room, "welcome back")
    await scene.reads("welcome back")
    await scene.talk()


async def test_a_device_that_missed_a_commit_asks_and_is_added_anew(scene: Scene) -> None:
    scene.hub.change_next(COMMITS, lambda frame: msgspec.structs.replace(frame, payload=b""))
    await scene.mira.update(scene.room)
    await scene.recorded(("NL-514", "hub"))
    await scene.is_in(scene.room)
    await scene.talk()


async def test_messages_that_overtake_each_other_are_shown_in_the_room_s_order(scene: Scene) -> None:
    held: list[Delivery] = []

    def frames(frame: ServerFrame) -> Sequence[ServerFrame]:
        if not isinstance(frame, Delivery) or frame.kind is not MESSAGES:
            return [frame]
        held.append(frame)
        return [] if len(held) == 1 else [frame, held[0], held[0]] if len(held) == 2 else [frame]

    scene.hub.frames = frames
    await scene.mira.send(scene.room, "first")
    await scene.mira.send(scene.room, "second")
    await scene.reads("first", "second")
    await scene.recorded()
    await scene.talk()


async def test_messages_in_another_order_than_they_were_accepted_in_are_a_fault(scene: Scene) -> None:
    """The order is the hub's to say; that it says another now than it signed then is told."""
    held: list[Delivery] = []

    def frames(frame: ServerFrame) -> Sequence[ServerFrame]:
        if not isinstance(frame, Delivery) or frame.kind is not MESSAGES:
            return [frame]
        held.append(frame)
        if len(held) != 2:
            return [] if len(held) == 1 else [frame]
        first, second = held
        return [altered(second, seq=first.seq), altered(first, seq=second.seq)]

    scene.hub.frames = frames
    await scene.mira.send(scene.room, "first")
    await scene.mira.send(scene.room, "second")
    await scene.reads("second", "first")
    await scene.recorded(("NL-513", "hub"))
    await scene.talk()


# --- the page --------------------------------------------------------------------------------------------------


async def test_the_threat_model_lists_every_attack() -> None:
    section = PAGE.read_text().partition("## A server that cheats")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| \*\*(.+?)\*\*.*\| (NL-\d{3}) \| (\w+) \|", section, re.MULTILINE)
    table: list[Attack | Substitution] = [*MESSAGE_ATTACKS, *COMMIT_ATTACKS, *WELCOME_ATTACKS, *SUBSTITUTIONS]
    order = [("commit withheld for good", "NL-501", "hub"), ("reordered log", "NL-513", "hub")]
    assert rows == [*((row.name, row.check, row.culprit) for row in table), *order]
