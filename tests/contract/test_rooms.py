"""Rooms: beginning them, and what a commit may make of them."""

import os
from typing import Any

import msgspec
import pytest
from sqlalchemy import Engine, event

from nightlight.client.hub import Hub as ClientHub
from nightlight.client.transport import NetworkTransport
from nightlight.mls.group import Member
from nightlight.protocol.codec import write_vector
from nightlight.protocol.franking import FrankingAgent
from nightlight.protocol.ids import HubUri, RoomUri, UserUri
from nightlight.protocol.messages import (
    MAX_ROOMS,
    Accepted,
    ContactAction,
    Delivery,
    Directory,
    EntryKind,
    Refused,
    Removed,
    Room,
    RoomCreation,
    RoomMember,
    RoomParticipant,
    Session,
    SubmitCommit,
    SubmitMessage,
    Wake,
)
from nightlight.server.main import system_clock
from nightlight.server.services.handshakes import HandshakeService
from tests.contract.conftest import Hub
from tests.contract.device import Device, Line, befriend, room_of_two, submission_id
from tests.contract.test_accounts import problem, renewed

LAKE = RoomUri("mimi://courier.example/r/lake")


async def refused(line: Line, commit: SubmitCommit, after: int = 1) -> Refused:
    """The hub's refusal of ``commit``."""
    async with line.stream({commit.room: after}) as frames:
        return await frames.refused(commit)


async def grow(owner: Line, room: RoomUri, guest: Line, after: int) -> Accepted:
    """``guest`` is in ``room``; the hub's answer to the commit."""
    commit = owner.device.commit(room, add=await owner.claim(guest.device.user))
    async with owner.stream({room: after}) as frames:
        accepted = await frames.submit(commit)
    owner.device.groups[room].accept()
    assert commit.welcome is not None
    guest.device.groups[room] = guest.device.member.join(commit.welcome)
    return accepted


async def test_a_room_begins_with_its_creator_and_a_repeat_changes_nothing(mira: Line) -> None:
    creation = mira.device.begin("lake", await mira.call("GET", "/v1/directory", Directory))
    for _ in range(2):
        room = await mira.call("POST", "/v1/rooms", Room, creation)
        assert room == Room(
            LAKE,
            0,
            0,
            [RoomMember(mira.device.device, 1, revoked=False, lost=False)],
            [RoomParticipant(mira.device.user, "owner")],
        )
    assert await mira.call("GET", "/v1/rooms", list[Room]) == [room]
    assert await mira.call("GET", "/v1/room", Room, room=LAKE) == room


async def test_a_room_is_a_group_of_its_name_by_its_creator_with_our_franking_agent(mira: Line, tomas: Line) -> None:
    directory = await mira.call("GET", "/v1/directory", Directory)
    agent = FrankingAgent(directory.franking_keys[0], HubUri(directory.hub)).encode()
    elsewhere = FrankingAgent(os.urandom(32), HubUri(directory.hub)).encode()
    hill = "mimi://courier.example/r/hill"
    mine, theirs = mira.device.member, tomas.device.member
    bad = {
        "at another app": (RoomCreation("mimi://ring.example/r/lake", b""), "not_allowed"),  # NL-430
        "no group": (RoomCreation(LAKE, b"hello"), "invalid_commit"),  # NL-431
        "another name": (
            RoomCreation(LAKE, mine.create_group(hill.encode(), agent).group_info()),
            "invalid_commit",  # NL-432
        ),
        "another hub's": (
            RoomCreation(LAKE, mine.create_group(LAKE.encode(), elsewhere).group_info()),
            "invalid_commit",
        ),
        "somebody else's": (
            RoomCreation(LAKE, theirs.create_group(LAKE.encode(), agent).group_info()),
            "invalid_commit",  # NL-433
        ),
    }
    for what, (creation, expected) in bad.items():
        assert problem(await mira.raw("POST", "/v1/rooms", creation)) == expected, what
    await mira.create("lake")
    second = mira.device.begin("lake", directory)
    response = await mira.raw("POST", "/v1/rooms", second)
    assert (response.status_code, problem(response)) == (409, "conflict")  # NL-434


