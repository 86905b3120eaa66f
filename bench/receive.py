"""Receiving: all that a client does to a decrypted message before it may be shown, beside one bare verification."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from rich.console import Console

from bench.effort import Effort
from bench.figure import Figure
from bench.sample import DEVICE, franked
from bench.timing import compare
from nightlight.protocol import content
from nightlight.protocol.franking import FrankedMessage
from nightlight.protocol.ids import TimestampMs
from nightlight.protocol.messages import Delivery, EntryKind, encode_frame, read_server_frame
from nightlight.protocol.words import Words

_ROUNDS, _CALLS = 50, 200
_SEQ = 2


async def measure(_names: Collection[str], _effort: Effort, _folder: Path, _console: Console) -> list[Figure]:
    """``receive.vs_verify``: from the frame to the text, but for decryption and store, beside one verification."""
    sample = franked()
    sent = sample.message
    franking_key = sample.key.public_bytes_raw()
    frame = encode_frame(
        Delivery(sent.room, _SEQ, EntryKind.APPLICATION, DEVICE, sent.accepted_at_ms, sent.application_data, sent.frank)
    )

    def receive() -> Words | None:
        delivery = read_server_frame(frame)
        assert isinstance(delivery, Delivery)
        at_ms = TimestampMs(delivery.accepted_at_ms)
        came = FrankedMessage(sent.application_data, sent.tag, delivery.frank, sent.sender, sent.room, at_ms)
        message = came.verify(franking_key)
        content.message_id(message.sender, sent.room, sent.application_data)
        return content.words_of(message.body)

    times = compare(
        receive,
        lambda: sample.key.verify(sample.signature, sample.signed),
        rounds=_ROUNDS,
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
