"""The hub's view of a group: it checks commits and follows who is in, and holds no secret.

The names are the crate's (``nightlight_mls``), and so are their docstrings. A hub's crate may be built without the
feature ``member``; nothing here needs it.
"""

from nightlight_mls import (
    Change,
    FatalError,
    ForbiddenHandshakeError,
    InvalidError,
    KeyPackage,
    Leaf,
    MalformedError,
    MlsError,
    PublicGroup,
    StateError,
    UnknownGroupError,
    WrongEpochError,
    read_key_package,
    read_welcome,
    scope,
)

__all__ = [
    "Change",
    "FatalError",
    "ForbiddenHandshakeError",
    "InvalidError",
    "KeyPackage",
    "Leaf",
    "MalformedError",
    "MlsError",
    "PublicGroup",
    "StateError",
    "UnknownGroupError",
    "WrongEpochError",
    "read_key_package",
    "read_welcome",
    "scope",
]
