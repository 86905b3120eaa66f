"""Every kind of record the server may store: what for, how long, and on what ground it may be disclosed.

The purge erases by this table, and a table of the schema without a row here fails a test.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

DAY_MS = 86_400_000


class Disclosure(StrEnum):
    """The most that a legal request can reach."""

    NEVER = "never"
    """Nothing about a person, or useless without what we do not have."""
    SUBSCRIBER = "subscriber"
    """Who holds an account: a request for subscriber data."""
    TRAFFIC = "traffic"
    """Who was in touch with whom and when: a judge's order."""


@dataclass(frozen=True, slots=True)
class Record:
    """One kind of record. ``retention_ms``: kept so long after ``counted_from``; None: as long as what it belongs to.

    ``received`` says that it goes as soon as every member device has acknowledged it, if that is sooner.
    """

    table: str
    purpose: str
    counted_from: str
    retention_ms: int | None
    disclosure: Disclosure
    received: bool = False


RECORDS: tuple[Record, ...] = (
    Record("accounts", "find a person and vouch for their devices", "the account's end", None, Disclosure.SUBSCRIBER),
    Record("devices", "sign in, and deliver to each device", "the account's end", None, Disclosure.SUBSCRIBER),
    Record("successions", "let contacts follow a new account key", "the account's end", None, Disclosure.SUBSCRIBER),
    Record(
        "recoveries", "let a person's other devices end a recovery", "ready_at_ms", 14 * DAY_MS, Disclosure.SUBSCRIBER
    ),
    Record("links", "hand a new device what an old one sealed for it", "expires_at_ms", 0, Disclosure.NEVER),
    Record("sessions", "recognise a signed-in device", "expires_at_ms", 0, Disclosure.NEVER),
    Record("used_nonces", "take each challenge's answer once", "expires_at_ms", 0, Disclosure.NEVER),
    Record("key_packages", "let contacts start a room with an absent device", "expires_at_ms", 0, Disclosure.NEVER),
    Record("stances", "deliver from accepted contacts only", "a change of mind", None, Disclosure.TRAFFIC),
    Record("rooms", "order and deliver what is sent", "the last entry", None, Disclosure.TRAFFIC),
    Record("members", "deliver; check a report's room and time", "left_at_ms", 400 * DAY_MS, Disclosure.TRAFFIC),
    Record(
        "entries", "answer repeats; check a report's order and time", "accepted_at_ms", 400 * DAY_MS, Disclosure.TRAFFIC
    ),
    Record(
        "payloads",
        "hold ciphertext until every device has it",
        "accepted_at_ms",
        30 * DAY_MS,
        Disclosure.NEVER,
        received=True,
    ),
    Record("group_state", "order and validate commits; no secrets", "the room's end", None, Disclosure.TRAFFIC),
    Record("uploads", "let a device go on with an upload", "created_at_ms", DAY_MS, Disclosure.NEVER),
    Record("blobs", "hold sealed attachments for devices to fetch", "created_at_ms", 60 * DAY_MS, Disclosure.NEVER),
    Record("erasures", "erase the bytes of a blob that is gone", "the bytes' end", None, Disclosure.NEVER),
    Record("purges", "erase nothing by a clock that is far ahead", "the next purge", None, Disclosure.NEVER),
    Record("day_keys", "check the frank of a reported message", "the day", 400 * DAY_MS, Disclosure.NEVER),
)
