"""A member's groups: clients only; a server never imports this.

The names are the crate's (``nightlight_mls``), and so are their docstrings. What is added here says what to do with
a message that a group did not take.
"""

from __future__ import annotations

from enum import StrEnum

from nightlight_mls import (
    Application,
    Change,
    Commit,
    DesyncError,
    DuplicateError,
    FatalError,
    ForbiddenHandshakeError,
    Group,
    InvalidError,
    KeyPackage,
    Leaf,
    MalformedError,
    Member,
    MlsError,
    OrphanWelcomeError,
    Staged,
    StateError,
    TooDistantError,
    UnknownGroupError,
    WrongEpochError,
    read_key_package,
    read_welcome,
    scope,
)

__all__ = [
    "Application",
    "Change",
    "Commit",
    "DesyncError",
    "Disposition",
    "DuplicateError",
    "FatalError",
    "ForbiddenHandshakeError",
    "Group",
    "InvalidError",
    "KeyPackage",
    "Leaf",
    "MalformedError",
    "Member",
    "MlsError",
    "OrphanWelcomeError",
    "Staged",
    "StateError",
    "TooDistantError",
    "UnknownGroupError",
    "WrongEpochError",
    "disposition",
    "read_key_package",
    "read_welcome",
    "scope",
]


class Disposition(StrEnum):
    """What a message that ``receive`` refused is to this group."""

    DUPLICATE = "duplicate"
    """Taken before: acknowledge it."""
    STALE = "stale"
    """Of an epoch that the group has left, and whose keys are gone: acknowledge it."""
    TOO_OLD = "too_old"
    """Its key is gone, or too far ahead to derive: acknowledge it."""
    BEFORE_MEMBERSHIP = "before_membership"
    """Never meant for this device: acknowledge it."""
    FUTURE = "future"
    """A commit is missing: keep it and fill the gap."""
    DESYNC = "desync"
    """The hub is past this device: it must be added anew."""
    CLOCK = "clock"
    """This machine's clock and an added leaf's lifetime disagree: try again when the clock is right."""
    CORRUPT = "corrupt"
    """It will never be valid: acknowledge it, and record a fault of its sender or the hub."""


_BY_CHECK = {
    "NL-204": Disposition.STALE,
    "NL-205": Disposition.FUTURE,
    "NL-206": Disposition.BEFORE_MEMBERSHIP,
    "NL-207": Disposition.DUPLICATE,
    "NL-208": Disposition.DUPLICATE,
    "NL-209": Disposition.DUPLICATE,
    "NL-210": Disposition.TOO_OLD,
    "NL-211": Disposition.TOO_OLD,
    "NL-233": Disposition.CLOCK,
    "NL-250": Disposition.DESYNC,
}


def disposition(error: MlsError) -> Disposition:
    """What the message is that was refused with ``error``."""
    return _BY_CHECK.get(error.check, Disposition.CORRUPT)
