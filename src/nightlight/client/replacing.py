"""Replacing a person's account key, from a device that holds it: durable before the server is told.

The other devices stay, each with a leaf credential under the new key; none of them holds it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from nightlight.client.identity import LIST_LIFETIME_MS, account_key
from nightlight.client.records import Identity, KeyReplacement
from nightlight.client.store import Store
from nightlight.errors import ProblemName, RefusedError
from nightlight.mls.signing import SigningKey
from nightlight.protocol.credential import DeviceList, leaf_credential
from nightlight.protocol.ids import DeviceUri, TimestampMs
from nightlight.protocol.messages import AccountKeyChange
from nightlight.protocol.succession import Succession, succeed

_REPLACING = "replacing"
CREDENTIAL = "credential"
"""Under which name the store has this device's leaf credential, once the account key has been replaced."""


def vouch(identity: Identity, listed: DeviceList, account_seed: bytes, recovery: SigningKey | None) -> Succession:
    """The account key of ``account_seed``, 32 bytes, follows that of ``listed``, for which the recovery key stands.

    For somebody without one, the former account key does. Raises ``RefusedError`` ``not_allowed``: this device may not
    sign, or ``recovery`` is not the person's.
    """
    former, fresh = account_key(identity), SigningKey.from_seed(account_seed)
    vouching = former if not listed.recovery_key else recovery
    if vouching is None or vouching.public_key != (listed.recovery_key or listed.account_key):
        raise RefusedError(ProblemName.NOT_ALLOWED)
    former_list = listed.sign(former.sign_with_label).encode()
    return succeed(listed, former_list, fresh.public_key, vouching.sign_with_label, recovered=False)


def replace_key(  # noqa: PLR0913, PLR0917 - what goes into it
    store: Store,
    identity: Identity,
    listed: DeviceList,
    removed: Sequence[DeviceUri],
    account_seed: bytes,
    succession: Succession,
    now_ms: TimestampMs,
) -> KeyReplacement:
    """The list after ``listed`` without ``removed``, under the account key of ``account_seed``, is durable.

    ``succession`` was made for ``listed`` or for a list before it under the same account key. Nothing is published yet.
    """
    fresh, former = SigningKey.from_seed(account_seed), account_key(identity)
    devices = [
        replace(entry, may_sign=entry.uri == identity.device) for entry in listed.devices if entry.uri not in removed
    ]
    following = replace(
        listed.next(devices, TimestampMs(now_ms + LIST_LIFETIME_MS)),
        account_key=fresh.public_key,
        former_keys=(*listed.former_keys, listed.account_key),
    )
    credentials = {
        entry.uri: leaf_credential(following, entry.uri, fresh.sign_with_label).encode() for entry in devices
    }
    follows = replace(succession, former_list=listed.sign(former.sign_with_label).encode())
    record = KeyReplacement(
        account_seed,
        list(removed),
        following.sign(fresh.sign_with_label).encode(),
        AccountKeyChange(follows.encode(), list(credentials.values())),
        credentials[identity.device],
    )
    with store.transaction():
        store.put(_REPLACING, msgspec.msgpack.encode(record))
    return record


def replacing(store: Store) -> KeyReplacement | None:
    """The replacement that was under way when this device last stopped."""
    stored = store.get(_REPLACING)
    return None if stored is None else msgspec.msgpack.decode(stored, type=KeyReplacement)


def replaced(store: Store) -> None:
    """No replacement is under way any more. Inside a transaction."""
    store.delete_value(_REPLACING)
