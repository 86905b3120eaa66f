"""Our own vectors by a second reading of docs/protocol.md: nothing here imports the package."""

import base64
import hashlib
import hmac
import struct
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.vectors.reading import read


def vec(content: bytes) -> bytes:
    """V(x): the length in 6, 14 or 30 bits behind two bits that say which."""
    if len(content) < 64:
        return struct.pack(">B", len(content)) + content
    if len(content) < 16384:
        return struct.pack(">H", len(content) + 0x4000) + content
    return struct.pack(">I", len(content) + 0x80000000) + content


def u64(number: int) -> bytes:
    return struct.pack(">Q", number)


def signed_with_label(seed: str, label: str, content: bytes) -> bytes:
    covered = vec(f"MLS 1.0 {label}".encode("ascii")) + vec(content)
    return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed)).sign(covered)


def public_key(seed: str) -> str:
    return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed)).public_key().public_bytes_raw().hex()


IDENTITY = read("identity")
DAY_KEY = read("day-key")


def device_list(row: dict[str, Any]) -> bytes:
    entries = b"".join(
        vec(d["uri"].encode()) + vec(bytes.fromhex(d["signature_key"])) + (b"\x01" if d["may_sign"] else b"\x00")
        for d in row["devices"]
    )
    front = u64(row["version"]) + bytes.fromhex(row["previous"]) + u64(row["expires_at_ms"])
    return front + vec(bytes.fromhex(row["recovery_key"])) + vec(entries)


def test_a_device_list_is_version_previous_expiry_and_devices() -> None:
    assert public_key(IDENTITY["account_seed"]) == IDENTITY["account_key"]
    assert len(IDENTITY["device_lists"]) == 2
    for row in IDENTITY["device_lists"]:
        content = device_list(row)
        signature = signed_with_label(IDENTITY["account_seed"], "NLF1 device list", content)
        assert content.hex() == row["content"]
        assert signature.hex() == row["signature"]
        assert (vec(content) + vec(signature)).hex() == row["encoded"]


def test_a_device_list_names_the_hash_of_the_one_before() -> None:
    first, second = IDENTITY["device_lists"]
    assert first["previous"] == "00" * 32
    assert second["previous"] == hashlib.sha256(device_list(first)).hexdigest() == first["digest"]
    assert [device["uri"] for device in second["devices"]] == sorted(device["uri"] for device in second["devices"])


def test_a_leaf_credential_is_signed_over_user_device_key_and_version() -> None:
    leaf = IDENTITY["leaf_credential"]
    device = leaf["device"].encode()
    content = (
        vec(IDENTITY["user"].encode())
        + vec(device)
        + vec(bytes.fromhex(leaf["signature_key"]))
        + u64(leaf["list_version"])
    )
    signature = signed_with_label(IDENTITY["account_seed"], "NLF1 device", content)
    encoded = vec(device) + vec(bytes.fromhex(IDENTITY["account_key"])) + u64(leaf["list_version"]) + vec(signature)
    assert content.hex() == leaf["content"]
    assert signature.hex() == leaf["signature"]
    assert encoded.hex() == leaf["encoded"]


def test_a_contact_code_is_user_key_and_checksum() -> None:
    rows = read("contact-code")["codes"]
    assert len(rows) == 2
    for row in rows:
        body = vec(row["user"].encode()) + bytes.fromhex(row["account_key"])
        checksum = hashlib.sha256(b"NLF1 contact code" + body).digest()[:4]
        scheme, _, encoded = row["code"].partition(":")
        assert scheme == "nightlight"
        assert base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)) == body + checksum


def test_a_session_signature_covers_origin_device_nonce_and_expiry() -> None:
    session = IDENTITY["session"]
    content = (
        vec(session["origin"].encode())
        + vec(session["device"].encode())
        + vec(bytes.fromhex(session["nonce"]))
        + u64(session["expires_at_ms"])
    )
    assert public_key(session["session_seed"]) == session["session_key"]
    assert content.hex() == session["content"]
    assert signed_with_label(session["session_seed"], "NLF1 session", content).hex() == session["signature"]


