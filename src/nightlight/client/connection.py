"""The loop that joins a device and its network: frames in, errands out, one at a time."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from nightlight.client.device import Ask, Device, Errand
from nightlight.client.events import ConnectionChanged, ConnectionState, MessageState, MessageStateChanged
from nightlight.client.housekeeping import Housekeeping
from nightlight.client.hub import Hub
from nightlight.client.inbox import HUB
from nightlight.client.sealed_files import SealedFiles
from nightlight.client.session import Connect, Disconnect, Refresh, SendFrame
from nightlight.client.store import Store, StoreError
from nightlight.client.surroundings import Surroundings
from nightlight.client.transport import Stream
from nightlight.client.uploads import Uploads
from nightlight.client.watchers import Watchers
from nightlight.errors import (
    NightlightError,
    ProblemName,
    RefusedError,
    RemoteProtocolError,
    UnavailableError,
    VerificationError,
)
from nightlight.mls.group import FatalError
from nightlight.protocol.ids import RoomUri
from nightlight.protocol.messages import ClientFrame, ServerFrame

MAX_FRAMES = 512
"""Frames that wait to be processed; more stay in the socket."""
RECEIPT_QUIET_MS = 200
"""Receipts are told together, this long after the first."""
CHORES_EVERY_MS = 6 * 3_600_000
"""A connection may last for months; device lists and key packages do not."""
EXPIRY_LOOK_MS = 60_000
"""The clock by which messages expire may jump: it is looked at this often while one waits for its end."""
FIRST_CHORE_WAIT_S, LONGEST_CHORE_WAIT_S = 0.5, 60.0
UPLOADS = "uploads"
"""The chore that may take long: no other waits for it."""
_RANDOM_BYTES = 4


class Connection:
    """Keeps ``device`` connected from ``start`` to ``stop``, whatever happens to network, server and disk."""

    def __init__(self, store: Store, hub: Hub, surroundings: Surroundings) -> None:
        """Nothing is connected."""
        self.device = Device(store, surroundings)
        self.watchers = Watchers()
        self._online = asyncio.Event()
        self._failure: Exception | None = None
        self.settled = asyncio.Event()
        """Set while the connection is up and nothing waits to be told or answered."""
        self._store = store
        self._hub = hub
        self._surroundings = surroundings
        self.housekeeping = Housekeeping(store, hub, surroundings, self.wake)
        self.files = SealedFiles(store.files)
        self.uploads = Uploads(store, hub, self.housekeeping, self.files, surroundings, lambda: self.device, self.wake)
        self._chores: dict[str, asyncio.Task[None]] = {}
        self._due: set[str] = set()
        self._chores_at_ms = 0
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._stream: Stream | None = None
        self._reading: asyncio.Task[None] | None = None
        self._frames: list[ServerFrame] = []
        self._lost: str | None = None
        self._receipts_at_ms: int | None = 0 if self.device.owes_receipts() else None
        self._awake = asyncio.Event()
        self._drained = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    def start(self) -> None:
        """The loop runs; if it did and waited to connect, it waits no longer."""
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        else:
            self.device.session.hurry(self._surroundings.monotonic_ms())
            self.wake()

    async def stop(self) -> None:
        """The loop has ended. Raises what ended it, if it ended by itself."""
        running, self._running = self._running, None
        for timer in self._timers.values():
            timer.cancel()
        chores = [*self._chores.values(), *([running] if running is not None else [])]
        for task in chores:
            task.cancel()
        results = await asyncio.gather(*chores, return_exceptions=True)
        await self._close_stream()
        self.watchers.end(UnavailableError("the client is closed"))
        for result in results:
            if isinstance(result, Exception):
                raise result

    @property
    def is_online(self) -> bool:
        """The connection is up, and everything the hub had is processed."""
        return self._online.is_set() and self._failure is None

    async def wait_online(self) -> None:
        """Returns once it is online. Raises what has ended the loop, if anything has."""
        await self._online.wait()
        if self._failure is not None:
            raise self._failure

    def wake(self) -> None:
        """The device may have errands or events: the loop takes them."""
        self._awake.set()
        self.settled.clear()

    def plan_receipts(self) -> None:
        """What senders are owed is told a little later, together."""
        if self._receipts_at_ms is None and self.device.owes_receipts():
            self._receipts_at_ms = self._surroundings.monotonic_ms() + RECEIPT_QUIET_MS
            self.settled.clear()

    def chore(self, what: str) -> None:
        """It is begun after now, beside the loop, once for all who ask meanwhile; again until the server answers."""
        self._due.add(what)
        if what not in self._chores:
            self._chores[what] = asyncio.create_task(self._work(what), name=what)

    def _later(self, wait_s: float, what: str) -> None:
        former = self._timers.pop(what, None)
        if former is not None:
            former.cancel()
        self._timers[what] = asyncio.get_running_loop().call_later(wait_s, self.chore, what)

    # --- the loop

    async def _run(self) -> None:
        self.device.run(self.device.session.start())
        try:
            while True:
                try:
                    await self._turn()
                except StoreError as error:
                    await self._begin_again(str(error))
                except FatalError as error:
                    await self._begin_again(error.reason)
                except UnavailableError as error:
                    await self._lose(error.reason)
        except Exception as error:
            self._failure = error
            self._online.set()
            self.watchers.end(error)
            raise

    async def _turn(self) -> None:
        """Everything that can be done now is done; then it waits for more."""
        self._awake.clear()
        device, now_ms = self.device, self._surroundings.monotonic_ms()
        if self._frames:
            frames, self._frames = self._frames, []
            self._drained.set()
            device.run(device.session.receive(frames, now_ms))
        device.expire()
        due_ms = device.session.next_timer_ms(now_ms)
        if due_ms is not None and due_ms <= now_ms:
            device.run(device.session.tick(now_ms))
        if self._receipts_at_ms is not None and self._receipts_at_ms <= now_ms and self._online.is_set():
            self._receipts_at_ms = None
            device.report_receipts()
        if self._online.is_set() and self._chores_at_ms <= now_ms:
            self._do_chores()
        self._publish()
        while device.errands:
            await self._do(device.errands.pop(0))
            self._publish()
        if self._lost is not None and not self._frames:
            await self._lose(self._lost)
        elif not self._frames:
            await self._sleep()

    async def _sleep(self) -> None:
        """Until somebody wakes us, or a timer is due."""
        told_everything = self._receipts_at_ms is None and not self.device.session.busy
        told_everything = told_everything and not self.uploads.busy
        if self._online.is_set() and told_everything and not self._awake.is_set():
            self.settled.set()
        now_ms = self._surroundings.monotonic_ms()
        due = [self.device.session.next_timer_ms(now_ms), self._expiry_ms(now_ms)]
        if self._online.is_set():
            due += [self._receipts_at_ms, self._chores_at_ms]
        times = [at for at in due if at is not None]
        timer = None
        if times:
            wait_s = max(0, min(times) - now_ms) / 1000
            timer = asyncio.get_running_loop().call_later(wait_s, self._awake.set)
        try:
            await self._awake.wait()
        finally:
            if timer is not None:
                timer.cancel()

    def _expiry_ms(self, now_ms: int) -> int | None:
        """When to look for messages whose time is over."""
        ends_at_ms = self.device.next_end_ms()
        if ends_at_ms is None:
            return None
        return now_ms + min(max(0, ends_at_ms - self._surroundings.clock()), EXPIRY_LOOK_MS)

    async def _do(self, errand: Errand) -> None:
        match errand:
            case Connect(cursors):
                await self._connect(cursors)
            case Disconnect(reason, forget_token):
                if forget_token:
                    self._hub.forget_token()
                await self._lose(reason)
            case SendFrame(frame):
                await self._send(frame)
            case Refresh(what):
                self.chore(what)
            case Ask():
                await self._ask(errand)

    async def _connect(self, cursors: dict[RoomUri, int]) -> None:
        try:
            self._stream = await self._hub.open_stream(cursors)
        except RefusedError as error:
            self._hub.forget_token()
            if error.problem is ProblemName.DEVICE_REMOVED:
                self._end_for_good(error)
            else:
                await self._lose(error.problem.value)
        except RemoteProtocolError as error:
            self.device.record_fault(None, error.check, HUB)
            await self._lose("the server does not answer as it should")
        else:
            self.device.session.opened(self._surroundings.monotonic_ms())
            self._reading = asyncio.create_task(self._read(self._stream))

    async def _send(self, frame: ClientFrame) -> None:
        if self._stream is not None and self._lost is None:
            try:
                await self._stream.send(frame)
            except UnavailableError as error:
                self._lost = error.reason

    async def _read(self, stream: Stream) -> None:
        try:
            while True:
                frame = await stream.receive()
                self._frames.append(frame)
                self._awake.set()
                if len(self._frames) >= MAX_FRAMES:
                    self._drained.clear()
                    await self._drained.wait()
        except UnavailableError as error:
            self._lost = error.reason
        except RemoteProtocolError as error:
            self.device.record_fault(None, error.check, HUB)
            self._lost = "the server does not answer as it should"
        self._awake.set()

    async def _ask(self, ask: Ask) -> None:
        """What the server says is learnt; what it will not say counts as unknown. Raises ``UnavailableError``."""
        if ask.lookup.directory:
            with suppress(RefusedError, RemoteProtocolError):
                await self.housekeeping.refresh_directory(self.device)
        for user in ask.lookup.users:
            with suppress(RefusedError, RemoteProtocolError, VerificationError):  # recorded where it was found
                await self.housekeeping.learn_devices(self.device, user, fresh=False)
        self.device.resume(ask)

    # --- beginnings and ends

    async def _lose(self, reason: str) -> None:
        await self._close_stream()
        if self.device.session.state in {ConnectionState.OFFLINE, ConnectionState.WAITING}:
            return
        random = int.from_bytes(self._surroundings.random(_RANDOM_BYTES), "big")
        self.device.errands = [errand for errand in self.device.errands if isinstance(errand, Refresh)]
        self.device.run(self.device.session.lost(self._surroundings.monotonic_ms(), reason, random))

    def _end_for_good(self, error: RefusedError) -> None:
        """This device is its person's no longer: it stays offline, and keeps what it has."""
        self.device.errands = []
        self.device.run(self.device.session.stop(error.problem.value))
        self._failure = error
        self._online.set()

    async def _begin_again(self, reason: str) -> None:
        """What is in memory may differ from what is on disk: the device is read anew, and waits a little."""
        self._publish()
        await self._close_stream()
        self.device = Device(self._store, self._surroundings)
        self.device.session.start()
        await self._lose(reason)

    async def _close_stream(self) -> None:
        stream, self._stream = self._stream, None
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.cancel()
            with suppress(asyncio.CancelledError):
                await reading
        if stream is not None:
            await stream.close()
        self._frames.clear()
        self._lost = None

    # --- what the application hears

    def _publish(self) -> None:
        device = self.device
        news, device.trust.news = device.trust.news, []
        events, device.events = [*device.events, *news], []
        finished, device.finished = device.finished, []
        for event in events:
            if isinstance(event, ConnectionChanged):
                self._state_changed(event.state)
            elif isinstance(event, MessageStateChanged):
                self._settle(event)
        for submission_id, problem in finished:
            self.watchers.settle(submission_id, None if problem is None else RefusedError(problem))
        if events:
            self.watchers.tell(events)
            self.plan_receipts()

    def _settle(self, event: MessageStateChanged) -> None:
        if event.state is MessageState.SENT:
            self.watchers.settle(event.message_id, None)
        elif event.reason is not None:
            self.watchers.settle(event.message_id, RefusedError(ProblemName(event.reason)))

    def _state_changed(self, state: ConnectionState) -> None:
        if state is ConnectionState.ONLINE:
            self._online.set()
            self._do_chores()
        elif self._failure is None:
            self._online.clear()

    def _do_chores(self) -> None:
        self._chores_at_ms = self._surroundings.monotonic_ms() + CHORES_EVERY_MS
        for what in ("everything_else", "contacts", "departures", "devices", "key_packages", "lost", UPLOADS):
            self.chore(what)

    async def _do_chore(self, what: str) -> float | None:
        """The chore is done; after how many seconds to do it again, if that is known."""
        if what != UPLOADS:
            return await self.housekeeping.do(what, self.device)
        await self.uploads.go_on()
        return None

    async def _work(self, what: str) -> None:
        wait_s = FIRST_CHORE_WAIT_S
        try:
            while what in self._due:
                self._due.discard(what)
                try:
                    again_s = await self._do_chore(what)
                except UnavailableError:
                    self._due.add(what)
                    await asyncio.sleep(wait_s)
                    wait_s = min(2 * wait_s, LONGEST_CHORE_WAIT_S)
                    await self._online.wait()
                except NightlightError:
                    pass  # recorded where it was found
                else:
                    if again_s is not None:
                        self._later(again_s, what)
                self.wake()
        finally:
            del self._chores[what]
