"""Points at which a test may make the client die, as if its power had failed. Off unless the environment names one."""

from __future__ import annotations

import os

VARIABLE = "NIGHTLIGHT_CRASH_AT"
EXIT_STATUS = 137
"""What the shell reports for a process that was killed."""

POINTS: dict[str, str] = {
    "send.before_store": "a message is encrypted, not yet durable",
    "send.after_store": "a message is durable in the outbox, not yet submitted",
    "build.before_store": "an item is built again for another epoch, not yet durable",
    "build.after_store": "an item is built again and durable, not yet submitted",
    "receive.before_store": "entries are processed, not yet durable",
    "receive.after_store": "entries are durable, not yet shown or acknowledged",
    "join.before_store": "a group is joined, not yet durable",
    "create.before_store": "a group is made, not yet durable",
    "create.after_store": "a group is durable, the hub does not know the room",
    "leave.before_store": "a person leaves a room, not yet durable",
    "leave.after_store": "a person has left a room, the hub does not know",
    "commit.before_store": "a commit is built, not yet durable",
    "commit.after_store": "a commit is durable, not yet submitted",
    "commit.after_accept": "the hub took a commit, its effect is not yet durable",
    "link.after_store": "a device is being taken in, the server does not know",
    "link.after_publish": "the server knows a device that is taken in, this one has not heard so",
    "link.after_join": "a device is linked, and has no key packages at the server yet",
    "replace.after_store": "a new account key is durable, the server does not know",
    "replace.after_publish": "the server knows a new account key, this device has not heard so",
    "recovery.after_store": "a fresh device has keys, the server does not know",
    "recovery.after_begin": "the server lets a recovery wait, this device has not heard so",
    "upload.before_store": "a file is sealed, its upload not yet durable",
    "upload.after_store": "an upload is durable, not yet begun",
    "upload.after_chunk": "the hub has a chunk, and has said so",
    "upload.before_finish": "the hub has all chunks",
    "upload.after_finish": "the hub has a blob, its message is not yet durable",
    "key_packages.after_store": "new key packages are durable, not yet published",
}

_armed = os.environ.get(VARIABLE, "")


def crash_point(name: str) -> None:
    """The process is gone if the environment asked for its end at ``name``, one of ``POINTS``."""
    if _armed and name == _armed:
        os._exit(EXIT_STATUS)
