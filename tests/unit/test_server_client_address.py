"""Where a request comes from, as far as we may believe it."""

from typing import Any

import pytest
from litestar.connection import ASGIConnection

from nightlight.server.http.client_address import client_address


def request_from(peer: str | None, *forwarded_for: str) -> ASGIConnection[Any, Any, Any, Any]:
    """A request of ``peer`` with these headers."""
    headers = [(b"x-forwarded-for", line.encode()) for line in forwarded_for]
    return ASGIConnection({"type": "http", "client": peer and (peer, 4711), "headers": headers})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "trusted_proxies", "address"),
    [
        ("192.0.2.1", [], 0, "192.0.2.1"),
        ("192.0.2.1", ["198.51.100.1"], 0, "192.0.2.1"),
        ("192.0.2.1", ["198.51.100.1"], 1, "198.51.100.1"),
        ("192.0.2.1", ["203.0.113.9, 198.51.100.1"], 1, "198.51.100.1"),
        ("192.0.2.1", ["203.0.113.9", "198.51.100.1"], 1, "198.51.100.1"),
        ("192.0.2.1", ["203.0.113.9, 198.51.100.1"], 2, "203.0.113.9"),
        ("192.0.2.1", ["198.51.100.1"], 2, "192.0.2.1"),
        ("192.0.2.1", [], 1, "192.0.2.1"),
        ("192.0.2.1", ["somewhere"], 1, "192.0.2.1"),
        ("192.0.2.1", [","], 1, "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", [], 0, "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", [], 0, "2001:db8:1:2::/64"),
        ("192.0.2.1", ["2001:db8:1:3::1"], 1, "2001:db8:1:3::/64"),
        ("::ffff:192.0.2.1", [], 0, "192.0.2.1"),
        (None, [], 0, ""),
        (None, ["198.51.100.1"], 1, "198.51.100.1"),
    ],
)
def test_only_what_our_own_proxies_say_counts(
    peer: str | None, forwarded_for: list[str], trusted_proxies: int, address: str
) -> None:
    assert client_address(request_from(peer, *forwarded_for), trusted_proxies) == address
