"""Names of files that others chose, made harmless for this machine."""

from __future__ import annotations

import re
import unicodedata

FALLBACK = "attachment"
MAX_NAME_BYTES = 120
MAX_SUFFIX_BYTES = 20
_UNSEEN = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
"""Controls, formats (which reorder a line), what is unassigned or private, surrogates, separators of lines."""
_SPECIAL = frozenset('<>:"|?*')
"""Characters that a file's name cannot have everywhere."""
_DEVICES = re.compile(r"(?i)(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?")
"""Names that are devices on Windows, whatever follows the dot."""


def safe_filename(name: str) -> str:
    """``name`` without folders, hidden or reordering characters and leading dots, at most 120 bytes of UTF-8.

    What names a device is ``_`` before it; what leaves nothing is ``attachment``. A suffix of up to 20 bytes stays.
    """
    last = re.split(r"[/\\]", name)[-1]
    seen = "".join(map(_shown, last)).strip(". ")
    if _DEVICES.fullmatch(seen):
        seen = f"_{seen}"
    stem, dot, suffix = seen.rpartition(".")
    if not stem or len(suffix.encode()) > MAX_SUFFIX_BYTES:
        stem, dot, suffix = seen, "", ""
    stem = _cut(stem, MAX_NAME_BYTES - len(f"{dot}{suffix}".encode())).rstrip(". ")
    return f"{stem}{dot}{suffix}" if stem else FALLBACK


def _shown(character: str) -> str:
    if unicodedata.category(character) in _UNSEEN:
        return ""
    if character in _SPECIAL:
        return "_"
    return " " if character.isspace() else character


def _cut(text: str, bytes_max: int) -> str:
    return text.encode()[:bytes_max].decode(errors="ignore")
