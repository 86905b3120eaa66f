import pytest

from nightlight.protocol.ids import ProviderName
from nightlight.server.domain.origins import Origins, is_secure, origins_on

APPS = [ProviderName("courier.example"), ProviderName("gallery.example")]


@pytest.mark.parametrize(
    ("origin", "secure"),
    [
        ("https://courier.example", True),
        ("https://courier.example:8443", True),
        ("http://courier.example", False),
        ("http://localhost:8440", True),
        ("http://localhost", True),
        ("http://courier.localhost:8440", True),
        ("http://127.0.0.1:8440", True),
        ("http://[::1]:8440", True),
        ("http://192.168.0.2:8440", False),
        ("http://localhost.example", False),
        ("http://notlocalhost", False),
    ],
)
def test_a_browser_trusts_https_and_this_machine(origin: str, secure: bool) -> None:  # noqa: FBT001 - a column
    assert is_secure(origin) is secure


def test_a_server_on_loopback_has_an_origin_for_each_app() -> None:
    assert origins_on("127.0.0.1", 8440, APPS) == [
        "http://127.0.0.1:8440",
        "http://localhost:8440",
        "http://courier.localhost:8440",
        "http://gallery.localhost:8440",
    ]
    assert origins_on("192.168.0.2", 8440, APPS) == ["http://192.168.0.2:8440"]


def test_an_origin_is_found_by_the_host_that_was_asked() -> None:
    origins = Origins(("https://hub.example", "https://courier.example:8443"))
    assert origins.of("courier.example:8443") == "https://courier.example:8443"
    assert origins.of("courier.example") == origins.of("") == "https://hub.example"
    assert origins.find("courier.example") is None
