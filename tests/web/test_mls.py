"""Two implementations of MLS in one room, with the hub beside: OpenMLS in the crate, ts-mls in browsers."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from itertools import count
from random import Random

import pytest

from nightlight.mls.group import read_key_package
from nightlight.mls.public_group import PublicGroup
from nightlight.mls.signing import SigningKey
from nightlight.protocol.franking import FrankingAgent
from nightlight.protocol.ids import HubUri
from tests.web.mls_devices import NOW_S, BrowserDevice, Browsers, CrateDevice, Device, Refused, View

ROOM = b"mimi://courier.example/r/harbour"
AGENT = FrankingAgent(SigningKey.from_seed(bytes(32)).public_key, HubUri("mimi://hub.example")).encode()
SEED = 20_261_123
OPERATIONS = 200
KINDS = ("crate", "browser")


@pytest.fixture(scope="module")
def browsers() -> Iterator[Browsers]:
    with Browsers() as running:
        yield running


class World:
    """Devices of both kinds, the rooms they are in, and the hub's view."""

    def __init__(self, browsers: Browsers) -> None:
        self._browsers = browsers
        self._names = count()
        self.members: list[Device] = []
        self.hub: PublicGroup | None = None

    def device(self, kind: str) -> Device:
        credential = f"{kind} {id(self)} {next(self._names)}".encode()
        return CrateDevice(credential) if kind == "crate" else BrowserDevice(self._browsers, credential)

    def create(self, kind: str) -> Device:
        creator = self.device(kind)
        self.hub = PublicGroup.from_group_info(creator.create(ROOM, AGENT))
        self.members = [creator]
        return creator

    def commit(self, committer: Device, add: list[Device] = [], remove: list[Device] = []) -> None:  # noqa: B006
        """The hub takes the commit, and so does everybody: whoever was added is in, whoever was removed is told so."""
        assert self.hub is not None
        places = {leaf.credential: leaf.index for leaf in self.hub.members}
        packages = [device.key_package() for device in add]
        removed = sorted(places[device.credential] for device in remove)
        roles = committer.credential if add else b""  # what a commit says of roles is nothing to MLS
        commit, welcome = committer.commit(packages, removed, roles)
        change = self.hub.process(commit, NOW_S)
        added = [leaf.index for leaf in change.added]
        self.hub.accept()
        assert change.committer.credential == committer.credential
        views = [committer.accept()]
        for device in self.members:
            if device is not committer:
                epoch, removes_me, *told = device.receive(commit)
                assert (epoch, removes_me) == (change.epoch, device in remove)
                assert (told[0], sorted(told[1]), told[2]) == (added, removed, roles)
                if not removes_me:
                    views.append(device.apply())
        self.members = [device for device in self.members if device not in remove]
        for device in add:
            assert welcome is not None
            views.append(device.join(welcome))
            self.members.append(device)
        self._agree(views)

    def _agree(self, views: list[View]) -> None:
        assert self.hub is not None
        members = tuple((leaf.index, leaf.credential, leaf.signature_key) for leaf in self.hub.members)
        assert len(set(views)) == 1
        assert (views[0].epoch, views[0].members, views[0].agent) == (self.hub.epoch, members, AGENT)

    def talk(self, sender: Device, data: bytes) -> None:
        """Everybody else reads what ``sender`` says."""
        tag = sha256(data).digest()
        message = sender.encrypt(data, tag)
        for device in self.members:
            if device is not sender:
                assert device.receive(message) == (data, tag, sender.credential)

    def everybody_talks(self) -> None:
        for device in self.members:
            self.talk(device, b"hello from " + device.credential)


@pytest.fixture
def world(browsers: Browsers) -> World:
    return World(browsers)


@pytest.mark.parametrize("creator", KINDS)
def test_rooms_of_both_kinds_live_through_every_operation_from_both_sides(world: World, creator: str) -> None:
    first = world.create(creator)
    for kind in KINDS:
        other = world.device(kind)
        world.commit(first, add=[other])
        world.everybody_talks()
        world.commit(other)
        world.everybody_talks()
        third, fourth = world.device("crate"), world.device("browser")
        world.commit(other, add=[third, fourth])
        world.everybody_talks()
        world.commit(fourth, remove=[third])
        world.everybody_talks()
        world.commit(other, add=[world.device(kind)], remove=[fourth])
        world.everybody_talks()


