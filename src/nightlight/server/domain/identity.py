"""What makes a device list acceptable to the hub."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from nightlight.errors import ProblemName, RefusedError, RemoteProtocolError, VerificationError
from nightlight.protocol.credential import Device, DeviceList, Leaf, LeafCredential, SignedDeviceList, verify_leaf
from nightlight.protocol.ids import DeviceUri, ProviderName, TimestampMs, UserUri, provider_of, user_of
from nightlight.protocol.succession import MAX_SUCCESSIONS, Succession

_NOT_NEXT = {"NL-315", "NL-316"}


def check_handle(user: UserUri, device: DeviceUri, providers: Collection[ProviderName]) -> None:
    """``user`` may register here, with ``device``.

    Raises ``RefusedError`` ``not_found`` NL-440 (an app that is not ours), ``malformed`` NL-441 (another's device).
    """
    if provider_of(user) not in providers:
        raise RefusedError(ProblemName.NOT_FOUND)  # NL-440
    if user_of(device) != user:
        raise RefusedError(ProblemName.MALFORMED)  # NL-441


def first_list(data: bytes, user: UserUri, device: DeviceUri, account_key: bytes, now_ms: TimestampMs) -> DeviceList:
    """The verified list with which ``user`` begins. Raises ``RefusedError`` ``malformed`` NL-442, NL-443."""
    listed = _verify(data, user, account_key, now_ms)
    if listed.version != 1 or [entry.uri for entry in listed.devices] != [device]:
        raise RefusedError(ProblemName.MALFORMED)  # NL-443
    return listed


def next_list(data: bytes, known: DeviceList, linked: DeviceUri | None, now_ms: TimestampMs) -> DeviceList:
    """The verified list that follows ``known`` and takes in ``linked``, or ``known`` itself once more.

    Raises ``RefusedError``: ``malformed`` NL-442 (a signature, a device, an expiry); ``stale_device_list`` NL-444 (it
    does not follow the newest); ``not_allowed`` NL-445 (a device that is not linked with it, or one that is and is not
    on it), NL-486 (one that held the account key is gone, and the key is the same).
    """
    listed = _verify(data, known.user, known.account_key, now_ms, known)
    if listed.version > known.version + 1:
        raise RefusedError(ProblemName.STALE_DEVICE_LIST)  # NL-444
    if listed == known:
        return listed
    if any(device.may_sign and listed.device(device.uri) is None for device in known.devices):
        raise RefusedError(ProblemName.NOT_ALLOWED)  # NL-486
    came = set(listed.devices) - set(known.devices)
    if {entry.uri for entry in came if _is_new(entry, known)} != ({linked} if linked else set()):
        raise RefusedError(ProblemName.NOT_ALLOWED)  # NL-445
    return listed


def next_key(
    data: bytes, known: DeviceList, succession: Succession, now_ms: TimestampMs, *, recovered: bool
) -> DeviceList:
    """The verified list that follows ``known`` under the account key for which ``succession`` vouches.

    Raises ``RefusedError``: ``stale_device_list`` NL-444 (``known`` is not the one that it follows); ``malformed``
    NL-442; ``not_allowed`` NL-485 (nobody vouches for the key, or it was there before), NL-488 (too many before it).
    """
    former, account_key = (known.account_key, *known.former_keys), succession.account_key
    listed = _verify(data, known.user, account_key, now_ms)
    if (listed.version, listed.previous) != (known.version + 1, known.digest()):
        raise RefusedError(ProblemName.STALE_DEVICE_LIST)  # NL-444
    if len(former) > MAX_SUCCESSIONS:
        raise RefusedError(ProblemName.NOT_ALLOWED)  # NL-488
    try:
        followed = succession.verify(known.user)
    except (RemoteProtocolError, VerificationError):
        raise RefusedError(ProblemName.NOT_ALLOWED) from None  # NL-485
    if followed != known or account_key in former or succession.recovered is not recovered:
        raise RefusedError(ProblemName.NOT_ALLOWED)  # NL-485
    return replace(listed, former_keys=(*known.former_keys, known.account_key))


def check_credentials(encoded: Sequence[bytes], listed: DeviceList) -> dict[DeviceUri, bytes]:
    """A leaf credential under the account key of ``listed`` for each device on it, and no other.

    Raises ``RefusedError`` ``malformed`` NL-487.
    """
    by_device: dict[DeviceUri, bytes] = {}
    try:
        for credential in encoded:
            device = LeafCredential.decode(credential).device
            entry = listed.device(device)
            if entry is None or verify_leaf(credential, entry.signature_key, listed).account_key != listed.account_key:
                raise RefusedError(ProblemName.MALFORMED)  # NL-487
            by_device[device] = credential
    except (RemoteProtocolError, VerificationError):
        raise RefusedError(ProblemName.MALFORMED) from None  # NL-487
    if len(by_device) != len(listed.devices) or len(encoded) != len(by_device):
        raise RefusedError(ProblemName.MALFORMED)  # NL-487
    return by_device


def _is_new(entry: Device, known: DeviceList) -> bool:
    """Whether the device, or its signature key, was not on ``known``."""
    before = known.device(entry.uri)
    return before is None or before.signature_key != entry.signature_key


def stored_list(
    data: bytes, user: UserUri, account_key: bytes, listed_at_ms: TimestampMs, former_keys: tuple[bytes, ...]
) -> DeviceList:
    """A list that was verified when it came, at ``listed_at_ms``; it may have expired since."""
    return replace(SignedDeviceList.decode(data).verify(user, account_key, listed_at_ms), former_keys=former_keys)


def vouched_leaf(credential: bytes, signature_key: bytes, listed: DeviceList, now_ms: TimestampMs) -> Leaf | None:
    """The leaf, if ``listed``, its user's newest list, has not expired and stands for it.

    It may still be under a former account key of its user.
    """
    if listed.expires_at_ms <= now_ms:
        return None
    try:
        leaf = verify_leaf(credential, signature_key, listed)
    except (RemoteProtocolError, VerificationError):
        return None
    return leaf if leaf.listed else None


def _verify(
    data: bytes, user: UserUri, account_key: bytes, now_ms: TimestampMs, known: DeviceList | None = None
) -> DeviceList:
    try:
        return SignedDeviceList.decode(data).verify(user, account_key, now_ms, known=known)
    except VerificationError as error:
        if error.check in _NOT_NEXT:
            raise RefusedError(ProblemName.STALE_DEVICE_LIST) from error  # NL-444
        raise RefusedError(ProblemName.MALFORMED) from error  # NL-442
