"""Digits that people compare: few of a hash, iterated so that each try at others with the same costs as much."""

from __future__ import annotations

import hashlib

ITERATIONS = 5_200
_GROUP_BYTES = 5


def compared_digits(start: bytes, again: bytes, *, groups: int, digits: int) -> str:
    """``groups`` times ``digits`` decimal digits of ``start``, hashed 5,200 times with ``again`` behind it.

    Each group is a big-endian number of 5 bytes of the last SHA-512, modulo 10 to the power of ``digits``.
    """
    digest = start
    for _ in range(ITERATIONS):
        digest = hashlib.sha512(digest + again).digest()
    chunks = (digest[at : at + _GROUP_BYTES] for at in range(0, groups * _GROUP_BYTES, _GROUP_BYTES))
    return "".join(f"{int.from_bytes(chunk, 'big') % 10**digits:0{digits}d}" for chunk in chunks)