async def test_those_outside_a_room_cannot_tell_whether_it_exists(mira: Line, tomas: Line) -> None:  # NL-435
    await mira.create("lake")
    answers = [await tomas.raw("GET", "/v1/room", room=room) for room in (LAKE, "mimi://ring.example/r/nowhere")]
    assert {(answer.status_code, answer.content) for answer in answers} == {(404, answers[0].content)}
    assert await tomas.call("GET", "/v1/rooms", list[Room]) == []


@pytest.mark.parametrize("settings", [{"rooms_max": 1}])
async def test_a_device_begins_only_so_many_rooms(mira: Line, settings: dict[str, Any]) -> None:  # NL-436
    assert settings
    await mira.create("lake")
    second = mira.device.begin("hill", await mira.call("GET", "/v1/directory", Directory))
    assert problem(await mira.raw("POST", "/v1/rooms", second)) == "too_many"
    assert [room.room for room in await mira.call("GET", "/v1/rooms", list[Room])] == [LAKE]


@pytest.mark.parametrize("settings", [{"rooms_max": 2}])
async def test_a_device_in_as_many_rooms_as_it_may_be_is_not_added_to_another(
    mira: Line, tomas: Line, juno: Line
) -> None:  # NL-563
    await befriend(mira, tomas)
    await befriend(tomas, juno)
    room = await room_of_two(mira, tomas)
    for name in ("hill", "wood"):
        await juno.create(name)
    packages = await tomas.claim(juno.device.user)
    async with tomas.stream({room: 1}) as frames:
        assert (await frames.refused(tomas.device.commit(room, add=packages))).problem == "no_key_package"
        tomas.device.groups[room].discard()
        await frames.submit(tomas.device.message(room))
    assert len(await juno.call("GET", "/v1/rooms", list[Room])) == 2


async def test_a_contact_is_added_and_gets_the_welcome_first(mira: Line, tomas: Line) -> None:
    await befriend(mira, tomas)
    async with tomas.stream() as frames:
        room = await room_of_two(mira, tomas)
        assert await frames.expect(Wake) == Wake("key_packages")
        welcome = await frames.expect(Delivery)
    assert (welcome.room, welcome.seq, welcome.kind, welcome.sender) == (room, 1, EntryKind.WELCOME, mira.device.device)
    async with tomas.stream() as frames:
        assert frames.ready.heads == {room: 1}
        assert await frames.receive() == welcome
    known = await tomas.call("GET", "/v1/room", Room, room=room)
    assert (known.epoch, known.head) == (1, 1)
    assert known.members == [
        RoomMember(mira.device.device, 1, revoked=False, lost=False),
        RoomMember(tomas.device.device, 1, revoked=False, lost=False),
    ]


async def test_nobody_is_added_who_has_not_accepted(mira: Line, tomas: Line, juno: Line) -> None:  # NL-424
    await befriend(mira, tomas)
    room = await mira.create("lake")
    packages = await mira.claim(tomas.device.user)
    await tomas.contact(ContactAction.BLOCK, mira.device.user)
    assert (await refused(mira, mira.device.commit(room, add=packages), 0)).problem == "not_allowed"
    mira.device.groups[room].discard()
    strangers = juno.device.key_packages(1)
    assert (await refused(mira, mira.device.commit(room, add=strangers), 0)).problem == "not_allowed"
    assert (await juno.call("GET", "/v1/rooms", list[Room])) == []


async def test_a_leaf_that_no_device_list_names_is_not_added(mira: Line, tomas: Line) -> None:  # NL-425
    await befriend(mira, tomas)
    room = await mira.create("lake")
    impostor = Device(tomas.device.user)
    assert (await refused(mira, mira.device.commit(room, add=impostor.key_packages(1)), 0)).problem == "invalid_commit"


