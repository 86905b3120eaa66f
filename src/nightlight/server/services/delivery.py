"""What is submitted to rooms: taken in order, made durable together, then told.

Submissions that arrive while the disk is busy form the next batch. A batch is checked entry by entry against cached
room state, so that a refusal never fails its neighbours; franks are signed in one call; one transaction makes it
durable; only then does anyone hear of it. When the transaction fails, so has the whole batch, and its rooms are read
anew.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import groupby
from typing import NamedTuple, Protocol, TypeAlias

import structlog

from nightlight.errors import ProblemName, RefusedError, RemoteProtocolError, UnavailableError
from nightlight.protocol.codec import read_private_message
from nightlight.protocol.franking import DAY_KEY_BYTES, day_of, read_safe_aad
from nightlight.protocol.ids import RoomUri, SubmissionId, TimestampMs
from nightlight.protocol.messages import Accepted, Delivery, EntryKind, Refused, SubmitCommit, SubmitMessage
from nightlight.server.cache import RoomCache
from nightlight.server.domain.franker import Franker, Statement
from nightlight.server.domain.room import RoomState, check_header, check_may_write, check_size
from nightlight.server.faults import crash_point
from nightlight.server.ports.delivery import (
    Bus,
    Caller,
    Clock,
    DeliveryStore,
    DeliveryUnit,
    Entry,
    Meter,
    Published,
    Random,
)

_RETRY_AFTER_MS = 1_000

_log = structlog.get_logger()

Answer: TypeAlias = Accepted | Refused


class Submission(NamedTuple):
    """A frame on its way into a log. ``answer`` is called once, on the event loop."""

    caller: Caller
    frame: SubmitMessage | SubmitCommit
    answer: Callable[[Answer], None]


class Handshakes(Protocol):
    """Who takes in commits."""

    async def append(
        self, unit: DeliveryUnit, caller: Caller, frame: SubmitCommit, now_ms: TimestampMs
    ) -> tuple[Accepted, Published]:
        """The commit is written. Raises ``RefusedError``, and then nothing is."""


class _Message(NamedTuple):
    """A message that may be appended."""

    submission: Submission
    payload: bytes
    state: RoomState
    epoch: int
    accepted_at_ms: TimestampMs


class _Batch(NamedTuple):
    """A transaction under way, and what is to be told once it is durable, in the order of the logs."""

    unit: DeliveryUnit
    now_ms: TimestampMs
    told: list[tuple[Submission, Answer, Published | None]]


@dataclass(slots=True)
class DeliveryService:
    """Taking submissions in."""

    store: DeliveryStore
    bus: Bus
    meter: Meter
    rooms: RoomCache
    handshakes: Handshakes
    franker: Franker
    clock: Clock
    random: Random
    message_bytes_max: int
    batch_max: int
    _day_keys: dict[int, bytes] = field(default_factory=dict, init=False, repr=False)
    _arrived: list[Submission] = field(default_factory=list, init=False)
    _working: asyncio.Task[None] | None = field(default=None, init=False)

    def submit(self, submission: Submission) -> None:
        """The submission will be answered, after every one that came before it."""
        self._arrived.append(submission)
        if self._working is None:
            self._working = asyncio.create_task(self._work())

    async def drain(self) -> None:
        """Everything submitted has been answered."""
        while self._working is not None:
            await self._working

    async def _work(self) -> None:
        try:
            while self._arrived:
                batch = self._arrived[: self.batch_max]
                del self._arrived[: self.batch_max]
                await self._take(batch)
        finally:
            self._working = None

    async def _take(self, submissions: list[Submission]) -> None:
        crash_point("batch.received")
        commits = any(isinstance(submission.frame, SubmitCommit) for submission in submissions)
        began = time.perf_counter()
        try:
            async with self.store.write("handshake" if commits else "batch") as unit:
                batch = _Batch(unit, self.clock(), [])
                for kind, run in groupby(submissions, lambda submission: type(submission.frame)):
                    append = self._append_messages if kind is SubmitMessage else self._append_commits
                    await append(batch, run)
        except Exception as error:  # noqa: BLE001 - whatever it is, everyone is answered
            await self._give_up(submissions, error)
            return
        refused: list[ProblemName] = []
        for submission, answer, published in batch.told:
            submission.answer(answer)
            if published is not None:
                self.bus.publish(published)
            elif isinstance(answer, Refused):
                refused.append(answer.problem)
        self.meter.batch(len(submissions), refused, time.perf_counter() - began)

    async def _give_up(self, submissions: list[Submission], error: Exception) -> None:
        """Nothing is durable, and what we remember has run ahead of it. A bug fails its submission alone."""
        self._day_keys = {}
        for submission in submissions:
            self.rooms.forget(RoomUri(submission.frame.room))
        self.meter.failed_batch()
        if isinstance(error, UnavailableError):
            _log.warning("batch postponed", submissions=len(submissions), reason=error.reason)
            problem = ProblemName.UNAVAILABLE
        elif len(submissions) > 1:
            for submission in submissions:
                await self._take([submission])
            return
        else:
            _log.error("submission failed", error=type(error).__name__)
            problem = ProblemName.INTERNAL
        for submission in submissions:
            submission.answer(Refused(submission.frame.submission_id, problem, retry_after_ms=_RETRY_AFTER_MS))

    # --- messages -----------------------------------------------------------------------------------------

    async def _append_messages(self, batch: _Batch, run: Iterable[Submission]) -> None:
        messages: list[_Message] = []
        statements: list[Statement] = []
        for submission in run:
            caller, frame, _ = submission
            assert isinstance(frame, SubmitMessage)
            try:
                check_size(frame.message, self.message_bytes_max)
                header = read_private_message(frame.message)
                tag = read_safe_aad(header.authenticated_data)
                room = RoomUri(frame.room)
                state = self.rooms.known(room) or await self.rooms.state(batch.unit, room)
                state = check_may_write(state, caller.device)
                check_header(state, header)
            except (RefusedError, RemoteProtocolError) as error:
                await self._refuse(batch, submission, error)
                continue
            at_ms = state.accept_time(batch.now_ms)
            k_day = self._day_keys.get(day_of(at_ms)) or await self._day_key(batch.unit, day_of(at_ms))
            messages.append(_Message(submission, frame.message, state, header.epoch, at_ms))
            statements.append(Statement(tag, caller.user, room, at_ms, k_day))
        for message, frank in zip(messages, self.franker.frank(statements), strict=True):
            if not self._append(batch, message, frank):
                await self._refuse(batch, message.submission, RefusedError(ProblemName.CONFLICT))

    @staticmethod
    def _append(batch: _Batch, message: _Message, frank: bytes) -> bool:
        """False where the submission was taken before."""
        submission, payload, state, epoch, at_ms = message
        caller, frame, _ = submission
        room, seq, submission_id = state.room, state.head + 1, SubmissionId(frame.submission_id)
        entry = Entry(seq, EntryKind.APPLICATION, caller.device, submission_id, epoch, at_ms, frank, payload)
        if not batch.unit.log.append(state.room_id, caller.device_id, entry):
            return False
        state.head = seq
        answer = Accepted(submission_id, room, seq, epoch, at_ms, frank)
        delivery = Delivery(room, seq, EntryKind.APPLICATION, caller.device, at_ms, payload, frank)
        batch.told.append((submission, answer, Published(delivery, state.members.keys())))
        return True

    async def _day_key(self, unit: DeliveryUnit, day: int) -> bytes:
        key = await unit.log.day_key(day)
        if key is None:
            key = self.random(DAY_KEY_BYTES)
            await unit.log.add_day_key(day, key)
        self._day_keys = {day: key}
        return key

    # --- commits, and refusals ----------------------------------------------------------------------------

    async def _append_commits(self, batch: _Batch, run: Iterable[Submission]) -> None:
        for submission in run:
            caller, frame, _ = submission
            assert isinstance(frame, SubmitCommit)
            try:
                await self._check_new(batch.unit, submission)
                answer, published = await self.handshakes.append(batch.unit, caller, frame, batch.now_ms)
            except RefusedError as error:
                await self._refuse(batch, submission, error)
            else:
                batch.told.append((submission, answer, published))

    @staticmethod
    async def _check_new(unit: DeliveryUnit, submission: Submission) -> None:
        """Raises ``RefusedError`` for a submission that was taken before."""
        submission_id = SubmissionId(submission.frame.submission_id)
        if await unit.log.answered(submission_id, submission.caller.device_id) is not None:
            raise RefusedError(ProblemName.CONFLICT)

    @staticmethod
    async def _refuse(batch: _Batch, submission: Submission, error: RefusedError | RemoteProtocolError) -> None:
        """A submission that was taken before gets its answer again, whatever has changed since."""
        submission_id = SubmissionId(submission.frame.submission_id)
        before = await batch.unit.log.answered(submission_id, submission.caller.device_id)
        answer: Answer
        if before is not None:
            answer = Accepted(submission_id, before.room, before.seq, before.epoch, before.accepted_at_ms, before.frank)
        elif isinstance(error, RefusedError):
            answer = Refused(submission_id, error.problem, error.epoch)
        else:
            answer = Refused(submission_id, ProblemName.MALFORMED)
        batch.told.append((submission, answer, None))
