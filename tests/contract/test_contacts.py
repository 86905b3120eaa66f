"""Contact requests and blocking, over HTTP and the stream."""

from typing import Any

import pytest

from nightlight.protocol.ids import UserUri
from nightlight.protocol.messages import Contact, ContactAction, ContactState, Refused, Wake
from tests.contract.conftest import Hub
from tests.contract.device import Line, befriend, room_of_two
from tests.contract.test_accounts import problem

NOBODY = UserUri("mimi://ring.example/u/nobody")
REQUEST, ACCEPT, DECLINE = ContactAction.REQUEST, ContactAction.ACCEPT, ContactAction.DECLINE
CANCEL, BLOCK, UNBLOCK = ContactAction.CANCEL, ContactAction.BLOCK, ContactAction.UNBLOCK


async def seen(line: Line) -> dict[str, ContactState]:
    """Whom the person sees in their list, and how."""
    return {contact.user: contact.state for contact in await line.call("GET", "/v1/contacts", list[Contact])}


async def test_a_request_is_seen_by_both_and_accepted(mira: Line, tomas: Line) -> None:
    await mira.contact(REQUEST, tomas.device.user)
    assert await seen(mira) == {tomas.device.user: ContactState.REQUESTED}
    assert await seen(tomas) == {mira.device.user: ContactState.ASKED}
    await tomas.contact(ACCEPT, mira.device.user)
    assert await seen(mira) == {tomas.device.user: ContactState.CONNECTED}
    assert await seen(tomas) == {mira.device.user: ContactState.CONNECTED}


async def test_asking_somebody_unknown_or_who_blocks_looks_like_asking_anybody(
    mira: Line, tomas: Line, juno: Line
) -> None:
    await juno.contact(BLOCK, mira.device.user)
    users = [tomas.device.user, juno.device.user, NOBODY]
    answers = [await mira.contact(REQUEST, user) for user in users]
    assert {(answer.status_code, answer.content) for answer in answers} == {(202, answers[0].content)}
    assert await seen(mira) == dict.fromkeys(users, ContactState.REQUESTED)
    assert await seen(juno) == {mira.device.user: ContactState.BLOCKED}
    for action in (REQUEST, CANCEL, CANCEL, ACCEPT, DECLINE):
        answers = [await mira.contact(action, user) for user in users]
        assert len({(answer.status_code, answer.content) for answer in answers}) == 1, action
    assert await seen(mira) == {}


async def test_a_request_to_somebody_who_registers_later_is_there(hub: Hub, mira: Line) -> None:
    await mira.contact(REQUEST, NOBODY)
    assert await seen(await hub.person(NOBODY)) == {mira.device.user: ContactState.ASKED}


async def test_a_declined_request_does_not_come_back(mira: Line, tomas: Line) -> None:
    await mira.contact(REQUEST, tomas.device.user)
    await tomas.contact(DECLINE, mira.device.user)
    for action in (CANCEL, REQUEST):
        await mira.contact(action, tomas.device.user)
    assert await seen(tomas) == {}
    assert await seen(mira) == {tomas.device.user: ContactState.REQUESTED}


async def test_an_action_that_does_not_fit_is_refused_and_changes_nothing(mira: Line, tomas: Line) -> None:  # NL-470
    await mira.contact(BLOCK, tomas.device.user)
    response = await mira.contact(REQUEST, tomas.device.user)
    assert (response.status_code, problem(response)) == (409, "conflict")
    assert await seen(mira) == {tomas.device.user: ContactState.BLOCKED}


async def test_nobody_is_their_own_contact(mira: Line) -> None:  # NL-471
    assert problem(await mira.contact(REQUEST, mira.device.user)) == "conflict"


@pytest.mark.parametrize("settings", [{"contacts_max": 2}])
async def test_a_person_asks_only_so_many(mira: Line, settings: dict[str, Any]) -> None:  # NL-472
    names = [UserUri(f"mimi://ring.example/u/person{number}") for number in range(settings["contacts_max"] + 1)]
    answers = [(await mira.contact(REQUEST, name)).status_code for name in names]
    assert answers == [202, 202, 429]
    await mira.contact(CANCEL, names[0])
    assert (await mira.contact(REQUEST, names[2])).status_code == 202