async def test_a_credential_that_cannot_be_read_is_not_added(mira: Line) -> None:  # NL-423
    room = await mira.create("lake")
    nobody = Member.create()
    nobody.set_credential(b"hello")
    package = nobody.key_packages(1, lifetime_s=86_400, now_s=mira.device.now_s())
    assert (await refused(mira, mira.device.commit(room, add=package), 0)).problem == "invalid_commit"


@pytest.mark.parametrize("settings", [{"room_members_max": 2}])
async def test_a_room_has_no_more_members_than_the_limit(
    mira: Line, tomas: Line, juno: Line, settings: dict[str, Any]
) -> None:  # NL-427
    assert settings
    await befriend(mira, tomas)
    await befriend(mira, juno)
    room = await room_of_two(mira, tomas)
    commit = mira.device.commit(room, add=await mira.claim(juno.device.user))
    assert (await refused(mira, commit)).problem == "room_full"


@pytest.mark.parametrize("settings", [{"room_members_max": 2}])
async def test_how_many_are_welcomed_is_counted_before_a_commit_is_looked_at(
    hub: Hub, mira: Line, tomas: Line, juno: Line, monkeypatch: pytest.MonkeyPatch
) -> None:  # NL-427
    hanna = await hub.person(UserUri("mimi://ring.example/u/hanna"))
    room = await mira.create("lake")
    packages: list[bytes] = []
    for guest in (tomas, juno, hanna):
        await befriend(mira, guest)
        packages += await mira.claim(guest.device.user)
    commit = mira.device.commit(room, add=packages)
    monkeypatch.setattr(HandshakeService, "_stage", None)
    assert (await refused(mira, commit, 0)).problem == "room_full"


@pytest.mark.parametrize("settings", [{"room_members_max": 2}])
async def test_a_commit_has_a_limit_for_each_member_that_a_room_may_have(mira: Line) -> None:  # NL-562
    room = await mira.create("lake")
    limit = 65_536 + 2 * 2_048
    commit = mira.device.commit(room)
    for frame, problem_name in (
        (msgspec.structs.replace(commit, commit=bytes(limit)), "malformed"),
        (msgspec.structs.replace(commit, commit=bytes(limit + 1)), "too_large"),
        (msgspec.structs.replace(commit, welcome=bytes(limit + 1)), "too_large"),
    ):
        assert (await refused(mira, frame, 0)).problem == problem_name


async def test_rooms_are_told_a_hundred_at_a_time_and_one_is_read_alone(mira: Line, tomas: Line) -> None:
    begun = [await mira.create(f"lake{number}") for number in range(MAX_ROOMS + 2)]
    first = await mira.call("GET", "/v1/rooms", list[Room])
    assert [room.room for room in first] == begun[:MAX_ROOMS]
    rest = await mira.call("GET", "/v1/rooms", list[Room], after=begun[MAX_ROOMS - 1])
    assert [room.room for room in rest] == begun[MAX_ROOMS:]
    assert await mira.call("GET", "/v1/rooms", list[Room], after="mimi://ring.example/r/nowhere") == []
    assert await tomas.call("GET", "/v1/rooms", list[Room], after=begun[0]) == []
    assert problem(await mira.raw("GET", "/v1/rooms", after="nowhere")) == "malformed"
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        one = await mira.call("GET", "/v1/room", Room, room=begun[-1])
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert (one, one.room) == (rest[-1], begun[-1])
    assert any("rooms.room = " in statement for statement in statements)


async def test_a_client_asks_on_until_it_has_all_rooms(mira: Line) -> None:
    begun = [await mira.create(f"lake{number}") for number in range(MAX_ROOMS + 1)]
    client = ClientHub(None, NetworkTransport(mira.url), system_clock)  # type: ignore[arg-type]  # it is signed in
    client._session = Session(mira.token, system_clock() + 3_600_000)
    assert [room.room for room in await client.rooms()] == begun
    await client.close()


