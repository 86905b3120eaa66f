from collections.abc import Callable

import pytest

from nightlight.errors import RemoteProtocolError
from nightlight.protocol import ids
from nightlight.protocol.ids import DeviceUri, ProviderName, UserUri

USER = UserUri("mimi://courier.example/u/ada")


def test_a_device_names_its_user() -> None:
    device = ids.device_uri(USER, "phone")
    assert device == "mimi://courier.example/d/ada/phone"
    assert ids.user_of(device) == USER


def test_a_uri_names_its_provider_and_handle() -> None:
    assert ids.provider_of(USER) == "courier.example"
    assert ids.handle_of(USER) == "ada"
    assert ids.user_uri(ProviderName("courier.example"), "ada") == USER


def test_a_room_has_letters_digits_dashes_and_underlines() -> None:
    assert ids.room_uri(ProviderName("courier.example"), "old_harbour-2") == "mimi://courier.example/r/old_harbour-2"


@pytest.mark.parametrize(
    ("parse", "text", "check"),
    [
        (ids.parse_user_uri, "mimi://courier.example/u/", "NL-001"),
        (ids.parse_user_uri, "mimi://courier.example/u/Ada", "NL-001"),
        (ids.parse_user_uri, "mimi://courier.example/u/a/b", "NL-001"),
        (ids.parse_user_uri, "mimi://courier.example/u/ada\n", "NL-001"),
        (ids.parse_user_uri, "mimi://courier.example/u/-ada", "NL-001"),
        (ids.parse_user_uri, "mimi://courier.example/u/" + "a" * 33, "NL-001"),
        (ids.parse_user_uri, "mimi://" + "a" * 250 + "/u/ada", "NL-001"),
        (ids.parse_user_uri, "mimi://courier..example/u/ada", "NL-001"),
        (ids.parse_user_uri, "https://courier.example/u/ada", "NL-001"),
        (ids.parse_user_uri, "mimi://courier.example/u/аda", "NL-001"),  # noqa: RUF001 - the first letter is Cyrillic
        (ids.parse_device_uri, "mimi://courier.example/d/ada", "NL-002"),
        (ids.parse_device_uri, "mimi://courier.example/d/ada/phone/2", "NL-002"),
        (ids.parse_device_uri, "mimi://courier.example/u/ada", "NL-002"),
        (ids.parse_room_uri, "mimi://courier.example/r/", "NL-003"),
        (ids.parse_room_uri, "mimi://courier.example/r/a%20b", "NL-003"),
        (ids.parse_hub_uri, "mimi://hub.example/", "NL-004"),
        (ids.parse_hub_uri, "mimi://", "NL-004"),
        (ids.parse_hub_uri, "mimi://HUB.example", "NL-004"),
        (ids.parse_blob_id, "0" * 31, "NL-005"),
        (ids.parse_blob_id, "0" * 32 + "\n", "NL-005"),
        (ids.parse_blob_id, "A" * 32, "NL-005"),
        (ids.parse_blob_id, "٣" * 32, "NL-005"),
    ],
)
def test_what_is_not_a_name_of_its_kind_is_refused(parse: Callable[[str], str], text: str, check: str) -> None:
    with pytest.raises(RemoteProtocolError) as refused:
        parse(text)
    assert refused.value.check == check


def test_a_device_that_is_none_has_no_user() -> None:
    with pytest.raises(RemoteProtocolError):
        ids.user_of(DeviceUri("mimi://courier.example/u/ada"))


def test_an_error_never_quotes_what_was_sent() -> None:
    with pytest.raises(RemoteProtocolError) as refused:
        ids.parse_user_uri("a secret")
    assert "secret" not in str(refused.value)
