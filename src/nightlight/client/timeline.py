"""The part of the store that holds what was said in each room, in the room's order, and what is shown of it.

Every message has a row: also an edit, a deletion, a reaction, and what cannot be shown. Rows stay, so that a repeat is
known; the words in them go when they are edited away, deleted, or expire.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import Struct

from nightlight.client.events import Message, MessageState, attached
from nightlight.errors import ProblemName
from nightlight.protocol import conversation
from nightlight.protocol.attachment import Attachment
from nightlight.protocol.conversation import Change, Earlier, Kind, Said
from nightlight.protocol.ids import MessageId, RoomUri, TimestampMs, UserUri
from nightlight.protocol.words import Words

UNPLACED = 2**62
"""The place in the log of a message that is queued: after all others."""

Row = tuple[Any, ...]


class _Details(Struct, frozen=True, array_like=True):
    """What a message says beside its text."""

    mentions: tuple[UserUri, ...] = ()
    reply_to: MessageId | None = None
    forwarded: int = 0
    sets: tuple[str, ...] = ()
    unsets: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class Placed:
    """A message at its place: whose it is, and how far it has come. ``seq``: its place in the log, if it has one."""

    room: RoomUri
    message_id: MessageId
    sender: UserUri
    own: bool
    state: MessageState
    seq: int | None = None
    accepted_at_ms: TimestampMs | None = None
    kind: Kind = Kind.MESSAGE
    target: MessageId | None = None


class Timeline:
    """What was said. Methods that write are called inside the store's ``transaction``."""

    def __init__(
        self, rows: Callable[[str, Sequence[Any]], list[Row]], write: Callable[[str, Sequence[Any]], int]
    ) -> None:
        """``rows`` reads from the store's database; ``write`` returns how many rows changed."""
        self._rows = rows
        self._write = write

    # --- what was said

    def before(self, room: RoomUri) -> conversation.Before:
        """What stands in ``room`` now."""
        return _Before(self._rows, room)

    def add(self, placed: Placed, said: Said, now_ms: TimestampMs) -> bool:
        """The message is stored; False when it was already. Its time runs from ``now_ms`` if it is our own."""
        words = said.words or Words("")
        kept = said.kind is not Kind.NOTHING and (said.target is None or not self._is_gone(said.target))
        details = _Details(words.mentions, said.reply_to, said.forwarded, said.sets, said.unsets, said.attachments)
        lifetime_s = None if said.expires is None else conversation.lifetime_s(said.expires)
        ends_at_ms = None
        if said.expires is not None and placed.accepted_at_ms is not None:
            ends_at_ms = conversation.end_ms(said.expires, placed.accepted_at_ms)
            if placed.own and lifetime_s is not None:
                ends_at_ms = TimestampMs(now_ms + lifetime_s * 1000)
        if ends_at_ms is not None and ends_at_ms <= now_ms:
            kept, ends_at_ms = False, None
        added = self._write(
            "INSERT OR IGNORE INTO messages (message_id, room, seq, sender, own, body, state, accepted_at_ms, kind,"
            " target, details, lifetime_s, expires_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                placed.message_id,
                placed.room,
                UNPLACED if placed.seq is None else placed.seq,
                placed.sender,
                placed.own,
                words.text if kept else None,
                placed.state.value,
                placed.accepted_at_ms,
                said.kind.value,
                said.target,
                msgspec.msgpack.encode(details) if kept else None,
                lifetime_s,
                ends_at_ms,
            ),
        )
        if added and placed.seq is not None:
            self._take_effect(said.kind, said.target, placed.seq)
        return bool(added)

    def accept(self, message_id: MessageId, seq: int, accepted_at_ms: TimestampMs, now_ms: TimestampMs) -> None:
        """The hub took our queued message at ``seq``; if it goes after a time, that runs from ``now_ms``."""
        self._write(
            "UPDATE messages SET seq = ?, accepted_at_ms = ?, state = ?, expires_at_ms = ? + lifetime_s * 1000"
            " WHERE message_id = ?",
            (seq, accepted_at_ms, MessageState.SENT.value, now_ms, message_id),
        )
        placed = self.placed(message_id)
        if placed is not None:
            self._take_effect(placed.kind, placed.target, seq)

    def _take_effect(self, kind: Kind, target: MessageId | None, seq: int) -> None:
        """The words that nobody will be shown again, whatever becomes of what is queued, are gone."""
        if target is None:
            return
        if kind is Kind.EDIT:
            self._write(
                "UPDATE messages SET body = NULL, details = NULL WHERE target = ? AND kind = 'edit' AND seq < ?",
                (target, seq),
            )
            for (encoded,) in self._rows("SELECT details FROM shown WHERE message_id = ?", (target,)):
                left = msgspec.structs.replace(_details(encoded), mentions=())
                self._write(
                    "UPDATE messages SET body = '', details = ? WHERE message_id = ?",
                    (msgspec.msgpack.encode(left), target),
                )
        elif kind is Kind.DELETION:
            self._write(
                "UPDATE messages SET body = CASE message_id WHEN ?1 THEN '' END, details = NULL"
                " WHERE (message_id = ?1 OR (target = ?1 AND kind <> 'deletion')) AND body IS NOT NULL",
                (target,),
            )

    def _is_gone(self, target: MessageId) -> bool:
        """Whether ``target`` has expired, or the log has its deletion: words about it are not kept."""
        return bool(
            self._rows(
                "SELECT 1 FROM messages WHERE (message_id = ?1 AND body IS NULL)"
                " OR (target = ?1 AND kind = 'deletion' AND seq < ?2) LIMIT 1",
                (target, UNPLACED),
            )
        )

    # --- how far it has come

    def placed(self, message_id: MessageId) -> Placed | None:
        """The message, if it is stored."""
        rows = self._rows(
            "SELECT room, message_id, sender, own, state, seq, accepted_at_ms, kind, target FROM messages"
            " WHERE message_id = ?",
            (message_id,),
        )
        return _placed(rows[0]) if rows else None

    def advance(
        self, room: RoomUri, message_id: MessageId, state: MessageState, earlier: Sequence[MessageState]
    ) -> bool:
        """Our own message in ``room`` is in ``state`` if it was in an ``earlier`` one; whether that changed it."""
        return bool(
            self._write(
                "UPDATE messages SET state = ? WHERE message_id = ? AND room = ? AND own"
                " AND state IN (SELECT value FROM json_each(?))",
                (state.value, message_id, room, json.dumps(earlier)),
            )
        )

    def fail(self, message_id: MessageId, problem: ProblemName) -> None:
        """Our queued message was refused for good."""
        self._write(
            "UPDATE messages SET state = ?, problem = ? WHERE message_id = ?",
            (MessageState.FAILED.value, problem.value, message_id),
        )

    def problem_of(self, message_id: MessageId) -> ProblemName | None:
        """Why our message failed, if it did."""
        rows = self._rows("SELECT problem FROM messages WHERE message_id = ?", (message_id,))
        return ProblemName(rows[0][0]) if rows and rows[0][0] else None

    # --- what is shown

    def message(self, message_id: MessageId) -> Message | None:
        """The message as it is shown, if it is."""
        rows = self._rows("SELECT * FROM shown WHERE message_id = ?", (message_id,))
        if not rows:
            return None
        changes = self._rows("SELECT * FROM changes WHERE target = ? ORDER BY seq, position", (message_id,))
        return _message(rows[0], map(_change, changes))

    def messages(self, room: RoomUri, limit: int, before: MessageId | None = None) -> list[Message]:
        """The newest ``limit`` messages that are shown, before one if given, oldest first; queued ones last."""
        rows = self._rows(
            "SELECT * FROM shown WHERE room = ?1 AND (?2 IS NULL OR (seq, position) <"
            " (SELECT seq, position FROM messages WHERE message_id = ?2))"
            " ORDER BY seq DESC, position DESC LIMIT ?3",
            (room, before, limit),
        )
        if not rows:
            return []
        changes: dict[MessageId, list[Change]] = {}
        for row in self._rows(
            "SELECT changes.* FROM shown CROSS JOIN changes ON target = shown.message_id"
            " WHERE room = ?1 AND (shown.seq, shown.position) >= (?2, ?3) AND (shown.seq, shown.position) <= (?4, ?5)"
            " ORDER BY changes.seq, changes.position",
            (room, *rows[-1][-2:], *rows[0][-2:]),
        ):
            changes.setdefault(row[0], []).append(_change(row))
        return [_message(row, changes.get(row[0], ())) for row in reversed(rows)]

    def attachments(self, message_id: MessageId) -> tuple[Attachment, ...]:
        """What is attached to the message as it is shown, with what opens it."""
        rows = self._rows("SELECT details FROM shown WHERE message_id = ?", (message_id,))
        return _details(rows[0][0]).attachments if rows else ()

    def unread(self, room: RoomUri) -> list[MessageId]:
        """Other people's messages after the place up to which this person has read, in order."""
        rows = self._rows(
            "SELECT message_id FROM shown JOIN rooms USING (room)"
            " WHERE room = ? AND seq > read_seq AND NOT own ORDER BY seq",
            (room,),
        )
        return [MessageId(row[0]) for row in rows]

    def versions(self, message_id: MessageId) -> list[MessageId]:
        """The message and its edits, in order, as far as they are known here; what a report may show."""
        rows = self._rows(
            "SELECT message_id FROM messages WHERE message_id = ?1 OR (target = ?1 AND kind = 'edit')"
            " ORDER BY seq, position",
            (message_id,),
        )
        return [MessageId(row[0]) for row in rows]

    def reaction_of(self, user: UserUri, target: MessageId, text: str) -> MessageId | None:
        """The newest message in which ``user`` has set ``text`` on ``target``, standing or not."""
        rows = self._rows(
            "SELECT message_id, details FROM changes WHERE target = ? AND sender = ? AND kind = 'reaction'"
            " ORDER BY seq DESC, position DESC",
            (target, user),
        )
        return next((MessageId(row[0]) for row in rows if text in _details(row[1]).sets), None)

    # --- how long

    def begin_lives(self, room: RoomUri, now_ms: TimestampMs) -> None:
        """What others said in ``room`` and goes a time after it is read: that time runs from ``now_ms``."""
        self._write(
            "UPDATE messages SET expires_at_ms = ? + lifetime_s * 1000 WHERE room = ? AND NOT own"
            " AND kind = 'message' AND body IS NOT NULL AND lifetime_s IS NOT NULL AND expires_at_ms IS NULL",
            (now_ms, room),
        )

    def next_end_ms(self) -> TimestampMs | None:
        """When the next message goes."""
        rows = self._rows("SELECT min(expires_at_ms) FROM messages WHERE expires_at_ms IS NOT NULL", ())
        return None if rows[0][0] is None else TimestampMs(rows[0][0])

    def expire(self, now_ms: TimestampMs) -> list[tuple[RoomUri, MessageId]]:
        """The words of messages whose time is over are gone, with those of what was said about them; which."""
        due = self._rows("SELECT room, message_id FROM messages WHERE expires_at_ms <= ?", (now_ms,))
        for _, message_id in due:
            self._write(
                "UPDATE messages SET body = NULL, details = NULL, expires_at_ms = NULL"
                " WHERE message_id = ?1 OR target = ?1",
                (message_id,),
            )
        return [(RoomUri(room), MessageId(message_id)) for room, message_id in due]


