"""Roles over a room's life: who may do what, and that everybody knows it alike."""

import asyncio
from contextlib import suppress

import pytest

from nightlight.client import outbox
from nightlight.client.events import RoomChanged
from nightlight.errors import ProblemName, RefusedError
from nightlight.protocol.ids import UserUri
from nightlight.protocol.roles import Role, Roles, Step, follow
from tests.simulation.conftest import Friends
from tests.simulation.world import NAMES, URIS, World


def roles(world: World, name: str) -> dict[str, str]:
    """Who is what, as ``name`` knows it."""
    [summary] = [summary for summary in world.client(name).rooms() if summary.room == world.room]
    return {user.rpartition("/")[2]: role.name.lower() for user, role in summary.roles.items()}


async def all_know(world: World, expected: dict[str, str], *names: str) -> None:
    await world.until(lambda: all(roles(world, name) == expected for name in names), f"{names} know {expected}")


async def refusal(deed: object) -> ProblemName:
    with pytest.raises(RefusedError) as refused:
        await deed  # type: ignore[misc]
    return refused.value.problem


def test_an_admin_removes_and_bans_and_a_plain_member_does_not(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira, tomas, juno = (world.client(name) for name in NAMES)
        await asyncio.gather(*(client.wait_online() for client in (mira, tomas, juno)))
        await all_know(world, {"mira": "owner", "tomas": "member", "juno": "member"}, *NAMES)
        assert await refusal(tomas.remove(world.room, [juno.user])) is ProblemName.NOT_ALLOWED
        assert await refusal(tomas.give_role(world.room, tomas.user, Role.ADMIN)) is ProblemName.NOT_ALLOWED
        await mira.give_role(world.room, tomas.user, Role.ADMIN)
        await all_know(world, {"mira": "owner", "tomas": "admin", "juno": "member"}, *NAMES)
        assert await refusal(tomas.remove(world.room, [mira.user])) is ProblemName.NOT_ALLOWED
        await tomas.remove(world.room, [juno.user], ban=True)
        await all_know(world, {"mira": "owner", "tomas": "admin", "juno": "banned"}, "mira", "tomas")
        assert await refusal(mira.add(world.room, [juno.user])) is ProblemName.NOT_ALLOWED
        await mira.unban(world.room, juno.user)
        await tomas.add(world.room, [juno.user])
        await world.until_joined("juno", world.room)
        await all_know(world, {"mira": "owner", "tomas": "admin", "juno": "member"}, *NAMES)
        await juno.send(world.room, "hello again")
        await world.until(lambda: [m.text for m in mira.messages(world.room, limit=1)] == ["hello again"], "seen")
        assert [client.faults() for client in (mira, tomas, juno)] == [[], [], []]

    friends.run(story)


def test_an_admin_whom_two_owners_remove_at_once_is_removed_once(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira, tomas, juno = (world.client(name) for name in NAMES)
        await asyncio.gather(*(client.wait_online() for client in (mira, tomas, juno)))
        await mira.give_role(world.room, juno.user, Role.OWNER)
        await mira.give_role(world.room, tomas.user, Role.ADMIN)
        await all_know(world, {"mira": "owner", "tomas": "admin", "juno": "owner"}, *NAMES)
        await asyncio.gather(mira.remove(world.room, [tomas.user]), juno.remove(world.room, [tomas.user], ban=True))
        await all_know(world, {"mira": "owner", "juno": "owner", "tomas": "banned"}, "mira", "juno")
        epochs = {client._connection.device.groups.get(world.room).epoch for client in (mira, juno)}
        assert len(epochs) == 1
        assert tomas.rooms() == []
        assert [client.faults() for client in (mira, tomas, juno)] == [[], [], []]

    friends.run(story)


def test_a_role_is_told_to_the_application(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira, juno = world.client("mira"), world.client("juno")
        await asyncio.gather(mira.wait_online(), juno.wait_online())
        events = juno.events()
        await mira.give_role(world.room, juno.user, Role.ADMIN)
        async for event in events:
            if isinstance(event, RoomChanged):
                break
        assert roles(world, "juno")["juno"] == "admin"

    friends.run(story)


def test_a_commit_that_the_roles_do_not_allow_is_refused_by_members_too(
    friends: Friends, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tomas, whose client does as he likes, removes Juno, and the hub lets him: Mira does not follow."""

    async def story(world: World) -> None:
        mira, tomas = world.client("mira"), world.client("tomas")
        await asyncio.gather(mira.wait_online(), tomas.wait_online())
        monkeypatch.setattr("nightlight.server.domain.room.follow", _as_if_an_owner)
        monkeypatch.setattr(outbox, "follow", _as_if_an_owner)
        with suppress(RefusedError):
            await tomas.remove(world.room, [URIS["juno"]])
        await world.until(lambda: mira.rooms() == [], "Mira's room is broken")
        [fault] = mira.faults()
        assert (fault.check, fault.culprit) == ("NL-173", tomas.device)

    friends.run(story)


def _as_if_an_owner(before: Roles, step: Step) -> dict[UserUri, Role]:
    return follow({**before, step.committer: Role.OWNER}, step)
