from typing import Any

import pytest

from nightlight.errors import VerificationError
from nightlight.protocol.credential import Device, DeviceList, SignedDeviceList, verify_leaf
from tests.vectors.reading import read

FILE = read("refused-identity")


def device_list(row: dict[str, Any]) -> DeviceList:
    key, previous = bytes.fromhex(row["account_key"]), bytes.fromhex(row["previous"])
    devices = tuple(
        Device(device["uri"], bytes.fromhex(device["signature_key"]), device["may_sign"]) for device in row["devices"]
    )
    recovery_key = bytes.fromhex(row["recovery_key"])
    former_keys = tuple(bytes.fromhex(former) for former in row["former_keys"])
    return DeviceList(
        FILE["user"], key, row["version"], previous, row["expires_at_ms"], devices, recovery_key, former_keys
    )


@pytest.mark.parametrize("row", FILE["lists"], ids=lambda row: row["name"])
def test_a_device_list_is_believed_by_its_key_its_time_and_what_came_before(row: dict[str, Any]) -> None:
    signed = SignedDeviceList.decode(bytes.fromhex(row["encoded"]))
    known = None if row["known"] is None else device_list(row["known"])
    account_key = bytes.fromhex(FILE["account_key"])
    if row["check"] is None:
        verified = signed.verify(FILE["user"], account_key, FILE["now_ms"], known=known)
        assert verified.encode() == signed.content
        return
    with pytest.raises(VerificationError) as refused:
        signed.verify(FILE["user"], account_key, FILE["now_ms"], known=known)
    assert refused.value.check == row["check"]


@pytest.mark.parametrize("row", FILE["leaves"], ids=lambda row: row["name"])
def test_a_leaf_is_believed_by_the_newest_device_list(row: dict[str, Any]) -> None:
    encoded, signature_key = bytes.fromhex(row["encoded"]), bytes.fromhex(row["signature_key"])
    if row["check"] is None:
        leaf = verify_leaf(encoded, signature_key, device_list(row["list"]))
        assert (leaf.user, leaf.listed) == (FILE["user"], row["listed"])
        return
    with pytest.raises(VerificationError) as refused:
        verify_leaf(encoded, signature_key, device_list(row["list"]))
    assert refused.value.check == row["check"]
