"""A server that cheats, seen by both clients: each attack is refused, told by its check's number, and talk goes on."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio
from playwright.async_api import Browser

from nightlight.client.sdk import Client
from nightlight.mls.signing import SigningKey
from nightlight.protocol import franking
from nightlight.protocol.franking import Frank
from nightlight.protocol.ids import TimestampMs, UserUri
from nightlight.protocol.messages import Delivery
from tests.support.people import JUNO, MIRA
from tests.support.people import newcomer as python_newcomer
from tests.support.relay import Relay
from tests.support.server import ServerProcess
from tests.web.cheating_hub import MESSAGES, Change, CheatingHub, Scene
from tests.web.juno import Juno
from tests.web.mls_devices import Browsers
from tests.web.victim import KINDS, victim_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGE = Path(__file__).parents[2] / "docs" / "threat-model.md"
_numbers = count()


@dataclass(frozen=True)
class Stage:
    """The people who are there before Tomas is."""

    relay: Relay
    mira: Client
    juno: Juno


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A real server, a relay in front of it, Mira and Juno."""
    folder = tmp_path_factory.mktemp("cheating")
    relay = Relay()
    origins = [relay.url, f"http://gallery.localhost:{relay.port}"]
    process = ServerProcess(folder / "data", f"origins = {origins}")
    with process.until_done(), Browsers() as browsers:
        await process.start()
        async with relay.running(process.url):
            mira = await python_newcomer(relay.url, MIRA, folder, through=process.url)
            juno = Juno(browsers, process.url)
            await mira.request_contact(JUNO)
            await juno.arrive()
            yield Stage(relay, mira, juno)
            await juno.line.close()
            await mira.close()


@pytest_asyncio.fixture(params=KINDS, loop_scope="session")
async def scene(request: pytest.FixtureRequest, stage: Stage, browser: Browser, tmp_path: Path) -> AsyncIterator[Scene]:
    """A Tomas nobody has met before, in a new room with Mira and Juno."""
    user = UserUri(f"mimi://gallery.example/u/tomas{next(_numbers)}")
    hub = CheatingHub(stage.relay)
    async with victim_of(request.param, stage.relay, user, browser, tmp_path) as tomas:
        await stage.mira.request_contact(user)
        await tomas.accept(MIRA)
        room = await stage.mira.create_room([user, JUNO])
        await stage.juno.join(room)
        scene = Scene(hub, tomas, stage.mira, stage.juno, room)
        await scene.is_in(room)
        yield scene
        stage.relay.reset()


# --- a message is changed, made up, or given again ----------------------------------------------------------


Prepare = Callable[[Scene], Awaitable[Change]]


@dataclass(frozen=True)
class Attack:
    """``prepare`` returns what becomes of an honest entry; ``culprit``: whom Tomas's client blames."""

    name: str
    check: str
    culprit: str
    prepare: Prepare


def altered(delivery: Delivery, **fields: object) -> Delivery:
    return msgspec.structs.replace(delivery, **fields)


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def simply(change: Change) -> Prepare:
    async def prepare(_scene: Scene) -> Change:
        return change

    return prepare


async def wrong_franking_key(scene: Scene) -> Change:
    """The frank says what it should, signed with a key that is not the room's."""
    key = SigningKey.generate()

    def change(delivery: Delivery) -> Delivery:
        frank = Frank.decode(delivery.frank)
        context = franking.context(scene.mira.user, scene.room, TimestampMs(delivery.accepted_at_ms))
        signed = franking.signature_content(frank.mac, frank.suite, context)
        signature = key.sign_with_label(franking.FRANKING_LABEL, signed)
        return altered(delivery, frank=Frank(frank.mac, frank.suite, signature).encode())

    return change


async def another_sender(scene: Scene) -> Change:
    return lambda delivery: altered(delivery, sender=scene.juno.device)


async def replay(scene: Scene) -> Change:
    """What was read before comes again in the place of what follows."""
    earlier: list[Delivery] = []

    def keep(delivery: Delivery) -> Delivery:
        earlier.append(delivery)
        return delivery

    scene.hub.change_next(MESSAGES, keep)
    await scene.mira.send(scene.room, "Once.")
    await scene.reads("Once.")
    return lambda delivery: altered(earlier[0], seq=delivery.seq)


async def stale_epoch(scene: Scene) -> Change:
    """A message of the epoch before, which Tomas's device has left."""
    groups = scene.mira._connection.device.groups
    with groups.transaction():
        stale = groups.get(scene.room).encrypt(b"of yesterday", bytes(32))
    await scene.mira.update(scene.room)
    await scene.talk()
    return lambda delivery: altered(delivery, payload=stale)


async def hidden_commit(scene: Scene) -> Change:
    """A commit inside a PrivateMessage; a client that left it to its library would be in another epoch now."""
    commit = scene.juno.forger.hidden_commit()
    return lambda delivery: altered(delivery, sender=scene.juno.device, payload=commit)


MESSAGE_ATTACKS = [
    Attack("wrong_frank", "NL-143", "hub", simply(lambda each: altered(each, frank=flipped(each.frank, 0)))),
    Attack("wrong_franking_key", "NL-143", "hub", wrong_franking_key),
    Attack("changed_time", "NL-143", "hub", simply(lambda each: altered(each, accepted_at_ms=each.accepted_at_ms + 1))),
    Attack("another_sender", "NL-512", "hub", another_sender),
    Attack("changed_text", "NL-231", "mira", simply(lambda each: altered(each, payload=flipped(each.payload, -2)))),
    Attack("replay", "NL-207", "mira", replay),
    Attack("stale_epoch", "NL-204", "hub", stale_epoch),
    Attack("hidden_handshake", "NL-220", "juno", hidden_commit),
]


@pytest.mark.parametrize("attack", MESSAGE_ATTACKS, ids=lambda attack: attack.name)
async def test_a_message_that_was_tampered_with_is_not_shown_and_talk_goes_on(scene: Scene, attack: Attack) -> None:
    change = await attack.prepare(scene)
    before = await scene.tomas.texts(scene.room)
    scene.hub.change_next(MESSAGES, change)
    await scene.mira.send(scene.room, "changed on its way")
    await scene.mira.send(scene.room, "as it was sent")
    await scene.reads(*before, "as it was sent")
    await scene.recorded((attack.check, attack.culprit))
    await scene.talk()


async def test_the_threat_model_lists_every_attack() -> None:
    section = PAGE.read_text().partition("## A server that cheats")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| \*\*(.+?)\*\*.*\| (NL-\d{3}) \| (\w+) \|", section, re.MULTILINE)
    table = [(attack.name.replace("_", " "), attack.check, attack.culprit) for attack in MESSAGE_ATTACKS]
    assert rows == table
