"""What arrives: entries of rooms' logs become messages, members and states, in one transaction with the cursor."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from nightlight.client.events import (
    Event,
    FaultSeen,
    MessageChanged,
    MessageShown,
    MessageState,
    MessageStateChanged,
    RoomChanged,
)
from nightlight.client.faults import crash_point
from nightlight.client.groups import Groups
from nightlight.client.records import Evidence, Identity, ItemKind, Lost, OutboxItem, RoomRecord, Standing
from nightlight.client.session import Entry
from nightlight.client.store import Store
from nightlight.client.surroundings import Surroundings
from nightlight.client.timeline import Placed, Timeline
from nightlight.client.trust import NOTHING_ASKED, Asked, LookUp, Trust
from nightlight.errors import (
    LocalProtocolError,
    ProblemName,
    RefusedError,
    RemoteProtocolError,
    UnavailableError,
    VerificationError,
)
from nightlight.mls.group import Application, Change, Commit, Disposition, FatalError, Group, MlsError, disposition
from nightlight.mls.group import Leaf as MlsLeaf
from nightlight.protocol import content, conversation
from nightlight.protocol.codec import Reader
from nightlight.protocol.content import MessageStatus, MimiContent
from nightlight.protocol.conversation import Kind
from nightlight.protocol.credential import DeviceList, Leaf, LeafCredential
from nightlight.protocol.franking import FrankedMessage, FrankingAgent, franking_tag
from nightlight.protocol.ids import DeviceUri, MessageId, RoomUri, SubmissionId, TimestampMs, UserUri, user_of
from nightlight.protocol.messages import Accepted, Delivery, EntryKind, Removed
from nightlight.protocol.profile import RoomProfile, read_profile
from nightlight.protocol.roles import Capability, Role, Roles, Step, decode_roles, follow, may, participants

HUB = "hub"
RECEIPT_MEMBERS = 16
"""In larger rooms nobody tells who holds and who has read what: everyone would be told by everyone."""

_HUBS_FAULT = frozenset(
    {"NL-202", "NL-204", "NL-205", "NL-206"}  # it lets in only what is for this group and epoch
    | {"NL-141", "NL-143"}  # franks
    | {"NL-502", "NL-503", "NL-511", "NL-512", "NL-513", "NL-514", "NL-521", "NL-523", "NL-525"}
)
"""Checks that only the hub can break; the others are the sender's."""
_EARLIER = {
    MessageState.DELIVERED: (MessageState.QUEUED, MessageState.SENT),
    MessageState.READ: (MessageState.QUEUED, MessageState.SENT, MessageState.DELIVERED),
}
_STATES = {MessageStatus.DELIVERED: MessageState.DELIVERED, MessageStatus.READ: MessageState.READ}


@dataclass(slots=True)
class RoomOutcome:
    """What became of one room's entries. ``settled``: what the outbox no longer holds."""

    record: RoomRecord
    settled: list[SubmissionId] = field(default_factory=list)


@dataclass(slots=True)
class Outcome:
    """What is durable now, and what the application is told, in order."""

    rooms: dict[RoomUri, RoomOutcome] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)


