from nightlight.protocol.credential import (
    Device,
    DeviceList,
    LeafCredential,
    SignedDeviceList,
    session_content,
    verify_leaf,
    verify_session,
)
from nightlight.protocol.ids import TimestampMs
from tests.vectors.reading import read

IDENTITY = read("identity")
ACCOUNT_KEY = bytes.fromhex(IDENTITY["account_key"])
NOW_MS = TimestampMs(1_899_999_000_000)


def verified_lists() -> list[DeviceList]:
    known: DeviceList | None = None
    lists = []
    for row in IDENTITY["device_lists"]:
        signed = SignedDeviceList.decode(bytes.fromhex(row["encoded"]))
        known = signed.verify(IDENTITY["user"], ACCOUNT_KEY, NOW_MS, known=known)
        lists.append(known)
    return lists


def test_the_device_lists_verify_one_after_the_other() -> None:
    for row, device_list in zip(IDENTITY["device_lists"], verified_lists(), strict=True):
        devices = tuple(
            Device(device["uri"], bytes.fromhex(device["signature_key"]), device["may_sign"])
            for device in row["devices"]
        )
        assert device_list.recovery_key.hex() == row["recovery_key"]
        assert device_list.devices == devices
        assert device_list.version == row["version"]
        assert device_list.encode().hex() == row["content"]
        assert device_list.digest().hex() == row["digest"]


def test_the_leaf_credential_verifies_against_the_newest_list() -> None:
    leaf = IDENTITY["leaf_credential"]
    encoded = bytes.fromhex(leaf["encoded"])
    verified = verify_leaf(encoded, bytes.fromhex(leaf["signature_key"]), verified_lists()[-1])
    assert verified.device == leaf["device"]
    assert verified.user == IDENTITY["user"]
    assert LeafCredential.decode(encoded).encode() == encoded


def test_the_session_signature_verifies() -> None:
    session = IDENTITY["session"]
    content = session_content(
        session["origin"], session["device"], bytes.fromhex(session["nonce"]), session["expires_at_ms"]
    )
    assert content.hex() == session["content"]
    verify_session(bytes.fromhex(session["session_key"]), content, bytes.fromhex(session["signature"]))
