"""Writes linking.json: a link code, and the package that opens under it, of one invented person.

Sealing draws its own randomness, so what was sealed is kept here; opening it gives the package beside it.
"""

import base64
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from nightlight.protocol.credential import Device, first_device_list, leaf_credential
from nightlight.protocol.ids import DeviceUri, TimestampMs, UserUri
from nightlight.protocol.linking import LinkCode, LinkPackage
from tests.support.keys import key_from
from tests.vectors.writing import write

USER = UserUri("mimi://courier.example/u/ada")
PHONE = DeviceUri("mimi://courier.example/d/ada/phone")
TABLET = DeviceUri("mimi://courier.example/d/ada/tablet")
ACCOUNT, PHONE_LEAF, TABLET_LEAF, SESSION = (key_from(bytes([number]) * 32) for number in (1, 2, 3, 4))
SEALING_SEED = bytes([7]) * 32
NOW_MS = TimestampMs(1_900_000_000_000)
EXPIRES_AT_MS = TimestampMs(NOW_MS + 600_000)
LIST_EXPIRES_AT_MS = TimestampMs(NOW_MS + 86_400_000)
CODE = LinkCode(
    X25519PrivateKey.from_private_bytes(SEALING_SEED).public_key().public_bytes_raw(),
    bytes(range(16)),
    "tablet",
    TABLET_LEAF.public,
    SESSION.public,
    EXPIRES_AT_MS,
)
FIRST = first_device_list(USER, ACCOUNT.public, Device(PHONE, PHONE_LEAF.public), LIST_EXPIRES_AT_MS)
SECOND = FIRST.next([*FIRST.devices, Device(TABLET, TABLET_LEAF.public, may_sign=True)], LIST_EXPIRES_AT_MS)
PACKAGE = LinkPackage(
    USER,
    ACCOUNT.public,
    SECOND.sign(ACCOUNT.sign).encode(),
    leaf_credential(SECOND, TABLET, ACCOUNT.sign).encode(),
    ACCOUNT.seed,
    bytes([8]) * 32,
)
SEALED = bytes.fromhex(
    "7fab54f28f1fd274bb20dc1580de2d10dba1cab56429d75efb6ce8526cc9e64e9e78710950d3c90a181e21a375d9e406c6198893987c1d"
    "ea13cbd7c5cfa972cdd459cc2beaf3d12e9b2a108d826f6f957724819f7d0d664b3d85b15b37ade085dc67fb6d94a18f66f7f6514b495e"
    "ec30022198c916f19b1cff99a973da9ed8cbe17084d97621b8ba5b1ed97b128d7df036422a2d39f32497ce50319abba092e1e80b75f9cb"
    "af369a8fcd7344bc79bd8656adeee4d120238ddced86a593069d0d3ab54205a0dc06b2398d21a2e10ad65b89c3d566de077af41d990833"
    "25d7f7b20b38b5037977078ba72f9c77664ca79ec8e2ab753d7092b12c2b033caa5b58d31957b52582ba23b252c04f11d36e8d445be368"
    "7916ba707bce2adcc4a8dd82bd9751e925a8a97953741674c3c0023283c0916fc95d6c4b61815115428db1588de4ec1509d8c01e49695d"
    "d57672b4d7b501f182447f43c3633d079fc93775d1e0a2804897867327ae1bbce12040464bbf37e2c9b7c2250c14815001f577e47cb8ee"
    "dc3e18b0a8c22fdced8a129f000ea4fa3c221c78f204df34cb588cce7a9fdfa190939275436d509e28075b1249a8acec836e42d076d01c"
    "25b4ca1fa4b2f83fe8968c6c49506526b50d411bbe92f5226045566f425dca52912e77317368d755568282ba7b3be91b2a60fce5f009c7"
    "5e6e2193b1365aaf70c1e9124e114f858556cf4ff6de531f5fcc0d7af673d2a58104c55ac7f0685aa92490182e286d154213f813c3d3fa"
    "3798c9104e7dfa3435df4b9c8c4873d2e03a931971a2ef65cea6ed85896bbc"
)


def vector() -> dict[str, Any]:
    """All of linking.json."""
    return {
        "source": "made by generate_linking.py after docs/protocol.md, Linking; sealed with pyca/cryptography's HPKE",
        "now_ms": NOW_MS,
        "user": USER,
        "device": TABLET,
        "code": {
            "sealing_seed": SEALING_SEED,
            "sealing_key": CODE.sealing_key,
            "secret": CODE.secret,
            "name": CODE.name,
            "signature_key": CODE.signature_key,
            "session_key": CODE.session_key,
            "expires_at_ms": CODE.expires_at_ms,
            "encoded": CODE.encode(),
            "text": CODE.text(),
            "mailbox": CODE.mailbox,
            "number": CODE.number,
            "info": CODE.info,
        },
        "package": {
            "account_key": PACKAGE.account_key,
            "device_list": PACKAGE.device_list,
            "credential": PACKAGE.credential,
            "account_seed": PACKAGE.account_seed,
            "history_key": PACKAGE.history_key,
            "encoded": PACKAGE.encode(),
        },
        "sealed": SEALED,
        "refused_codes": [
            {"name": "of another version", "text": _text(b"\x02" + CODE.encode()[1:])},
            {"name": "cut off", "text": _text(CODE.encode()[:-1])},
            {"name": "with something after it", "text": _text(CODE.encode() + b"\x00")},
            {"name": "without its prefix", "text": CODE.text().partition(":")[2]},
            {"name": "padded", "text": CODE.text() + "="},
            {"name": "in the other alphabet", "text": CODE.text().replace("_", "/").replace("-", "+")},
            {"name": "nothing", "text": ""},
        ],
    }


def _text(encoded: bytes) -> str:
    return "nightlight-link:" + base64.urlsafe_b64encode(encoded).rstrip(b"=").decode()


if __name__ == "__main__":
    write("linking", vector())
