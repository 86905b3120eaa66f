"""Commits of members of one room that meet, or whose answers are lost."""

import asyncio

from tests.faults.conftest import Friends
from tests.support.people import (
    JUNO,
    TOMAS,
    befriend,
    conversation,
    newcomer,
    returning,
    settled,
    share_room,
    texts,
    until,
)
from tests.support.relay import cut_after, every, faithful

ROUNDS = 5


async def test_two_commits_at_once_both_take_effect(friends: Friends) -> None:
    for _ in range(ROUNDS):
        await asyncio.gather(friends.mira.update(friends.room), friends.tomas.update(friends.room))
    await friends.mira.send(friends.room, "still in one group")
    await settled(friends.room, friends.mira, friends.tomas)
    assert [message.text for message in conversation(friends.tomas, friends.room)] == ["still in one group"]


async def test_messages_sent_across_a_commit_are_sealed_again_and_shown_once(friends: Friends) -> None:
    for number in range(10):
        await friends.mira.send(friends.room, f"mira {number}")
        await friends.tomas.send(friends.room, f"tomas {number}")
        await asyncio.gather(friends.mira.update(friends.room), friends.tomas.update(friends.room))
    await until(lambda: len(conversation(friends.mira, friends.room)) == 20, "Mira shows all 20")
    await settled(friends.room, friends.mira, friends.tomas)
    shown = [message.text for message in conversation(friends.tomas, friends.room)]
    for name in ("mira", "tomas"):
        assert [text for text in shown if text.startswith(name)] == [f"{name} {number}" for number in range(10)]


async def test_a_commit_whose_answer_is_lost_counts_once(friends: Friends) -> None:
    juno = await newcomer(friends.server.url, JUNO, friends.folder)
    await befriend(friends.mira, juno)
    friends.relay.to_server = every(2, cut_after)
    room = await share_room(friends.mira, friends.tomas, juno)
    friends.relay.to_server = faithful
    await friends.tomas.send(room, "three of us")
    await settled(room, friends.mira, friends.tomas, juno)
    members = {summary.room: summary.members for summary in friends.mira.rooms()}[room]
    assert sorted(members) == sorted([friends.mira.user, TOMAS, JUNO])
    await juno.close()


async def test_who_was_away_reads_of_a_stranger_who_has_come_and_gone(friends: Friends) -> None:
    """Their leaf is judged by their device list, which somebody who was there with them may still ask for."""
    juno = await newcomer(friends.server.url, JUNO, friends.folder)
    await befriend(friends.mira, juno)
    await friends.tomas.close()
    await friends.mira.add(friends.room, [JUNO])
    await until(lambda: [summary.room for summary in juno.rooms()] == [friends.room], "Juno is in the room")
    await juno.send(friends.room, "only passing through")
    await until(lambda: texts(friends.mira, friends.room) == ["only passing through"], "Mira reads it")
    await friends.mira.remove(friends.room, [JUNO])
    await friends.mira.send(friends.room, "the two of us again")
    await friends.mira.wait_settled()
    await juno.close()

    friends.tomas = await returning(TOMAS, friends.folder)
    await settled(friends.room, friends.mira, friends.tomas)
    assert texts(friends.tomas, friends.room) == ["only passing through", "the two of us again"]
    assert friends.tomas.faults() == []
