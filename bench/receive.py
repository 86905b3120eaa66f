"""Receiving: all that a client does to a decrypted message before it may be shown, beside one bare verification."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from rich.console import Console

from bench.effort import Effort
from bench.figure import Figure
from bench.sample import franked
from bench.timing import compare

_CALLS = 2_000


async def measure(_names: Collection[str], effort: Effort, _folder: Path, _console: Console) -> list[Figure]:
    """``receive.vs_verify``: tag, frank, sender, room and content, beside one Ed25519 verification."""
    sample = franked()
    franking_key = sample.key.public_bytes_raw()
    times = compare(
        lambda: sample.message.verify(franking_key),
        lambda: sample.key.verify(sample.signature, sample.signed),
        rounds=effort.rounds,
        calls=_CALLS,
    )
    return [
        Figure(
            "receive.vs_verify",
            times.ours_s * 1e6,
            "µs",
            peer="bare Ed25519 verification",
            peer_value=times.peer_s * 1e6,
            ratio=times.ratio,
        )
    ]
