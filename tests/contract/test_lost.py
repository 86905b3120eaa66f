"""A device that says that it cannot go on in a room: who may say so, and what others may then do for it."""

import hashlib

from nightlight.protocol.ids import RoomUri, UserUri
from nightlight.protocol.messages import (
    ClaimedKeyPackages,
    Delivery,
    EntryKind,
    EntryUnusable,
    KeyPackageClaim,
    Room,
    SubmitCommit,
    Wake,
)
from tests.contract.conftest import Hub
from tests.contract.device import Line, befriend
from tests.contract.test_accounts import problem
from tests.contract.test_roles import Group, group_of

ILSE = UserUri("mimi://ring.example/u/ilse")


async def says_unusable(line: Line, room: RoomUri, seq: int, digest: bytes | None = None) -> str | None:
    """What the server has against it."""
    answer = await line.raw("POST", "/v1/rooms/unusable", EntryUnusable(room, seq, digest))
    return None if answer.status_code == 202 else problem(answer)


async def lost(line: Line, room: RoomUri) -> list[str]:
    """The names of the users whose devices cannot go on, as the server tells ``line``."""
    known = await line.call("GET", "/v1/room", Room, room=room)
    return [member.device.split("/")[-2] for member in known.members if member.lost]


def replacing(group: Group, line: Line, other: Line, package: bytes) -> SubmitCommit:
    """The commit of ``line`` that gives ``other`` a new leaf."""
    leaves = line.device.groups[group.room].members
    place = next(leaf.index for leaf in leaves if leaf.signature_key == other.device.member.signature_key)
    return line.device.commit(group.room, add=[package], remove=[place])


async def test_who_is_in_a_room_says_that_they_cannot_go_on_and_a_stranger_does_not(
    hub: Hub, mira: Line, tomas: Line, juno: Line
) -> None:  # NL-437
    group = await group_of(mira, tomas, juno)
    ilse = await hub.person(ILSE)
    assert await says_unusable(ilse, group.room, 2) == "not_found"
    async with mira.stream({group.room: 2}) as frames:
        assert await says_unusable(juno, group.room, 2) is None
        assert await frames.expect(Wake) == Wake("rooms")
    assert await lost(tomas, group.room) == ["juno"]
    await hub.restart()
    assert await lost(tomas, group.room) == ["juno"]


async def test_only_an_entry_of_one_s_own_time_in_the_room_counts_and_only_as_it_was(
    mira: Line, tomas: Line, juno: Line
) -> None:  # NL-438
    group = await group_of(mira, tomas, juno)
    async with mira.stream({group.room: 2}) as frames:
        message = mira.device.message(group.room)
        seq = (await frames.submit(message)).seq
    assert await says_unusable(juno, group.room, 0) == "conflict"
    assert await says_unusable(juno, group.room, 1) == "conflict"  # before she came
    assert await says_unusable(juno, group.room, seq + 1) == "conflict"
    assert await says_unusable(juno, group.room, seq, bytes(32)) == "conflict"
    assert await lost(mira, group.room) == []
    assert await says_unusable(juno, group.room, seq, hashlib.sha256(message.message).digest()) is None
    assert await says_unusable(juno, group.room, seq) is None
    assert await lost(mira, group.room) == ["juno"]


async def test_who_is_lost_gets_a_new_leaf_from_any_member_and_nobody_else_does(
    hub: Hub, mira: Line, tomas: Line, juno: Line
) -> None:  # NL-439, NL-448
    """Ilse, a plain member and no contact of Juno's, helps her."""
    group = await group_of(mira, tomas, juno)
    ilse = await hub.person(ILSE)
    await befriend(mira, ilse)
    await group.commit(mira, add=(ilse,))
    wanted = KeyPackageClaim(juno.device.user, [juno.device.device])
    assert problem(await ilse.raw("POST", "/v1/key-packages/claim", wanted)) == "not_found"
    [package] = juno.device.key_packages(1)
    async with ilse.stream({group.room: group.head}) as frames:
        refusal = await frames.refused(replacing(group, ilse, juno, package))
        assert refusal.problem == "not_allowed"
        ilse.device.groups[group.room].discard()
    assert await says_unusable(juno, group.room, group.head) is None
    assert problem(await ilse.raw("POST", "/v1/key-packages/claim", KeyPackageClaim(juno.device.user))) == "not_found"
    claimed = await ilse.call("POST", "/v1/key-packages/claim", ClaimedKeyPackages, wanted)
    before = await group.roles()
    async with juno.stream({group.room: group.head}) as hers, ilse.stream({group.room: group.head}) as frames:
        commit = replacing(group, ilse, juno, claimed.key_packages[0])
        seq = (await frames.submit(commit)).seq
        welcome = await hers.expect(Delivery)
    assert (welcome.seq, welcome.kind) == (seq, EntryKind.WELCOME)
    assert await lost(mira, group.room) == []
    assert await group.roles() == before
