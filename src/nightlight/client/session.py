"""What one device does next: a state machine, events in, effects out.

It keeps the connection, each room's order and each room's outbox. No I/O, no clock, no randomness: ``now_ms`` is of
a clock that never jumps, and the device's store tells what is durable.

Each room has one submission under way at a time, so that no refusal can let a later message overtake an earlier one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from nightlight.client.events import ConnectionState
from nightlight.errors import LocalProtocolError, ProblemName
from nightlight.protocol.ids import RoomUri, SubmissionId, UserUri
from nightlight.protocol.messages import (
    Accepted,
    Acknowledge,
    ClientFrame,
    Delivery,
    EntryKind,
    Goodbye,
    Ready,
    Refused,
    Removed,
    ServerFrame,
    Typing,
    Wake,
)

Entry = Accepted | Delivery | Removed
"""A place in a room's log, as this device sees it."""

FIRST_BACKOFF_MS = 500
LONGEST_BACKOFF_MS = 60_000
STALL_MS = 5_000
"""How long the hub may owe us an entry, an answer or its greeting before we ask again, by connecting anew."""
MAX_AHEAD = 512
"""Entries of one room that wait for an earlier one."""

_TEMPORARY = frozenset(
    {
        ProblemName.TOO_MANY,
        ProblemName.UNAVAILABLE,
        ProblemName.INTERNAL,
        ProblemName.WRONG_EPOCH,
        ProblemName.REMOVAL_OWED,
    }
)


class Signal(StrEnum):
    """What happens to the connection."""

    START = "start"
    READY = "ready"
    CAUGHT_UP = "caught_up"
    LOST = "lost"
    TIMER = "timer"
    STOP = "stop"


_S = ConnectionState
TRANSITIONS: dict[tuple[ConnectionState, Signal], ConnectionState] = {
    (_S.OFFLINE, Signal.START): _S.CONNECTING,
    (_S.CONNECTING, Signal.READY): _S.CATCHING_UP,
    (_S.CONNECTING, Signal.LOST): _S.WAITING,
    (_S.CATCHING_UP, Signal.CAUGHT_UP): _S.ONLINE,
    (_S.CATCHING_UP, Signal.LOST): _S.WAITING,
    (_S.ONLINE, Signal.LOST): _S.WAITING,
    (_S.WAITING, Signal.TIMER): _S.CONNECTING,
    (_S.OFFLINE, Signal.STOP): _S.OFFLINE,
    (_S.CONNECTING, Signal.STOP): _S.OFFLINE,
    (_S.CATCHING_UP, Signal.STOP): _S.OFFLINE,
    (_S.ONLINE, Signal.STOP): _S.OFFLINE,
    (_S.WAITING, Signal.STOP): _S.OFFLINE,
}
"""The connection's states; a pair that is missing is an error."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One item of a room's outbox. ``epoch``: the one it is built for, or None when it is not built."""

    submission_id: SubmissionId
    epoch: int | None


# --- effects ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Connect:
    """Open the stream and say Hello with these cursors."""

    cursors: dict[RoomUri, int]


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Close the stream; ``lost`` follows. ``forget_token``: the hub did not take it."""

    reason: str
    forget_token: bool = False


@dataclass(frozen=True, slots=True)
class SendFrame:
    """Send this."""

    frame: ClientFrame


@dataclass(frozen=True, slots=True)
class Submit:
    """Send what the outbox holds under this id."""

    room: RoomUri
    submission_id: SubmissionId


@dataclass(frozen=True, slots=True)
class Build:
    """Build this item for the room's epoch, make it durable, and say ``built``."""

    room: RoomUri
    submission_id: SubmissionId


@dataclass(frozen=True, slots=True)
class Process:
    """Process these entries, each room's in this order, make it durable, and say ``stored`` for each room."""

    entries: dict[RoomUri, list[Entry]]


@dataclass(frozen=True, slots=True)
class Fail:
    """The hub refused this for good; record that and say ``dropped``."""

    room: RoomUri
    submission_id: SubmissionId
    problem: ProblemName


@dataclass(frozen=True, slots=True)
class Refresh:
    """A chore is due; mostly to read again what HTTP tells: ``contacts``, ``devices``, ``key_packages``, ``rooms``."""

    what: str


@dataclass(frozen=True, slots=True)
class TellState:
    """The application hears of the connection's new state."""

    state: ConnectionState
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class TellFault:
    """The hub broke a rule; record it."""

    room: RoomUri | None
    check: str


@dataclass(frozen=True, slots=True)
class SeeTyping:
    """The hub says that ``user`` is writing in ``room``."""

    room: RoomUri
    user: UserUri


