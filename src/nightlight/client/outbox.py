"""What goes out: messages, receipts and commits, each durable before it is submitted and built for the room's epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from nightlight.client.events import MessageState
from nightlight.client.faults import crash_point
from nightlight.client.groups import Groups
from nightlight.client.records import Identity, Intent, ItemKind, OutboxItem
from nightlight.client.replacing import CREDENTIAL
from nightlight.client.store import Store
from nightlight.client.surroundings import Surroundings
from nightlight.client.timeline import Placed
from nightlight.client.trust import Trust
from nightlight.errors import LocalProtocolError, ProblemName, RefusedError, VerificationError
from nightlight.mls.group import Leaf, read_key_package
from nightlight.protocol import content, conversation
from nightlight.protocol.content import SALT_BYTES, MimiContent
from nightlight.protocol.credential import DeviceList, LeafCredential
from nightlight.protocol.credential import Leaf as CheckedLeaf
from nightlight.protocol.franking import franking_tag
from nightlight.protocol.ids import DeviceUri, MessageId, RoomUri, SubmissionId, TimestampMs, UserUri, user_of
from nightlight.protocol.profile import profile_message
from nightlight.protocol.roles import Role, Roles, Step, encode_roles, follow, leavers, participants

RECEIPTS_IN_ONE = 200


def submission_id(now_ms: TimestampMs, random: bytes) -> SubmissionId:
    """A UUID of version 7. ``random``: 10 bytes. Source: RFC 9562, "UUID Version 7"."""
    number = int.from_bytes(now_ms.to_bytes(6, "big") + random, "big")
    number = number & ~(0xF << 76) | 7 << 76
    number = number & ~(0x3 << 62) | 2 << 62
    return SubmissionId(number.to_bytes(16, "big"))


class Outbox:
    """One device's way out."""

    def __init__(
        self, identity: Identity, store: Store, groups: Groups, trust: Trust, surroundings: Surroundings
    ) -> None:
        """The outbox in ``store``."""
        self._identity = identity
        self._store = store
        self._groups = groups
        self._trust = trust
        self._owed: dict[RoomUri, tuple[tuple[int, int], list[DeviceUri]]] = {}
        self._clock = surroundings.clock
        self._random = surroundings.random

    def _new_id(self) -> SubmissionId:
        return submission_id(self._clock(), self._random(10))

    def say(self, message: MimiContent, upload_id: str | None = None) -> tuple[MessageId, OutboxItem]:
        """``message``, by this person and for an open room, is durable at the end of the outbox, and shown.

        ``upload_id``: the upload that is this message from now on.
        """
        user, room = self._identity.user, message.room
        encoded = content.encode(message)
        message_id = content.message_id(user, room, encoded)
        timeline = self._store.timeline
        with self._groups.transaction():
            said = conversation.read(message, timeline.before(room))
            timeline.add(Placed(room, message_id, user, own=True, state=MessageState.QUEUED), said, self._clock())
            item = self._enqueue(room, ItemKind.MESSAGE, encoded, message_id)
            if upload_id is not None:
                self._store.drop_upload(upload_id)
            crash_point("send.before_store")
        crash_point("send.after_store")
        return message_id, item

    def greet(self, room: RoomUri) -> OutboxItem | None:
        """The room's profile is at the end of the outbox, if newcomers are to be told it and this device is there."""
        with self._groups.transaction():
            owed, record, profile = self._store.take_greeting(room), self._store.room(room), self._store.profile(room)
            if not owed or profile is None or record is None or not record.is_open:
                return None
            again = profile_message(self._random(SALT_BYTES), self._identity.user, room, profile)
            return self._enqueue(room, ItemKind.STATUS, content.encode(again), None)

    def report_receipts(self, room: RoomUri) -> OutboxItem | None:
        """What the senders in ``room`` are owed is a durable status message at the end of the outbox."""
        owed = self._store.owed_receipts(room, RECEIPTS_IN_ONE)
        if not owed:
            return None
        report = content.status_report(self._random(SALT_BYTES), self._identity.user, room, owed)
        with self._groups.transaction():
            for message_id, _ in owed:
                self._store.settle_receipt(room, message_id)
            return self._enqueue(room, ItemKind.STATUS, content.encode(report), None)

    def commit(self, room: RoomUri, intent: Intent, *, first: bool = False) -> OutboxItem:
        """``intent`` is at the end, or beginning, of the outbox. Inside a transaction.

        Raises ``RefusedError`` ``not_found``.
        """
        record = self._store.room(room)
        if record is None or not record.is_open:
            raise RefusedError(ProblemName.NOT_FOUND)
        item = OutboxItem(self._new_id(), room, ItemKind.COMMIT, msgspec.msgpack.encode(intent))
        self._store.enqueue(item, first=first)
        return item

    def owed(self, room: RoomUri) -> list[DeviceUri]:
        """Devices in ``room`` that go before anything is said.

        Those of who has left, others than this one that their users' newest lists do not name, and those of who is
        somebody else now, accepted anew.
        """
        group = self._groups.get(room)
        now = (group.epoch, self._trust.generation)
        known = self._owed.get(room)
        if known is None or known[0] != now:
            me = self._identity.device
            leaves = [(_uri_of(leaf), self._leaf(leaf)) for leaf in group.members]
            left = self._leavers(room, [uri for uri, _ in leaves])
            gone = [uri for uri, leaf in leaves if uri in left or (uri != me and (leaf is None or not leaf.listed))]
            known = self._owed[room] = (now, gone)
        return known[1]

    def missing(self, room: RoomUri, listed: DeviceList) -> list[DeviceUri]:
        """This person's devices that are on ``listed``, their newest list, and not in ``room``."""
        return [device.uri for device in listed.devices if not self.has(room, device.uri)]

    def left_without(self, room: RoomUri, gone: Sequence[DeviceUri]) -> set[UserUri]:
        """Who has no device in ``room`` but those that are ``gone``, by lists that follow the ones we knew."""
        leaves = [(_uri_of(leaf), self._leaf(leaf)) for leaf in self._groups.get(room).members]
        staying = {user_of(uri) for uri, _ in leaves if uri not in gone}
        return {leaf.user for uri, leaf in leaves if uri in gone and leaf is not None} - staying

    def present(self, room: RoomUri) -> list[DeviceUri]:
        """The devices in ``room``."""
        return [_uri_of(leaf) for leaf in self._groups.get(room).members]

    def has(self, room: RoomUri, which: DeviceUri) -> bool:
        """Whether ``which`` is in ``room``."""
        return which in self.present(room)

    def rank(self, room: RoomUri, *, of_user: UserUri | None = None) -> int:
        """How many leaves of who can commit come before this device's in ``room``; of ``of_user`` alone if named."""
        rank, gone = 0, self.owed(room)
        for leaf in self._groups.get(room).members:
            if _uri_of(leaf) == self._identity.device:
                break
            checked = self._leaf(leaf)
            rank += checked is not None and checked.device not in gone and of_user in {None, checked.user}
        return rank

    def _leavers(self, room: RoomUri, present: list[DeviceUri]) -> list[DeviceUri]:
        record = self._store.room(room)
        return [] if record is None else leavers(record.roles, present)

    def leave(self, room: RoomUri) -> OutboxItem:
        """The outbox of ``room`` ends with this person's leaving. Inside a transaction. Raises as ``commit``."""
        return self.commit(room, Intent(give={self._identity.user: Role.LEFT}))

    def leaves(self, item: OutboxItem) -> bool:
        """Whether ``item`` is this person's leaving."""
        if item.kind is not ItemKind.COMMIT:
            return False
        intent = msgspec.msgpack.decode(item.content, type=Intent)
        return intent.give.get(self._identity.user) is Role.LEFT

    def is_leaving(self, room: RoomUri) -> bool:
        """Whether this person's leaving waits in the outbox."""
        return any(self.leaves(item) for item in self._store.outbox(room))

    def _leaf(self, leaf: Leaf) -> CheckedLeaf | None:
        """The leaf, checked; None where it is under an account key that is no longer believed."""
        try:
            return self._trust.check_leaf(leaf)
        except VerificationError:
            return None

    def moved_credential(self, room: RoomUri) -> bytes | None:
        """What this device's leaf in ``room`` has to carry instead of what is under a former account key."""
        credential, group = self._store.get(CREDENTIAL), self._groups.get(room)
        own = next(leaf for leaf in group.members if leaf.index == group.own_index)
        return None if credential is None or own.credential == credential else credential

    def is_changing(self, room: RoomUri) -> bool:
        """Whether a commit waits in the outbox."""
        return any(item.kind is ItemKind.COMMIT for item in self._store.outbox(room))

    def build(self, wanted: SubmissionId) -> OutboxItem | None:
        """The item is built for its group's epoch and durable; None when it is gone, with nothing left to do in it.

        Raises ``InvalidError`` when a commit cannot be made, such as with a key package that has expired;
        ``RefusedError`` ``not_allowed`` when the room's roles do not allow it.
        """
        item = self._store.outbox_item(wanted)
        if item is None:
            return None
        with self._groups.transaction():
            built = self._build_commit(item) if item.kind is ItemKind.COMMIT else self._build_message(item)
            if built is None:
                self._store.dequeue(wanted)
                return None
            self._store.set_payload(built)
            crash_point("commit.before_store" if item.kind is ItemKind.COMMIT else "build.before_store")
        crash_point("commit.after_store" if item.kind is ItemKind.COMMIT else "build.after_store")
        return built

    def fail(self, wanted: SubmissionId, problem: ProblemName) -> OutboxItem | None:
        """The hub refused the item for good: it is gone, a message shows as failed, a commit is undone."""
        item = self._store.outbox_item(wanted)
        if item is None:
            return None
        with self._groups.transaction():
            self._store.dequeue(wanted)
            if item.message_id is not None:
                self._store.timeline.fail(item.message_id, problem)
            if item.kind is ItemKind.COMMIT:
                self._undo_commit(item.room)
        return item

    def _undo_commit(self, room: RoomUri) -> None:
        group = self._groups.get(room)
        if group.has_pending:
            group.discard()
        record = self._store.room(room)
        if record is not None:
            self._store.put_room(replace(record, members=participants(record.roles)))

    def _enqueue(self, room: RoomUri, kind: ItemKind, encoded: bytes, message_id: MessageId | None) -> OutboxItem:
        """Encrypted at once when nothing before it waits to be built: what is encrypted first goes out first."""
        item = OutboxItem(self._new_id(), room, kind, encoded, message_id)
        if self._store.outbox_is_built(room, self._groups.get(room).epoch):
            item = self._build_message(item)
        self._store.enqueue(item)
        return item

    def _build_message(self, item: OutboxItem) -> OutboxItem:
        """The same content, so the same tag and message id, whatever the epoch."""
        group = self._groups.get(item.room)
        return replace(item, epoch=group.epoch, payload=group.encrypt(item.content, franking_tag(item.content)))

    def _build_commit(self, item: OutboxItem) -> OutboxItem | None:
        """What of the intent others have not done already, as a commit that stays pending."""
        group = self._groups.get(item.room)
        if group.has_pending:
            group.discard()
        record = self._store.room(item.room)
        if record is None:
            raise LocalProtocolError("a commit in a room that is not there")
        intent = msgspec.msgpack.decode(item.content, type=Intent)
        present = {LeafCredential.decode(leaf.credential).device: leaf.index for leaf in group.members}
        owed = leavers(record.roles, present)
        gone = {*intent.drop, *self.owed(item.room)}.difference(owed)
        revoked = [device for device in present if device in gone]
        add = {
            device: package
            for package in intent.add
            if (device := _device_of(package)) not in present or device in owed
        }
        renew = {
            device: package
            for package in intent.renew
            if (device := _device_of(package)) in present and device not in {*owed, *revoked}
        }
        wanted = [device for device in present if user_of(device) in intent.remove]
        give = {
            UserUri(user): role for user, role in intent.give.items() if not _has(record.roles, UserUri(user), role)
        }
        if intent != Intent() and not (add or renew or wanted or give or (intent.drop and (owed or revoked))):
            return None
        remove = list(dict.fromkeys([*wanted, *owed, *revoked, *renew]))
        add |= renew
        me = self._identity.user
        try:
            follow(record.roles, Step(me, frozenset(present), tuple(add), tuple(remove), frozenset(revoked), give))
        except VerificationError:
            raise RefusedError(ProblemName.NOT_ALLOWED) from None
        staged = group.commit(
            add=list(add.values()),
            remove=[present[device] for device in remove],
            roles=encode_roles(give),
            credential=self.moved_credential(item.room),
            now_s=self._clock() // 1000,
        )
        return replace(item, epoch=group.epoch, payload=staged.commit, welcome=staged.welcome)


def _has(roles: Roles, user: UserUri, role: Role) -> bool:
    """Whether giving ``role`` to ``user`` would change nothing."""
    return roles.get(user, Role.LEFT) is role


def _uri_of(leaf: Leaf) -> DeviceUri:
    return LeafCredential.decode(leaf.credential).device


def _device_of(key_package: bytes) -> DeviceUri:
    return LeafCredential.decode(read_key_package(key_package).credential).device