class Inbox:
    """One device's way in. Whatever fails a check is recorded and not shown, and the conversation goes on."""

    def __init__(
        self, identity: Identity, store: Store, groups: Groups, trust: Trust, surroundings: Surroundings
    ) -> None:
        """The device's parts."""
        self._identity = identity
        self._store = store
        self._timeline = store.timeline
        self._groups = groups
        self._trust = trust
        self._clock = surroundings.clock
        self._receipts = surroundings.receipts
        self._outcome = Outcome()
        self._asked = NOTHING_ASKED

    def process(self, entries: dict[RoomUri, list[Entry]], asked: Asked = NOTHING_ASKED) -> Outcome:
        """Every entry is processed and durable, each room's in the order given.

        Raises ``LookUp`` when the server must be asked first, having changed nothing; not for what was ``asked``:
        what cannot be judged then is refused. Raises ``StoreError``; ``UnavailableError`` while this machine's clock is
        wrong.
        """
        try:
            return self._process(entries, asked)
        except FatalError:
            # The crate gave up on a group in the middle of a batch: one transaction each, so that one room is lost.
            outcome = Outcome()
            for room, entry in ((room, entry) for room, run in entries.items() for entry in run):
                try:
                    single = self._process({room: [entry]}, asked)
                except FatalError as error:
                    single = self._give_up(room, entry, error)
                outcome.events += single.events
                earlier = outcome.rooms.setdefault(room, single.rooms[room])
                if earlier is not single.rooms[room]:
                    earlier.record = single.rooms[room].record
                    earlier.settled += single.rooms[room].settled
            return outcome

    def _process(self, entries: dict[RoomUri, list[Entry]], asked: Asked) -> Outcome:
        self._outcome, self._asked = Outcome(), asked
        with self._groups.transaction():
            for room, run in entries.items():
                for entry in run:
                    self._entry(room, entry)
                self._store.put_room(self._outcome.rooms[room].record)
            crash_point("receive.before_store")
        crash_point("receive.after_store")
        return self._outcome

    def _give_up(self, room: RoomUri, entry: Entry, error: FatalError) -> Outcome:
        self._outcome = Outcome()
        with self._groups.transaction():
            self._begin(room, entry)
            self._break(room, error.check, _sender(entry), entry)
            self._store.put_room(self._outcome.rooms[room].record)
        return self._outcome

    def abandon(self, room: RoomUri) -> Outcome:
        """This device is not in ``room`` any more, as the hub never was."""
        self._outcome = Outcome()
        record = self._store.room(room)
        if record is not None:
            outcome = self._outcome.rooms[room] = RoomOutcome(record)
            with self._groups.transaction():
                self._leave(room, outcome)
                self._store.put_room(outcome.record)
        return self._outcome

    def mark_read(self, room: RoomUri) -> None:
        """Everything in ``room`` counts as read; senders are owed a receipt. Raises ``RefusedError`` ``not_found``."""
        record = self._store.room(room)
        if record is None:
            raise RefusedError(ProblemName.NOT_FOUND)
        if record.read_seq == record.cursor:
            return
        unread = self._timeline.unread(room)
        with self._store.transaction():
            if self._tells(record):
                for message_id in unread:
                    self._store.owe_receipt(room, message_id, MessageStatus.READ)
            self._timeline.begin_lives(room, self._clock())
            self._store.put_room(replace(record, read_seq=record.cursor))

    def _tells(self, record: RoomRecord) -> bool:
        if not self._receipts or record.standing is not Standing.JOINED or len(record.members) > RECEIPT_MEMBERS:
            return False
        return self._store.preferences().receipts

    # --- one entry

    def _begin(self, room: RoomUri, entry: Entry) -> RoomOutcome:
        outcome = self._outcome.rooms.get(room)
        if outcome is None:
            record = self._store.room(room) or RoomRecord(room, Standing.BROKEN, 0, 0, b"", ())
            outcome = self._outcome.rooms[room] = RoomOutcome(record)
        outcome.record = replace(outcome.record, cursor=max(outcome.record.cursor, entry.seq))
        return outcome

    def _entry(self, room: RoomUri, entry: Entry) -> None:
        outcome = self._begin(room, entry)
        follows = outcome.record.follows
        match entry:
            case Delivery(kind=EntryKind.WELCOME):
                self._welcome(room, outcome, entry)
            case Delivery(kind=EntryKind.COMMIT) if follows:
                with self._refusals(lambda check: self._break(room, check, entry.sender, entry)):
                    self._commit(room, outcome, entry)
            case Delivery() if outcome.record.standing is Standing.JOINED:
                with self._refusals(lambda check: self._fault(room, check, entry.sender)):
                    self._message(room, outcome, entry)
            case Accepted() if follows:
                self._accepted(room, outcome, entry)
            case Removed():
                self._leave(room, outcome)

    @contextmanager
    def _refusals(self, refuse: Callable[[str], None]) -> Iterator[None]:
        """What fails a check inside goes to ``refuse`` with the check's number."""
        try:
            yield
        except FatalError:
            raise
        except (MlsError, RemoteProtocolError, VerificationError) as error:
            if isinstance(error, MlsError) and disposition(error) is Disposition.CLOCK:
                raise UnavailableError("this machine's clock is wrong") from error
            refuse(error.check)
        except LookUp as lookup:
            if not self._asked.covers(lookup):
                raise
            refuse("NL-522")  # NL-522: the server knows the device list that a leaf is under

    def _message(self, room: RoomUri, outcome: RoomOutcome, entry: Delivery) -> None:
        _check_held(entry)
        group = self._groups.get(room)
        received = group.receive(entry.payload)
        if not isinstance(received, Application):
            group.reject()
            raise VerificationError("NL-511", "a handshake where a message should be")
        leaf = self._trust.check_leaf(received.sender)
        _check_sender(leaf, entry)
        accepted_at_ms = TimestampMs(entry.accepted_at_ms)
        franked = FrankedMessage(received.data, received.tag, entry.frank, leaf.user, room, accepted_at_ms)
        message = franked.verify(outcome.record.franking_key)
        self._check_time(room, outcome, accepted_at_ms)
        self._take(room, outcome, entry, received.data, message)

    def _take(
        self, room: RoomUri, outcome: RoomOutcome, entry: Delivery, application_data: bytes, message: MimiContent
    ) -> None:
        """A verified message is shown, or what it changes is; a repeat, sent in two epochs, is not."""
        own = message.sender == self._identity.user
        report = content.read_status_report(message.body)
        if report is not None:
            if not own:
                self._apply_report(room, report)
            return
        profile = read_profile(message.body)
        message_id = content.message_id(message.sender, room, application_data)
        said = conversation.read(message, self._timeline.before(room))
        state = MessageState.SENT if own else MessageState.RECEIVED
        accepted_at_ms = TimestampMs(entry.accepted_at_ms)
        placed = Placed(room, message_id, message.sender, own, state, entry.seq, accepted_at_ms)
        if not self._timeline.add(placed, said, self._clock()):
            return
        self._store.keep_evidence(message_id, room, Evidence(application_data, entry.frank, accepted_at_ms))
        if profile is not None:
            self._take_profile(outcome.record, message.sender, profile)
        if (
            self._tell(message_id, said.target)
            and said.kind is Kind.MESSAGE
            and not own
            and self._tells(outcome.record)
        ):
            self._store.owe_receipt(room, message_id, MessageStatus.DELIVERED)

    def _take_profile(self, record: RoomRecord, sender: UserUri, profile: RoomProfile) -> None:
        """The room is called so if its sender may say it; whoever let us in may, until somebody else does."""
        if may(record.roles, sender, Capability.CHANGE_PROFILE) or self._store.greeter(record.room) == sender:
            self._store.put_profile(record.room, profile)
            self._outcome.events.append(RoomChanged(record.room, record.members, joined=True))

    def _tell(self, message_id: MessageId, target: MessageId | None) -> bool:
        """The application hears of the message, or of the one that it changes; False when that is not shown."""
        shown = self._timeline.message(target or message_id)
        if shown is not None:
            self._outcome.events.append(MessageShown(shown) if target is None else MessageChanged(shown))
        return shown is not None

    def _apply_report(self, room: RoomUri, report: tuple[tuple[MessageId, MessageStatus], ...]) -> None:
        for message_id, status in report:
            state = _STATES.get(status)
            if state is not None and self._timeline.advance(room, message_id, state, _EARLIER[state]):
                self._outcome.events.append(MessageStateChanged(room, message_id, state))

    def _check_time(self, room: RoomUri, outcome: RoomOutcome, accepted_at_ms: TimestampMs) -> None:
        """The hub's times rise; one that does not is told of, and its message shown: the order is the log's."""
        if accepted_at_ms <= outcome.record.accepted_at_ms:
            self._fault(room, "NL-513", HUB)
        outcome.record = replace(outcome.record, accepted_at_ms=max(accepted_at_ms, outcome.record.accepted_at_ms))

    # --- our own

    def _accepted(self, room: RoomUri, outcome: RoomOutcome, entry: Accepted) -> None:
        item = self._store.outbox_item(SubmissionId(entry.submission_id))
        if item is None:
            self._fault(room, "NL-502", HUB)  # NL-502: the hub accepts only what this device has sent
            return
        self._store.dequeue(item.submission_id)
        outcome.settled.append(item.submission_id)
        if item.kind is ItemKind.COMMIT:
            with self._refusals(lambda check: self._break(room, check, HUB, entry)):
                self._commit_accepted(room, outcome, item, entry)
        elif item.message_id is not None:
            with self._refusals(lambda check: self._fault(room, check, HUB)):
                self._message_accepted(room, outcome, item.message_id, item.content, entry)

    def _message_accepted(
        self, room: RoomUri, outcome: RoomOutcome, message_id: MessageId, application_data: bytes, entry: Accepted
    ) -> None:
        accepted_at_ms = TimestampMs(entry.accepted_at_ms)
        if not _is_late(outcome, entry):
            self._check_time(room, outcome, accepted_at_ms)
        self._timeline.accept(message_id, entry.seq, accepted_at_ms, self._clock())
        placed = self._timeline.placed(message_id)
        if placed is not None:
            self._tell(message_id, placed.target)
            self._outcome.events.append(MessageStateChanged(room, message_id, MessageState.SENT))
        message = FrankedMessage(
            application_data, franking_tag(application_data), entry.frank, self._identity.user, room, accepted_at_ms
        ).verify(outcome.record.franking_key)
        profile = read_profile(message.body)
        if profile is not None:
            self._take_profile(outcome.record, message.sender, profile)
        self._store.keep_evidence(message_id, room, Evidence(application_data, entry.frank, accepted_at_ms))

    def _commit_accepted(self, room: RoomUri, outcome: RoomOutcome, item: OutboxItem, entry: Accepted) -> None:
        group = self._groups.get(room)
        if _is_late(outcome, entry) and entry.epoch < group.epoch:
            group.discard()  # what is pending was built again in vain
            return
        if not group.has_pending or not entry.epoch == item.epoch == group.epoch:
            raise VerificationError("NL-503", "a commit accepted in another epoch than it was sent in")
        if item.payload is None:
            raise LocalProtocolError("a commit accepted that was never built")
        received = group.receive(item.payload)
        if not isinstance(received, Commit):
            raise LocalProtocolError("a commit that is none")
        roles = self._roles_after(outcome.record.roles, group, received.change)
        crash_point("commit.after_accept")
        if any(user not in outcome.record.roles for user in participants(roles)) and self._store.profile(room):
            self._store.owe_greeting(room)
        group.accept()
        self._entered(room, outcome, group, roles)

    # --- other people's handshakes

    def _commit(self, room: RoomUri, outcome: RoomOutcome, entry: Delivery) -> None:
        _check_held(entry)
        group = self._groups.get(room)
        if group.has_pending:
            group.discard()  # we lost; our intent stays in the outbox and is built again
        received = group.receive(entry.payload)
        if not isinstance(received, Commit):
            raise VerificationError("NL-511", "a message where a commit should be")
        if received.removes_me:
            self._leave(room, outcome)
            return
        _check_sender(self._trust.check_leaf(received.change.committer), entry)
        self._check_members(received.change.members)
        roles = self._roles_after(outcome.record.roles, group, received.change)
        group.apply()
        self._entered(room, outcome, group, roles)

    def _roles_after(self, roles: Roles, group: Group, change: Change) -> Roles:
        """Everyone's role after ``change`` in ``group``, which they allow. Raises as ``follow``, and ``LookUp``."""
        removed = tuple(_device_of(leaf) for leaf in change.removed)
        listed = {user: self._trust.device_list(user) for user in {user_of(device) for device in removed}}
        step = Step(
            user_of(_device_of(change.committer)),
            present=frozenset(_device_of(leaf) for leaf in group.members),
            added=tuple(_device_of(leaf) for leaf in change.added),
            removed=removed,
            revoked=frozenset(device for device in removed if _is_off(device, listed[user_of(device)])),
            given=decode_roles(change.roles),
        )
        try:
            return follow(roles, step)
        except VerificationError as error:
            lookup = LookUp(frozenset(listed))
            if error.check == "NL-173" and not self._asked.covers(lookup):
                raise lookup from None  # perhaps it is a device that its user has revoked since
            raise

    def _welcome(self, room: RoomUri, outcome: RoomOutcome, entry: Delivery) -> None:
        def refuse(check: str) -> None:
            self._groups.refuse()
            outcome.record = replace(outcome.record, standing=Standing.BROKEN)
            self._store.put_lost(Lost(room, entry.seq, None))
            self._fault(room, check, entry.sender)

        with self._refusals(refuse):
            _check_held(entry)
            reader = Reader(entry.payload)
            welcome, roles = reader.vector(), decode_roles(reader.vector())
            reader.finish()
            group = self._groups.join(welcome)
            agent = self._check_welcome(room, group, entry)
            if {user_of(_device_of(leaf)) for leaf in group.members} != _present(roles):
                raise VerificationError("NL-525", "roles of others than those who are in the room")
            self._groups.put(room, group)
            outcome.record = replace(outcome.record, cursor=entry.seq, franking_key=agent.key, members=())
            self._entered(room, outcome, group, roles)
            self._store.put_greeter(room, user_of(DeviceUri(entry.sender)))
            crash_point("join.before_store")

    def _check_welcome(self, room: RoomUri, group: Group, entry: Delivery) -> FrankingAgent:
        if group.group_id != room.encode():
            raise VerificationError("NL-523", "a welcome to another room than the hub says")
        agent = FrankingAgent.decode(group.franking_agent)
        self._trust.check_agent(agent, asked=self._asked.directory)
        if entry.sender not in {leaf.device for leaf in self._check_members(group.members)}:
            raise VerificationError("NL-524", "a welcome by a device that is not in the room")
        return agent

    def _check_members(self, members: list[MlsLeaf]) -> list[Leaf]:
        """Every leaf is of a device on its user's newest list. Raises as ``Trust.check_leaf``."""
        wanted: set[UserUri] = set()
        leaves: list[Leaf] = []
        for member in members:
            try:
                leaves.append(self._trust.check_leaf(member))
            except LookUp as lookup:
                wanted |= lookup.users
        if wanted:
            raise LookUp(frozenset(wanted))
        return leaves

    # --- consequences

    def _entered(self, room: RoomUri, outcome: RoomOutcome, group: Group, roles: Roles) -> None:
        before, members = outcome.record, participants(roles)
        standing = Standing.LEAVING if before.standing is Standing.LEAVING else Standing.JOINED
        outcome.record = replace(before, epoch=group.epoch, members=members, roles=roles, standing=standing)
        if roles[self._identity.user] is Role.LEFT:
            self._leave(room, outcome)
        elif standing is Standing.JOINED and (before.members, before.roles, before.standing) != (
            members,
            roles,
            standing,
        ):
            self._outcome.events.append(RoomChanged(room, members, joined=True))

    def _leave(self, room: RoomUri, outcome: RoomOutcome) -> None:
        if outcome.record.standing is Standing.LEFT:
            return
        self._groups.delete(room)
        self._close(room, outcome, Standing.LEFT)

    def _break(self, room: RoomUri, check: str, culprit: str, entry: Entry) -> None:
        """The group cannot go on here from ``entry``, and the server is to be told; what was shown stays."""
        self._fault(room, check, culprit)
        self._groups.delete(room)
        leaving = self._outcome.rooms[room].record.standing is Standing.LEAVING
        self._close(room, self._outcome.rooms[room], Standing.LEFT if leaving else Standing.BROKEN)
        payload = entry.payload if isinstance(entry, Delivery) and entry.kind is not EntryKind.WELCOME else b""
        self._store.put_lost(Lost(room, entry.seq, hashlib.sha256(payload).digest() if payload else None))

    def _close(self, room: RoomUri, outcome: RoomOutcome, standing: Standing) -> None:
        for item in self._store.outbox(room):
            self._store.dequeue(item.submission_id)
            outcome.settled.append(item.submission_id)
            if item.message_id is not None:
                self._timeline.fail(item.message_id, ProblemName.NOT_FOUND)
                self._outcome.events.append(
                    MessageStateChanged(room, item.message_id, MessageState.FAILED, ProblemName.NOT_FOUND.value)
                )
                self._outcome.events += changed_by(self._timeline, item.message_id)
        self._store.forget_receipts(room)
        outcome.record = replace(outcome.record, standing=standing)
        self._outcome.events.append(RoomChanged(room, outcome.record.members, joined=False))

    def _fault(self, room: RoomUri, check: str, culprit: str) -> None:
        fault = FaultSeen(room, check, HUB if check in _HUBS_FAULT else culprit, self._clock())
        self._store.add_fault(fault)
        self._outcome.events.append(fault)


