"""One device without its network: the session's effects on the store, and what a person does with it.

What is done here is durable at once, or not done at all; what only the server can do is handed on as errands.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import msgspec

from nightlight.client.author import check_lifetime
from nightlight.client.events import (
    ConnectionChanged,
    ConnectionState,
    Event,
    FaultSeen,
    MessageExpired,
    MessageState,
    MessageStateChanged,
    RoomChanged,
    Typing,
)
from nightlight.client.faults import crash_point
from nightlight.client.groups import Groups
from nightlight.client.identity import account_key
from nightlight.client.inbox import HUB, RECEIPT_MEMBERS, Inbox, Outcome, changed_by
from nightlight.client.outbox import Outbox
from nightlight.client.records import Intent, ItemKind, KeyReplacement, OutboxItem, RoomRecord, Standing
from nightlight.client.replacing import CREDENTIAL, replaced
from nightlight.client.session import (
    Build,
    Connect,
    Disconnect,
    Effect,
    Entry,
    Fail,
    Outgoing,
    Process,
    Refresh,
    SeeTyping,
    SendFrame,
    Session,
    Submit,
    TellFault,
    TellState,
)
from nightlight.client.store import Store
from nightlight.client.surroundings import Surroundings
from nightlight.client.trust import NOTHING_ASKED, Asked, LookUp, Trust
from nightlight.errors import LocalProtocolError, ProblemName, RefusedError, VerificationError
from nightlight.mls.group import InvalidError
from nightlight.protocol.content import MimiContent
from nightlight.protocol.credential import DeviceList, SignedDeviceList, verify_leaf
from nightlight.protocol.franking import FrankingAgent
from nightlight.protocol.ids import (
    DeviceUri,
    MessageId,
    RoomUri,
    SubmissionId,
    TimestampMs,
    UserUri,
    provider_of,
    room_uri,
    user_of,
)
from nightlight.protocol.messages import ClientFrame, SubmitCommit, SubmitMessage, TellTyping
from nightlight.protocol.roles import Role, owed
from nightlight.protocol.succession import Succession

_ROOM_NAME_BYTES = 16
DEPARTURES = Refresh("departures")
LOST = Refresh("lost")
TYPING_EVERY_MS = 3_000
"""How often the others are told of somebody who goes on writing."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask the server what ``lookup`` names, and ``resume`` with these entries. ``asked``: before, for their sake."""

    lookup: LookUp
    asked: Asked
    entries: dict[RoomUri, list[Entry]]


@dataclass(frozen=True, slots=True)
class Duty:
    """What a room needs. ``rank``: how many do it before us.

    ``owed`` go, this person's ``missing`` devices come, and who is ``lost`` comes anew.

    ``moves``: this device's own leaf is under a former account key.
    """

    owed: list[DeviceUri]
    missing: list[DeviceUri]
    lost: list[DeviceUri]
    rank: int
    moves: bool = False


Errand = Connect | Disconnect | SendFrame | Refresh | Ask
"""What only the network can do."""


