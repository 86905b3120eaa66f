"""What is submitted to rooms: taken in order, made durable together, then told.

Submissions that arrive while the disk is busy form the next batch. A batch is checked entry by entry against cached
room state, so that a refusal never fails its neighbours; franks are signed in one call; one transaction makes it
durable; only then does anyone hear of it. When the transaction fails, so has the whole batch, and its rooms are read
anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import groupby
from typing import NamedTuple

import structlog

from nightlight.errors import ProblemName, RefusedError, RemoteProtocolError, UnavailableError
from nightlight.mls.public_group import (
    Change,
    FatalError,
    Leaf,
    MalformedError,
    MlsError,
    PublicGroup,
    UnknownGroupError,
    WrongEpochError,
    read_welcome,
)
from nightlight.protocol.codec import read_private_message
from nightlight.protocol.credential import DeviceList, LeafCredential
from nightlight.protocol.franking import DAY_KEY_BYTES, day_of, read_safe_aad
from nightlight.protocol.ids import DeviceUri, RoomUri, SubmissionId, TimestampMs, UserUri, user_of
from nightlight.protocol.messages import Accepted, Delivery, EntryKind, Refused, Removed, SubmitCommit, SubmitMessage
from nightlight.server.cache import RoomCache
from nightlight.server.domain.contact import connected
from nightlight.server.domain.franker import Franker, Statement
from nightlight.server.domain.identity import stored_list, vouched_leaf
from nightlight.server.domain.room import (
    Departure,
    Newcomer,
    RoomState,
    check_header,
    check_may_write,
    check_membership,
)
from nightlight.server.faults import crash_point
from nightlight.server.ports.delivery import (
    Bus,
    Caller,
    Clock,
    DeliveryStore,
    DeliveryUnit,
    Entry,
    Published,
    Random,
    Stay,
)

_log = structlog.get_logger()
_RETRY_AFTER_MS = 1_000
_NO_FRANK = b""


class Submission(NamedTuple):
    """A frame on its way into a log. ``answer`` is called once, on the event loop."""

    caller: Caller
    frame: SubmitMessage | SubmitCommit
    answer: Callable[[Accepted | Refused], None]


class _Taken(NamedTuple):
    """A message that may be appended."""

    submission: Submission
    state: RoomState
    epoch: int
    accepted_at_ms: TimestampMs


LogFrame = Accepted | Delivery | Removed


class _Batch:
    """A transaction under way, and what is to be told once it is durable."""

    __slots__ = ("now_ms", "told", "unit")

    def __init__(self, unit: DeliveryUnit, now_ms: TimestampMs) -> None:
        self.unit = unit
        self.now_ms = now_ms
        self.told: list[tuple[Submission, Accepted | Refused, Published | None]] = []


class DeliveryService:
    """The rooms' logs: writing them and reading them."""

    def __init__(
        self,
        store: DeliveryStore,
        bus: Bus,
        rooms: RoomCache,
        franker: Franker,
        clock: Clock,
        random: Random,
        *,
        message_bytes_max: int,
        room_members_max: int,
        batch_max: int,
    ) -> None:
        """Nothing has been submitted yet."""
        self._store = store
        self._bus = bus
        self._rooms = rooms
        self._franker = franker
        self._clock = clock
        self._random = random
        self._message_bytes_max = message_bytes_max
        self._room_members_max = room_members_max
        self._batch_max = batch_max
        self._day_keys: dict[int, bytes] = {}
        self._arrived: list[Submission] = []
        self._working: asyncio.Task[None] | None = None
        self._cursors: dict[tuple[RoomUri, DeviceUri], tuple[int, int]] = {}

    def submit(self, submission: Submission) -> None:
        """The submission will be answered, after every one that came before it."""
        self._arrived.append(submission)
        if self._working is None:
            self._working = asyncio.create_task(self._work())

    async def drain(self) -> None:
        """Everything submitted has been answered, and the cursors are durable."""
        while self._working is not None:
            await self._working
        await self.flush_cursors()

    def acknowledge(self, caller: Caller, room: RoomUri, seq: int) -> None:
        """The device's cursor will move; a cursor lost in a crash comes again with the next ``Hello``."""
        self._cursors[room, caller.device] = (caller.device_id, seq)

    async def flush_cursors(self) -> None:
        """Cursors are durable; ciphertext that every device has is gone. Raises ``UnavailableError``."""
        if not self._cursors:
            return
        moved, self._cursors = self._cursors, {}
        try:
            async with self._store.write("ack") as unit:
                cursors: dict[tuple[int, int], int] = {}
                for (room, _), (device_id, seq) in moved.items():
                    state = await self._rooms.state(unit, room)
                    if state is not None and seq <= state.head:  # NL-480: nobody has what is not there
                        cursors[state.room_id, device_id] = seq
                await unit.rooms.move_cursors(cursors)
                await unit.housekeeping.purge_received({room_id for room_id, _ in cursors})
        except UnavailableError:
            self._cursors = moved | self._cursors
            raise

    async def stays(self, caller: Caller) -> list[Stay]:
        """The rooms of which the caller's device has something to be told."""
        async with self._store.read() as unit:
            return await unit.rooms.stays(caller.device_id)

    async def read(self, caller: Caller, room: RoomUri, after_seq: int, bytes_max: int) -> list[LogFrame]:
        """What the caller's device is told of ``room`` after ``after_seq``, in order and as much as fits ``bytes_max``.

        Nothing, if there is nothing more; else at least one frame.
        """
        async with self._store.read() as unit:
            stay = await unit.rooms.stay(caller.device_id, room)
            if stay is None:
                return []
            after_seq = max(after_seq, stay.joined_seq - 1)
            end = stay.head if stay.left_seq is None else stay.left_seq
            page = await unit.log.page(stay.room_id, after_seq, end, bytes_max)
        return [_told(entry, stay, caller.device) for entry in page]

    # --- batches ------------------------------------------------------------------------------------------

    async def _work(self) -> None:
        try:
            while self._arrived:
                batch = self._arrived[: self._batch_max]
                del self._arrived[: self._batch_max]
                await self._take(batch)
        finally:
            self._working = None

    async def _take(self, batch: list[Submission]) -> None:
        crash_point("batch.received")
        handshakes = any(type(submission.frame) is SubmitCommit for submission in batch)
        label = "handshake" if handshakes else "batch"
        try:
            async with self._store.write(label) as unit:
                taking = _Batch(unit, self._clock())
                for kind, run in groupby(batch, lambda submission: type(submission.frame)):
                    if kind is SubmitMessage:
                        await self._append_messages(taking, list(run))
                    else:
                        for submission in run:
                            await self._append_commit(taking, submission)
        except Exception as error:
            self._give_up(batch, error)
            return
        for submission, answer, published in taking.told:
            submission.answer(answer)
            if published is not None:
                self._bus.publish(published)

    def _give_up(self, batch: list[Submission], error: Exception) -> None:
        """Nothing of the batch is durable, and the cached rooms have run ahead of the log."""
        problem = ProblemName.UNAVAILABLE if isinstance(error, UnavailableError) else ProblemName.INTERNAL
        _log.warning("batch failed", submissions=len(batch), problem=problem.value, error=type(error).__name__)
        for room in {submission.frame.room for submission in batch}:
            self._rooms.forget(RoomUri(room))
        for submission in batch:
            submission.answer(Refused(submission.frame.submission_id, problem, retry_after_ms=_RETRY_AFTER_MS))

    # --- messages -----------------------------------------------------------------------------------------

    async def _append_messages(self, batch: _Batch, run: list[Submission]) -> None:
        taken: list[_Taken] = []
        statements: list[Statement] = []
        for submission in run:
            caller, frame, _ = submission
            try:
                if len(frame.message) > self._message_bytes_max:
                    raise RefusedError(ProblemName.TOO_LARGE)  # NL-403
                header = read_private_message(frame.message)
                tag = read_safe_aad(header.authenticated_data)
                room = RoomUri(frame.room)
                state = self._rooms.known(room) or await self._rooms.state(batch.unit, room)
                state = check_may_write(state, caller.device)
                check_header(state, header)
            except (RefusedError, RemoteProtocolError) as error:
                await self._refuse(batch, submission, error)
                continue
            at_ms = state.accept_time(batch.now_ms)
            k_day = self._day_keys.get(day_of(at_ms)) or await self._day_key(batch.unit, day_of(at_ms))
            taken.append(_Taken(submission, state, header.epoch, at_ms))
            statements.append(Statement(tag, caller.user, room, at_ms, k_day))
        for (submission, state, epoch, at_ms), frank in zip(taken, self._franker.frank(statements), strict=True):
            await self._append_message(batch, submission, state, epoch, at_ms, frank)

    async def _append_message(
        self, batch: _Batch, submission: Submission, state: RoomState, epoch: int, at_ms: TimestampMs, frank: bytes
    ) -> None:
        caller, frame, _ = submission
        submission_id, room = frame.submission_id, frame.room
        seq = state.head + 1
        entry = Entry(
            seq, EntryKind.APPLICATION, caller.device, submission_id, epoch, at_ms, frank, frame.message, None
        )
        if not batch.unit.log.append(state.room_id, caller.device_id, entry):
            await self._refuse(batch, submission, RefusedError(ProblemName.CONFLICT))
            return
        state.head = seq
        answer = Accepted(submission_id, room, seq, epoch, at_ms, frank)
        delivery = Delivery(room, seq, EntryKind.APPLICATION, caller.device, at_ms, frame.message, frank)
        batch.told.append((submission, answer, Published(delivery, state.members)))

    async def _refuse(self, batch: _Batch, submission: Submission, error: RefusedError | RemoteProtocolError) -> None:
        """A submission that was taken before gets its answer again, whatever has changed since."""
        frame = submission.frame
        before = await batch.unit.log.answered(SubmissionId(frame.submission_id), submission.caller.device_id)
        answer: Accepted | Refused
        if before is not None:
            seq, epoch, at_ms, frank = before.seq, before.epoch, before.accepted_at_ms, before.frank
            answer = Accepted(frame.submission_id, before.room, seq, epoch, at_ms, frank)
        elif isinstance(error, RefusedError):
            answer = Refused(frame.submission_id, error.problem, error.epoch)
        else:
            answer = Refused(frame.submission_id, ProblemName.MALFORMED)
        batch.told.append((submission, answer, None))

    async def _day_key(self, unit: DeliveryUnit, day: int) -> bytes:
        """Not remembered before it is durable: the day's first batch may fail."""
        key = await unit.log.day_key(day)
        if key is None:
            key = self._random(DAY_KEY_BYTES)
            await unit.log.add_day_key(day, key)
        else:
            self._day_keys = {day: key}
        return key

    # --- commits ------------------------------------------------------------------------------------------

    async def _append_commit(self, batch: _Batch, submission: Submission) -> None:
        caller, frame, _ = submission
        assert isinstance(frame, SubmitCommit)
        before = await batch.unit.log.answered(SubmissionId(frame.submission_id), caller.device_id)
        if before is not None:
            await self._refuse(batch, submission, RefusedError(ProblemName.CONFLICT))
            return
        try:
            state = await self._rooms.state(batch.unit, RoomUri(frame.room))
            state = check_may_write(state, caller.device)
            await self._process_commit(batch, submission, frame, state)
        except RefusedError as error:
            await self._refuse(batch, submission, error)

    async def _process_commit(
        self, batch: _Batch, submission: Submission, frame: SubmitCommit, state: RoomState
    ) -> None:
        unit = batch.unit
        group = await self._rooms.group(unit, state)
        change = self._stage(group, frame.commit, state, batch.now_ms)
        try:
            joined = await self._check_change(unit, submission.caller, frame, state, change, batch.now_ms)
        except RefusedError:
            group.discard()
            raise
        group.accept()
        seq = state.head + 1
        at_ms = state.accept_time(batch.now_ms)
        removed = frozenset(leaf_device(leaf.credential) for leaf in change.removed)
        caller, epoch = submission.caller, state.epoch
        entry = Entry(
            seq,
            EntryKind.COMMIT,
            caller.device,
            frame.submission_id,
            epoch,
            at_ms,
            _NO_FRANK,
            frame.commit,
            frame.welcome,
        )
        unit.log.append(state.room_id, caller.device_id, entry)
        await unit.rooms.write_group(state.room_id, change.epoch, group.take_writes())
        await unit.rooms.leave(state.room_id, [state.members[device].device_id for device in removed], seq, at_ms)
        await unit.rooms.join(state.room_id, joined.values(), seq)
        await self._rooms.reload(unit, state.room)
        answer = Accepted(frame.submission_id, frame.room, seq, epoch, at_ms, _NO_FRANK)
        delivery = Delivery(frame.room, seq, EntryKind.COMMIT, caller.device, at_ms, frame.commit, _NO_FRANK)
        published = Published(delivery, state.members.keys() - removed, removed | joined.keys())
        batch.told.append((submission, answer, published))

    def _stage(self, group: PublicGroup, commit: bytes, state: RoomState, now_ms: TimestampMs) -> Change:
        """What the commit would do. Raises ``RefusedError`` by what the crate found (NL-420)."""
        try:
            return group.process(commit, now_ms // 1_000)
        except WrongEpochError:
            raise RefusedError(ProblemName.WRONG_EPOCH, epoch=state.epoch) from None  # NL-420
        except (MalformedError, UnknownGroupError):
            raise RefusedError(ProblemName.MALFORMED) from None  # NL-420
        except FatalError:
            self._rooms.forget(state.room)
            raise RefusedError(ProblemName.INTERNAL) from None
        except MlsError:
            raise RefusedError(ProblemName.INVALID_COMMIT) from None  # NL-420

    async def _check_change(
        self,
        unit: DeliveryUnit,
        caller: Caller,
        frame: SubmitCommit,
        state: RoomState,
        change: Change,
        now_ms: TimestampMs,
    ) -> dict[DeviceUri, int]:
        """The commit is the caller's to make. Returns the devices it adds, with their ids.

        Raises ``RefusedError`` ``invalid_commit``: NL-421 (a committer who is not the caller), NL-422 (a Welcome for
        others than those added); as ``check_membership``.
        """
        lists = _Lists(unit, now_ms)
        if await lists.vouch(change.committer) != caller.device:
            raise RefusedError(ProblemName.INVALID_COMMIT)  # NL-421
        if (0 if frame.welcome is None else _welcomed(frame.welcome)) != len(change.added):
            raise RefusedError(ProblemName.INVALID_COMMIT)  # NL-422
        joined: dict[DeviceUri, int] = {}
        newcomers: list[Newcomer] = []
        for leaf in change.added:
            device = leaf_device(leaf.credential)
            user = user_of(device)
            known = await unit.accounts.device(device)
            vouched = known is not None and await lists.vouch(leaf) == device
            newcomers.append(Newcomer(device, user, vouched, connected(await unit.contacts.pair(caller.user, user))))
            if known is not None:
                joined[device] = known.device_id
        departures: list[Departure] = []
        for leaf in change.removed:
            device = leaf_device(leaf.credential)
            departures.append(Departure(device, user_of(device), not await lists.names(device)))
        check_membership(state, state.members[caller.device], newcomers, departures, self._room_members_max)
        return joined


class _Lists:
    """The newest device lists of the people in a commit, each read once."""

    def __init__(self, unit: DeliveryUnit, now_ms: TimestampMs) -> None:
        self._unit = unit
        self._now_ms = now_ms
        self._read: dict[UserUri, DeviceList | None] = {}

    async def vouch(self, leaf: Leaf) -> DeviceUri | None:
        """The device that its user's newest list says this leaf is."""
        listed = await self._of(user_of(leaf_device(leaf.credential)))
        vouched = None if listed is None else vouched_leaf(leaf.credential, leaf.signature_key, listed, self._now_ms)
        return None if vouched is None else vouched.device

    async def names(self, device: DeviceUri) -> bool:
        """The device stands in its user's newest list."""
        listed = await self._of(user_of(device))
        return listed is not None and any(entry.uri == device for entry in listed.devices)

    async def _of(self, user: UserUri) -> DeviceList | None:
        if user not in self._read:
            account = await self._unit.accounts.of(user)
            self._read[user] = (
                None
                if account is None
                else stored_list(account.device_list, user, account.account_key, account.listed_at_ms)
            )
        return self._read[user]


def _told(entry: Entry, stay: Stay, device: DeviceUri) -> LogFrame:
    """How ``device`` hears of ``entry``."""
    room, seq, at_ms = stay.room, entry.seq, entry.accepted_at_ms
    if seq == stay.left_seq:
        return Removed(room, seq)
    if entry.sender == device:
        return Accepted(entry.submission_id, room, seq, entry.epoch, at_ms, entry.frank)
    if seq == stay.joined_seq:
        return Delivery(room, seq, EntryKind.WELCOME, entry.sender, at_ms, entry.welcome or b"", _NO_FRANK)
    return Delivery(room, seq, entry.kind, entry.sender, at_ms, entry.payload, entry.frank)


def leaf_device(credential: bytes) -> DeviceUri:
    """Whose leaf it says it is. Raises ``RefusedError`` ``invalid_commit`` NL-423."""
    try:
        return LeafCredential.decode(credential).device
    except RemoteProtocolError:
        raise RefusedError(ProblemName.INVALID_COMMIT) from None  # NL-423


def _welcomed(welcome: bytes) -> int:
    try:
        return len(read_welcome(welcome))
    except MlsError:
        raise RefusedError(ProblemName.INVALID_COMMIT) from None  # NL-422
