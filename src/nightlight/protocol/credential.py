"""Whose device this is: the device list that an account key signs, the credential in a leaf, and signing in.

Everything read off the wire starts unverified (``SignedDeviceList``, ``LeafCredential``); ``verify`` makes of it what
the rest of the program takes (``DeviceList``, ``Leaf``).

Source: ``docs/protocol.md``, Identity.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from nightlight.errors import LocalProtocolError, RemoteProtocolError, VerificationError
from nightlight.protocol.codec import Reader, u64, write_vector
from nightlight.protocol.ids import DeviceUri, TimestampMs, UserUri, parse_device_uri, user_of
from nightlight.protocol.signature import PUBLIC_KEY_BYTES, SIGNATURE_BYTES, Sign, verify_with_label

DEVICE_LIST_LABEL = "NLF1 device list"
LEAF_LABEL = "NLF1 device"
SESSION_LABEL = "NLF1 session"

MAX_DEVICES = 32
MAX_LIFETIME_MS = 30 * 86_400_000
CLOCK_SKEW_MS = 3_600_000
"""How far the clock of whoever signed a list may be ahead of ours."""
_HASH_BYTES = 32
NO_PREVIOUS = bytes(_HASH_BYTES)


# --- device list ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Device:
    """One entry. ``signature_key``: the Ed25519 public key of the device's leaves, 32 bytes.

    ``may_sign``: it holds the account key, so that it can sign lists; removing it replaces that key.
    """

    uri: DeviceUri
    signature_key: bytes
    may_sign: bool = False


@dataclass(frozen=True, slots=True)
class DeviceList:
    """The devices of ``user``, as their account key says: one's own, or verified.

    ``previous``: SHA-256 of the list before, zeros in version 1. Devices are in the order of their URIs.
    ``recovery_key``: Ed25519 public key whose private half its person has on paper, 32 bytes; empty for none.
    ``former_keys``: account keys that this one has replaced, not part of what is signed.
    """

    user: UserUri
    account_key: bytes
    version: int
    previous: bytes
    expires_at_ms: TimestampMs
    devices: tuple[Device, ...]
    recovery_key: bytes = b""
    former_keys: tuple[bytes, ...] = field(default=(), compare=False)

    def encode(self) -> bytes:
        """What is signed.

        ``u64 version ‖ previous ‖ u64 expires_at_ms ‖ V(recovery key) ‖ V({V(URI) ‖ V(signature key) ‖ u8 may_sign}…)``
        """
        entries = b"".join(
            write_vector(device.uri.encode()) + write_vector(device.signature_key) + bytes([device.may_sign])
            for device in self.devices
        )
        front = u64(self.version) + self.previous + u64(self.expires_at_ms)
        return front + write_vector(self.recovery_key) + write_vector(entries)

    def device(self, uri: DeviceUri) -> Device | None:
        """The entry of the device ``uri``."""
        return next((device for device in self.devices if device.uri == uri), None)

    def digest(self) -> bytes:
        """SHA-256 of the encoded list, without its signature."""
        return hashlib.sha256(self.encode()).digest()

    def next(self, devices: Sequence[Device], expires_at_ms: TimestampMs) -> DeviceList:
        """The list that follows this one, under the same account and recovery keys."""
        return replace(
            self,
            version=self.version + 1,
            previous=self.digest(),
            expires_at_ms=expires_at_ms,
            devices=tuple(sorted(devices, key=lambda device: device.uri)),
        )

    def sign(self, sign: Sign) -> SignedDeviceList:
        """This list with its signature; ``sign`` is the account key's."""
        encoded = self.encode()
        return SignedDeviceList(encoded, sign(DEVICE_LIST_LABEL, encoded))


def first_device_list(user: UserUri, account_key: bytes, device: Device, expires_at_ms: TimestampMs) -> DeviceList:
    """Version 1, with the first device of ``user``, which may sign."""
    return DeviceList(user, account_key, 1, NO_PREVIOUS, expires_at_ms, (replace(device, may_sign=True),))