class Device:
    """What this device holds. Whoever has it takes ``errands``, ``events`` and ``finished`` after each call."""

    def __init__(self, store: Store, surroundings: Surroundings) -> None:
        """As the store left it. Raises ``StoreError``."""
        self.identity = store.identity()
        self.session = Session()
        self.groups = Groups(store)
        self.trust = Trust(store, surroundings.clock)
        self.errands: list[Errand] = []
        self.events: list[Event] = []
        self.finished: list[tuple[SubmissionId, ProblemName | None]] = []
        """Submissions that are over, and why if they were refused."""
        self._store = store
        self._typing_again_ms: dict[RoomUri, int] = {}
        self._surroundings = surroundings
        self._inbox = Inbox(self.identity, store, self.groups, self.trust, surroundings)
        self._outbox = Outbox(self.identity, store, self.groups, self.trust, surroundings)
        self._unremovable: set[RoomUri] = set()
        """Rooms where the hub refused that a device goes which its user's list does not name."""
        for record in store.rooms():
            if record.standing is not Standing.CREATED:
                self._open_room(record)

    def run(self, effects: Iterable[Effect]) -> None:
        """The effects are carried out, and those that follow from them."""
        todo = deque(effects)
        while todo:
            match todo.popleft():
                case Process(entries):
                    todo.extendleft(reversed(self._process(entries)))
                case Build(room, submission_id):
                    todo.extendleft(reversed(self._build(room, submission_id)))
                case Fail(room, submission_id, problem):
                    todo.extendleft(reversed(self._fail(room, submission_id, problem)))
                case Submit(room, submission_id):
                    todo.extendleft(reversed(self._submit(room, submission_id)))
                case TellState(state, reason):
                    self.events.append(ConnectionChanged(state, reason))
                case SeeTyping(room, user):
                    self._see_typing(room, user)
                case TellFault(room, check):
                    self.record_fault(room, check, HUB)
                case errand:
                    self.errands.append(errand)

    def resume(self, ask: Ask) -> None:
        """The server was asked: the entries are processed with what it said, or refused."""
        self.run(self._process(ask.entries, ask.asked.including(ask.lookup)))

    def record_fault(self, room: RoomUri | None, check: str, culprit: str) -> None:
        """The fault is in the store, and told."""
        fault = FaultSeen(room, check, culprit, self._surroundings.clock())
        with self._store.transaction():
            self._store.add_fault(fault)
        self.events.append(fault)

    # --- effects

    def _process(self, entries: dict[RoomUri, list[Entry]], asked: Asked = NOTHING_ASKED) -> list[Effect]:
        try:
            outcome = self._inbox.process(entries, asked)
        except LookUp as lookup:
            self.errands.append(Ask(lookup, asked, entries))
            return []
        return self._became(outcome)

    def _became(self, outcome: Outcome) -> list[Effect]:
        self.events += outcome.events
        effects: list[Effect] = []
        for room, became in outcome.rooms.items():
            record = became.record
            problem = None if record.follows else ProblemName.NOT_FOUND
            self.finished += [(submission_id, problem) for submission_id in became.settled]
            if self.session.knows(room):
                effects += self.session.stored(room, record.cursor, record.epoch, became.settled)
                effects += self._greet(room)
            if record.standing is Standing.JOINED and owed(record.roles):
                effects.append(DEPARTURES)
            elif record.standing is Standing.BROKEN:
                effects.append(LOST)
        return effects

    def _greet(self, room: RoomUri) -> list[Effect]:
        """Newcomers whom this device let in are told the room's profile."""
        item = self._outbox.greet(room)
        return [] if item is None else self.session.queue(room, Outgoing(item.submission_id, item.epoch))

    def _build(self, room: RoomUri, submission_id: SubmissionId) -> list[Effect]:
        try:
            item = self._outbox.build(submission_id)
        except InvalidError:
            return self._fail(room, submission_id, ProblemName.INVALID_KEY_PACKAGE)
        except RefusedError as error:
            return self._fail(room, submission_id, error.problem)
        if item is None:
            self.finished.append((submission_id, None))
            return self.session.dropped(room, [submission_id])
        return self.session.built(room, Outgoing(submission_id, item.epoch))

    def _fail(self, room: RoomUri, submission_id: SubmissionId, problem: ProblemName) -> list[Effect]:
        item = self._outbox.fail(submission_id, problem)
        if item is not None and item.message_id is not None:
            self.events.append(MessageStateChanged(room, item.message_id, MessageState.FAILED, problem.value))
            self.events += changed_by(self._store.timeline, item.message_id)
        record = self._store.room(room)
        if item is not None and item.kind is ItemKind.COMMIT and record is not None:
            if msgspec.msgpack.decode(item.content, type=Intent).drop:
                self._unremovable.add(room)
            if not self._outbox.leaves(item):
                self.events.append(RoomChanged(room, record.members, joined=True))
        self.finished.append((submission_id, problem))
        effects = self.session.dropped(room, [submission_id])
        if item is not None and self._outbox.leaves(item):  # whatever the hub says, this person is not there
            effects += self._became(self._inbox.abandon(room))
        return effects

    def _submit(self, room: RoomUri, submission_id: SubmissionId) -> list[Effect]:
        """The item is on its way; a message is not while a device is in the room that has to be removed first."""
        frame = self._frame(submission_id)
        if isinstance(frame, SubmitMessage) and self._strangers(room):
            return self._fail(room, submission_id, ProblemName.NEW_PERSON)
        gone = self._outbox.owed(room) if isinstance(frame, SubmitMessage) else []
        if not gone:
            self.errands.append(SendFrame(frame))
            return []
        if room in self._unremovable:
            return self._fail(room, submission_id, ProblemName.REMOVAL_OWED)
        with self.groups.transaction():
            item = self._outbox.commit(room, Intent(drop=list(gone)), first=True)
        return self.session.queue_first(room, Outgoing(item.submission_id, item.epoch))

    def _frame(self, submission_id: SubmissionId) -> ClientFrame:
        item = self._store.outbox_item(submission_id)
        if item is None or item.payload is None:
            raise LocalProtocolError("submitting what is not built")
        if item.kind is ItemKind.COMMIT:
            return SubmitCommit(submission_id, item.room, item.payload, item.welcome)
        return SubmitMessage(submission_id, item.room, item.payload)

    # --- messages

    def say(self, message: MimiContent, upload_id: str | None = None) -> MessageId:
        """``message`` is durable in the outbox; what it is about is shown as it leaves it.

        ``upload_id``: the upload that it was. Raises ``RefusedError`` ``new_person``: somebody in the room has to be
        accepted anew first.
        """
        if self._strangers(message.room):
            raise RefusedError(ProblemName.NEW_PERSON)
        message_id, item = self._outbox.say(message, upload_id)
        self.events += changed_by(self._store.timeline, message_id)
        self._queued(item)
        return message_id

    def _strangers(self, room: RoomUri) -> bool:
        """Whether somebody in ``room`` has an account key that nobody vouches for."""
        record, strangers = self._store.room(room), self._store.acquaintances.strangers()
        return record is not None and not set(strangers).isdisjoint(record.members)

    def next_end_ms(self) -> TimestampMs | None:
        """When the time of a message is over next, by this device's clock."""
        return self._store.timeline.next_end_ms()

    def expire(self) -> None:
        """Messages whose time is over are gone, but for their sealed copies."""
        ends_at_ms, now_ms = self.next_end_ms(), self._surroundings.clock()
        if ends_at_ms is None or ends_at_ms > now_ms:
            return
        with self._store.transaction():
            expired = self._store.timeline.expire(now_ms)
        self.events += [MessageExpired(room, message_id) for room, message_id in expired]

    def set_lifetime(self, room: RoomUri, seconds: int | None) -> None:
        """What is sent to ``room`` from here stays so long once it is read. Raises ``RefusedError``."""
        check_lifetime(seconds)
        record = self._store.room(room)
        if record is None:
            raise RefusedError(ProblemName.NOT_FOUND)
        with self._store.transaction():
            self._store.put_room(replace(record, lifetime_s=seconds))

    def mark_read(self, room: RoomUri) -> None:
        """Everything in ``room`` counts as read. Raises ``RefusedError`` ``not_found``."""
        self._inbox.mark_read(room)

    def tell_typing(self, room: RoomUri) -> None:
        """The others in ``room`` see that this person is writing, if that may be told and was not just now."""
        record, now_ms = self._store.room(room), self._surroundings.monotonic_ms()
        if record is None or record.standing is not Standing.JOINED or len(record.members) > RECEIPT_MEMBERS:
            return
        if self.session.state is not ConnectionState.ONLINE or not self._store.preferences().typing:
            return
        if now_ms >= self._typing_again_ms.get(room, now_ms):
            self._typing_again_ms[room] = now_ms + TYPING_EVERY_MS
            self.errands.append(SendFrame(TellTyping(room)))

    def _see_typing(self, room: RoomUri, user: UserUri) -> None:
        """Only of somebody in the room; the hub alone says so, and nothing but a line on the screen follows."""
        record = self._store.room(room)
        if record is None or user not in record.members or user == self.identity.user:
            return
        if record.standing is Standing.JOINED and self._store.preferences().typing:
            self.events.append(Typing(room, user))

    def owes_receipts(self) -> bool:
        """Whether senders wait to be told something."""
        return bool(self._store.rooms_with_receipts())

    def report_receipts(self) -> None:
        """What the senders are owed is at the end of the outbox; nothing, if it has been switched off since."""
        for room in self._store.rooms_with_receipts():
            if not self._store.preferences().receipts:
                with self._store.transaction():
                    self._store.forget_receipts(room)
            while (item := self._outbox.report_receipts(room)) is not None:
                self._queued(item)

    def _queued(self, item: OutboxItem) -> None:
        if self.session.knows(item.room):
            self.run(self.session.queue(item.room, Outgoing(item.submission_id, item.epoch)))

    # --- this person's account key

    def take_account_key(self, record: KeyReplacement) -> None:
        """The account key that this device has replaced is the person's, and its own leaves move to it."""
        known = self.trust.device_list(self.identity.user)
        succession = Succession.decode(record.change.succession)
        signed = SignedDeviceList.decode(record.device_list)
        listed = signed.verify(self.identity.user, succession.account_key, None)
        if known is not None and known.account_key == succession.former_key:
            self.trust.pin(replace(listed, former_keys=(*known.former_keys, succession.former_key)))
        with self.groups.transaction():
            replaced(self._store)
            self._store.put_identity(msgspec.structs.replace(self._store.identity(), account_seed=record.account_seed))
            self._take_credential(record.credential)
        self.identity = self._store.identity()

    def follow_account_key(self, listed: DeviceList, credential: bytes | None) -> None:
        """The person's newest account key is that of ``listed``, and this device does not hold it, unless it did.

        ``credential``: of this device's leaves, where another device has replaced the key. Raises
        ``VerificationError`` NL-148 for one that is not, and as ``verify_leaf``; ``RemoteProtocolError``.
        """
        identity = self.identity
        holds = bool(identity.account_seed) and account_key(identity).public_key == listed.account_key
        if credential is not None and credential != self._store.get(CREDENTIAL):
            leaf = verify_leaf(credential, self.groups.member.signature_key, listed)
            if (leaf.device, leaf.account_key, leaf.listed) != (identity.device, listed.account_key, True):
                raise VerificationError("NL-148", "a leaf credential for another device, or under another account key")
            with self.groups.transaction():
                self._take_credential(credential)
        if identity.account_seed and not holds:
            with self._store.transaction():
                self._store.put_identity(msgspec.structs.replace(self._store.identity(), account_seed=b""))
            self.identity = self._store.identity()

    def _take_credential(self, credential: bytes) -> None:
        self.groups.member.set_credential(credential)
        self._store.put(CREDENTIAL, credential)

    # --- rooms

    def _open_room(self, record: RoomRecord) -> None:
        queue = [Outgoing(item.submission_id, item.epoch) for item in self._store.outbox(record.room)]
        self.run(self.session.open_room(record.room, record.cursor, record.epoch, queue))
        self.run(self._greet(record.room))
        if record.standing is Standing.JOINED and owed(record.roles):
            self.run([DEPARTURES])

    def create_room(
        self, users: Sequence[UserUri], key_packages: Sequence[bytes], agent: FrankingAgent
    ) -> tuple[RoomUri, SubmissionId]:
        """A room of this device, and the intent to add ``users``, are durable; the hub does not know it yet."""
        me = self.identity.user
        room = room_uri(provider_of(me), self._surroundings.random(_ROOM_NAME_BYTES).hex())
        members = tuple(sorted({me, *users}))
        with self.groups.transaction():
            group = self.groups.member.create_group(room.encode(), agent.encode())
            self.groups.put(room, group)
            self._store.put_room(
                RoomRecord(room, Standing.CREATED, 0, group.epoch, agent.key, members, roles={me: Role.OWNER})
            )
            item = self._outbox.commit(room, Intent(add=list(key_packages)))
            crash_point("create.before_store")
        crash_point("create.after_store")
        return room, item.submission_id

    def created_rooms(self) -> list[RoomUri]:
        """Rooms that the hub may not know yet."""
        return [record.room for record in self._store.rooms() if record.standing is Standing.CREATED]

    def group_info(self, room: RoomUri) -> bytes:
        """What tells the hub of a room that was created here."""
        return self.groups.get(room).group_info()

    def room_announced(self, room: RoomUri) -> None:
        """The hub knows the room: what is in its outbox goes out."""
        record = self._store.room(room)
        if record is None or record.standing is not Standing.CREATED:
            return
        standing = Standing.LEAVING if self._outbox.is_leaving(room) else Standing.JOINED
        record = replace(record, standing=standing)
        with self._store.transaction():
            self._store.put_room(record)
        self.events.append(RoomChanged(room, record.members, joined=record.is_open))
        self._open_room(record)

    def room_refused(self, room: RoomUri) -> None:
        """The hub will not have the room: this device has left it."""
        self.run(self._became(self._inbox.abandon(room)))

    def leave(self, room: RoomUri) -> None:
        """This person is not in ``room`` any more, and the intent to tell the others so is durable; again: nothing.

        Raises ``RefusedError`` ``not_found``.
        """
        record = self._store.room(room)
        if record is None:
            raise RefusedError(ProblemName.NOT_FOUND)
        if record.standing is Standing.BROKEN:
            self.room_refused(room)  # there is no group to say it in
        if not record.is_open:
            return
        with self.groups.transaction():
            item = self._outbox.leave(room)
            self._store.forget_receipts(room)
            if record.standing is Standing.JOINED:
                self._store.put_room(replace(record, standing=Standing.LEAVING))
            crash_point("leave.before_store")
        crash_point("leave.after_store")
        self.events.append(RoomChanged(room, record.members, joined=False))
        self._queued(item)

    def left_behind(self) -> list[RoomUri]:
        """The rooms with leaves of somebody who has left."""
        return [
            record.room for record in self._store.rooms() if record.standing is Standing.JOINED and owed(record.roles)
        ]

    def duty(self, room: RoomUri, asking: Sequence[DeviceUri] = ()) -> Duty | None:
        """What this person's devices, or any member's, have to do in ``room`` of their own accord.

        ``asking``: devices that cannot go on there.
        """
        record = self._store.room(room)
        listed = self.trust.device_list(self.identity.user)
        if record is None or record.standing is not Standing.JOINED or listed is None or self._outbox.is_changing(room):
            return None
        gone, missing = self._outbox.owed(room), self._outbox.missing(room, listed)
        moves = self._outbox.moved_credential(room) is not None
        lost = [device for device in asking if device not in gone and self._outbox.has(room, device)]
        if not gone and not missing and not moves and not lost:
            return None
        me = self.identity.user
        ours = not (gone or lost) or any(user_of(device) == me for device in [*gone, *lost])
        rank = self._outbox.rank(room, of_user=me) if ours else 1 + self._outbox.rank(room)
        return Duty(gone, missing, lost, rank, moves)

    def left_without(self, room: RoomUri, gone: Sequence[DeviceUri]) -> list[UserUri]:
        """The participants of ``room`` who have no device there but those that are ``gone``, and have others."""
        record, left = self._store.room(room), self._outbox.left_without(room, gone)
        return [user for user in (() if record is None else record.members) if user in left]

    def rooms_of(self, which: DeviceUri) -> tuple[int, int]:
        """In how many of this device's rooms the device ``which`` is, and how many those are."""
        rooms = [record.room for record in self._store.rooms() if record.standing is Standing.JOINED]
        return sum(self._outbox.has(room, which) for room in rooms), len(rooms)

    def change_room(self, room: RoomUri, intent: Intent) -> SubmissionId:
        """The intent to commit is durable at the end of the outbox."""
        with self.groups.transaction():
            item = self._outbox.commit(room, intent)
        self._queued(item)
        return item.submission_id
