"""What a server that cheats may do to Tomas, one row each: what it is, and what his client says of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import msgspec

from nightlight.mls.group import Member, scope
from nightlight.mls.signing import SigningKey
from nightlight.protocol import franking
from nightlight.protocol.codec import Reader, write_vector
from nightlight.protocol.credential import DeviceList, LeafCredential
from nightlight.protocol.franking import Frank, FrankingAgent
from nightlight.protocol.ids import HubUri, TimestampMs, device_uri
from nightlight.protocol.messages import ClaimedKeyPackages, Delivery, UserDevices
from nightlight.protocol.roles import Role, decode_roles, encode_roles
from nightlight.protocol.succession import succeed
from tests.contract.device import Device
from tests.support.people import JUNO, MIRA
from tests.web.cheating_hub import MESSAGES, Change, Scene
from tests.web.juno import DAYS_30_S

CLAIM = "/v1/key-packages/claim"
OTHER_AGENT = FrankingAgent(SigningKey.from_seed(bytes(32)).public_key, HubUri("mimi://hub.example"))
Prepare = Callable[[Scene], Awaitable[Change]]


@dataclass(frozen=True)
class Attack:
    """``prepare`` returns what becomes of an honest entry; ``culprit``: whom Tomas's client blames."""

    name: str
    check: str
    culprit: str
    prepare: Prepare


T = TypeVar("T", bound=msgspec.Struct)


def altered(honest: T, **fields: object) -> T:
    return msgspec.structs.replace(honest, **fields)


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
    Attack("wrong frank", "NL-143", "hub", simply(lambda each: altered(each, frank=flipped(each.frank, 0)))),
    Attack("wrong franking key", "NL-143", "hub", wrong_franking_key),
    Attack("changed time", "NL-143", "hub", simply(lambda each: altered(each, accepted_at_ms=each.accepted_at_ms + 1))),
    Attack("another sender", "NL-512", "hub", another_sender),
    Attack("changed text", "NL-231", "mira", simply(lambda each: altered(each, payload=flipped(each.payload, -2)))),
    Attack("replay", "NL-207", "mira", replay),
    Attack("stale epoch", "NL-204", "hub", stale_epoch),
    Attack("hidden handshake", "NL-220", "juno", hidden_commit),
]


# --- a commit that Juno made and no honest hub would take arrives in the place of Mira's -------------------------


def from_juno(scene: Scene, commit: bytes) -> Change:
    return lambda delivery: altered(delivery, sender=scene.juno.device, payload=commit)


def mira_s_ghost(scene: Scene, newer: int) -> Change:
    """A device that Mira never had, under her account key as far as that can be written without it."""
    listed = scene.mira._connection.device.trust.device_list(MIRA)
    assert listed is not None
    ghost = Member.create()
    claimed = LeafCredential(device_uri(MIRA, "ghost"), listed.account_key, listed.version + newer, bytes(64))
    ghost.set_credential(claimed.encode())
    [package] = ghost.key_packages(1, lifetime_s=DAYS_30_S, now_s=Device.now_s())
    return from_juno(scene, scene.juno.forger.commit(add=[package]))


async def ghost_leaf(scene: Scene) -> Change:
    return mira_s_ghost(scene, newer=0)


async def ghost_of_an_unseen_list(scene: Scene) -> Change:
    return mira_s_ghost(scene, newer=1)


async def ghost_of_another_account(scene: Scene) -> Change:
    """A whole person who says that she is Mira, too."""
    [package] = Device(MIRA, "ghost").key_packages(1)
    return from_juno(scene, scene.juno.forger.commit(add=[package]))


async def stolen_role(scene: Scene) -> Change:
    """Juno, a member, makes herself an owner."""
    return from_juno(scene, scene.juno.forger.commit(roles=encode_roles({JUNO: Role.OWNER})))


async def extension_swap(scene: Scene) -> Change:
    return from_juno(scene, scene.juno.forger.extension_swap(OTHER_AGENT.encode()))


async def external_commit(scene: Scene) -> Change:
    """Somebody whom no member added joins by themselves, with what Juno gave them."""
    ghost = scene.juno.forger.another("ghost")
    return from_juno(scene, ghost.external_commit(scene.juno.forger.open_group_info()))


async def private_commit(scene: Scene) -> Change:
    return from_juno(scene, scene.juno.forger.hidden_commit())


COMMIT_ATTACKS = [
    Attack("ghost leaf", "NL-323", "juno", ghost_leaf),
    Attack("ghost leaf of an unseen list", "NL-522", "juno", ghost_of_an_unseen_list),
    Attack("ghost leaf of another account key", "NL-321", "juno", ghost_of_another_account),
    Attack("stolen role", "NL-174", "juno", stolen_role),
    Attack("extension swap", "NL-226", "juno", extension_swap),
    Attack("external commit", "NL-223", "juno", external_commit),
    Attack("commit in a PrivateMessage", "NL-220", "juno", private_commit),
    Attack("changed commit", "NL-230", "mira", simply(lambda each: altered(each, payload=flipped(each.payload, -2)))),
]


# --- a Welcome is not to what it says ------------------------------------------------------------------------


async def welcome_with_another_franking_key(scene: Scene) -> Change:
    """Mira's device, if she were in league with the hub: the room's franking key is in no directory."""
    device = scene.mira._connection.device
    [package] = await scene.mira._housekeeping.claim(device, [scene.tomas.user])
    mira = Member.load(scene.mira._store.mls_entries(scope(b"")))

    def change(delivery: Delivery) -> Delivery:
        group = mira.create_group(delivery.room.encode(), OTHER_AGENT.encode())
        staged = group.commit(add=[package], now_s=Device.now_s())
        assert staged.welcome is not None
        _, roles = taken_apart(delivery)
        return altered(delivery, payload=write_vector(staged.welcome) + write_vector(roles))

    return change