@pytest.mark.parametrize("settings", [{"contacts_max": 1}])
async def test_who_may_ask_no_more_cannot_tell_who_has_turned_them_down(
    mira: Line, tomas: Line, juno: Line, settings: dict[str, Any]
) -> None:
    await juno.contact(BLOCK, mira.device.user)
    assert settings["contacts_max"] == 1
    assert (await mira.contact(REQUEST, NOBODY)).status_code == 202
    answers = [await mira.contact(REQUEST, line.device.user) for line in (tomas, juno)]
    assert [answer.status_code for answer in answers] == [429, 429]


@pytest.mark.parametrize("settings", [{"contacts_max": 1}])
async def test_who_may_ask_no_more_still_answers_and_blocks_who_asks_them(
    mira: Line, tomas: Line, juno: Line, settings: dict[str, Any]
) -> None:
    assert settings["contacts_max"] == 1
    await mira.contact(REQUEST, NOBODY)
    for asking, action in ((tomas, ACCEPT), (juno, BLOCK)):
        await asking.contact(REQUEST, mira.device.user)
        assert (await mira.contact(action, asking.device.user)).status_code == 202


async def test_a_contact_s_block_cannot_be_told_by_blocking_them_for_a_moment(
    mira: Line, tomas: Line, juno: Line
) -> None:
    await befriend(mira, tomas)
    await befriend(mira, juno)
    await juno.contact(BLOCK, mira.device.user)
    for action in (UNBLOCK, BLOCK, UNBLOCK):
        answers = [await mira.contact(action, line.device.user) for line in (tomas, juno)]
        assert answers[0].status_code == answers[1].status_code == 202, action
        states = await seen(mira)
        assert states[tomas.device.user] is states[juno.device.user], action
    await juno.contact(UNBLOCK, mira.device.user)
    assert await seen(juno) == {mira.device.user: ContactState.CONNECTED}


async def test_those_online_are_told_to_look_and_others_are_not(mira: Line, tomas: Line, juno: Line) -> None:
    await juno.contact(BLOCK, mira.device.user)
    async with tomas.stream() as toms, juno.stream() as junos:
        await mira.contact(REQUEST, juno.device.user)
        await mira.contact(REQUEST, tomas.device.user)
        assert await toms.expect(Wake) == Wake("contacts")
        await tomas.contact(REQUEST, juno.device.user)
        assert await junos.expect(Wake) == Wake("contacts")
        assert await seen(juno) == {
            mira.device.user: ContactState.BLOCKED,
            tomas.device.user: ContactState.ASKED,
        }


async def test_a_block_closes_the_room_of_two_for_both_and_unblocking_opens_it(mira: Line, tomas: Line) -> None:
    await befriend(mira, tomas)
    room = await room_of_two(mira, tomas)
    await tomas.contact(BLOCK, mira.device.user)
    refusals = []
    for line in (mira, tomas):  # NL-411
        async with line.stream({room: 1}) as frames:
            await frames.send(line.device.message(room))
            refusals.append((await frames.expect(Refused)).problem)
    async with mira.stream({room: 1}) as frames:
        unknown = mira.device.message(room)
        await frames.send(type(unknown)(unknown.submission_id, "mimi://ring.example/r/nowhere", unknown.message))
        refusals.append((await frames.expect(Refused)).problem)
    assert set(refusals) == {"not_found"}
    assert await seen(mira) == {tomas.device.user: ContactState.CONNECTED}
    await tomas.contact(UNBLOCK, mira.device.user)
    async with mira.stream({room: 1}) as frames:
        await frames.submit(mira.device.message(room))


async def test_a_block_holds_after_a_restart(hub: Hub, mira: Line, tomas: Line) -> None:
    await befriend(mira, tomas)
    room = await room_of_two(mira, tomas)
    await tomas.contact(BLOCK, mira.device.user)
    await hub.restart()
    async with mira.stream({room: 1}) as frames:
        await frames.send(mira.device.message(room))
        assert (await frames.expect(Refused)).problem == "not_found"
