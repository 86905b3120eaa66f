"""Writes identity.json: two device lists, a leaf credential and a session signature of one invented person."""

from dataclasses import replace
from typing import Any

from nightlight.protocol.credential import (
    DEVICE_LIST_LABEL,
    LEAF_LABEL,
    SESSION_LABEL,
    Device,
    DeviceList,
    first_device_list,
    leaf_content,
    leaf_credential,
    session_content,
)
from nightlight.protocol.ids import DeviceUri, TimestampMs, UserUri
from tests.support.keys import TestKey, key_from
from tests.vectors.writing import write

USER = UserUri("mimi://courier.example/u/ada")
PHONE = DeviceUri("mimi://courier.example/d/ada/phone")
TABLET = DeviceUri("mimi://courier.example/d/ada/tablet")
ACCOUNT, PHONE_LEAF, TABLET_LEAF, SESSION, RECOVERY = (key_from(bytes([number]) * 32) for number in (1, 2, 3, 4, 5))
EXPIRES_AT_MS = TimestampMs(1_900_000_000_000)
ORIGIN = "https://courier.example"


def vector() -> dict[str, Any]:
    """All of identity.json."""
    first = first_device_list(USER, ACCOUNT.public, Device(PHONE, PHONE_LEAF.public), EXPIRES_AT_MS)
    second = replace(
        first.next([Device(TABLET, TABLET_LEAF.public), *first.devices], TimestampMs(EXPIRES_AT_MS + 1)),
        recovery_key=RECOVERY.public,
    )
    return {
        "source": "made by generate_identity.py after docs/protocol.md, Identity; not IETF vectors",
        "user": USER,
        "account_seed": ACCOUNT.seed,
        "account_key": ACCOUNT.public,
        "device_list_label": DEVICE_LIST_LABEL,
        "device_lists": [_device_list(first), _device_list(second)],
        "leaf_label": LEAF_LABEL,
        "leaf_credential": _leaf(second, TABLET, TABLET_LEAF),
        "session_label": SESSION_LABEL,
        "session": _session(PHONE, SESSION),
    }


def _device_list(device_list: DeviceList) -> dict[str, Any]:
    signed = device_list.sign(ACCOUNT.sign)
    return {
        "version": device_list.version,
        "previous": device_list.previous,
        "expires_at_ms": device_list.expires_at_ms,
        "recovery_key": device_list.recovery_key,
        "devices": [
            {"uri": device.uri, "signature_key": device.signature_key, "may_sign": device.may_sign}
            for device in device_list.devices
        ],
        "content": signed.content,
        "digest": device_list.digest(),
        "signature": signed.signature,
        "encoded": signed.encode(),
    }


def _leaf(device_list: DeviceList, device: DeviceUri, key: TestKey) -> dict[str, Any]:
    credential = leaf_credential(device_list, device, ACCOUNT.sign)
    return {
        "device": device,
        "signature_key": key.public,
        "list_version": credential.list_version,
        "content": leaf_content(device, key.public, credential.list_version),
        "signature": credential.signature,
        "encoded": credential.encode(),
    }


def _session(device: DeviceUri, key: TestKey) -> dict[str, Any]:
    nonce = bytes(range(32))
    content = session_content(ORIGIN, device, nonce, EXPIRES_AT_MS)
    return {
        "session_seed": key.seed,
        "session_key": key.public,
        "origin": ORIGIN,
        "device": device,
        "nonce": nonce,
        "expires_at_ms": EXPIRES_AT_MS,
        "content": content,
        "signature": key.sign(SESSION_LABEL, content),
    }


if __name__ == "__main__":
    write("identity", vector())
