"""Points at which a test may make the server die, as if its power had failed. Off unless the environment names one."""

from __future__ import annotations

import os

VARIABLE = "NIGHTLIGHT_CRASH_AT"
EXIT_STATUS = 137
"""What the shell reports for a process that was killed."""

POINTS: dict[str, str] = {
    "register.before_commit": "an account is written, not yet durable",
    "register.after_commit": "an account is durable, the answer not sent",
    "claim.before_commit": "key packages are taken out, not yet durable",
    "claim.after_commit": "key packages are used up, the answer not sent",
    "contact.before_commit": "a contact action is written, not yet durable",
    "contact.after_commit": "a contact action is durable, the answer not sent",
    "room.before_commit": "a room is written, not yet durable",
    "room.after_commit": "a room is durable, the answer not sent",
    "batch.received": "submissions have arrived, none is looked at",
    "batch.before_commit": "a batch of messages is written, not yet durable",
    "batch.after_commit": "a batch of messages is durable, nobody has been told",
    "handshake.before_commit": "an MLS commit is written, not yet durable",
    "handshake.after_commit": "an MLS commit is durable, nobody has been told",
    "ack.before_commit": "cursors have moved, not yet durable",
    "ack.after_commit": "cursors are durable",
    "purge.before_commit": "ciphertext is erased, not yet durable",
}

_armed = os.environ.get(VARIABLE, "")


def crash_point(name: str) -> None:
    """The process is gone if the environment asked for its end at ``name``, one of ``POINTS``."""
    if _armed and name == _armed:
        os._exit(EXIT_STATUS)