async def test_the_creator_removes_anyone_and_others_only_themselves(mira: Line, tomas: Line, juno: Line) -> None:
    await befriend(mira, tomas)
    await befriend(mira, juno)
    room = await room_of_two(mira, tomas)
    await grow(mira, room, juno, 1)
    async with tomas.stream({room: 1}) as frames:
        commit = await frames.expect(Delivery)
        tomas.device.groups[room].receive(commit.payload)
        tomas.device.groups[room].apply()
        await frames.send(tomas.device.commit(room, remove=[2]))
        assert (await frames.expect(Refused)).problem == "not_allowed"  # NL-428
        tomas.device.groups[room].discard()
        async with mira.stream({room: 2}) as owner:
            await owner.submit(mira.device.commit(room, remove=[1]))
        assert await frames.expect(Removed) == Removed(room, 3)
        await frames.send(tomas.device.message(room))
        assert (await frames.expect(Refused)).problem == "not_found"  # NL-410
    assert await tomas.call("GET", "/v1/rooms", list[Room]) == []


async def test_who_was_removed_while_away_hears_everything_up_to_it(mira: Line, tomas: Line) -> None:
    await befriend(mira, tomas)
    room = await room_of_two(mira, tomas)
    async with mira.stream({room: 1}) as owner:
        await owner.submit(mira.device.message(room))
        await owner.submit(mira.device.commit(room, remove=[1]))
        mira.device.groups[room].accept()
        await owner.submit(mira.device.message(room))
    async with tomas.stream() as frames:
        assert frames.ready.heads == {}
        told = [await frames.receive() for _ in range(3)]
        assert [type(frame) for frame in told] == [Delivery, Delivery, Removed]
        assert [getattr(frame, "seq", 0) for frame in told] == [1, 2, 3]
        await frames.acknowledge(room, 3)
        await frames.nothing_more()


async def test_the_first_commit_of_an_epoch_wins_and_the_other_hears_the_epoch(mira: Line, tomas: Line) -> None:
    await befriend(mira, tomas)
    room = await room_of_two(mira, tomas)
    late = tomas.device.commit(room)
    async with mira.stream({room: 1}) as owner:
        await owner.submit(mira.device.commit(room))
    refusal = await refused(tomas, late)
    assert (refusal.problem, refusal.epoch) == ("wrong_epoch", 2)  # NL-420


async def test_a_commit_that_is_repeated_gets_its_answer_again(hub: Hub, mira: Line, tomas: Line) -> None:
    await befriend(mira, tomas)
    room = await room_of_two(mira, tomas)
    commit = mira.device.commit(room)
    async with mira.stream({room: 1}) as frames:
        first = await frames.submit(commit)
        assert await frames.submit(commit) == first
    await hub.restart()
    async with mira.stream({room: 2}) as frames:
        assert await frames.submit(commit) == first


async def test_a_commit_is_its_committer_s_own(mira: Line, tomas: Line) -> None:  # NL-421
    await befriend(mira, tomas)
    room = await room_of_two(mira, tomas)
    assert (await refused(mira, tomas.device.commit(room))).problem == "invalid_commit"


async def test_a_welcome_is_for_those_added_and_only_for_them(mira: Line, tomas: Line, juno: Line) -> None:  # NL-422
    await befriend(mira, tomas)
    await befriend(mira, juno)
    room = await room_of_two(mira, tomas)
    adding = mira.device.commit(room, add=await mira.claim(juno.device.user))
    for welcome in (None, b"hello"):
        assert (await refused(mira, msgspec.structs.replace(adding, welcome=welcome))).problem == "invalid_commit"
    mira.device.groups[room].discard()
    anew = mira.device.commit(room, add=await mira.claim(juno.device.user))
    for swapped in (adding.welcome, adding.commit):
        assert (await refused(mira, msgspec.structs.replace(anew, welcome=swapped))).problem == "invalid_commit"
    mira.device.groups[room].discard()
    update = mira.device.commit(room)
    assert (await refused(mira, msgspec.structs.replace(update, welcome=adding.welcome))).problem == "invalid_commit"


