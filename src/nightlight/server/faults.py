"""Points at which a test may make the server die, as if its power had failed. Off unless the environment names one."""

from __future__ import annotations

import os

VARIABLE = "NIGHTLIGHT_CRASH_AT"
EXIT_STATUS = 137
"""What the shell reports for a process that was killed."""

TRANSACTIONS: dict[str, str] = {
    "migrate": "the newest schema",
    "register": "an account and its first device",
    "sign_in": "a session",
    "device_list": "a device list",
    "recovery": "a recovery that waits, is over, or makes a device its person's one",
    "upload": "key packages that can be claimed",
    "claim": "key packages that were claimed",
    "contact": "how two people stand to each other",
    "room": "a room with its creator",
    "batch": "messages in their logs",
    "handshake": "MLS commits, with whatever messages came with them",
    "begin_blob": "an upload that has begun",
    "append_blob": "how far an upload is",
    "finish_blob": "a blob that can be fetched",
    "erase_blob": "a blob gone, or its bytes",
    "ack": "cursors",
    "erase": "ciphertext that every device has, gone",
    "purge": "what may no longer be kept",
}
"""What each transaction makes durable."""

POINTS: tuple[str, ...] = (
    "batch.received",
    *(f"{label}.{when}_commit" for label in TRANSACTIONS for when in ("before", "after")),
)
"""Submissions have arrived and none is looked at; a transaction is written, not yet durable; or durable, untold."""

_armed = os.environ.get(VARIABLE, "")


def crash_point(name: str) -> None:
    """The process is gone if the environment asked for its end at ``name``, one of ``POINTS``."""
    if _armed and name == _armed:
        os._exit(EXIT_STATUS)
