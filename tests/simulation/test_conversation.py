"""A conversation between three devices: replies, reactions, edits, deletions, messages that vanish."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from nightlight.client import outbox
from nightlight.client.events import Event, Message, MessageState, Typing
from nightlight.client.sdk import Client
from nightlight.errors import ProblemName, RefusedError
from nightlight.protocol import content, messages
from nightlight.protocol.conversation import Reaction
from nightlight.protocol.ids import MessageId
from tests.simulation.conftest import Friends
from tests.simulation.world import NAMES, URIS, World


def conversation(client: Client, world: World) -> list[Message]:
    return client.messages(world.room, limit=100)


def texts(client: Client, world: World) -> list[str]:
    return [message.text for message in conversation(client, world)]


async def says(world: World, name: str, text: str) -> MessageId:
    """``name`` says it, and everyone sees it."""
    message_id = await world.client(name).send(world.room, text)
    for other in NAMES:
        await sees(world, other, message_id, lambda message: message.text == text)
    return message_id


async def sees(world: World, name: str, message_id: MessageId, true: Callable[[Message], bool]) -> Message:
    """``name`` sees the message in the state wanted."""

    def seen() -> bool:
        message = world.client(name).message(message_id)
        return message is not None and true(message)

    await world.until(seen, f"{name} sees it")
    message = world.client(name).message(message_id)
    assert message is not None
    return message


def test_a_reply_and_a_reaction_reach_the_other_device(friends: Friends) -> None:
    async def story(world: World) -> None:
        hello = await says(world, "tomas", "the heron is back")
        mira = world.client("mira")
        reply = await mira.send(world.room, "where?", reply_to=hello)
        assert await mira.react(hello, "❤") is not None
        answered = await sees(world, "tomas", reply, lambda _: True)
        assert answered.reply_to == hello
        liked = await sees(world, "tomas", hello, lambda message: bool(message.reactions))
        assert liked.reactions == (Reaction("❤", (URIS["mira"],)),)
        assert texts(world.client("tomas"), world) == ["the heron is back", "where?"]

        assert await mira.react(hello, "❤") is None
        assert await mira.unreact(hello, "❤") is not None
        await sees(world, "tomas", hello, lambda message: not message.reactions)
        assert await mira.unreact(hello, "❤") is None

    friends.run(story)


def test_an_edit_and_a_deletion_show_everywhere_and_the_originals_can_be_reported(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira, tomas = world.client("mira"), world.client("tomas")
        hello = await says(world, "mira", "hello from the lake")
        await mira.edit(hello, "hello from the hill")
        assert (await sees(world, "tomas", hello, lambda message: message.edited)).text == "hello from the hill"
        second = await mira.edit(hello, "hello from the sea")
        await sees(world, "tomas", hello, lambda message: message.text == "hello from the sea")
        await mira.delete(hello)
        for name in NAMES:
            assert (await sees(world, name, hello, lambda message: message.deleted)).text == ""

        versions = tomas.versions(hello)
        assert (versions[0], versions[-1], len(versions)) == (hello, second, 3)
        said = []
        for version in versions:
            tomas.verify(version)
            evidence = tomas.evidence(version)
            assert evidence is not None
            said.append(content.words_of(content.decode(evidence.application_data).body))
        assert [words and words.text for words in said] == [
            "hello from the lake",
            "hello from the hill",
            "hello from the sea",
        ]

    friends.run(story)


def test_only_who_sent_a_message_may_change_it(friends: Friends) -> None:
    async def story(world: World) -> None:
        hello = await says(world, "mira", "hello from the lake")
        tomas = world.client("tomas")
        with pytest.raises(RefusedError) as edited:
            await tomas.edit(hello, "hello from the hill")
        with pytest.raises(RefusedError) as deleted:
            await tomas.delete(hello)
        assert edited.value.problem is deleted.value.problem is ProblemName.NOT_ALLOWED

    friends.run(story)


def test_a_message_vanishes_for_everyone_after_it_was_read(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira, tomas, juno = (world.client(name) for name in NAMES)
        await mira.set_lifetime(world.room, 60)
        secret = await says(world, "mira", "meet me at the pier")
        await tomas.mark_read(world.room)
        await world.until(lambda: texts(tomas, world) == texts(mira, world) == [], "it is gone for who has read it")
        assert texts(juno, world) == ["meet me at the pier"]
        assert tomas.evidence(secret) is not None
        tomas.verify(secret)

        await juno.mark_read(world.room)
        world.people["juno"].clock_offset_ms += 61_000
        await world.crash_client("juno")
        assert texts(world.client("juno"), world) == []
        assert world.client("juno").evidence(secret) is not None

        await mira.set_lifetime(world.room, None)
        await says(world, "mira", "and this one stays")
        await tomas.mark_read(world.room)
        world.people["tomas"].clock_offset_ms += 86_400_000
        assert texts(tomas, world) == ["and this one stays"]

    friends.run(story)


def test_a_forwarded_message_says_how_often_it_was(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira = world.client("mira")
        message_id = await says(world, "mira", "the lake is frozen")
        for count in (1, 2):
            (message_id,) = await mira.forward(message_id, [world.room])
            seen = await sees(world, "tomas", message_id, lambda _: True)
            assert (seen.text, seen.forwarded) == ("the lake is frozen", count)
        with pytest.raises(RefusedError) as refused:
            await mira.forward(message_id, [world.room] * 6)
        assert refused.value.problem is ProblemName.TOO_MANY

    friends.run(story)


def test_who_is_called_by_name_is_mentioned(friends: Friends) -> None:
    async def story(world: World) -> None:
        text = "ask @tomas@gallery.example, or @ada@courier.example: *he* knows the [lake]"
        message_id = await says(world, "mira", text)
        seen = await sees(world, "tomas", message_id, lambda _: True)
        assert (seen.text, seen.mentions) == (text, (URIS["tomas"],))

    friends.run(story)


def test_others_see_who_is_writing_unless_either_has_switched_it_off(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira, tomas, juno = (world.client(name) for name in NAMES)
        heard: dict[str, list[Typing]] = {name: [] for name in NAMES}

        async def listen(name: str, events: AsyncIterator[Event]) -> None:
            async for event in events:
                if isinstance(event, Typing):
                    heard[name].append(event)

        for name in NAMES:
            await world.client(name).wait_online()
            world.do(listen(name, world.client(name).events()))
        await juno.set_typing(wanted=False)
        for _ in range(10):
            await mira.typing(world.room)
        await world.until(lambda: bool(heard["tomas"]), "Tomas sees it")
        await juno.typing(world.room)
        await asyncio.sleep(10)
        assert heard == {"mira": [], "tomas": [Typing(world.room, URIS["mira"])], "juno": []}
        await tomas.typing(world.room)
        await world.until(lambda: heard["mira"] == [Typing(world.room, URIS["tomas"])], "Mira sees it")
        assert heard["juno"] == []

        world.people["tomas"].link.tamper = lambda frame: (
            messages.Typing(world.room, "mimi://ring.example/u/nobody") if isinstance(frame, messages.Typing) else frame
        )
        await mira.typing(world.room)
        await asyncio.sleep(10)
        assert len(heard["tomas"]) == 1
        assert tomas.faults() == []

    friends.run(story)


def test_receipts_can_be_switched_off(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira, tomas = world.client("mira"), world.client("tomas")
        for name in ("tomas", "juno"):
            await world.client(name).set_receipts(wanted=False)
        hello = await says(world, "mira", "hello")
        await tomas.mark_read(world.room)
        await asyncio.sleep(10)
        assert mira.message(hello) is not None
        assert [message.state for message in conversation(mira, world)] == [MessageState.SENT]
        await tomas.set_receipts(wanted=True)
        second = await says(world, "mira", "hello again")
        await tomas.mark_read(world.room)
        await sees(world, "mira", second, lambda message: message.state is MessageState.READ)

    friends.run(story, receipts=True)


def test_more_receipts_than_one_report_holds_are_told_at_once(
    friends: Friends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "RECEIPTS_IN_ONE", 2)

    async def story(world: World) -> None:
        mira, tomas = world.client("mira"), world.client("tomas")
        await asyncio.gather(mira.wait_online(), tomas.wait_online())
        said = [await mira.send(world.room, f"mile {number}") for number in range(5)]
        await world.until(lambda: len(texts(tomas, world)) == len(said), "Tomas has them")
        await tomas.mark_read(world.room)
        await tomas.wait_settled()
        assert tomas._store.owed_receipts(world.room, 10) == []

        await mira.send(world.room, "one more")
        await world.until(lambda: "one more" in texts(tomas, world), "Tomas has it")
        await tomas.set_receipts(wanted=False)
        await asyncio.sleep(60)
        assert tomas._store.owed_receipts(world.room, 10) == []

    friends.run(story, receipts=True)