@dataclass(frozen=True, slots=True)
class _Before:
    """``conversation.Before`` of one room."""

    rows: Callable[[str, Sequence[Any]], list[Row]]
    room: RoomUri

    def find(self, message_id: MessageId) -> Earlier | None:
        found = self.rows(
            "SELECT sender, kind, target, details FROM messages"
            " WHERE message_id = ? AND room = ? AND state <> 'failed'",
            (message_id, self.room),
        )
        if not found:
            return None
        sender, kind, target, details = found[0]
        return Earlier(UserUri(sender), Kind(kind), target, _details(details).sets)

    def reactions(self, target: MessageId, sender: UserUri) -> int:
        counted = self.rows(
            "SELECT count(*) FROM messages WHERE target = ? AND sender = ? AND kind = 'reaction'", (target, sender)
        )
        return int(counted[0][0])


def _details(encoded: bytes | None) -> _Details:
    return _Details() if encoded is None else msgspec.msgpack.decode(encoded, type=_Details)


def _placed(row: Row) -> Placed:
    room, message_id, sender, own, state, seq, accepted_at_ms, kind, target = row
    return Placed(
        RoomUri(room),
        MessageId(message_id),
        UserUri(sender),
        bool(own),
        MessageState(state),
        None if seq == UNPLACED else seq,
        accepted_at_ms,
        Kind(kind),
        target,
    )


def _change(row: Row) -> Change:
    _, sender, kind, body, encoded, *_ = row
    details = _details(encoded)
    words = Words(body, details.mentions)
    return Change(UserUri(sender), Said(Kind(kind), words=words, sets=details.sets, unsets=details.unsets))


def _message(row: Row, changes: Iterable[Change]) -> Message:
    message_id, room, sender, own, body, encoded, state, accepted_at_ms, lifetime_s, expires_at_ms, *_ = row
    details = _details(encoded)
    shown = conversation.show(Words(body, details.mentions), changes)
    return Message(
        RoomUri(room),
        MessageId(message_id),
        UserUri(sender),
        shown.words.text,
        MessageState(state),
        bool(own),
        accepted_at_ms,
        reply_to=None if shown.deleted else details.reply_to,
        mentions=shown.words.mentions,
        reactions=shown.reactions,
        edited=shown.edited,
        deleted=shown.deleted,
        forwarded=0 if shown.deleted else details.forwarded,
        attachments=tuple(map(attached, details.attachments)),
        lifetime_s=lifetime_s,
        expires_at_ms=expires_at_ms,
    )