def test_a_day_key_franks_by_way_of_the_room_s_hub_key() -> None:
    room = DAY_KEY["room"].encode()
    context = vec(DAY_KEY["sender"].encode()) + vec(room) + u64(DAY_KEY["accepted_at_ms"])
    # HKDF-Expand for one block is one HMAC over the info and a counter of 1.
    hub_key = hmac.digest(bytes.fromhex(DAY_KEY["k_day"]), b"NLF1 hub_key" + vec(room) + b"\x01", "sha256")
    mac = hmac.digest(hub_key, bytes.fromhex(DAY_KEY["tag"]) + context, "sha256")
    signature = signed_with_label(DAY_KEY["franking_seed"], "FrankingIntegrityTBS", mac + b"\x00\x01" + context)
    assert DAY_KEY["day"] == DAY_KEY["accepted_at_ms"] // 1000 // 60 // 60 // 24
    assert context.hex() == DAY_KEY["context"]
    assert hub_key.hex() == DAY_KEY["hub_key"]
    assert mac.hex() == DAY_KEY["mac"]
    assert (mac + b"\x00\x01" + vec(signature)).hex() == DAY_KEY["frank"]


def test_a_franking_agent_is_a_key_and_a_basic_credential() -> None:
    agent = vec(bytes.fromhex(DAY_KEY["franking_key"])) + b"\x00\x01" + vec(DAY_KEY["hub"].encode())
    assert agent.hex() == DAY_KEY["franking_agent"]


def head(major: int, number: int) -> bytes:
    for width, extra in ((1, 24), (2, 25), (4, 26), (8, 27)):
        if number < 24:
            return bytes([major << 5 | number])
        if number < 256**width:
            return bytes([major << 5 | extra]) + number.to_bytes(width, "big")
    raise OverflowError


def item(value: Any) -> bytes:
    """The shortest encoding; a list of pairs stands for a map."""
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, -1 - value)
    return head(5, len(value)) + b"".join(sorted(item(key) + item(entry) for key, entry in value))


def test_maps_are_in_the_order_of_their_encoded_keys() -> None:
    maps = read("cbor")["maps"]
    assert len(maps) == 4
    for row in maps:
        assert item(row["entries"]).hex() == row["cbor"], row["name"]


def test_24_comes_before_minus_1() -> None:
    assert read("cbor")["maps"][0]["cbor"] == "a2" + "1818" + "6161" + "20" + "6162"


def test_a_blob_is_sealed_hashed_and_named_as_the_page_says() -> None:
    rows = read("attachment")["sealed"]
    assert len(rows) == 4
    for row in rows:
        plain, seal = bytes.fromhex(row["plain"]), row["seal"]
        key, nonce, aad = (bytes.fromhex(seal[name]) for name in ("key", "nonce", "aad"))
        blob = AESGCM(key).encrypt(nonce, plain, aad)
        digest = hashlib.sha256(blob).digest()
        assert (blob.hex(), digest.hex(), len(blob)) == (row["blob"], seal["content_hash"], seal["size"])
        named = b"\x00\x01" + vec(key) + vec(nonce) + vec(aad) + b"\x01" + vec(digest)
        assert hashlib.sha256(named).hexdigest() == row["kept_as"]


def test_a_link_code_gives_a_mailbox_and_a_number() -> None:
    code = read("linking")["code"]
    keys = b"\x01" + bytes.fromhex(code["sealing_key"]) + bytes.fromhex(code["secret"])
    devices = vec(code["name"].encode()) + bytes.fromhex(code["signature_key"] + code["session_key"])
    encoded = keys + devices + u64(code["expires_at_ms"])
    assert encoded.hex() == code["encoded"]
    assert "nightlight-link:" + base64.urlsafe_b64encode(encoded).decode().strip("=") == code["text"]
    assert hashlib.sha256(b"NLF1 link mailbox" + encoded).hexdigest() == code["mailbox"]
    assert (b"NLF1 link package" + encoded).hex() == code["info"]
    number = b"NLF1 link number" + encoded
    for _ in range(5_200):
        number = hashlib.sha512(number + encoded).digest()
    parts = [int.from_bytes(number[at : at + 5], "big") % 10**4 for at in (0, 5, 10)]
    assert "".join(str(part).zfill(4) for part in parts) == code["number"]


def test_a_link_package_is_six_vectors() -> None:
    linking = read("linking")
    package = linking["package"]
    names = ("account_key", "device_list", "credential", "account_seed", "history_key")
    fields = [linking["user"].encode(), *(bytes.fromhex(package[name]) for name in names)]
    assert b"".join(map(vec, fields)).hex() == package["encoded"]
