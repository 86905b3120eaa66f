"""The screen of ``nightlight chat``: a view of what the device's store holds, drawn anew when something happens."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.message import Message as TextualMessage
from textual.timer import Timer
from textual.widgets import Input, Static

from nightlight.cli.chat_commands import HELP, carry_out
from nightlight.cli.conversation import others
from nightlight.cli.faults import INTERRUPTED, explain
from nightlight.cli.message_line import Find, message_row
from nightlight.cli.notices import worded
from nightlight.cli.people import written
from nightlight.cli.plain import neutralise
from nightlight.client.sdk import (
    Client,
    ConnectionChanged,
    ConnectionState,
    Event,
    FaultSeen,
    Message,
    MessageChanged,
    MessageExpired,
    MessageShown,
    MessageState,
    MessageStateChanged,
    Notice,
    RoomChanged,
    Typing,
)
from nightlight.errors import NightlightError, ProblemName, RefusedError
from nightlight.protocol.ids import MessageId, RoomUri, UserUri

PAGE = 50
TYPING_SECONDS = 6
_CONNECTION_WORDS = {
    ConnectionState.OFFLINE: "○ offline",
    ConnectionState.CONNECTING: "◌ connecting",
    ConnectionState.CATCHING_UP: "◌ catching up",
    ConnectionState.ONLINE: "● online",
    ConnectionState.WAITING: "○ offline, sends later",
}


class MessageRow(Static):
    """One message; its ticks change, and what it says and answers may."""

    def __init__(self, message: Message, find: Find) -> None:
        """The row shows ``message`` from the start."""
        super().__init__(message_row(message, find))
        self._find = find
        self.message = message

    def show(self, message: Message) -> None:
        """The row shows ``message``, a later state of the same one."""
        if message != self.message or message.reply_to is not None:
            self.message = message
            self.update(message_row(message, self._find))


class History(VerticalScroll):
    """The messages, the newest at the bottom; it stays there until the person scrolls up."""

    class ReachedTop(TextualMessage):
        """The person wants to see older messages."""

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Older messages are asked for when the person comes to the top."""
        super().watch_scroll_y(old_value, new_value)
        if new_value <= 0 < old_value:
            self.post_message(self.ReachedTop())