Effect = (
    Connect | Disconnect | SendFrame | Submit | Build | Process | Fail | Refresh | TellState | TellFault | SeeTyping
)


@dataclass(slots=True)
class _Room:
    """``stored`` ≤ ``released``: durable here, handed out for processing. None: the log has not begun for us."""

    stored: int | None
    released: int | None
    epoch: int
    queue: deque[Outgoing] = field(default_factory=deque)
    head: int = 0
    ahead: dict[int, Entry] = field(default_factory=dict)
    flying: bool = False
    wanted_epoch: int = 0
    retry_at_ms: int | None = None
    refusals: int = 0
    asked_from: int | None = None
    """The place from which we asked again for what is missing; asking twice is no use."""
    stalled_at_ms: int | None = None
    """When we lose patience, if the hub owes us something."""

    @property
    def behind(self) -> bool:
        return bool(self.ahead) or (self.released or 0) < self.head


class Session:
    """The state of one device. Methods are events; what they return is to be done, in that order."""

    def __init__(self) -> None:
        """Nothing is known; ``open_room`` and ``queue`` tell what the store holds."""
        self.state = ConnectionState.OFFLINE
        self._rooms: dict[RoomUri, _Room] = {}
        self._attempts = 0
        self._retry_at_ms: int | None = None
        self._greeted_by_ms: int | None = None

    # --- what the store holds

    @property
    def busy(self) -> bool:
        """Whether anything waits to be submitted or answered."""
        return any(state.queue for state in self._rooms.values())

    def open_room(self, room: RoomUri, stored: int, epoch: int, queue: Iterable[Outgoing] = ()) -> list[Effect]:
        """This device is or was in ``room`` and holds its log up to ``stored``."""
        state = self._rooms[room] = _Room(stored=stored, released=stored, epoch=epoch, queue=deque(queue))
        return self._next(room, state)

    def knows(self, room: RoomUri) -> bool:
        """Whether the room is open, or the hub says that it is."""
        return room in self._rooms

    def queue(self, room: RoomUri, item: Outgoing) -> list[Effect]:
        """The outbox of ``room`` ends with ``item``."""
        state = self._rooms[room]
        state.queue.append(item)
        return self._next(room, state)

    def queue_first(self, room: RoomUri, item: Outgoing) -> list[Effect]:
        """The outbox of ``room`` begins with ``item``; what is under way there is submitted again after it."""
        state = self._rooms[room]
        state.queue.appendleft(item)
        state.flying, state.retry_at_ms, state.refusals = False, None, 0
        return self._next(room, state)

    def built(self, room: RoomUri, item: Outgoing) -> list[Effect]:
        """The first item of the outbox is built and durable."""
        state = self._rooms[room]
        if not state.queue or state.queue[0].submission_id != item.submission_id:
            raise LocalProtocolError("built what is not first in the outbox")
        state.queue[0] = item
        return self._next(room, state)

    def dropped(self, room: RoomUri, submission_ids: Iterable[SubmissionId]) -> list[Effect]:
        """The outbox does not hold these any more."""
        state = self._rooms.get(room)
        return [] if state is None else self._drop(room, state, set(submission_ids))

    def stored(self, room: RoomUri, seq: int, epoch: int, settled: Iterable[SubmissionId] = ()) -> list[Effect]:
        """The log up to ``seq`` is durable, the group is in ``epoch``, and the outbox no longer holds ``settled``."""
        state = self._rooms[room]
        moved = seq > (state.stored or 0)
        state.stored = max(seq, state.stored or 0)
        state.released = max(state.released or 0, state.stored)
        if epoch != state.epoch:
            state.epoch, state.retry_at_ms, state.refusals = epoch, None, 0
        effects: list[Effect] = []
        if moved and self._connected:
            effects.append(SendFrame(Acknowledge(room, state.stored)))
        return [*effects, *self._drop(room, state, set(settled)), *self._caught_up()]

    # --- the connection

    def start(self) -> list[Effect]:
        """The application wants a connection."""
        return [self._move(Signal.START), self._connect()]

    def stop(self, reason: str | None = None) -> list[Effect]:
        """The application wants no connection, or there will never be one again, for ``reason``."""
        self._forget_connection()
        self._retry_at_ms = None
        return [self._move(Signal.STOP, reason)]

    def opened(self, now_ms: int) -> None:
        """The stream is open, and Hello is sent."""
        self._greeted_by_ms = now_ms + STALL_MS

    def lost(self, now_ms: int, reason: str, random: int) -> list[Effect]:
        """The stream ended or could not be opened. ``random``: 32 random bits, so that clients return apart."""
        self._forget_connection()
        backoff = min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS << min(self._attempts, 16))
        self._attempts += 1
        self._retry_at_ms = now_ms + backoff // 2 + backoff * random // 2**33
        return [self._move(Signal.LOST, reason)]

    def hurry(self, now_ms: int) -> None:
        """If the session waits to connect, it waits no longer: the network is back."""
        if self._retry_at_ms is not None:
            self._retry_at_ms, self._attempts = now_ms, 0

    def next_timer_ms(self, now_ms: int) -> int | None:
        """When ``tick`` is due, or None. From now on, time runs for whatever the hub owes us."""
        times = [self._retry_at_ms, self._greeted_by_ms]
        for state in self._rooms.values():
            if not self._connected or not (state.flying or state.behind):
                state.stalled_at_ms = None
            elif state.stalled_at_ms is None:
                state.stalled_at_ms = now_ms + STALL_MS
            times += [state.retry_at_ms, state.stalled_at_ms]
        return min((at for at in times if at is not None), default=None)

    def tick(self, now_ms: int) -> list[Effect]:
        """Whatever was due by ``now_ms`` is done."""
        effects: list[Effect] = []
        if self._retry_at_ms is not None and now_ms >= self._retry_at_ms:
            self._retry_at_ms = None
            effects += [self._move(Signal.TIMER), self._connect()]
        if self._greeted_by_ms is not None and now_ms >= self._greeted_by_ms:
            return [*effects, Disconnect("no greeting")]
        effects += self._stalled(now_ms)
        for room, state in self._rooms.items():
            if state.retry_at_ms is not None and now_ms >= state.retry_at_ms:
                state.retry_at_ms = None
                effects += self._next(room, state)
        return effects

    def receive(self, frames: Sequence[ServerFrame], now_ms: int) -> list[Effect]:
        """These frames came, in this order."""
        effects: list[Effect] = []
        arrived: dict[RoomUri, list[Entry]] = {}
        for frame in frames:
            match frame:
                case Accepted() | Delivery() | Removed():
                    effects += self._arrive(frame, arrived)
                case Refused():
                    effects += self._refused(frame, now_ms)
                case Ready() if self.state is ConnectionState.CONNECTING:
                    effects += self._ready(frame)
                case Wake(what):
                    effects.append(Refresh(what))
                case Goodbye(reason):
                    effects.append(Disconnect(reason))
                case Typing(room, user):
                    effects.append(SeeTyping(RoomUri(room), UserUri(user)))
        arrived = {room: entries for room, entries in arrived.items() if entries}
        if arrived:
            effects.append(Process(arrived))
            self._wait_anew(arrived)
        return [*effects, *self._caught_up()]

    # --- inside

    @property
    def _connected(self) -> bool:
        return self.state in {ConnectionState.CATCHING_UP, ConnectionState.ONLINE}

    def _move(self, signal: Signal, reason: str | None = None) -> TellState:
        try:
            self.state = TRANSITIONS[self.state, signal]
        except KeyError:
            raise LocalProtocolError(f"{signal} while {self.state}") from None
        return TellState(self.state, reason)

    def _connect(self) -> Connect:
        return Connect({room: state.stored for room, state in self._rooms.items() if state.stored is not None})

    def _forget_connection(self) -> None:
        self._greeted_by_ms = None
        for room, state in list(self._rooms.items()):
            state.flying, state.head, state.released, state.retry_at_ms = False, 0, state.stored, None
            state.stalled_at_ms = None
            state.ahead.clear()
            if state.stored is None and state.asked_from is None:
                del self._rooms[room]

    def _ready(self, frame: Ready) -> list[Effect]:
        self._greeted_by_ms = None
        for uri, head in frame.heads.items():
            self._room(RoomUri(uri)).head = head
        effects: list[Effect] = [self._move(Signal.READY)]
        for room, state in self._rooms.items():
            effects += self._next(room, state)
        return effects

    def _caught_up(self) -> list[Effect]:
        if self.state is not ConnectionState.CATCHING_UP:
            return []
        if any((state.stored or 0) < state.head for state in self._rooms.values()):
            return []
        self._attempts = 0
        return [self._move(Signal.CAUGHT_UP)]

    def _room(self, room: RoomUri) -> _Room:
        return self._rooms.setdefault(room, _Room(stored=None, released=None, epoch=0))

    def _arrive(self, entry: Entry, arrived: dict[RoomUri, list[Entry]]) -> list[Effect]:
        """``entry`` is released with what follows it, kept until its turn, or dropped as a repeat."""
        room = RoomUri(entry.room)
        state = self._room(room)
        if _begins(entry) and entry.seq > (state.released or 0):
            state.released = entry.seq - 1
            state.ahead = {seq: later for seq, later in state.ahead.items() if seq > entry.seq}
        if state.released is not None and entry.seq <= state.released:
            if entry.seq <= (state.stored or 0) and _answers(entry, state):
                arrived.setdefault(room, []).append(entry)
            return [SendFrame(Acknowledge(room, entry.seq))] if isinstance(entry, Removed) else []
        if len(state.ahead) >= MAX_AHEAD and entry.seq != (state.released or 0) + 1:
            return [Disconnect("too far ahead")]
        state.ahead[entry.seq] = entry
        _release(state, arrived.setdefault(room, []))
        return []

    def _wait_anew(self, arrived: dict[RoomUri, list[Entry]]) -> None:
        """The hub hands out what was missed, a room after the other: whoever waits their turn does so from now on.

        It holds nobody up for ever, since what was missed ends at the heads that it has named.
        """
        missed = any(entries[0].seq <= self._rooms[room].head for room, entries in arrived.items())
        if self.state is ConnectionState.CATCHING_UP and missed:
            for state in self._rooms.values():
                if not state.ahead:
                    state.stalled_at_ms = None

    def _stalled(self, now_ms: int) -> list[Effect]:
        """What is missing is asked for again; where that was tried, the room goes on without it."""
        effects: list[Effect] = []
        skipped: dict[RoomUri, list[Entry]] = {}
        for room, state in self._rooms.items():
            if state.stalled_at_ms is None or now_ms < state.stalled_at_ms:
                continue
            state.stalled_at_ms = None
            if not state.behind or state.asked_from != (state.released or 0):
                state.asked_from = state.released or 0
                return [Disconnect("the server does not answer")]
            effects.append(TellFault(room, "NL-501"))  # NL-501: a room's log is contiguous
            if state.ahead:
                state.released = min(state.ahead) - 1
                _release(state, skipped.setdefault(room, []))
            else:
                state.head = state.asked_from
        if skipped:
            effects.append(Process(skipped))
        return [*effects, *self._caught_up()]

    def _refused(self, frame: Refused, now_ms: int) -> list[Effect]:
        if frame.problem is ProblemName.UNAUTHENTICATED:
            return [Disconnect("unauthenticated", forget_token=True)]
        for room, state in self._rooms.items():
            if state.flying and state.queue[0].submission_id == frame.submission_id:
                state.flying, state.stalled_at_ms = False, None
                if frame.problem not in _TEMPORARY:
                    return [Fail(room, state.queue[0].submission_id, frame.problem)]
                if frame.problem is ProblemName.REMOVAL_OWED:  # a commit has to remove what we did not know of
                    state.queue[0] = Outgoing(state.queue[0].submission_id, None)
                if frame.problem is ProblemName.WRONG_EPOCH:
                    state.wanted_epoch = frame.epoch or 0
                    if state.queue[0].epoch != state.epoch or state.wanted_epoch > state.epoch:
                        return self._next(room, state)
                wait_ms = min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS << min(state.refusals, 16))
                state.refusals += 1
                state.retry_at_ms = now_ms + (frame.retry_after_ms or wait_ms)
                return [Refresh("rooms")] if frame.problem is ProblemName.REMOVAL_OWED else []
        return []

    def _drop(self, room: RoomUri, state: _Room, gone: set[SubmissionId]) -> list[Effect]:
        if gone and state.queue:
            if state.queue[0].submission_id in gone:
                state.flying, state.refusals, state.retry_at_ms = False, 0, None
            state.queue = deque(item for item in state.queue if item.submission_id not in gone)
        return self._next(room, state)

    def _next(self, room: RoomUri, state: _Room) -> list[Effect]:
        """The first item of the outbox is built or submitted, if its time has come."""
        if not self._connected or state.flying or not state.queue or state.retry_at_ms is not None:
            return []
        if state.stored is None or state.stored < state.head or state.epoch < state.wanted_epoch:
            return []
        first = state.queue[0]
        if first.epoch != state.epoch:
            return [Build(room, first.submission_id)]
        state.flying, state.stalled_at_ms = True, None
        return [Submit(room, first.submission_id)]


def _release(state: _Room, into: list[Entry]) -> None:
    """What is contiguous is handed out."""
    while state.released is not None and (entry := state.ahead.pop(state.released + 1, None)) is not None:
        into.append(entry)
        state.released += 1
        state.asked_from = state.stalled_at_ms = None


def _begins(entry: Entry) -> bool:
    return isinstance(entry, Delivery) and entry.kind is EntryKind.WELCOME


def _answers(entry: Entry, state: _Room) -> bool:
    """Whether this repeat answers what is still under way: its first answer was in what the hub lost."""
    return isinstance(entry, Accepted) and state.flying and state.queue[0].submission_id == entry.submission_id
