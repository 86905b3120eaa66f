"""A recovery key as 24 words, for paper: its 256 bits and a check, by the English list of BIP-39."""

from __future__ import annotations

from functools import cache

from mnemonic import Mnemonic

from nightlight.errors import VerificationError
from nightlight.mls.signing import SigningKey
from nightlight.protocol.linking import SEED_BYTES

WORDS = 24


@cache
def _list() -> Mnemonic:
    return Mnemonic("english")


def to_words(seed: bytes) -> str:
    """The 24 words of ``seed``, 32 bytes, with a space between them."""
    return str(_list().to_mnemonic(seed))


def recovery_key(words: str) -> SigningKey:
    """The key that ``words`` are, however they are spaced and capitalised.

    Raises ``VerificationError`` NL-134: not 24 words of the list, or not those that belong together.
    """
    spoken = words.lower().split()
    try:
        seed = bytes(_list().to_entropy(spoken))
    except (ValueError, LookupError):
        seed = b""
    if len(spoken) != WORDS or len(seed) != SEED_BYTES:
        raise VerificationError("NL-134", "not the 24 words of a recovery key")
    return SigningKey.from_seed(seed)
