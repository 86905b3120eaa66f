"""Roles: the hub takes no commit that they do not allow, and tells those who come who is what."""

from nightlight.errors import ProblemName
from nightlight.protocol.codec import Reader
from nightlight.protocol.ids import RoomUri
from nightlight.protocol.messages import ContactAction, Delivery, EntryKind, Removed, Room, SubmitCommit
from nightlight.protocol.roles import Role, Roles, decode_roles
from tests.contract.conftest import Hub
from tests.contract.device import Line, befriend, room_of_two, submission_id


class Group:
    """A room of several lines, in which commits go one after the other."""

    def __init__(self, room: RoomUri, owner: Line, *others: Line) -> None:
        self.room = room
        self.lines = [owner, *others]
        self.head = 1

    async def commit(
        self,
        line: Line,
        *,
        add: tuple[Line, ...] = (),
        remove: tuple[Line, ...] = (),
        give: Roles | None = None,
        refused: str | None = None,
    ) -> None:
        """The commit is taken and everybody follows it, or it is refused with this problem."""
        packages = [package for newcomer in add for package in await line.claim(newcomer.device.user)]
        group = line.device.groups[self.room]
        places = {leaf.signature_key: leaf.index for leaf in group.members}
        indexes = [places[other.device.member.signature_key] for other in remove]
        commit = line.device.commit(self.room, add=packages, remove=indexes, give=give)
        async with line.stream({self.room: self.head}) as frames:
            if refused is not None:
                assert (await frames.refused(commit)).problem == refused
                group.discard()
                return
            self.head = (await frames.submit(commit)).seq
        group.accept()
        for other in self.lines:
            if other is not line and other not in remove:
                other.device.groups[self.room].receive(commit.commit)
                other.device.groups[self.room].apply()
        self.lines = [other for other in self.lines if other not in remove] + list(add)
        for newcomer in add:
            assert commit.welcome is not None
            newcomer.device.groups[self.room] = newcomer.device.member.join(commit.welcome)

    async def roles(self) -> dict[str, str]:
        """Everyone's, as the hub tells the first line."""
        known = await self.lines[0].call("GET", "/v1/room", Room, room=self.room)
        return {participant.user.rpartition("/")[2]: participant.role for participant in known.participants}


async def group_of(mira: Line, tomas: Line, juno: Line) -> Group:
    """Mira's, with Tomas as an admin and Juno as a member."""
    for one, other in ((mira, tomas), (mira, juno), (tomas, juno)):
        await befriend(one, other)
    group = Group(await room_of_two(mira, tomas), mira, tomas)
    await group.commit(mira, add=(juno,), give={tomas.device.user: Role.ADMIN})
    return group


async def test_an_admin_removes_and_bans_a_member_who_is_then_not_added_again(
    mira: Line, tomas: Line, juno: Line
) -> None:
    group = await group_of(mira, tomas, juno)
    assert await group.roles() == {"mira": "owner", "tomas": "admin", "juno": "member"}
    async with juno.stream({group.room: 2}) as frames:
        await group.commit(tomas, remove=(juno,), give={juno.device.user: Role.BANNED})
        assert await frames.expect(Removed) == Removed(group.room, 3)
    assert await group.roles() == {"mira": "owner", "tomas": "admin", "juno": "banned"}
    await group.commit(mira, add=(juno,), refused="not_allowed")
    await group.commit(tomas, give={juno.device.user: Role.LEFT})
    await group.commit(tomas, add=(juno,))
    assert await group.roles() == {"mira": "owner", "tomas": "admin", "juno": "member"}


