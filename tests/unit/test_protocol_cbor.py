from typing import Any

import pytest

from nightlight.errors import LocalProtocolError, RemoteProtocolError
from nightlight.protocol import cbor


def nested(depth: int) -> list[Any]:
    return [nested(depth - 1)] if depth > 1 else []


def test_eight_arrays_deep_is_deep_enough() -> None:
    assert cbor.decode(cbor.encode(nested(8))) == nested(8)


@pytest.mark.parametrize(
    "value",
    [nested(9), 1.5, 2**64, -(2**64) - 1, {(): 1}, {True: 1}, {None: 1}, {2**64: 1}, object(), {1, 2}, "\ud800"],
    ids=lambda value: type(value).__name__,
)
def test_what_the_profile_does_not_hold_is_our_mistake_to_encode(value: object) -> None:
    with pytest.raises(LocalProtocolError):
        cbor.encode(value)


@pytest.mark.parametrize("value", [2**64 - 1, -(2**64), 0, 23, 24, 255, 256, 65_536, 2**32, -1, -25, True, None])
def test_integers_of_64_bits_and_a_sign_go_there_and_back(value: object) -> None:
    assert cbor.decode(cbor.encode(value)) == value


def test_tuples_are_arrays() -> None:
    assert cbor.decode(cbor.encode((1, ("a", b"b")))) == [1, ["a", b"b"]]


def test_what_is_not_cbor_is_refused() -> None:
    with pytest.raises(RemoteProtocolError) as error:
        cbor.decode(b"\x82\x00")
    assert error.value.check == "NL-110"


def test_what_is_not_deterministic_is_refused() -> None:
    with pytest.raises(RemoteProtocolError) as error:
        cbor.decode(b"\x18\x00")
    assert error.value.check == "NL-111"


def test_no_tag_reaches_the_code_that_acts_on_it() -> None:
    regular_expression = b"\xd8\x23\x61("
    with pytest.raises(RemoteProtocolError) as error:
        cbor.decode(regular_expression)
    assert error.value.check == "NL-110"
    assert "tag" in str(error.value.__cause__)


def test_a_hundred_thousand_open_arrays_are_refused() -> None:
    with pytest.raises(RemoteProtocolError):
        cbor.decode(b"\x81" * 100_000)