FORBIDDEN = {
    "by reference": b"\x02\x20" + bytes(32),
    "psk": b"\x01\x00\x04\x01\x05hello\x20" + bytes(32),
    "reinit": b"\x01\x00\x05\x04next\x00\x01\x00\x01\x00",
    "external init": b"\x01\x00\x06\x20" + bytes(32),
    "group context extensions": b"\x01\x00\x07\x00",
    "app data": b"\x01\x00\x08\x00\x21\x01\x05hello",
    "self remove": b"\x01\x00\x0a",
}
"""Proposals that MLS knows and this protocol does not, as they stand in a commit."""


@pytest.mark.parametrize("proposal", FORBIDDEN)
async def test_a_commit_with_another_proposal_is_refused_and_the_room_goes_on(
    mira: Line, tomas: Line, proposal: str
) -> None:
    await befriend(mira, tomas)
    room = await room_of_two(mira, tomas)
    good = mira.device.commit(room)
    # version, wire format, group id, epoch, sender, V(one zero byte), content type; then no proposals
    head = 4 + len(write_vector(room.encode())) + 8 + 5 + 2 + 1
    assert good.commit[head] == 0
    forged = good.commit[:head] + write_vector(FORBIDDEN[proposal]) + good.commit[head + 1 :]
    assert (await refused(mira, SubmitCommit(submission_id(), room, forged))).problem == "invalid_commit"
    async with mira.stream({room: 1}) as frames:
        assert (await frames.submit(good)).seq == 2


async def test_a_handshake_goes_by_commit_and_an_application_message_by_submit(mira: Line, tomas: Line) -> None:
    await befriend(mira, tomas)
    room = await room_of_two(mira, tomas)
    message, commit = mira.device.message(room), mira.device.commit(room)
    async with mira.stream({room: 1}) as frames:
        hidden = SubmitCommit(submission_id(), room, message.message)
        assert (await frames.refused(hidden)).problem == "invalid_commit"  # NL-220
        assert (await frames.refused(SubmitMessage(submission_id(), room, commit.commit))).problem == "malformed"
        assert (await frames.submit(message)).seq == 2
        assert (await frames.submit(commit)).seq == 3


async def test_what_is_no_commit_of_this_room_is_refused_and_the_room_goes_on(mira: Line, tomas: Line) -> None:
    await befriend(mira, tomas)
    room = await room_of_two(mira, tomas)
    other = await mira.create("hill")
    foreign = mira.device.commit(other)
    good = mira.device.commit(room)
    for payload in (b"", b"hello", foreign.commit, mira.device.message(other).message, good.commit[:-1]):
        refusal = await refused(mira, SubmitCommit(submission_id(), room, payload))
        assert refusal.problem in {"malformed", "invalid_commit"}, payload[:8]
    async with mira.stream({room: 1}) as frames:
        assert (await frames.submit(good)).seq == 2


async def test_who_renewed_their_device_list_is_still_added(mira: Line, tomas: Line) -> None:
    await befriend(mira, tomas)
    _, signed = renewed(tomas.device)
    assert (await tomas.raw("PUT", "/v1/device-list", {"device_list": signed})).is_success
    await room_of_two(mira, tomas)


async def test_a_person_whose_device_list_has_expired_is_not_added(hub: Hub, mira: Line, tomas: Line) -> None:
    await befriend(mira, tomas)
    room = await mira.create("lake")
    packages = await mira.claim(tomas.device.user)
    _, signed = renewed(mira.device, days=29)
    assert (await mira.raw("PUT", "/v1/device-list", {"device_list": signed})).is_success
    hub.clock.ahead_ms = 21 * 86_400_000
    await mira.sign_in()
    assert (await refused(mira, mira.device.commit(room, add=packages), 0)).problem == "invalid_commit"