class ChatApp(App[None]):
    """One room of one device. The client is opened and closed by the caller."""

    CSS = """
    #top { height: 1; background: $panel; padding: 0 1; }
    #people { width: 1fr; text-wrap: nowrap; text-overflow: ellipsis; }
    #connection { width: auto; }
    History { height: 1fr; padding: 0 1; }
    MessageRow { height: auto; }
    MessageRow.chosen { background: $boost; }
    Input { border: round $primary; }
    #notice { height: auto; color: $error; padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", "interrupt", "Leave", priority=True),
        Binding("escape", "leave", "Leave", priority=True),
        Binding("up", "choose(-1)", "Choose a message", priority=True),
        Binding("down", "choose(1)", "Choose a message", priority=True),
        Binding("pageup", "scroll_history(-1)", "Older", priority=True),
        Binding("pagedown", "scroll_history(1)", "Newer", priority=True),
    ]
    ENABLE_COMMAND_PALETTE = False

    def __init__(self, client: Client, room: RoomUri) -> None:
        """``client`` need not be connected."""
        super().__init__()
        self._client = client
        self._room = room
        self._rows: dict[MessageId, MessageRow] = {}
        self._window = PAGE
        self._chosen: MessageId | None = None
        self._members: tuple[UserUri, ...] = ()
        self._writing: dict[UserUri, Timer] = {}

    def compose(self) -> ComposeResult:
        """Who, the messages, a line for refusals, and where to write."""
        with Horizontal(id="top"):
            yield Static(id="people", markup=False)
            yield Static(_CONNECTION_WORDS[ConnectionState.CONNECTING], id="connection", markup=False)
        yield History()
        yield Static(id="notice", markup=False)
        yield Input(placeholder=f"Write as {written(self._client.user)}, and press Enter", max_length=16_000)

    async def on_mount(self) -> None:
        """What the store holds is shown, and what happens is followed."""
        self._show_people({room.room: room.members for room in self._client.rooms()}.get(self._room, ()))
        self.query_one(Input).focus()
        self.run_worker(self._follow(self._client.events()))
        self.run_worker(self._wait_online())
        await self._draw()
        self.query_one(History).anchor()
        await self._mark_read()
        self._notice("\n".join(worded(notice, self._client) for notice in self._client.people.notices(unseen=True)))

    async def _follow(self, events: AsyncIterator[Event]) -> None:
        async for event in events:
            await self._take(event)

    async def _wait_online(self) -> None:
        """The connection may have been up before we listened."""
        with suppress(RefusedError):  # told by the event: this device was removed
            await self._client.wait_online()
            self._show_connection(ConnectionState.ONLINE)

    async def _take(self, event: Event) -> None:
        match event:
            case MessageShown() | MessageChanged() | MessageExpired() | MessageStateChanged():
                await self._take_message(event)
            case Typing(room=self._room):
                self._show_typing(event.user)
            case ConnectionChanged():
                self._show_connection(event.state, event.reason)
            case Notice():
                self._notice(worded(event, self._client))
            case RoomChanged(room=self._room):
                self._show_people(event.members)
                if not event.joined:
                    self._notice("you are not in this room any more")
            case FaultSeen(room=self._room):
                self._notice(f"a message was not shown: it breaks rule {event.check}")
            case _:
                pass

    async def _take_message(self, event: Event) -> None:
        match event:
            case MessageShown(message) if message.room == self._room:
                self._stopped_typing(message.sender)
                self._window += 1
                await self._draw()
                await self._mark_read()
            case MessageChanged(message) if message.room == self._room:
                await self._draw()
            case MessageExpired(room=self._room) if event.message_id in self._rows:
                await self._rows.pop(event.message_id).remove()
            case MessageStateChanged(room=self._room):
                await self._draw()
                if event.state is MessageState.FAILED:
                    self._notice(f"not sent: {event.reason}")
            case _:
                pass

    async def _draw(self) -> None:
        """The newest ``_window`` messages of the store are on the screen, in its order."""
        messages = self._client.messages(self._room, limit=self._window)
        fresh = []
        for message in messages:
            row = self._rows.get(message.message_id)
            if row is None:
                row = self._rows[message.message_id] = MessageRow(message, self._client.message)
                fresh.append(row)
            row.show(message)
        history = self.query_one(History)
        await history.mount_all(fresh)
        place = {message.message_id: number for number, message in enumerate(messages)}
        history.sort_children(
            key=lambda row: place.get(row.message.message_id, -1) if isinstance(row, MessageRow) else 0
        )

    async def on_history_reached_top(self) -> None:
        """A page of older messages is above what was seen, which stays where it is."""
        history = self.query_one(History)
        before, height = len(self._rows), history.virtual_size.height
        self._window = before + PAGE
        await self._draw()
        if len(self._rows) > before:
            self.call_after_refresh(lambda: history.scroll_to(y=history.virtual_size.height - height, animate=False))

    async def on_input_submitted(self, event: Input.Submitted) -> None:
        """What was written is durable, shown, and on its way."""
        if not event.value.strip():
            return
        self._notice("")
        try:
            chosen = None if self._chosen is None else self._client.message(self._chosen)
            await carry_out(self._client, self._room, event.value, chosen)
        except NightlightError as error:
            self._notice(explain(error)[0])
            return
        event.input.clear()
        self._choose(None)
        self._window += 1
        await self._draw()
        self.query_one(History).anchor()

    async def on_app_focus(self) -> None:
        """What came while the person looked elsewhere counts as read now."""
        await self._mark_read()

    async def _mark_read(self) -> None:
        if self.app_focus:
            await self._client.mark_read(self._room)

    async def on_input_changed(self, event: Input.Changed) -> None:
        """Others see that something is being written, unless it is a command."""
        if event.value and not event.value.startswith("/"):
            await self._client.typing(self._room)

    def _show_typing(self, user: UserUri) -> None:
        """For some seconds, or until the message comes."""
        self._writing.pop(user, None)
        self._writing[user] = self.set_timer(TYPING_SECONDS, lambda: self._stopped_typing(user))
        self._show_people(self._members)

    def _stopped_typing(self, user: UserUri) -> None:
        timer = self._writing.pop(user, None)
        if timer is not None:
            timer.stop()
            self._show_people(self._members)

    def _show_people(self, members: tuple[UserUri, ...]) -> None:
        self._members = members
        profile = self._client.profile(self._room)
        name = f"{neutralise(profile.name)}: " if profile is not None and profile.name else ""
        people = name + others(self._client, members)
        writing = ", ".join(written(user) for user in self._writing)
        self.query_one("#people", Static).update(f"{people} · {writing} writing…" if writing else people)

    def _show_connection(self, state: ConnectionState, reason: str | None = None) -> None:
        self.query_one("#connection", Static).update(_CONNECTION_WORDS[state])
        if reason == ProblemName.DEVICE_REMOVED:
            self._notice("this device was removed by another of yours; nothing new comes here")

    def _notice(self, line: str) -> None:
        self.query_one("#notice", Static).update(line)

    def action_scroll_history(self, pages: int) -> None:
        """One page up or down."""
        history = self.query_one(History)
        (history.scroll_page_down if pages > 0 else history.scroll_page_up)(animate=False)

    def action_choose(self, step: int) -> None:
        """The message above or below the chosen one is chosen; the newest, if none was."""
        order = [message.message_id for message in self._client.messages(self._room, limit=self._window)]
        at = order.index(self._chosen) + step if self._chosen in order else len(order) - 1
        if order and at >= 0:
            self._choose(order[at] if at < len(order) else None)

    def _choose(self, message_id: MessageId | None) -> None:
        for each, row in self._rows.items():
            row.set_class(each == message_id, "chosen")
        if message_id is not None:
            self._rows[message_id].scroll_visible(animate=False)
        self._chosen = message_id
        self._notice("" if message_id is None else HELP)

    def action_leave(self) -> None:
        """The chosen message is let go of; without one, the person is done."""
        if self._chosen is None:
            self.exit()
        self._choose(None)

    def action_interrupt(self) -> None:
        """Ctrl-C leaves too."""
        self.exit(return_code=INTERRUPTED)
