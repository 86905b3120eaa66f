"""Linking a device: the new one shows a code and waits, the old one takes it in.

Both sides are durable before they are shown or told, so that either may stop at any moment and go on.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from nightlight.client.identity import account_key, changed
from nightlight.client.records import Identity, LinkingDevice, PendingLink
from nightlight.client.store import Store, StoreError
from nightlight.client.surroundings import Surroundings
from nightlight.errors import LocalProtocolError, VerificationError
from nightlight.mls.group import Member, scope
from nightlight.mls.signing import SigningKey
from nightlight.protocol.credential import Device, DeviceList, leaf_credential
from nightlight.protocol.ids import DeviceUri, TimestampMs, UserUri, device_uri
from nightlight.protocol.linking import CODE_LIFETIME_MS, SECRET_BYTES, SEED_BYTES, LinkCode, LinkPackage
from nightlight.protocol.messages import DeviceLink

_SUITE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_128_GCM)
_NAME_BYTES = 8
_SHOWN, _TAKING_IN = "shown_link", "taking_in"


def seal(code: LinkCode, package: LinkPackage) -> bytes:
    """``package``, for the device that shows ``code`` alone."""
    return _SUITE.encrypt(package.encode(), X25519PublicKey.from_public_bytes(code.sealing_key), code.info)


def unseal(code: LinkCode, sealing_seed: bytes, sealed: bytes) -> LinkPackage:
    """What somebody who has seen ``code`` has left for us.

    Raises ``VerificationError`` NL-355; ``RemoteProtocolError`` as ``LinkPackage.decode``.
    """
    try:
        opened = _SUITE.decrypt(sealed, X25519PrivateKey.from_private_bytes(sealing_seed), code.info)
    except (InvalidTag, ValueError):
        raise VerificationError("NL-355", "a package that does not open with the code's key") from None
    return LinkPackage.decode(opened)


# --- the new device ---------------------------------------------------------------------------------------


def show(store: Store, server_url: str, user: UserUri, surroundings: Surroundings) -> tuple[PendingLink, LinkCode]:
    """The code of a device that ``user`` is to link, durable; the same as before while that has not expired.

    Raises ``StoreError`` where there is a device in the store already.
    """
    if store.has_identity():
        raise StoreError("there is a store here already")
    now_ms = surroundings.clock()
    shown = store.get(_SHOWN)
    if shown is not None:
        pending = msgspec.msgpack.decode(shown, type=PendingLink)
        code = LinkCode.read(pending.code)
        if (pending.server_url, pending.user) == (server_url, user) and now_ms < code.expires_at_ms:
            return pending, code
    sealing, session = surroundings.random(SEED_BYTES), SigningKey.from_seed(surroundings.random(SEED_BYTES))
    member = Member.create()
    code = LinkCode(
        X25519PrivateKey.from_private_bytes(sealing).public_key().public_bytes_raw(),
        surroundings.random(SECRET_BYTES),
        surroundings.random(_NAME_BYTES).hex(),
        member.signature_key,
        session.public_key,
        TimestampMs(now_ms + CODE_LIFETIME_MS),
    )
    pending = PendingLink(server_url, user, code.text(), sealing, session.seed())
    with store.transaction():
        store.write_mls([(key, None) for key, _ in store.mls_entries(scope(b""))])
        store.write_mls(member.take_writes())
        store.put(_SHOWN, msgspec.msgpack.encode(pending))
    return pending, code


def join(store: Store, pending: PendingLink, sealed: bytes, now_ms: TimestampMs) -> None:
    """The device in ``store`` is one of the person who took it in.

    Raises ``VerificationError``, ``RemoteProtocolError``: as ``unseal`` and ``LinkPackage.verify`` (NL-354 where
    somebody else has taken it in); NL-356 for an account key that is not the person's.
    """
    code = LinkCode.read(pending.code)
    package = unseal(code, pending.sealing_seed, sealed)
    device = device_uri(pending.user, code.name)
    listed, _ = package.verify(device, code.signature_key, now_ms)
    if package.account_seed and SigningKey.from_seed(package.account_seed).public_key != package.account_key:
        raise VerificationError("NL-356", "an account key that is not the person's")
    with store.transaction():
        member = Member.load(store.mls_entries(scope(b"")))
        member.set_credential(package.credential)
        store.write_mls(member.take_writes())
        store.put_pin(listed)
        store.put_identity(
            Identity(
                pending.server_url, package.user, device, package.account_seed, pending.session_seed, registered=True
            )
        )
        store.delete_value(_SHOWN)


# --- the old device ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TakingIn:
    """A device being taken in: what it shows, and what the server is told."""

    record: LinkingDevice
    code: LinkCode
    device: DeviceUri

    @property
    def link(self) -> DeviceLink:
        """What registers the device, and is left for it."""
        return DeviceLink(self.device, self.code.session_key, self.code.mailbox, self.record.package)


def take_in(  # noqa: PLR0913 - what is handed over
    store: Store, identity: Identity, listed: DeviceList, code: LinkCode, now_ms: TimestampMs, *, may_sign: bool
) -> TakingIn:
    """The device that shows ``code`` is on a list after ``listed``, durable and not yet published.

    Raises ``RefusedError`` ``not_allowed``: this device may not sign; ``VerificationError`` NL-352.
    """
    code.check_time(now_ms)
    device = device_uri(identity.user, code.name)
    entry = Device(device, code.signature_key, may_sign)
    others = [other for other in listed.devices if other.uri != device]
    following, signed = changed(identity, listed, [*others, entry], now_ms)
    account = account_key(identity)
    credential = leaf_credential(following, device, account.sign_with_label).encode()
    seed = account.seed() if may_sign else b""
    package = LinkPackage(identity.user, following.account_key, signed, credential, seed, b"")
    record = LinkingDevice(code.text(), may_sign, signed, seal(code, package))
    with store.transaction():
        store.put(_TAKING_IN, msgspec.msgpack.encode(record))
    return TakingIn(record, code, device)


def taking_in(store: Store, identity: Identity) -> TakingIn | None:
    """The device that was being taken in when this one last stopped."""
    stored = store.get(_TAKING_IN)
    if stored is None:
        return None
    record = msgspec.msgpack.decode(stored, type=LinkingDevice)
    code = LinkCode.read(record.code)
    return TakingIn(record, code, device_uri(identity.user, code.name))


def taken_in(store: Store) -> None:
    """No device is being taken in any more. Inside a transaction."""
    if store.get(_TAKING_IN) is None:
        raise LocalProtocolError("no device was being taken in")
    store.delete_value(_TAKING_IN)