@dataclass(frozen=True, slots=True)
class SignedDeviceList:
    """A device list as it came: nothing in it is believed yet. ``signature``: 64 bytes."""

    content: bytes
    signature: bytes

    def encode(self) -> bytes:
        """``V(content) ‖ V(signature)``."""
        return write_vector(self.content) + write_vector(self.signature)

    @staticmethod
    def decode(data: bytes) -> SignedDeviceList:
        """Content and signature, apart. Raises ``RemoteProtocolError`` NL-101 to NL-104, NL-002, NL-301 to NL-304."""
        reader = Reader(data)
        signed = SignedDeviceList(reader.vector(), reader.vector())
        reader.finish()
        if len(signed.signature) != SIGNATURE_BYTES:
            raise RemoteProtocolError("NL-301", "a signature that is not 64 bytes")
        _read_device_list(signed.content, UserUri(""), b"")
        return signed

    def verify(
        self, user: UserUri, account_key: bytes, now_ms: TimestampMs | None, *, known: DeviceList | None = None
    ) -> DeviceList:
        """The list, now that ``account_key`` stands for it and it may follow ``known``, the newest one seen before.

        ``now_ms`` is None for a list of the past, which may have expired.

        Raises ``VerificationError``: NL-311 signature, NL-312 a device of another user, NL-313 expired or lasting more
        than 30 days, NL-314 another account key than before, NL-315 an older version, NL-316 not the successor of
        ``known`` though numbered so.
        """
        verify_with_label(account_key, DEVICE_LIST_LABEL, self.content, self.signature, check="NL-311")
        verified = _read_device_list(self.content, user, account_key)
        if any(user_of(device.uri) != user for device in verified.devices):
            raise VerificationError("NL-312", "lists a device of another user")
        if now_ms is not None and not now_ms < verified.expires_at_ms <= now_ms + MAX_LIFETIME_MS + CLOCK_SKEW_MS:
            raise VerificationError("NL-313", "expired, or lasts too long")
        if known is None:
            return verified
        if (user, account_key) != (known.user, known.account_key):
            raise VerificationError("NL-314", "another account key than before")
        check_follows(verified, known)
        return replace(verified, former_keys=known.former_keys)


def check_follows(later: DeviceList, known: DeviceList) -> None:
    """``later`` is ``known``, or comes after it, under whatever account key. Raises ``VerificationError`` as above."""
    if later.version < known.version:
        raise VerificationError("NL-315", "older than the list we know")
    if later.version == known.version and later != known:
        raise VerificationError("NL-316", "two lists of one version")
    if later.version == known.version + 1 and later.previous != known.digest():
        raise VerificationError("NL-316", "does not follow the list we know")


def _read_device_list(content: bytes, user: UserUri, account_key: bytes) -> DeviceList:
    reader = Reader(content)
    version, previous, expires_at_ms = reader.u64(), reader.take(_HASH_BYTES), reader.u64()
    recovery_key, entries = reader.vector(), reader.vector()
    reader.finish()
    if recovery_key and len(recovery_key) != PUBLIC_KEY_BYTES:
        raise RemoteProtocolError("NL-303", "a key that is not 32 bytes")
    devices: list[Device] = []
    reader = Reader(entries)
    while not reader.at_end and len(devices) <= MAX_DEVICES:
        devices.append(Device(parse_device_uri(reader.text()), _read_key(reader), _read_flag(reader)))
    uris = [device.uri for device in devices]
    keys = {device.signature_key for device in devices}
    if not 1 <= len(uris) <= MAX_DEVICES or uris != sorted(set(uris)) or len(keys) != len(uris):
        raise RemoteProtocolError("NL-302", "devices that are none, too many, out of order or double")
    if version == 0 or (version == 1) != (previous == NO_PREVIOUS):
        raise RemoteProtocolError("NL-302", "a version that does not go with the previous list")
    return DeviceList(user, account_key, version, previous, TimestampMs(expires_at_ms), tuple(devices), recovery_key)


def _read_flag(reader: Reader) -> bool:
    flag = reader.u8()
    if flag > 1:
        raise RemoteProtocolError("NL-304", "neither yes nor no")
    return flag == 1


def _read_key(reader: Reader) -> bytes:
    key = reader.vector()
    if len(key) != PUBLIC_KEY_BYTES:
        raise RemoteProtocolError("NL-303", "a key that is not 32 bytes")
    return key


