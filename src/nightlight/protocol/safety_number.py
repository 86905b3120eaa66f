"""The safety number: 60 digits that two people compare to know that nobody sits between them.

Each side contributes 30 digits over its user URI and account key; the smaller half comes first, so both see the
same number. The hash is iterated as in Signal's numeric fingerprint: 30 digits hold 99.7 bits, and every try at
another key with the same digits costs 5,200 hashes more.
"""

from __future__ import annotations

from nightlight.protocol.comparison import compared_digits
from nightlight.protocol.ids import UserUri

DIGITS = 60
_LABEL = b"NLF1 safety number"


def safety_number(
    first_user: UserUri, first_account_key: bytes, second_user: UserUri, second_account_key: bytes
) -> str:
    """60 decimal digits, the same whichever side is named first; keys are Ed25519 public keys of 32 bytes."""
    return "".join(sorted((_half(first_user, first_account_key), _half(second_user, second_account_key))))


def grouped(number: str) -> str:
    """The number as people read it aloud: twelve groups of five digits in three lines."""
    groups = [number[at : at + 5] for at in range(0, len(number), 5)]
    return "\n".join(" ".join(groups[at : at + 4]) for at in range(0, len(groups), 4))


def _half(user: UserUri, account_key: bytes) -> str:
    """30 digits."""
    return compared_digits(_LABEL + account_key + user.encode(), account_key, groups=6, digits=5)
