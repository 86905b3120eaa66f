"""Writes recovery-words.json: seeds of recovery keys, their 24 words, and words that are none. Source: BIP-39."""

from typing import Any

from nightlight.client.recovery_words import to_words
from tests.vectors.writing import write

SEEDS = [bytes(32), bytes(range(32)), bytes([0xFF]) * 32, bytes([0x7F, 0x80] * 16)]


def vector() -> dict[str, Any]:
    """All of recovery-words.json."""
    words = to_words(SEEDS[1])
    first, *rest = words.split()
    return {
        "source": "made by generate_recovery_words.py with the word list of BIP-39; the first and third are its own",
        "keys": [{"seed": seed, "words": to_words(seed)} for seed in SEEDS],
        "same": [
            {"seed": SEEDS[1], "words": words.upper()},
            {"seed": SEEDS[1], "words": "  " + words.replace(" ", "\n  ") + " "},
        ],
        "refused": [
            {"name": "nothing", "words": ""},
            {"name": "one too few", "words": " ".join(rest)},
            {"name": "one too many", "words": f"{words} {first}"},
            {"name": "in another order", "words": " ".join([*rest, first])},
            {"name": "a word that is not on the list", "words": " ".join([*words.split()[:-1], "nightlight"])},
            {"name": "another word of the list", "words": " ".join(["lake", *rest])},
            {"name": "twelve words of 128 bits", "words": "abandon " * 11 + "about"},
        ],
    }


if __name__ == "__main__":
    write("recovery-words", vector())
