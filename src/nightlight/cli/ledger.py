"""What was sent and what was shown, written down at both ends, and what the two say together."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from nightlight.protocol.ids import MessageId, RoomUri, UserUri

FRANK_CHECKS = frozenset({"NL-140", "NL-141", "NL-142", "NL-143", "NL-144", "NL-145", "NL-146"})
"""What ``protocol.franking`` finds; every other fault keeps a message from being opened at all."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One message as its sender knows it. ``at_s``: a monotonic clock, before it was handed to the client."""

    message_id: MessageId
    room: RoomUri
    sender: UserUri
    recipients: Sequence[UserUri]
    text: str
    at_s: float


@dataclass(frozen=True, slots=True)
class Shown:
    """One message as somebody saw it."""

    message_id: MessageId
    room: RoomUri
    reader: UserUri
    text: str
    at_s: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """The two ends compared. ``delivered`` and ``lost`` count showings that were due: one a recipient."""

    sent: int
    delivered: int
    lost: int
    duplicated: int
    out_of_order: int
    undecryptable: int
    frank_failures: int
    p50_ms: float
    p99_ms: float
    messages_per_s: float

    @property
    def faultless(self) -> bool:
        """Whether everything came once, in order, readable and franked."""
        return not (self.lost + self.duplicated + self.out_of_order + self.undecryptable + self.frank_failures)


@dataclass(slots=True)
class Ledger:
    """Both ends' records of one run."""

    sent: list[Sent] = field(default_factory=list)
    shown: list[Shown] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    """The number of a check → how often a message failed it."""
    refusals: Counter[str] = field(default_factory=Counter)
    """A problem's name → how many messages the hub refused for good; they are lost as well."""
    views: dict[RoomUri, dict[UserUri, list[MessageId]]] = field(default_factory=lambda: defaultdict(dict))
    """What each member's store holds of a room in the end, in the order in which it is shown."""

    def outcome(self) -> Outcome:
        """What the records say together."""
        first: dict[tuple[UserUri, MessageId], Shown] = {}
        for shown in self.shown:
            first.setdefault((shown.reader, shown.message_id), shown)
        due = [(sent, first.get((reader, sent.message_id))) for sent in self.sent for reader in sent.recipients]
        came = [(sent, shown) for sent, shown in due if shown and (shown.text, shown.room) == (sent.text, sent.room)]
        latencies = sorted((shown.at_s - sent.at_s) * 1000 for sent, shown in came)
        ends = [shown.at_s for _, shown in came]
        duration_s = max(ends) - min(sent.at_s for sent in self.sent) if ends else 0.0
        frank_failures = sum(count for check, count in self.faults.items() if check in FRANK_CHECKS)
        return Outcome(
            sent=len(self.sent),
            delivered=len(came),
            lost=len(due) - len(came),
            duplicated=len(self.shown) - len(first),
            out_of_order=self._overtaken() + self._views_apart(),
            undecryptable=self.faults.total() - frank_failures,
            frank_failures=frank_failures,
            p50_ms=round(_quantile(latencies, 0.50), 1),
            p99_ms=round(_quantile(latencies, 0.99), 1),
            messages_per_s=round(len(self.sent) / duration_s, 1) if duration_s else 0.0,
        )

    def _overtaken(self) -> int:
        """How many showings came after that of a message which the same sender sent later in the same room."""
        place = {sent.message_id: number for number, sent in enumerate(self.sent)}
        sender = {sent.message_id: sent.sender for sent in self.sent}
        latest: dict[tuple[UserUri, RoomUri, UserUri], int] = {}
        overtaken = 0
        for shown in self.shown:
            if shown.message_id in place:
                key = (shown.reader, shown.room, sender[shown.message_id])
                overtaken += place[shown.message_id] < latest.get(key, -1)
                latest[key] = max(latest.get(key, -1), place[shown.message_id])
        return overtaken

    def _views_apart(self) -> int:
        """In how many places two members' views of a room differ, over the messages that both hold."""
        apart = 0
        for views in self.views.values():
            one, *rest = views.values()
            for other in rest:
                common = set(one) & set(other)
                pairs = zip((m for m in one if m in common), (m for m in other if m in common), strict=False)
                apart += sum(ours != theirs for ours, theirs in pairs)
        return apart


def _quantile(ordered: list[float], share: float) -> float:
    """The nearest-rank quantile; 0 when there is nothing."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