async def test_a_plain_member_removes_bans_and_promotes_nobody(mira: Line, tomas: Line, juno: Line) -> None:  # NL-428
    group = await group_of(mira, tomas, juno)
    await group.commit(juno, remove=(tomas,), refused="not_allowed")
    await group.commit(juno, remove=(tomas,), give={tomas.device.user: Role.BANNED}, refused="not_allowed")
    await group.commit(juno, give={juno.device.user: Role.OWNER}, refused="not_allowed")
    await group.commit(tomas, remove=(mira,), refused="not_allowed")
    await group.commit(tomas, give={juno.device.user: Role.ADMIN}, refused="not_allowed")
    await group.commit(juno)
    assert await group.roles() == {"mira": "owner", "tomas": "admin", "juno": "member"}


async def test_what_is_no_list_of_roles_is_refused(mira: Line, tomas: Line) -> None:  # NL-423
    await befriend(mira, tomas)
    room = await room_of_two(mira, tomas)
    staged = mira.device.groups[room].commit(roles=b"hello", now_s=mira.device.now_s())
    async with mira.stream({room: 1}) as frames:
        refusal = await frames.refused(SubmitCommit(submission_id(), room, staged.commit))
    assert refusal.problem is ProblemName.INVALID_COMMIT


async def test_who_comes_is_told_who_is_what_as_it_was_then(hub: Hub, mira: Line, tomas: Line, juno: Line) -> None:
    group = await group_of(mira, tomas, juno)
    await group.commit(mira, give={tomas.device.user: Role.MEMBER})
    await hub.restart()
    async with juno.stream() as frames:
        welcome = await frames.expect(Delivery)
        later = await frames.expect(Delivery)
    assert (welcome.kind, later.kind) == (EntryKind.WELCOME, EntryKind.COMMIT)
    reader = Reader(welcome.payload)
    assert reader.vector()
    told = decode_roles(reader.vector())
    reader.finish()
    assert list(told.items()) == [
        (mira.device.user, Role.OWNER),
        (tomas.device.user, Role.ADMIN),
        (juno.device.user, Role.MEMBER),
    ]
    assert (await group.roles())["tomas"] == "member"


async def test_who_has_left_is_told_nothing_more_and_nothing_is_said_before_the_leaf_is_gone(
    mira: Line, tomas: Line, juno: Line
) -> None:  # NL-414, NL-429
    group = await group_of(mira, tomas, juno)
    async with juno.stream({group.room: 2}) as frames:
        commit = juno.device.commit(group.room, give={juno.device.user: Role.LEFT})
        assert (await frames.submit(commit)).seq == 3
        juno.device.groups[group.room].accept()
        assert await frames.expect(Removed) == Removed(group.room, 3)
        refusal = await frames.refused(juno.device.message(group.room))
        assert refusal.problem is ProblemName.NOT_FOUND
    for line in (mira, tomas):
        line.device.groups[group.room].receive(commit.commit)
        line.device.groups[group.room].apply()
    assert await group.roles() == {"mira": "owner", "tomas": "admin", "juno": "left"}
    group.lines.remove(juno)
    group.head = 3
    async with mira.stream({group.room: 3}) as frames:
        assert (await frames.refused(mira.device.message(group.room))).problem is ProblemName.REMOVAL_OWED
    await group.commit(tomas, refused="removal_owed")
    await group.commit(tomas, remove=(juno,))
    assert await group.roles() == {"mira": "owner", "tomas": "admin"}
    async with mira.stream({group.room: 4}) as frames:
        assert (await frames.submit(mira.device.message(group.room))).seq == 5


async def test_whoever_is_blocked_in_a_room_of_two_may_do_nothing_but_leave(mira: Line, tomas: Line) -> None:  # NL-411
    await befriend(mira, tomas)
    room = await room_of_two(mira, tomas)
    await tomas.contact(ContactAction.BLOCK, mira.device.user)
    async with mira.stream({room: 1}) as frames:
        refusal = await frames.refused(mira.device.commit(room))
        assert refusal.problem is ProblemName.NOT_FOUND
        mira.device.groups[room].discard()
        assert (await frames.submit(mira.device.commit(room, give={mira.device.user: Role.LEFT}))).seq == 2
