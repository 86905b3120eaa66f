import pytest

from nightlight.client.recovery_words import recovery_key, to_words
from nightlight.errors import VerificationError
from tests.vectors.reading import read

FILE = read("recovery-words")


@pytest.mark.parametrize("row", FILE["keys"])
def test_a_recovery_key_is_24_words(row: dict[str, str]) -> None:
    assert to_words(bytes.fromhex(row["seed"])) == row["words"]
    assert recovery_key(row["words"]).seed().hex() == row["seed"]


@pytest.mark.parametrize("row", FILE["same"])
def test_words_are_read_however_they_are_spaced_and_capitalised(row: dict[str, str]) -> None:
    assert recovery_key(row["words"]).seed().hex() == row["seed"]


@pytest.mark.parametrize("row", FILE["refused"], ids=lambda row: row["name"].replace(" ", "_"))
def test_what_is_no_recovery_key_is_refused(row: dict[str, str]) -> None:
    with pytest.raises(VerificationError, match="NL-134"):
        recovery_key(row["words"])
