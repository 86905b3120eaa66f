"""The keys of a new device, and the device list that vouches for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from nightlight.client.records import Identity
from nightlight.client.store import Store, StoreError
from nightlight.client.surroundings import Surroundings
from nightlight.errors import ProblemName, RefusedError
from nightlight.mls.group import Member
from nightlight.mls.signing import SigningKey
from nightlight.protocol.credential import (
    MAX_LIFETIME_MS,
    Device,
    DeviceList,
    first_device_list,
    leaf_credential,
)
from nightlight.protocol.ids import TimestampMs, UserUri, device_uri
from nightlight.protocol.messages import Registration

LIST_LIFETIME_MS = MAX_LIFETIME_MS - 2 * 86_400_000
"""Two days short of what is allowed, so that a friend whose clock is a little behind believes the list too."""
DEVICE_NAME_BYTES = 8
_SEED_BYTES = 32


def open_or_create(path: Path, key: bytes, surroundings: Surroundings) -> Store:
    """The store at ``path``, new if there was none. Raises ``StoreError``."""
    return Store.open(path, key, surroundings.random) if path.exists() else Store.create(path, key, surroundings.random)


def new_store(path: Path, key: bytes, server_url: str, user: UserUri, surroundings: Surroundings) -> Store:
    """A store at ``path`` for a new person; one from an attempt that never heard the server's answer goes on.

    Raises ``StoreError`` where there is another store already.
    """
    store = open_or_create(path, key, surroundings)
    if not store.has_identity():
        with store.transaction():
            _create_identity(store, server_url, user, surroundings.clock(), surroundings.random)
    identity = store.identity()
    if identity.registered or (identity.server_url, identity.user) != (server_url, user):
        store.close()
        raise StoreError("there is a store here already")
    return store


def _create_identity(
    store: Store, server_url: str, user: UserUri, now_ms: TimestampMs, random: Callable[[int], bytes]
) -> None:
    account, session = SigningKey.from_seed(random(_SEED_BYTES)), SigningKey.from_seed(random(_SEED_BYTES))
    member = Member.create()
    device = Device(device_uri(user, random(DEVICE_NAME_BYTES).hex()), member.signature_key)
    listed = first_device_list(user, account.public_key, device, TimestampMs(now_ms + LIST_LIFETIME_MS))
    member.set_credential(leaf_credential(listed, device.uri, account.sign_with_label).encode())
    store.write_mls(member.take_writes())
    store.put_pin(listed)
    store.put_identity(Identity(server_url, user, device.uri, account.seed(), session.seed()))


def registration(identity: Identity, listed: DeviceList) -> Registration:
    """What tells the server of a new person."""
    return Registration(
        identity.user,
        identity.device,
        listed.account_key,
        listed.sign(account_key(identity).sign_with_label).encode(),
        SigningKey.from_seed(identity.session_seed).public_key,
    )


def renewed(identity: Identity, listed: DeviceList, now_ms: TimestampMs) -> tuple[DeviceList, bytes] | None:
    """The same devices on a list that lasts longer, and its signed encoding, once half its time is over.

    Not by a device that may not sign.
    """
    if not identity.account_seed or listed.expires_at_ms - now_ms > LIST_LIFETIME_MS // 2:
        return None
    return changed(identity, listed, listed.devices, now_ms)


def changed(
    identity: Identity, listed: DeviceList, devices: Sequence[Device], now_ms: TimestampMs
) -> tuple[DeviceList, bytes]:
    """The list after ``listed``, with ``devices``, and its signed encoding. Raises ``RefusedError`` ``not_allowed``."""
    following = listed.next(devices, TimestampMs(now_ms + LIST_LIFETIME_MS))
    return following, following.sign(account_key(identity).sign_with_label).encode()


def account_key(identity: Identity) -> SigningKey:
    """The person's account key. Raises ``RefusedError`` ``not_allowed``: this device does not hold it."""
    if not identity.account_seed:
        raise RefusedError(ProblemName.NOT_ALLOWED)
    return SigningKey.from_seed(identity.account_seed)
