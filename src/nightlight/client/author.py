"""What a person says, as content: messages, replies, edits, deletions, reactions, and what is forwarded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from nightlight.client.events import Message, MessageState
from nightlight.client.records import RoomRecord
from nightlight.client.store import Store
from nightlight.errors import ProblemName, RefusedError
from nightlight.protocol import content
from nightlight.protocol.attachment import Attachment, attachment_body
from nightlight.protocol.content import SALT_BYTES, Expiry, MimiContent
from nightlight.protocol.conversation import LONGEST_LIFE_S, MAX_FORWARDED, SHORTEST_LIFE_S, is_reaction
from nightlight.protocol.ids import MessageId, RoomUri, UserUri
from nightlight.protocol.part import SinglePart
from nightlight.protocol.profile import RoomProfile, is_profile, profile_message
from nightlight.protocol.roles import Capability, may

MAX_TEXT_BYTES = 32_000
"""So that the content fits the padding's bucket of 32 KiB: the next one is beyond the hub's limit for a message."""
MAX_CONTENT_BYTES = 32_768
FORWARDED_OFTEN = 5
"""From here on, an application says that a message was forwarded many times."""
ROOMS_AT_ONCE = 5
MAX_REACTIONS_SENT = 128
"""To one message, those taken back included: half of what a receiver takes, for this person's other devices."""


class Author:
    """Says things in the name of ``user``. Everything here raises ``RefusedError``; ``not_found``: it is not shown."""

    def __init__(self, user: UserUri, store: Store, random: Callable[[int], bytes]) -> None:
        """Nothing is said yet."""
        self._user = user
        self._store = store
        self._random = random

    def text(  # noqa: PLR0913 - all that a message may be
        self,
        room: RoomUri,
        text: str,
        *,
        reply_to: MessageId | None = None,
        lifetime_s: int | None = None,
        forwarded: int = 0,
        attachments: Sequence[Attachment] = (),
    ) -> MimiContent:
        """``text``, in reply to a message if named. ``lifetime_s``: for this one, instead of the room's.

        With ``attachments``, it is their caption, and may be empty.

        Raises ``not_found`` (not in the room), ``too_large`` (more than 32,000 bytes), ``malformed`` (not a lifetime).
        """
        record = self._open(room)
        if reply_to is not None and self._shown(reply_to).room != room:
            raise RefusedError(ProblemName.NOT_FOUND)
        life_s = check_lifetime(record.lifetime_s if lifetime_s is None else lifetime_s)
        message = content.text_message(
            self._random(SALT_BYTES),
            self._user,
            room,
            _of_size(text),
            mentions=record.members,
            in_reply_to=reply_to,
            expires=None if life_s is None else Expiry(relative=True, seconds=life_s),
            forwarded=forwarded,
        )
        if attachments:
            caption = message.body if text and isinstance(message.body, SinglePart) else None
            message = replace(message, body=attachment_body(attachments, caption))
        return self._checked(message)

    def edit(self, message_id: MessageId, text: str) -> MimiContent:
        """The person's own message says ``text`` instead. Raises ``not_allowed`` for somebody else's."""
        message = self._own(message_id)
        record = self._open(message.room)
        return self._checked(
            content.text_message(
                self._random(SALT_BYTES),
                self._user,
                message.room,
                _of_size(text),
                mentions=record.members,
                in_reply_to=message.reply_to,
                replaces=message_id,
            )
        )

    def deletion(self, message_id: MessageId) -> MimiContent | None:
        """The person's own message is deleted for everyone; None if it was. Raises ``not_allowed`` for others'."""
        message = self._store.timeline.message(message_id)
        if message is not None and message.own and message.deleted:
            return None
        room = self._own(message_id).room
        self._open(room)
        return content.deletion(self._random(SALT_BYTES), self._user, room, message_id)

    def reaction(self, message_id: MessageId, text: str) -> MimiContent | None:
        """``text``, an emoji as a rule, stands by the message; None if it does already.

        Raises ``malformed`` (not 1 to 64 bytes without spaces), ``too_many``.
        """
        if not is_reaction(text):
            raise RefusedError(ProblemName.MALFORMED)
        message = self._shown(message_id)
        self._open(message.room)
        if self._stands(message, text):
            return None
        if self._store.timeline.before(message.room).reactions(message_id, self._user) >= MAX_REACTIONS_SENT:
            raise RefusedError(ProblemName.TOO_MANY)
        return content.reaction(self._random(SALT_BYTES), self._user, message.room, message_id, text)

    def reaction_taken_back(self, message_id: MessageId, text: str) -> MimiContent | None:
        """``text`` does not stand by the message any more; None if it did not."""
        message = self._shown(message_id)
        self._open(message.room)
        reacted = self._store.timeline.reaction_of(self._user, message_id, text)
        if reacted is None or not self._stands(message, text):
            return None
        return content.reaction_taken_back(self._random(SALT_BYTES), self._user, message.room, message_id, reacted)

    def forward(self, message_id: MessageId, rooms: Sequence[RoomUri]) -> list[MimiContent]:
        """What the message says now, for each of ``rooms``, counted once more.

        Raises ``too_many`` for more rooms than five at once.
        """
        if len(rooms) > ROOMS_AT_ONCE:
            raise RefusedError(ProblemName.TOO_MANY)
        message = self._shown(message_id)
        count = min(message.forwarded + 1, MAX_FORWARDED)
        attachments = self._store.timeline.attachments(message_id)
        return [
            self.text(room, message.text, forwarded=count, attachments=attachments) for room in dict.fromkeys(rooms)
        ]

    def profile(self, room: RoomUri, profile: RoomProfile) -> MimiContent:
        """The name and picture of ``room``. Raises ``not_allowed``, ``malformed`` (not one line, not a picture)."""
        if not may(self._open(room).roles, self._user, Capability.CHANGE_PROFILE):
            raise RefusedError(ProblemName.NOT_ALLOWED)
        if not is_profile(profile):
            raise RefusedError(ProblemName.MALFORMED)
        return self._checked(profile_message(self._random(SALT_BYTES), self._user, room, profile))

    # --- what must hold

    def _open(self, room: RoomUri) -> RoomRecord:
        record = self._store.room(room)
        if record is None or not record.is_open:
            raise RefusedError(ProblemName.NOT_FOUND)
        return record

    def _shown(self, message_id: MessageId) -> Message:
        message = self._store.timeline.message(message_id)
        if message is None or message.deleted or message.state is MessageState.FAILED:
            raise RefusedError(ProblemName.NOT_FOUND)
        return message

    def _own(self, message_id: MessageId) -> Message:
        message = self._shown(message_id)
        if not message.own:
            raise RefusedError(ProblemName.NOT_ALLOWED)
        return message

    def _stands(self, message: Message, text: str) -> bool:
        return any(reaction.text == text and self._user in reaction.users for reaction in message.reactions)

    @staticmethod
    def _checked(message: MimiContent) -> MimiContent:
        if len(content.encode(message)) > MAX_CONTENT_BYTES:
            raise RefusedError(ProblemName.TOO_LARGE)
        return message


def check_lifetime(seconds: int | None) -> int | None:
    """``seconds``, which is a lifetime that receivers keep to, or None. Raises ``RefusedError`` ``malformed``."""
    if seconds is not None and not SHORTEST_LIFE_S <= seconds <= LONGEST_LIFE_S:
        raise RefusedError(ProblemName.MALFORMED)
    return seconds


def _of_size(text: str) -> str:
    if len(text.encode()) > MAX_TEXT_BYTES:
        raise RefusedError(ProblemName.TOO_LARGE)
    return text