def test_a_tree_with_unmerged_leaves_can_be_joined_by_both_kinds(world: World) -> None:
    """Somebody leaves, their neighbour renews the path above, and another takes the free place."""
    first = world.create("crate")
    others = [world.device("crate") for _ in range(7)]
    world.commit(first, add=others)
    for kind in KINDS:
        neighbour, leaving, far = world.members[0], world.members[1], world.members[-1]
        world.commit(far, remove=[leaving])
        world.commit(neighbour)
        world.commit(far, add=[world.device(kind)])
        world.everybody_talks()


def test_both_kinds_pad_a_message_to_the_same_length(world: World) -> None:
    first = world.create("crate")
    world.commit(first, add=[world.device("browser")])
    for length in (0, 1, 127, 128, 129, 256, 257, 5_000, 16_384, 16_385, 32_768):
        sizes = {len(device.encrypt(bytes(length), bytes(32))) for device in world.members}
        assert len(sizes) == 1


def test_key_packages_of_one_kind_are_read_alike_by_the_other(world: World) -> None:
    browser, crate = world.device("browser"), world.device("crate")
    assert isinstance(browser, BrowserDevice)
    for device in (browser, crate):
        for last_resort in (False, True):
            message = device.key_package(last_resort=last_resort)
            read = read_key_package(message)
            seen = (read.credential, read.signature_key, read.not_before_s, read.not_after_s)
            assert read.last_resort == last_resort
            assert browser.read_key_package(message) == seen


def test_a_browser_reads_the_same_window_as_the_crate(world: World) -> None:
    """50 generations back, 1,000 forward, none twice."""
    first = world.create("crate")
    reader = world.device("browser")
    twin = world.device("crate")
    world.commit(first, add=[reader, twin])
    messages = [first.encrypt(b"%d" % number, bytes(32)) for number in range(1_200)]

    def outcome(device: Device, number: int) -> str:
        try:
            device.receive(messages[number])
        except Refused as refused:
            return refused.check
        return "read"

    for number in (1_001, 0, 1_000, 999, 1_000, 949, 950, 951, 952, 1_199, 1_150, 1_149, 1_148, 1_001):
        assert (number, outcome(reader, number)) == (number, outcome(twin, number))


def test_a_browser_that_loses_the_race_takes_in_the_winner(world: World) -> None:
    first = world.create("crate")
    browser = world.device("browser")
    world.commit(first, add=[browser])
    browser.commit([], [])
    winner, _ = first.commit([], [])
    browser.discard()
    browser.receive(winner)
    assert browser.apply() == first.accept()


def test_a_stored_group_goes_on_where_it_was(world: World) -> None:
    first = world.create("browser")
    world.commit(first, add=[world.device("crate"), world.device("browser")])
    for device in world.members:
        device.reload()
    world.everybody_talks()
    commit, _ = first.commit([], [])
    first.reload()
    views = [first.accept()]
    for device in world.members[1:]:
        device.receive(commit)
        views.append(device.apply())
    assert len(set(views)) == 1


def test_everyone_agrees_after_many_operations_in_any_order(world: World) -> None:
    random = Random(SEED)  # noqa: S311 - repeatable, and keeps nothing secret
    world.create(random.choice(KINDS))
    for number in range(OPERATIONS):
        actor = random.choice(world.members)
        others = [device for device in world.members if device is not actor]
        match random.choice(["add", "add", "remove", "update", "swap", "talk", "talk", "reload"]):
            case "add" if len(world.members) < 12:
                world.commit(actor, add=[world.device(random.choice(KINDS)) for _ in range(random.randint(1, 3))])
            case "remove" if others:
                world.commit(actor, remove=random.sample(others, random.randint(1, min(2, len(others)))))
            case "swap" if others:
                world.commit(actor, add=[world.device(random.choice(KINDS))], remove=[random.choice(others)])
            case "update":
                world.commit(actor)
            case "reload":
                actor.reload()
            case _:
                world.talk(actor, b"message %d" % number)
    world.everybody_talks()
