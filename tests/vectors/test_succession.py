from typing import Any

import pytest

from nightlight.errors import RemoteProtocolError, VerificationError
from nightlight.protocol.credential import DeviceList, SignedDeviceList
from nightlight.protocol.ids import UserUri
from nightlight.protocol.messages import UserDevices
from nightlight.protocol.succession import follow_account, recovery_content, verify_recovery
from tests.support.keys import key_from
from tests.vectors.reading import read

FILE = read("succession")
USER = UserUri(FILE["user"])


def _known(row: dict[str, Any]) -> DeviceList | None:
    if row["known"] is None:
        return None
    signed = SignedDeviceList.decode(bytes.fromhex(row["known"]["device_list"]))
    return signed.verify(USER, bytes.fromhex(row["known"]["account_key"]), None)


@pytest.mark.parametrize("row", FILE["rows"], ids=lambda row: row["name"].replace(" ", "_"))
def test_a_new_account_key_is_believed_or_refused(row: dict[str, Any]) -> None:
    devices = UserDevices(
        USER,
        bytes.fromhex(row["account_key"]),
        bytes.fromhex(row["device_list"]),
        [bytes.fromhex(one) for one in row["successions"]],
    )
    if "check" in row:
        with pytest.raises((RemoteProtocolError, VerificationError), match=row["check"]):
            follow_account(devices, FILE["now_ms"], _known(row))
        return
    followed = follow_account(devices, FILE["now_ms"], _known(row))
    assert followed.newest.version == row["version"]
    assert [key.hex() for key in followed.newest.former_keys] == row["former_keys"]
    assert [one.recovered for one in followed.successions] == row["recovered"]
    assert all(one.decode(one.encode()) == one for one in followed.successions)


def test_every_way_to_be_refused_is_among_the_rows() -> None:
    checks = {row["check"] for row in FILE["rows"] if "check" in row}
    assert checks >= {
        "NL-101",
        "NL-135",
        "NL-136",
        "NL-137",
        "NL-301",
        "NL-303",
        "NL-311",
        "NL-314",
        "NL-315",
        "NL-316",
    }


def test_who_asks_for_a_recovery_holds_the_recovery_key() -> None:
    row = FILE["recovery"]
    keys = (bytes.fromhex(row[name]) for name in ("signature_key", "session_key", "account_key"))
    content = recovery_content(USER, row["device"], *keys)
    assert content.hex() == row["content"]
    verify_recovery(key_from(bytes.fromhex(row["seed"])).public, content, bytes.fromhex(row["signature"]))
    with pytest.raises(VerificationError, match="NL-147"):
        verify_recovery(key_from(bytes(32)).public, content, bytes.fromhex(row["signature"]))
    with pytest.raises(VerificationError, match="NL-147"):
        verify_recovery(b"", content, bytes.fromhex(row["signature"]))  # somebody without a recovery key
