"""Devices in MLS groups, each with a store that remembers what was committed to it; for tests of the crate."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from nightlight.mls.group import Application, Commit, Group, Member, Staged, scope
from nightlight.mls.public_group import Change, PublicGroup

ROOM = b"mimi://courier.example/r/orchard"
AGENT = b"the franking agent"
TAG = bytes(range(32))
DAY_S = 86_400


def now_s() -> int:
    """This machine's time: OpenMLS compares the leaves that a commit adds with it."""
    return int(time.time())


@dataclass(slots=True)
class Entries:
    """What a database would hold: key → bytes."""

    stored: dict[bytes, bytes] = field(default_factory=dict)

    def commit(self, handle: Member | Group | PublicGroup) -> None:
        """What ``handle`` wrote is stored."""
        for key, value in handle.take_writes():
            if value is None:
                self.stored.pop(key, None)
            else:
                self.stored[key] = value

    def of(self, group_id: bytes) -> list[tuple[bytes, bytes]]:
        """The entries in ``scope(group_id)``."""
        return [(key, value) for key, value in self.stored.items() if key.startswith(scope(group_id))]


@dataclass(slots=True)
class Device:
    """A device with its entries; ``group`` is its view of the one room it is in."""

    member: Member
    entries: Entries
    group: Group

    def save(self) -> None:
        """Memory and entries agree."""
        self.entries.commit(self.member)
        self.entries.commit(self.group)

    def reload(self) -> None:
        """Memory is what the entries say."""
        self.member = Member.load(self.entries.of(b""))
        self.group = self.member.open(ROOM, self.entries.of(ROOM))

    def read(self, message: bytes) -> Application:
        """``message``, which is one that this device can read."""
        received = self.group.receive(message)
        assert isinstance(received, Application)
        return received

    def stage(self, commit: bytes) -> Commit:
        """``commit``, staged and not merged."""
        received = self.group.receive(commit)
        assert isinstance(received, Commit)
        return received

    def follow(self, commit: bytes) -> Commit:
        """``commit`` of somebody else, merged."""
        received = self.stage(commit)
        self.group.apply()
        return received


def new_member(name: str) -> Member:
    """A device with the credential ``name``."""
    member = Member.create()
    member.set_credential(name.encode())
    return member


def key_package(member: Member) -> bytes:
    """One fresh key package, addable for 30 days."""
    [message] = member.key_packages(1, lifetime_s=30 * DAY_S, now_s=now_s())
    return message


@dataclass(slots=True)
class Room:
    """A room: the hub's view, and its devices by name."""

    hub: PublicGroup
    devices: dict[str, Device]

    def __getitem__(self, name: str) -> Device:
        return self.devices[name]

    def accept(self, commit: bytes) -> Change:
        """The hub takes ``commit``."""
        change = self.hub.process(commit, now_s())
        self.hub.accept()
        return change

    def enter(self, author: str, staged: Staged) -> None:
        """The hub takes the author's commit, and everybody else follows."""
        self.accept(staged.commit)
        self.devices[author].group.accept()
        for name, device in self.devices.items():
            if name != author:
                device.follow(staged.commit)

    def add(self, author: str, name: str) -> Device:
        """``author`` adds a new device called ``name``, who joins."""
        member = new_member(name)
        staged = self.devices[author].group.commit(add=[key_package(member)], now_s=now_s())
        assert staged.welcome is not None
        self.enter(author, staged)
        self.devices[name] = Device(member, Entries(), member.join(staged.welcome))
        return self.devices[name]


def room_of(names: Iterable[str]) -> Room:
    """A room that the first of ``names`` made and the others joined, all saved."""
    first, *others = names
    member = new_member(first)
    group = member.create_group(ROOM, AGENT)
    room = Room(PublicGroup.from_group_info(group.group_info()), {first: Device(member, Entries(), group)})
    for name in others:
        room.add(first, name)
    for device in room.devices.values():
        device.save()
    return room
