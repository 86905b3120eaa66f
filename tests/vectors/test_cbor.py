from typing import Any

import pytest

from nightlight.errors import RemoteProtocolError
from nightlight.protocol import cbor
from tests.vectors.reading import read

CBOR = read("cbor")


def map_of(entries: list[Any]) -> dict[Any, Any]:
    return {key: map_of(value) if isinstance(value, list) else value for key, value in entries}


@pytest.mark.parametrize("row", CBOR["maps"], ids=lambda row: row["name"])
def test_a_map_has_one_encoding_whatever_the_order_it_was_made_in(row: dict[str, Any]) -> None:
    value = map_of(row["entries"])
    backwards = dict(reversed(value.items()))
    assert cbor.encode(value).hex() == cbor.encode(backwards).hex() == row["cbor"]
    assert cbor.decode(bytes.fromhex(row["cbor"])) == value


@pytest.mark.parametrize("row", CBOR["refused"], ids=lambda row: row["name"])
def test_what_is_not_the_one_encoding_is_refused(row: dict[str, str]) -> None:
    with pytest.raises(RemoteProtocolError) as refused:
        cbor.decode(bytes.fromhex(row["cbor"]))
    assert refused.value.check == row["check"]
