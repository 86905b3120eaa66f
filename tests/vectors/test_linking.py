import pytest

from nightlight.client.linking import seal, unseal
from nightlight.errors import RemoteProtocolError
from nightlight.protocol.linking import LinkCode, LinkPackage
from tests.vectors.reading import read

FILE = read("linking")
CODE, PACKAGE = FILE["code"], FILE["package"]
SEED = bytes.fromhex(CODE["sealing_seed"])


def test_a_link_code_is_read_and_written() -> None:
    code = LinkCode.read(CODE["text"])
    assert code.encode().hex() == CODE["encoded"]
    assert code.text() == CODE["text"]
    assert (code.name, code.expires_at_ms) == (CODE["name"], CODE["expires_at_ms"])
    assert (code.mailbox.hex(), code.number, code.info.hex()) == (CODE["mailbox"], CODE["number"], CODE["info"])


@pytest.mark.parametrize("row", FILE["refused_codes"], ids=lambda row: row["name"])
def test_what_is_no_link_code_is_refused(row: dict[str, str]) -> None:
    with pytest.raises(RemoteProtocolError) as refused:
        LinkCode.read(row["text"])
    assert refused.value.check == "NL-351"


def test_a_sealed_package_opens_and_names_the_new_device() -> None:
    code = LinkCode.read(CODE["text"])
    for sealed in (bytes.fromhex(FILE["sealed"]), seal(code, LinkPackage.decode(bytes.fromhex(PACKAGE["encoded"])))):
        package = unseal(code, SEED, sealed)
        assert package.encode().hex() == PACKAGE["encoded"]
        assert package.account_seed.hex() == PACKAGE["account_seed"]
        listed, leaf = package.verify(FILE["device"], code.signature_key, FILE["now_ms"])
        assert (leaf.device, listed.user) == (FILE["device"], FILE["user"])
