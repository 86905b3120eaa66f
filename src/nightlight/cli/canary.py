"""Canaries: message texts that can be recognised anywhere, in any usual form.

All canaries of a run begin with the same random mark. Whatever holds a canary holds its mark, so that one pass
for the mark's few forms finds every canary.
"""

from __future__ import annotations

import base64
import random
import string
from dataclasses import dataclass

MARK_CHARACTERS = 18


@dataclass(frozen=True, slots=True)
class Canaries:
    """The texts of one run."""

    mark: str

    @classmethod
    def seeded(cls, seed: int) -> Canaries:
        """The same mark for the same seed: letters and digits alone, so that both base64 alphabets write it alike."""
        draw = random.Random(f"canary {seed}")  # noqa: S311  the mark only has to be unlike anything else
        return cls("".join(draw.choices(string.ascii_letters + string.digits, k=MARK_CHARACTERS)))

    def text(self, number: int) -> str:
        """The text of message ``number``: unlike every other."""
        return f"{self.mark} message {number}: hello from the far side of the lake"

    def forms(self) -> dict[str, bytes]:
        """What to look for: a form's name → the mark in UTF-8, UTF-16, hexadecimal, and base64 at each alignment."""
        return forms_of(self.mark)


def forms_of(text: str) -> dict[str, bytes]:
    """The forms in which ``text``, ASCII, could lie somewhere: a form's name → its bytes."""
    raw = text.encode("ascii")
    return {
        "utf-8": raw,
        "utf-16": text.encode("utf-16-le")[:-1],  # without the outer zero byte, both byte orders hold it
        "hex": raw.hex().encode(),
        "hex in capitals": raw.hex().upper().encode(),
        **{f"base64 at {alignment}": _aligned_base64(raw, alignment) for alignment in range(3)},
    }


def _aligned_base64(raw: bytes, alignment: int) -> bytes:
    """The characters that depend on ``raw`` alone when ``alignment`` bytes stand before it in its group of three."""
    end = alignment + len(raw)
    encoded = base64.b64encode(bytes(alignment) + raw)
    return encoded[-(-alignment * 8 // 6) : end * 8 // 6]