# --- leaf -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LeafCredential:
    """The identity in a leaf's basic credential, as it came. ``signature`` is by the account key, 64 bytes."""

    device: DeviceUri
    account_key: bytes
    list_version: int
    signature: bytes

    def encode(self) -> bytes:
        """``V(device URI) ‖ V(account key) ‖ u64 list_version ‖ V(signature)``."""
        return (
            write_vector(self.device.encode())
            + write_vector(self.account_key)
            + u64(self.list_version)
            + write_vector(self.signature)
        )

    @staticmethod
    def decode(data: bytes) -> LeafCredential:
        """The credential's fields. Raises ``RemoteProtocolError`` NL-101 to NL-104, NL-002, NL-301, NL-303."""
        reader = Reader(data)
        leaf = LeafCredential(parse_device_uri(reader.text()), _read_key(reader), reader.u64(), reader.vector())
        reader.finish()
        if len(leaf.signature) != SIGNATURE_BYTES:
            raise RemoteProtocolError("NL-301", "a signature that is not 64 bytes")
        return leaf


@dataclass(frozen=True, slots=True)
class Leaf:
    """A verified leaf: this device of this user, vouched for by this account key.

    ``listed``: it is on the newest device list; otherwise it was on an older one, and has to leave its groups.
    """

    user: UserUri
    device: DeviceUri
    account_key: bytes
    listed: bool


def leaf_content(device: DeviceUri, signature_key: bytes, list_version: int) -> bytes:
    """What ``LEAF_LABEL`` signs: ``V(user URI) ‖ V(device URI) ‖ V(signature key) ‖ u64 list_version``."""
    return (
        write_vector(user_of(device).encode())
        + write_vector(device.encode())
        + write_vector(signature_key)
        + u64(list_version)
    )


def leaf_credential(device_list: DeviceList, device: DeviceUri, sign: Sign) -> LeafCredential:
    """The credential of ``device``, which is on the list; ``sign`` is the account key's."""
    for entry in device_list.devices:
        if entry.uri == device:
            signature = sign(LEAF_LABEL, leaf_content(device, entry.signature_key, device_list.version))
            return LeafCredential(device, device_list.account_key, device_list.version, signature)
    raise LocalProtocolError("a device that is not on the list")


def verify_leaf(credential: bytes, signature_key: bytes, device_list: DeviceList) -> Leaf:
    """The leaf with this credential and signature key is, or was, a device of the user of ``device_list``.

    Raises ``RemoteProtocolError`` as ``LeafCredential.decode``; ``VerificationError``: NL-321 an account key that is
    not the list's nor one that it replaced, NL-322 signed under a newer list than this one (fetch that), NL-323 signed
    under this very list and not on it with this key, NL-324 signature.
    """
    leaf = LeafCredential.decode(credential)
    if leaf.account_key not in (device_list.account_key, *device_list.former_keys):
        raise VerificationError("NL-321", "a leaf under another account key")
    if leaf.list_version > device_list.version:
        raise VerificationError("NL-322", "a leaf under a newer device list")
    entry = device_list.device(leaf.device)
    listed = entry is not None and entry.signature_key == signature_key
    if not listed and leaf.list_version == device_list.version:
        raise VerificationError("NL-323", "a leaf that is not on the device list")
    signed = leaf_content(leaf.device, signature_key, leaf.list_version)
    verify_with_label(leaf.account_key, LEAF_LABEL, signed, leaf.signature, check="NL-324")
    return Leaf(device_list.user, leaf.device, leaf.account_key, listed)


# --- session ----------------------------------------------------------------------------------------------


def session_content(origin: str, device: DeviceUri, nonce: bytes, expires_at_ms: TimestampMs) -> bytes:
    """What ``SESSION_LABEL`` signs: ``V(origin) ‖ V(device URI) ‖ V(nonce) ‖ u64 expires_at_ms``."""
    return write_vector(origin.encode()) + write_vector(device.encode()) + write_vector(nonce) + u64(expires_at_ms)


def verify_session(session_key: bytes, content: bytes, signature: bytes) -> None:
    """The holder of ``session_key`` signed ``content``, a ``session_content``. Raises ``VerificationError`` NL-331."""
    verify_with_label(session_key, SESSION_LABEL, content, signature, check="NL-331")