def taken_apart(welcome: Delivery) -> tuple[bytes, bytes]:
    """The Welcome, and the roles that the hub gives with it."""
    reader = Reader(welcome.payload)
    return reader.vector(), reader.vector()


def without_mira(honest: Delivery) -> Delivery:
    """The roles name everybody but her who began the room."""
    welcome, encoded = taken_apart(honest)
    roles = {user: role for user, role in decode_roles(encoded).items() if user != MIRA}
    return altered(honest, payload=write_vector(welcome) + write_vector(encode_roles(roles)))


WELCOME_ATTACKS = [
    Attack("room with another franking key", "NL-521", "hub", welcome_with_another_franking_key),
    Attack(
        "Welcome to another room", "NL-523", "hub", simply(lambda each: altered(each, room=f"{each.room}-elsewhere"))
    ),
    Attack("Welcome by nobody inside", "NL-524", "juno", another_sender),
    Attack("roles of others", "NL-525", "hub", simply(without_mira)),
]


# --- people and their devices are others than they say ---------------------------------------------------------

Answer = Callable[[ClaimedKeyPackages], ClaimedKeyPackages]


@dataclass(frozen=True)
class Substitution:
    """``prepare`` returns what becomes of the answer when Tomas claims key packages of Mira."""

    name: str
    check: str
    culprit: str
    prepare: Callable[[Scene], Awaitable[Answer]]


async def older_device_list(scene: Scene) -> Answer:
    """Tomas has seen the newest list; the hub gives him the one before, on which a device lost since would still be."""
    older = await scene.mira._hub.device_list(MIRA)
    await renew(scene)
    await scene.talk(await scene.tomas.create_room(MIRA))
    return lambda answer: altered(answer, devices=older)


async def renew(scene: Scene) -> DeviceList:
    """Mira has a newer device list, with the same devices on it."""
    device = scene.mira._connection.device
    listed = device.trust.device_list(MIRA)
    assert listed is not None
    newest = listed.next(listed.devices, listed.expires_at_ms)
    account = SigningKey.from_seed(device.identity.account_seed)
    await scene.mira._hub.publish_device_list(newest.sign(account.sign_with_label).encode())
    device.trust.pin(newest)
    return newest


async def swapped_account_key(_scene: Scene) -> Answer:
    """Another person who says that she is Mira, complete with key packages."""
    stranger = Device(MIRA)
    asked = stranger.registration()
    devices = UserDevices(MIRA, asked.account_key, asked.device_list)
    return lambda _answer: ClaimedKeyPackages(devices, stranger.key_packages(1))


async def account_key_vouched_for_by_a_thief(scene: Scene) -> Answer:
    """A whole person in Mira's name, with a succession from her key that she has not signed."""
    stranger = Device(MIRA)
    known = scene.mira._connection.device.trust.device_list(MIRA)
    assert known is not None
    mine = SigningKey.from_seed(scene.mira._connection.device.identity.account_seed)
    former_list = known.sign(mine.sign_with_label).encode()  # the hub has it
    forged = succeed(
        known, former_list, stranger.account.public_key, stranger.account.sign_with_label, recovered=False
    ).encode()
    asked = stranger.registration()
    devices = UserDevices(MIRA, asked.account_key, asked.device_list, [forged])
    return lambda _answer: ClaimedKeyPackages(devices, stranger.key_packages(1))


async def another_person_s_key_package(scene: Scene) -> Answer:
    packages = scene.juno.forger.key_packages(1)
    return lambda answer: altered(answer, key_packages=packages)


def over_another_key(scene: Scene, list_version: int) -> Answer:
    """Mira's credential, with a signature key whose private half the hub has, said to be under this device list."""
    group = scene.mira._connection.device.groups.get(scene.room)
    credentials = [LeafCredential.decode(leaf.credential) for leaf in group.members]
    hers = next(credential for credential in credentials if credential.device == scene.mira.device)
    hub = Member.create()
    hub.set_credential(replace(hers, list_version=list_version).encode())
    packages = hub.key_packages(1, lifetime_s=DAYS_30_S, now_s=Device.now_s())
    return lambda answer: altered(answer, key_packages=packages)


async def substituted_key_package(scene: Scene) -> Answer:
    return over_another_key(scene, (await renew(scene)).version)


async def substituted_key_package_of_an_older_list(scene: Scene) -> Answer:
    return over_another_key(scene, (await renew(scene)).version - 1)


async def no_key_package(_scene: Scene) -> Answer:
    return lambda answer: altered(answer, key_packages=[])


SUBSTITUTIONS = [
    Substitution("older device list", "NL-315", "mira", older_device_list),
    Substitution("swapped account key", "NL-314", "mira", swapped_account_key),
    Substitution("forged succession", "NL-136", "mira", account_key_vouched_for_by_a_thief),
    Substitution("substituted key package", "NL-323", "hub", substituted_key_package),
    Substitution("substituted key package of an older list", "NL-324", "hub", substituted_key_package_of_an_older_list),
    Substitution("key package of somebody else", "NL-532", "hub", another_person_s_key_package),
    Substitution("missing key package", "NL-532", "hub", no_key_package),
]
