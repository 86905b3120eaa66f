"""Where a request comes from, as far as we may believe it, and how often somebody may come from there."""

from __future__ import annotations

from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.types import Guard

from nightlight.server.http.allowance import Allowances

_SITE_BITS = 64
"""Who has one IPv6 address has at least all that share these."""


def limit_arrivals(allowances: Allowances[str], trusted_proxies: int) -> Guard:
    """What refuses those whose address has used up its allowance: ``RefusedError`` ``too_many`` NL-456."""

    def check(request: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        allowances.take(client_address(request, trusted_proxies))  # NL-456

    return check


def client_address(request: ASGIConnection[Any, Any, Any, Any], trusted_proxies: int) -> str:
    """The address before ``trusted_proxies`` proxies of the operator's, each of which adds the one that it sees.

    Of an IPv6 address, the network. Only what those proxies wrote counts: a header that is shorter, or holds no
    address there, names whoever sent it. Source: MDN "X-Forwarded-For"; RFC 4291 "Unicast Addresses".
    """
    peer = "" if request.client is None else request.client.host
    seen = [text.strip() for line in request.headers.getall("x-forwarded-for", []) for text in line.split(",")]
    if trusted_proxies and len(seen) >= trusted_proxies:
        return _network(seen[-trusted_proxies]) or _network(peer) or peer
    return _network(peer) or peer


def _network(text: str) -> str | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if not isinstance(address, IPv6Address):
        return str(address)
    mapped = address.ipv4_mapped
    return str(IPv6Network((address.packed, _SITE_BITS), strict=False) if mapped is None else mapped)
