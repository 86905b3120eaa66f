"""Text that mentions people: what is shown, and the markdown in which mentions travel.

A mention is a link to a user's URI, as in draft-ietf-mimi-content-08, "Mentions"; it is shown as ``@name@provider``,
whatever the link calls it.
"""

from __future__ import annotations

import re
import string
from collections.abc import Collection
from dataclasses import dataclass

from nightlight.errors import RemoteProtocolError
from nightlight.protocol.ids import ProviderName, UserUri, handle_of, parse_user_uri, provider_of, user_uri

_PUNCTUATION = re.escape(string.punctuation)
_ESCAPED_OR_LINK = re.compile(
    rf"\\([{_PUNCTUATION}])"
    rf"|\[(?:\\[{_PUNCTUATION}]|[^\[\]\\]){{0,256}}\]\((mimi://[a-z0-9._/-]{{1,248}})\)",
    re.ASCII,
)
_WRITTEN = re.compile(
    r"(?<![a-z0-9._@-])@([a-z0-9](?:[a-z0-9._-]{0,30}[a-z0-9])?)@([a-z0-9]+(?:[.-][a-z0-9]+)*)", re.ASCII
)
_SPECIAL = re.compile(f"[{_PUNCTUATION}]", re.ASCII)


@dataclass(frozen=True, slots=True)
class Words:
    """``text`` as it is shown, and whom it mentions, in order, each once."""

    text: str
    mentions: tuple[UserUri, ...] = ()


def from_markdown(source: str) -> Words:
    """What ``source`` says: mentions as ``@name@provider``, backslash escapes undone, everything else as it stands."""
    mentions: dict[UserUri, None] = {}

    def shown(found: re.Match[str]) -> str:
        escaped, uri = found.groups()
        if uri is None:
            return str(escaped)
        try:
            user = parse_user_uri(uri)
        except RemoteProtocolError:
            return found.group()
        mentions[user] = None
        return written(user)

    text = _ESCAPED_OR_LINK.sub(shown, source)
    return Words(text, tuple(mentions))


def to_markdown(text: str, users: Collection[UserUri]) -> str | None:
    """Markdown that says ``text`` and links each of ``users`` whom it calls ``@name@provider``; None if it calls none.

    What would be markup in ``text`` is escaped.
    """
    pieces: list[str] = []
    done = 0
    for found in _WRITTEN.finditer(text):
        user = _user(*found.groups())
        if user in users:
            pieces += _escape(text[done : found.start()]), f"[@{_escape(found.group()[1:])}]({user})"
            done = found.end()
    return "".join([*pieces, _escape(text[done:])]) if pieces else None


def written(user: UserUri) -> str:
    """``user`` as texts call them."""
    return f"@{handle_of(user)}@{provider_of(user)}"


def _user(name: str, provider: str) -> UserUri | None:
    try:
        return user_uri(ProviderName(provider), name)
    except RemoteProtocolError:
        return None


def _escape(text: str) -> str:
    return _SPECIAL.sub(r"\\\g<0>", text)
