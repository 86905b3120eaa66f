"""What an application calls: one ``Client`` is one device of one person."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from nightlight.client.events import (
    ConnectionChanged,
    ConnectionState,
    ContactChanged,
    Event,
    FaultSeen,
    Message,
    MessageShown,
    MessageState,
    MessageStateChanged,
    RoomChanged,
    RoomSummary,
)
from nightlight.protocol.ids import DeviceUri, MessageId, RoomUri, UserUri
from nightlight.protocol.messages import Contact

__all__ = [
    "Client",
    "ConnectionChanged",
    "ConnectionState",
    "ContactChanged",
    "Event",
    "FaultSeen",
    "Message",
    "MessageShown",
    "MessageState",
    "MessageStateChanged",
    "RoomChanged",
    "RoomSummary",
]


class Client:
    """One device: its store, its connection, and what a person does with them.

    Network failures never lose anything: what is sent waits in the outbox. HTTP calls raise ``RefusedError`` or
    ``UnavailableError``.
    """

    user: UserUri
    device: DeviceUri

    @staticmethod
    async def register(
        server_url: str,
        user_uri: UserUri,
        store_path: Path,
        *,
        store_key: bytes,
        receipts: bool = True,
        key_packages: int = 100,
    ) -> Client:
        """A new person with this first device exists at the server and in a new store at ``store_path``.

        ``store_key``: 32 bytes. Raises ``RefusedError`` (``handle_taken``, ``not_found`` provider), ``UnavailableError``.
        """
        raise NotImplementedError

    @staticmethod
    async def open(store_path: Path, *, store_key: bytes, receipts: bool = True, key_packages: int = 100) -> Client:
        """The device in the store at ``store_path``. Raises ``StoreError`` (wrong key, in use, not there)."""
        raise NotImplementedError

    async def connect(self) -> None:
        """A background task keeps a connection, reconnecting with backoff; returns at once."""
        raise NotImplementedError

    async def wait_online(self) -> None:
        """The connection is up and everything the hub had for this device is processed."""
        raise NotImplementedError

    async def close(self) -> None:
        """The connection and the store are closed; what was not sent stays in the outbox."""
        raise NotImplementedError

    def events(self) -> AsyncIterator[Event]:
        """What happens from now on; several readers each see everything. Ends when the client is closed."""
        raise NotImplementedError

    # contacts

    async def contacts(self) -> list[Contact]:
        """Everyone this user has a relation with."""
        raise NotImplementedError

    async def request_contact(self, user: UserUri) -> None:
        """``user`` is asked; nothing reaches them until they accept."""
        raise NotImplementedError

    async def accept_contact(self, user: UserUri) -> None:
        """Both may write to each other."""
        raise NotImplementedError

    async def decline_contact(self, user: UserUri) -> None:
        """The request of ``user`` is gone."""
        raise NotImplementedError

    async def cancel_contact(self, user: UserUri) -> None:
        """Our own request to ``user`` is gone."""
        raise NotImplementedError

    async def block(self, user: UserUri) -> None:
        """Nothing of ``user`` reaches this person any more."""
        raise NotImplementedError

    async def unblock(self, user: UserUri) -> None:
        """The block is lifted; being connected again takes a new request."""
        raise NotImplementedError

    # rooms

    async def room_with(self, user: UserUri) -> RoomUri:
        """The room of this person and ``user`` alone: the one that exists, or a new one."""
        raise NotImplementedError

    async def create_room(self, users: Sequence[UserUri]) -> RoomUri:
        """A new room of this person and ``users``."""
        raise NotImplementedError

    async def add(self, room: RoomUri, users: Sequence[UserUri]) -> None:
        """Every device of ``users`` is a member."""
        raise NotImplementedError

    async def remove(self, room: RoomUri, users: Sequence[UserUri]) -> None:
        """No device of ``users`` is a member."""
        raise NotImplementedError

    async def update(self, room: RoomUri) -> None:
        """This device's leaf has fresh keys."""
        raise NotImplementedError

    def rooms(self) -> list[RoomSummary]:
        """The rooms of this device, the one with the newest message first."""
        raise NotImplementedError

    # messages

    async def send(self, room: RoomUri, text: str) -> MessageId:
        """``text`` is durable in the outbox and goes out in order. Raises ``RefusedError`` (``not_found``, ``too_large``)."""
        raise NotImplementedError

    async def wait_sent(self, message_id: MessageId) -> None:
        """The hub took the message. Raises ``RefusedError`` when it was refused for good."""
        raise NotImplementedError

    def messages(self, room: RoomUri, *, limit: int, before: MessageId | None = None) -> list[Message]:
        """The newest ``limit`` messages (before one, if given), oldest first; own queued ones last."""
        raise NotImplementedError

    async def mark_read(self, room: RoomUri) -> None:
        """Everything in ``room`` counts as read; its senders are told if receipts are on."""
        raise NotImplementedError

    async def safety_number(self, user: UserUri) -> str:
        """60 digits over both account keys, the same on both sides; compare them aloud."""
        raise NotImplementedError
