from typing import Any

import pytest

from nightlight.errors import RemoteProtocolError
from nightlight.protocol.contact_code import ContactCode
from tests.vectors.reading import read

FILE = read("contact-code")


@pytest.mark.parametrize("row", FILE["codes"], ids=lambda row: row["user"])
def test_a_contact_code_says_who_and_under_which_key(row: dict[str, Any]) -> None:
    said = ContactCode(row["user"], bytes.fromhex(row["account_key"]))
    assert said.encode() == row["code"]
    assert [ContactCode.decode(text) for text in (row["code"], *row["also"])] == [said] * 4


@pytest.mark.parametrize("row", FILE["refused"], ids=lambda row: row["name"])
def test_nl_341_what_is_no_contact_code_is_refused(row: dict[str, Any]) -> None:
    with pytest.raises(RemoteProtocolError) as refused:
        ContactCode.decode(row["code"])
    assert refused.value.check == row["check"]