def changed_by(timeline: Timeline, message_id: MessageId) -> list[Event]:
    """What to tell of the message that ``message_id`` edits, deletes or reacts to, if it does and that one is shown."""
    placed = timeline.placed(message_id)
    shown = None if placed is None or placed.target is None else timeline.message(placed.target)
    return [] if shown is None else [MessageChanged(shown)]


def _is_late(outcome: RoomOutcome, entry: Accepted) -> bool:
    """Whether the entry is from before this device was added to the room anew, so that its first answer never came."""
    return entry.seq < outcome.record.cursor


def _check_held(entry: Delivery) -> None:
    if not entry.payload:
        raise VerificationError("NL-514", "an entry that was purged before this device read it")


def _check_sender(leaf: Leaf, entry: Delivery) -> None:
    if leaf.device != entry.sender:
        raise VerificationError("NL-512", "the hub names another sender than the leaf that signed")


def _device_of(leaf: MlsLeaf) -> DeviceUri:
    return LeafCredential.decode(leaf.credential).device


def _present(roles: Roles) -> set[UserUri]:
    return {user for user, role in roles.items() if role is not Role.BANNED}


def _is_off(device: DeviceUri, listed: DeviceList | None) -> bool:
    """Whether the newest list known of its user does not name the device."""
    return listed is not None and all(entry.uri != device for entry in listed.devices)


def _sender(entry: Entry) -> str:
    return entry.sender if isinstance(entry, Delivery) else HUB
