"""How people are written on the command line: ``alice@courier.example``, or their ``mimi:`` URI."""

from __future__ import annotations

from nightlight.cli.faults import InputError
from nightlight.errors import RemoteProtocolError
from nightlight.protocol.contact_code import ContactCode
from nightlight.protocol.ids import ProviderName, UserUri, handle_of, parse_user_uri, provider_of, user_uri


def read_person(text: str) -> UserUri:
    """The user meant by ``text``. Raises ``InputError``."""
    name, _, provider = text.partition("@")
    try:
        return parse_user_uri(text) if text.startswith("mimi:") else user_uri(ProviderName(provider), name)
    except RemoteProtocolError as error:
        raise InputError(f"{text!r} is not a person; write name@provider, such as alice@courier.example") from error


def read_contact_code(text: str) -> UserUri:
    """The user of a contact code. Raises ``InputError``."""
    try:
        return ContactCode.decode(text).user
    except RemoteProtocolError as error:
        raise InputError("that is not a contact code, or not all of it") from error


def written(user: UserUri) -> str:
    """The user as people write them. Raises ``RemoteProtocolError`` NL-001 for anything but a user URI."""
    parse_user_uri(user)
    return f"{handle_of(user)}@{provider_of(user)}"
