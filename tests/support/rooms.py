"""A room in memory: messages in the order of its log, and what they come to, by the rules of ``conversation``."""

from dataclasses import dataclass, field

from nightlight.errors import RemoteProtocolError, VerificationError
from nightlight.protocol import content, conversation
from nightlight.protocol.content import MimiContent
from nightlight.protocol.conversation import Change, Earlier, Kind, Said, Shown
from nightlight.protocol.ids import MessageId, TimestampMs, UserUri


@dataclass(frozen=True)
class Heard:
    """A message that stands in the room."""

    message_id: MessageId
    sender: UserUri
    accepted_at_ms: TimestampMs
    said: Said


@dataclass
class Room:
    """What stands in it, in order; it is ``conversation.Before`` for whatever comes next."""

    heard: dict[MessageId, Heard] = field(default_factory=dict)

    def hear(self, message: MimiContent, accepted_at_ms: TimestampMs) -> str | None:
        """``message`` comes next; the number of the check that it fails, if it fails one."""
        message_id = content.message_id(message.sender, message.room, content.encode(message))
        try:
            said = conversation.read(message, self)
        except (RemoteProtocolError, VerificationError) as error:
            return error.check
        self.heard.setdefault(message_id, Heard(message_id, message.sender, accepted_at_ms, said))
        return None

    def find(self, message_id: MessageId) -> Earlier | None:
        """As ``conversation.Before``."""
        heard = self.heard.get(message_id)
        if heard is None:
            return None
        return Earlier(heard.sender, heard.said.kind, heard.said.target, heard.said.sets)

    def reactions(self, target: MessageId, sender: UserUri) -> int:
        """As ``conversation.Before``."""
        return sum(
            heard.sender == sender and heard.said.kind is Kind.REACTION and heard.said.target == target
            for heard in self.heard.values()
        )

    def shown(self) -> list[tuple[Heard, Shown]]:
        """Each message, and what it shows in the end."""
        return [(heard, self.show(heard)) for heard in self.heard.values() if heard.said.kind is Kind.MESSAGE]

    def show(self, heard: Heard) -> Shown:
        """What that message shows in the end."""
        about = [Change(each.sender, each.said) for each in self.heard.values() if each.said.target == heard.message_id]
        assert heard.said.words is not None
        return conversation.show(heard.said.words, about)
