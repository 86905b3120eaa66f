"""Writes refused-identity.json: device lists and leaves that are well-formed, and not believed."""

from dataclasses import replace
from typing import Any

from nightlight.protocol.credential import (
    CLOCK_SKEW_MS,
    MAX_LIFETIME_MS,
    Device,
    DeviceList,
    LeafCredential,
    first_device_list,
    leaf_credential,
)
from nightlight.protocol.ids import DeviceUri, TimestampMs, UserUri
from tests.support.keys import TestKey, key_from
from tests.vectors.writing import write

ADA, BEN = UserUri("mimi://courier.example/u/ada"), UserUri("mimi://courier.example/u/ben")
ACCOUNT, OTHER_ACCOUNT, PHONE_KEY, TABLET_KEY = (key_from(bytes([number]) * 32) for number in (1, 6, 2, 3))
PHONE = Device(DeviceUri("mimi://courier.example/d/ada/phone"), PHONE_KEY.public)
TABLET = Device(DeviceUri("mimi://courier.example/d/ada/tablet"), TABLET_KEY.public)
BENS = Device(DeviceUri("mimi://courier.example/d/ben/phone"), TABLET_KEY.public)
NOW_MS = TimestampMs(1_900_000_000_000)
EXPIRES_AT_MS = TimestampMs(NOW_MS + 86_400_000)
LATEST_MS = TimestampMs(NOW_MS + MAX_LIFETIME_MS + CLOCK_SKEW_MS)

FIRST = first_device_list(ADA, ACCOUNT.public, PHONE, EXPIRES_AT_MS)
SECOND = FIRST.next([PHONE, TABLET], EXPIRES_AT_MS)
FOURTH = SECOND.next([PHONE], EXPIRES_AT_MS).next([TABLET], EXPIRES_AT_MS)

LISTS: dict[str, tuple[DeviceList, TestKey, DeviceList | None, str | None]] = {
    "the first": (FIRST, ACCOUNT, None, None),
    "the next": (SECOND, ACCOUNT, FIRST, None),
    "the same again": (SECOND, ACCOUNT, SECOND, None),
    "a later one": (FOURTH, ACCOUNT, SECOND, None),
    "a later one, seen first": (FOURTH, ACCOUNT, None, None),
    "lasting as long as may be": (replace(FIRST, expires_at_ms=LATEST_MS), ACCOUNT, None, None),
    "signed by another key": (FIRST, OTHER_ACCOUNT, None, "NL-311"),
    "with a device of somebody else": (replace(FIRST, devices=(BENS,)), ACCOUNT, None, "NL-312"),
    "expired now": (replace(FIRST, expires_at_ms=NOW_MS), ACCOUNT, None, "NL-313"),
    "lasting too long": (replace(FIRST, expires_at_ms=TimestampMs(LATEST_MS + 1)), ACCOUNT, None, "NL-313"),
    "lasting for ever": (replace(FIRST, expires_at_ms=TimestampMs(2**64 - 1)), ACCOUNT, None, "NL-313"),
    "under another account key than before": (
        SECOND,
        ACCOUNT,
        replace(FIRST, account_key=OTHER_ACCOUNT.public),
        "NL-314",
    ),
    "older than the one known": (FIRST, ACCOUNT, SECOND, "NL-315"),
    "another one of the same version": (replace(SECOND, devices=(PHONE,)), ACCOUNT, SECOND, "NL-316"),
    "after another one than the one known": (SECOND, ACCOUNT, replace(FIRST, devices=(TABLET,)), "NL-316"),
}

LEAF = leaf_credential(SECOND, TABLET.uri, ACCOUNT.sign)
UNLISTED = SECOND.next([PHONE], EXPIRES_AT_MS)
LEAVES: dict[str, tuple[LeafCredential, TestKey, DeviceList, str | None]] = {
    "on the list": (LEAF, TABLET_KEY, SECOND, None),
    "on the list, and signed under an older one": (LEAF, TABLET_KEY, FOURTH, None),
    "under another account key": (replace(LEAF, account_key=OTHER_ACCOUNT.public), TABLET_KEY, SECOND, "NL-321"),
    "under a newer list": (LEAF, TABLET_KEY, replace(FIRST, devices=(PHONE, TABLET)), "NL-322"),
    "under an account key that was replaced": (
        LEAF,
        TABLET_KEY,
        replace(FOURTH, account_key=OTHER_ACCOUNT.public, former_keys=(ACCOUNT.public,)),
        None,
    ),
    "not on the list any more": (LEAF, TABLET_KEY, UNLISTED, None),
    "not on the list any more, and signed by another key": (
        leaf_credential(SECOND, TABLET.uri, OTHER_ACCOUNT.sign),
        TABLET_KEY,
        UNLISTED,
        "NL-324",
    ),
    "never on its list": (replace(LEAF, list_version=3), TABLET_KEY, UNLISTED, "NL-323"),
    "with another signature key": (LEAF, PHONE_KEY, SECOND, "NL-323"),
    "signed by another key": (leaf_credential(SECOND, TABLET.uri, OTHER_ACCOUNT.sign), TABLET_KEY, SECOND, "NL-324"),
    "signed for another version": (replace(LEAF, list_version=1), TABLET_KEY, SECOND, "NL-324"),
}


def vector() -> dict[str, Any]:
    """All of refused-identity.json. ``known``: content of the list known before, under the account key beside it."""
    return {
        "source": "made by generate_refused_identity.py after docs/protocol.md, Identity",
        "user": ADA,
        "account_key": ACCOUNT.public,
        "now_ms": NOW_MS,
        "lists": [
            {
                "name": name,
                "encoded": device_list.sign(key.sign).encode(),
                "known": None if known is None else _list(known),
                "check": check,
            }
            for name, (device_list, key, known, check) in LISTS.items()
        ],
        "leaves": [
            {
                "name": name,
                "encoded": credential.encode(),
                "signature_key": key.public,
                "list": _list(device_list),
                "listed": check is None and device_list.device(credential.device) is not None,
                "check": check,
            }
            for name, (credential, key, device_list, check) in LEAVES.items()
        ],
    }


def _list(device_list: DeviceList) -> dict[str, Any]:
    return {
        "account_key": device_list.account_key,
        "version": device_list.version,
        "previous": device_list.previous,
        "expires_at_ms": device_list.expires_at_ms,
        "recovery_key": device_list.recovery_key,
        "devices": [
            {"uri": device.uri, "signature_key": device.signature_key, "may_sign": device.may_sign}
            for device in device_list.devices
        ],
        "former_keys": list(device_list.former_keys),
    }


if __name__ == "__main__":
    write("refused-identity", vector())
