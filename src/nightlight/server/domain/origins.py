"""Where people reach this server: what they sign in to, and where the web app may run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from nightlight.protocol.ids import ProviderName

_LOCALHOST = "localhost"


@dataclass(frozen=True, slots=True)
class Origins:
    """The server's own origins, such as ``https://courier.example``, each once. The first one is the default."""

    names: tuple[str, ...]

    def find(self, host: str) -> str | None:
        """The origin that a request to ``host`` (with its port, if it has one) is for, if it is one of ours."""
        return next((name for name in self.names if name.partition("://")[2] == host), None)

    def of(self, host: str) -> str:
        """The origin that somebody who asks ``host`` signs in to: the default one where ``host`` is none of ours."""
        return self.find(host) or self.names[0]


def origins_on(host: str, port: int, providers: Iterable[ProviderName]) -> Sequence[str]:
    """The origins of a server that listens on ``host``; on loopback, also one on localhost for each app."""
    names = [f"http://{host}:{port}"]
    if is_loopback(host):
        apps = (f"{provider.partition('.')[0]}.{_LOCALHOST}" for provider in providers)
        names += [f"http://{name}:{port}" for name in (_LOCALHOST, *apps)]
    return names


def is_secure(origin: str) -> bool:
    """Whether a browser gives a page of ``origin`` what is for secure contexts alone.

    Source: W3C Secure Contexts, "Is origin potentially trustworthy?".
    """
    scheme, _, authority = origin.partition("://")
    host = authority.rpartition(":")[0] if authority.rpartition(":")[2].isdecimal() else authority
    return scheme == "https" or is_loopback(host.strip("[]"))


def is_loopback(host: str) -> bool:
    """Whether ``host`` is this machine itself."""
    if host == _LOCALHOST or host.endswith(f".{_LOCALHOST}"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
