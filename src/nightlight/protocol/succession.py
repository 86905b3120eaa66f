"""How one account key of a person follows another, so that whoever knew the former one believes the new one.

A person's recovery key vouches for the new account key; for somebody without one, the former account key does. An
account key that nobody vouches for is another person's.

Source: ``docs/protocol.md``, Replacing the account key.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from nightlight.errors import RemoteProtocolError, VerificationError
from nightlight.protocol.codec import Reader, write_vector
from nightlight.protocol.credential import DeviceList, SignedDeviceList, check_follows
from nightlight.protocol.ids import DeviceUri, TimestampMs, UserUri
from nightlight.protocol.messages import UserDevices
from nightlight.protocol.signature import PUBLIC_KEY_BYTES, SIGNATURE_BYTES, Sign, verify_with_label

SUCCESSION_LABEL = "NLF1 account key"
RECOVERY_LABEL = "NLF1 recovery"
MAX_SUCCESSIONS = 64
RECOVERY_WAIT_MS = 24 * 3_600_000
"""How long the hub keeps a recovery waiting, so that the person's other devices can end it."""


@dataclass(frozen=True, slots=True)
class Succession:
    """One account key follows another. Keys have 32 bytes, ``signature`` 64.

    ``former_list``: the last device list under the former key, signed. ``recovered``: all that was left was the
    recovery key. ``signature``: by the recovery key that the former list names, or by the former key if it names none.
    """

    former_key: bytes
    former_list: bytes
    account_key: bytes
    recovered: bool
    signature: bytes

    def encode(self) -> bytes:
        """``V(former key) ‖ V(former list, signed) ‖ V(account key) ‖ u8 recovered ‖ V(signature)``."""
        front = write_vector(self.former_key) + write_vector(self.former_list) + write_vector(self.account_key)
        return front + bytes([self.recovered]) + write_vector(self.signature)

    @staticmethod
    def decode(data: bytes) -> Succession:
        """The fields, not believed yet.

        Raises ``RemoteProtocolError`` as ``SignedDeviceList.decode``, NL-301, NL-303; NL-135 for a flag.
        """
        reader = Reader(data)
        former_key, former_list, account_key = reader.vector(), reader.vector(), reader.vector()
        recovered, signature = reader.u8(), reader.vector()
        reader.finish()
        if {len(former_key), len(account_key)} != {PUBLIC_KEY_BYTES}:
            raise RemoteProtocolError("NL-303", "a key that is not 32 bytes")
        if len(signature) != SIGNATURE_BYTES:
            raise RemoteProtocolError("NL-301", "a signature that is not 64 bytes")
        if recovered > 1:
            raise RemoteProtocolError("NL-135", "neither recovered nor not")
        SignedDeviceList.decode(former_list)
        return Succession(former_key, former_list, account_key, recovered == 1, signature)

    def verify(self, user: UserUri, known: DeviceList | None = None) -> DeviceList:
        """The former list, now that the key it names vouches for the new one.

        ``known``: the newest list seen under the former key or one before it. Raises as ``SignedDeviceList.verify``;
        ``VerificationError``: NL-136 (nobody vouches for the key), NL-137 (a list that is not later than ``known``).
        """
        signed = SignedDeviceList.decode(self.former_list)
        same_key = known if known is not None and known.account_key == self.former_key else None
        former = signed.verify(user, self.former_key, None, known=same_key)
        if known is not None and same_key is None:
            check_later(former, known)
        content = succession_content(user, self.former_key, self.account_key, recovered=self.recovered)
        by = former.recovery_key or self.former_key
        verify_with_label(by, SUCCESSION_LABEL, content, self.signature, check="NL-136")
        return former


def succession_content(user: UserUri, former_key: bytes, account_key: bytes, *, recovered: bool) -> bytes:
    """What ``SUCCESSION_LABEL`` signs: ``V(user URI) ‖ V(former key) ‖ V(account key) ‖ u8 recovered``."""
    keys = write_vector(former_key) + write_vector(account_key)
    return write_vector(user.encode()) + keys + bytes([recovered])


def succeed(former: DeviceList, former_list: bytes, account_key: bytes, sign: Sign, *, recovered: bool) -> Succession:
    """``account_key`` follows that of ``former``; ``sign`` is the recovery key's, or the former account key's."""
    content = succession_content(former.user, former.account_key, account_key, recovered=recovered)
    signature = sign(SUCCESSION_LABEL, content)
    return Succession(former.account_key, former_list, account_key, recovered, signature)


def check_later(newest: DeviceList, former: DeviceList) -> None:
    """``newest``, under a new account key, comes after ``former``. Raises ``VerificationError`` NL-137, NL-316."""
    if newest.version <= former.version:
        raise VerificationError("NL-137", "a list that is not later than the last one under the former account key")
    check_follows(newest, former)


@dataclass(frozen=True, slots=True)
class Followed:
    """A verified device list, and by which successions its account key follows the one that was known."""

    newest: DeviceList
    successions: tuple[Succession, ...]


def follow_account(devices: UserDevices, now_ms: TimestampMs | None, known: DeviceList | None) -> Followed:
    """The device list in ``devices``, whose account key is, or properly follows, that of the list that is ``known``.

    Of somebody who was not known, every succession is checked: leaves may still be under the former keys. ``now_ms`` is
    None where the list may have expired.

    Raises as ``SignedDeviceList.verify`` (NL-314: nothing leads from the known key to this one), ``Succession.decode``
    and ``Succession.verify``.
    """
    signed, user = SignedDeviceList.decode(devices.device_list), UserUri(devices.user)
    account_key = devices.account_key
    if known is not None and known.account_key == account_key:
        return Followed(signed.verify(user, account_key, now_ms, known=known), ())
    chain = [Succession.decode(succession) for succession in devices.successions]
    if known is not None:
        at = next((at for at, one in enumerate(chain) if one.former_key == known.account_key), len(chain))
        chain = chain[at:]
    keys = [one.former_key for one in chain] + [account_key]
    leads = [one.account_key for one in chain] == keys[1:] and (known is None or len(chain) > 0)
    if not leads or len(set(keys)) != len(keys) or len(chain) > MAX_SUCCESSIONS:
        raise VerificationError("NL-314", "another account key than before")
    former = known
    for one in chain:
        former = one.verify(user, former)
    newest = signed.verify(user, account_key, now_ms)
    if former is not None:
        check_later(newest, former)
    before = () if known is None else known.former_keys
    return Followed(replace(newest, former_keys=(*before, *keys[:-1])), tuple(chain))


def recovery_content(
    user: UserUri, device: DeviceUri, signature_key: bytes, session_key: bytes, account_key: bytes
) -> bytes:
    """What ``RECOVERY_LABEL`` signs, by the recovery key, to begin a recovery: five vectors in this order."""
    parts = (user.encode(), device.encode(), signature_key, session_key, account_key)
    return b"".join(map(write_vector, parts))


def verify_recovery(recovery_key: bytes, content: bytes, signature: bytes) -> None:
    """Who asks for the recovery holds ``recovery_key``. Raises ``VerificationError`` NL-147."""
    verify_with_label(recovery_key, RECOVERY_LABEL, content, signature, check="NL-147")
