"""Other people's text, made safe for a terminal."""

from __future__ import annotations

import unicodedata

_JOINERS = "\u200c\u200d"
"""Persian and emoji families need them, and they move nothing."""
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Controls (ANSI sequences begin with one), formats (bidirectional overrides), surrogates, line separators."""
_CONTROL_PICTURES = 0x2400
_DELETE = "\x7f"


def neutralise(text: str) -> str:
    """``text`` with every character that could steer a terminal or reorder a line shown as a picture instead.

    Line feeds stay: who prints several lines indents them, so that no line can pose as another message.
    """
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if character == "\n" or character in _JOINERS or unicodedata.category(character) not in _HIDDEN:
        return character
    if character == "\t":
        return "    "
    if character == _DELETE:
        return "␡"
    if character < " ":
        return chr(_CONTROL_PICTURES + ord(character))
    return f"⟨U+{ord(character):04X}⟩"
