"""What an application calls: one ``Client`` is one device of one person."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec

from nightlight.client.author import Author
from nightlight.client.connection import Connection
from nightlight.client.downloads import Downloads
from nightlight.client.events import (
    AttachedFile,
    ConnectionChanged,
    ConnectionState,
    ContactChanged,
    Event,
    FaultSeen,
    FileUpload,
    Message,
    MessageChanged,
    MessageExpired,
    MessageShown,
    MessageState,
    MessageStateChanged,
    Notice,
    NoticeKind,
    OwnDevice,
    RoomChanged,
    RoomSummary,
    Typing,
    UploadChanged,
)
from nightlight.client.files import Files
from nightlight.client.hub import Hub
from nightlight.client.identity import new_store, registration
from nightlight.client.new_device import NewDevice
from nightlight.client.outgoing_file import FileError
from nightlight.client.people import People
from nightlight.client.records import Evidence, Intent, Preferences, RoomRecord, Standing
from nightlight.client.recovering import Recovering
from nightlight.client.recovery import Recovery
from nightlight.client.store import Store, StoreError
from nightlight.client.surroundings import Surroundings
from nightlight.client.transport import NetworkTransport, Transport
from nightlight.errors import LocalProtocolError, ProblemName, RefusedError, UnavailableError
from nightlight.protocol.codec import MAX_U64
from nightlight.protocol.contact_code import ContactCode
from nightlight.protocol.content import MimiContent
from nightlight.protocol.conversation import Reaction
from nightlight.protocol.credential import DeviceList
from nightlight.protocol.franking import FrankedMessage, franking_tag
from nightlight.protocol.ids import DeviceUri, MessageId, RoomUri, UserUri
from nightlight.protocol.linking import LinkCode
from nightlight.protocol.messages import Contact, ContactAction, KeyPackageCount
from nightlight.protocol.profile import RoomProfile, is_profile
from nightlight.protocol.roles import Role
from nightlight.protocol.safety_number import safety_number

__all__ = [
    "AttachedFile",
    "Client",
    "ConnectionChanged",
    "ConnectionState",
    "ContactChanged",
    "Event",
    "FaultSeen",
    "FileError",
    "FileUpload",
    "Message",
    "MessageChanged",
    "MessageExpired",
    "MessageShown",
    "MessageState",
    "MessageStateChanged",
    "NewDevice",
    "Notice",
    "NoticeKind",
    "OwnDevice",
    "Preferences",
    "Reaction",
    "Recovering",
    "Role",
    "RoomChanged",
    "RoomProfile",
    "RoomSummary",
    "StoreError",
    "Surroundings",
    "Typing",
    "UploadChanged",
]


class Client:
    """One device: its store, its connection, and what a person does with them.

    Network failures never lose anything: what is sent waits in the outbox. What asks the server raises
    ``RefusedError`` or ``UnavailableError``; what the server answers against the rules, ``RemoteProtocolError`` or
    ``VerificationError``; the store, ``StoreError``.
    """

    def __init__(self, store: Store, transport: Transport, surroundings: Surroundings) -> None:
        """Use ``register`` or ``open``; tests bring a transport and surroundings of their own."""
        identity = store.identity()
        self.user: UserUri = identity.user
        self.device: DeviceUri = identity.device
        self._store = store
        self._surroundings = surroundings
        self._hub = Hub(identity, transport, surroundings.clock)
        self._connection = Connection(store, self._hub, surroundings)
        self._housekeeping = self._connection.housekeeping
        self.files = Files(self._connection, Downloads(store, self._hub, self._connection.files))
        """What this person sends and opens."""
        links = self._housekeeping.links
        self.recovery = Recovery(lambda: self._connection.device, self._hub, links, surroundings)
        """This person's recovery key."""
        self.people = People(store, lambda: self._connection.device, self._housekeeping)
        """Whom this person has made sure of."""
        self._author = Author(identity.user, store, surroundings.random)
        self._making_room = asyncio.Lock()

    @staticmethod
    async def register(  # noqa: PLR0913 - what a person decides once
        server_url: str,
        user_uri: UserUri,
        store_path: Path,
        *,
        store_key: bytes,
        receipts: bool = True,
        key_packages: int = 100,
    ) -> Client:
        """A new person with this first device exists at the server and in a new store at ``store_path``.

        ``store_key``: 32 bytes. After ``UnavailableError`` the same call goes on where it was; after ``RefusedError``
        (``handle_taken``, ``not_found``) nothing is left. Raises ``StoreError`` if there is another store already.
        """
        surroundings = Surroundings(receipts=receipts, key_packages=key_packages)
        server_url = server_url.rstrip("/")
        store = new_store(store_path, store_key, server_url, user_uri, surroundings)
        client = Client(store, NetworkTransport(server_url), surroundings)
        try:
            await client.publish()
        except BaseException as error:
            await client.close()
            if isinstance(error, RefusedError):
                store.delete()
            raise
        return client

    @staticmethod
    async def open(store_path: Path, *, store_key: bytes, receipts: bool = True, key_packages: int = 100) -> Client:
        """The device in the store at ``store_path``. Raises ``StoreError``: wrong key, in use, not there."""
        surroundings = Surroundings(receipts=receipts, key_packages=key_packages)
        store = Store.open(store_path, store_key, surroundings.random)
        try:
            return Client(store, NetworkTransport(store.identity().server_url), surroundings)
        except BaseException:
            store.close()
            raise

    async def publish(self) -> None:
        """The server has the account of the person in the store, and key packages of this device."""
        device = self._connection.device
        listed = device.trust.device_list(self.user)
        if listed is None:
            raise LocalProtocolError("a device without its own device list")
        if not device.identity.registered:
            await self._hub.register(registration(device.identity, listed))
        await self._housekeeping.refresh_directory(device)
        await self._housekeeping.publish_key_packages(device, KeyPackageCount(0, has_last_resort=False))
        with self._store.transaction():
            self._store.put_identity(msgspec.structs.replace(device.identity, registered=True))

    # --- this person's devices

    @staticmethod
    async def link(new: NewDevice) -> Client:
        """The device that ``new`` has shown a code for, once another of its person has taken it in.

        Raises as ``NewDevice.taken_in``.
        """
        await new.taken_in()
        client = Client(new.store, new.transport, new.surroundings)
        await client.publish()
        return client

    @staticmethod
    async def recover(recovering: Recovering) -> Client:
        """The device whose recovery has waited long enough. Raises as ``Recovering.finish``."""
        await recovering.finish()
        client = Client(recovering.store, recovering.transport, recovering.surroundings)
        await client.publish()
        return client

    def devices(self) -> list[OwnDevice]:
        """This person's devices, as last heard."""
        listed = self._connection.device.trust.device_list(self.user)
        devices = () if listed is None else listed.devices
        return [OwnDevice(entry.uri, entry.may_sign, entry.uri == self.device) for entry in devices]

    async def accept_device(self, code: LinkCode, *, may_sign: bool = False) -> DeviceUri:
        """The device that shows ``code`` is one of this person's; each of their rooms follows by itself.

        Raises as ``DeviceLinks.accept``.
        """
        linked = await self._housekeeping.links.accept(self._connection.device, code, may_sign=may_sign)
        self._connection.chore("devices")
        return linked

    async def remove_device(self, which: DeviceUri) -> None:
        """The device is signed out; it leaves each room by itself. If it held the account key, that is replaced.

        With a recovery key, that is ``recovery.remove_device``. Raises as ``DeviceLinks.remove``.
        """
        await self._housekeeping.links.remove(self._connection.device, which)
        self._connection.chore("devices")

    def rooms_of(self, which: DeviceUri) -> tuple[int, int]:
        """In how many of this device's rooms the device ``which`` is, and how many those are."""
        return self._connection.device.rooms_of(which)

    # --- the connection

    async def connect(self) -> None:
        """A background task keeps a connection, reconnecting with backoff; returns at once. Again: now, not later."""
        self._connection.start()

    async def wait_online(self) -> None:
        """The connection is up, and everything the hub had for this device is processed."""
        await self._connection.wait_online()

    async def wait_settled(self) -> None:
        """The connection is up, and the hub has everything that was to be sent, receipts included."""
        await self._connection.settled.wait()

    async def close(self) -> None:
        """The connection and the store are closed; what was not sent stays in the outbox."""
        try:
            await self._connection.stop()
        finally:
            await self._hub.close()
            self._store.close()

    def events(self) -> AsyncIterator[Event]:
        """What happens from now on; several readers each see everything. Ends when the client is closed."""
        return self._connection.watchers.reader()

    # --- contacts

    async def contacts(self) -> list[Contact]:
        """Everyone this user has a relation with; without a connection, as last heard."""
        try:
            return await self._housekeeping.refresh_contacts(self._connection.device)
        except UnavailableError:
            return self._store.contacts()
        finally:
            self._connection.wake()

    async def request_contact(self, user: UserUri) -> None:
        """``user`` is asked; nothing reaches them until they accept."""
        await self._contact(ContactAction.REQUEST, user)

    async def request_by_code(self, code: str) -> UserUri:
        """The user of contact code ``code`` is asked, and believed under the account key in it alone.

        Raises ``RemoteProtocolError`` NL-341 when it is none, ``VerificationError`` NL-533 when we know another key.
        """
        read = ContactCode.decode(code)
        self._connection.device.trust.expect(read)
        await self.request_contact(read.user)
        return read.user

    def contact_code(self) -> str:
        """This person's own: whoever has it knows their account key without asking the hub."""
        return ContactCode(self.user, self._my_list().account_key).encode()

    async def accept_contact(self, user: UserUri) -> None:
        """Both may write to each other."""
        await self._contact(ContactAction.ACCEPT, user)

    async def decline_contact(self, user: UserUri) -> None:
        """The request of ``user`` is gone."""
        await self._contact(ContactAction.DECLINE, user)

    async def cancel_contact(self, user: UserUri) -> None:
        """Our own request to ``user`` is gone."""
        await self._contact(ContactAction.CANCEL, user)

    async def block(self, user: UserUri) -> None:
        """``user`` cannot ask this person, nor write to them alone; in rooms with others both go on."""
        await self._contact(ContactAction.BLOCK, user)

    async def unblock(self, user: UserUri) -> None:
        """The block is lifted; who was a contact before is one again."""
        await self._contact(ContactAction.UNBLOCK, user)

    async def _contact(self, action: ContactAction, user: UserUri) -> None:
        """The server wakes whoever sees a change, ourselves included."""
        await self._hub.contact(action, user)

    async def safety_number(self, user: UserUri) -> str:
        """60 digits over both account keys, the same on both sides; compare them aloud."""
        device = self._connection.device
        theirs = device.trust.device_list(user) or await self._housekeeping.learn_devices(device, user)
        return safety_number(self.user, self._my_list().account_key, user, theirs.account_key)

    def _my_list(self) -> DeviceList:
        mine = self._connection.device.trust.device_list(self.user)
        if mine is None:
            raise LocalProtocolError("a device without its own device list")
        return mine

    # --- rooms

    async def room_with(self, user: UserUri) -> RoomUri:
        """The room of this person and ``user`` alone, without a name: the one that exists, or a new one."""
        async with self._making_room:
            wanted = tuple(sorted({self.user, user}))
            known = [
                record
                for record in self._store.rooms()
                if record.members == wanted and record.is_open and self._store.profile(record.room) is None
            ]
            if not known:
                return await self._create_room([user])
            found = min(known, key=lambda record: (record.standing is Standing.CREATED, record.room))
            if found.standing is Standing.CREATED:
                await self._announce(found.room)
            return found.room

    async def create_room(self, users: Sequence[UserUri], *, profile: RoomProfile | None = None) -> RoomUri:
        """A new room of this person, its owner, and ``users``, who are members once this returns.

        Raises ``RefusedError`` (``not_found``: not a contact; ``no_key_package``; ``malformed``: not a profile). After
        ``UnavailableError`` the room may exist, and is then completed as soon as the server answers.
        """
        if profile is not None and not is_profile(profile):
            raise RefusedError(ProblemName.MALFORMED)
        async with self._making_room:
            return await self._create_room(users, profile)

    async def _create_room(self, users: Sequence[UserUri], profile: RoomProfile | None = None) -> RoomUri:
        device = self._connection.device
        packages = await self._housekeeping.claim(device, users)
        room, submission_id = device.create_room(users, packages, await self._housekeeping.franking_agent(device))
        added = self._connection.watchers.expect(submission_id)
        if profile is not None:
            device.say(self._author.profile(room, profile))
        await self._announce(room)
        await self._connection.watchers.outcome(added)
        return room

    async def _announce(self, room: RoomUri) -> None:
        try:
            await self._housekeeping.announce_room(self._connection.device, room)
        except UnavailableError:
            self._connection.chore("everything_else")  # which announces it again
            raise
        self._connection.wake()

    async def add(self, room: RoomUri, users: Sequence[UserUri]) -> None:
        """Every device of ``users`` is a member. Raises ``RefusedError``."""
        packages = await self._housekeeping.claim(self._connection.device, users)
        await self._change(room, Intent(add=packages))

    async def remove(self, room: RoomUri, users: Sequence[UserUri], *, ban: bool = False) -> None:
        """No device of ``users`` is a member; nor may any be one again, if they are banned.

        Raises ``RefusedError``: ``not_allowed`` for who may not, or not those.
        """
        give = dict.fromkeys(users, Role.BANNED) if ban else {}
        await self._change(room, Intent(remove=list(users), give=give))

    async def leave(self, room: RoomUri) -> None:
        """This person is not in ``room`` any more, which waits in the outbox until the others can be told."""
        self._connection.device.leave(room)
        self._connection.wake()

    async def unban(self, room: RoomUri, user: UserUri) -> None:
        """``user`` may be added again. Raises ``RefusedError`` ``not_allowed``."""
        await self._change(room, Intent(give={user: Role.LEFT}))

    async def give_role(self, room: RoomUri, user: UserUri, role: Role) -> None:
        """``user``, a participant, is a member, admin or owner. Raises ``RefusedError`` ``not_allowed``."""
        await self._change(room, Intent(give={user: role}))

    async def set_profile(self, room: RoomUri, profile: RoomProfile) -> None:
        """The room has this name and picture. Raises ``RefusedError`` (``not_allowed``, ``malformed``)."""
        await self.wait_sent(self._say(self._author.profile(room, profile)))

    def profile(self, room: RoomUri) -> RoomProfile | None:
        """The name and picture of ``room``, if it was given any."""
        return self._store.profile(room)

    async def update(self, room: RoomUri) -> None:
        """This device's leaf has fresh keys."""
        await self._change(room, Intent())

    async def _change(self, room: RoomUri, intent: Intent) -> None:
        submission_id = self._connection.device.change_room(room, intent)
        done = self._connection.watchers.expect(submission_id)
        self._connection.wake()
        await self._connection.watchers.outcome(done)

    def rooms(self) -> list[RoomSummary]:
        """The rooms that this device can write to, the one with the newest message first."""
        self._expire()
        summaries = [self._summary(record) for record in self._store.rooms() if record.is_open]
        return sorted(summaries, key=_age)

    def _summary(self, record: RoomRecord) -> RoomSummary:
        newest = self._store.timeline.messages(record.room, 1)
        unread = len(self._store.timeline.unread(record.room))
        last = newest[0] if newest else None
        profile = self._store.profile(record.room)
        name = "" if profile is None else profile.name
        return RoomSummary(record.room, record.members, unread, last, record.roles, name, record.lifetime_s)

    # --- messages

    async def send(
        self, room: RoomUri, text: str, *, reply_to: MessageId | None = None, lifetime_s: int | None = None
    ) -> MessageId:
        """``text`` is durable in the outbox and goes out in order; ``@name@provider`` in it mentions that member.

        ``reply_to``: a message of this room. ``lifetime_s``: it goes so long after it is read, 5 seconds to a year;
        without it, the room's. Raises ``RefusedError``: ``not_found`` (not in the room; no such message), ``too_large``
        (more than 32,000 bytes), ``malformed`` (not a lifetime).
        """
        return self._say(self._author.text(room, text, reply_to=reply_to, lifetime_s=lifetime_s))

    async def edit(self, message_id: MessageId, text: str) -> MessageId:
        """Our own message says ``text`` instead, and that it was edited.

        Raises ``RefusedError``: ``not_found`` (not shown), ``not_allowed`` (somebody else's), ``too_large``.
        """
        return self._say(self._author.edit(message_id, text))

    async def delete(self, message_id: MessageId) -> MessageId | None:
        """Our own message is deleted for everyone, and that there was one is still seen; None if it was.

        Raises as ``edit``.
        """
        return self._say_if(self._author.deletion(message_id))

    async def react(self, message_id: MessageId, text: str) -> MessageId | None:
        """``text``, an emoji as a rule, stands by the message; None if it did already.

        Raises ``RefusedError``: ``not_found``, ``malformed`` (not 1 to 64 bytes without spaces), ``too_many``.
        """
        return self._say_if(self._author.reaction(message_id, text))

    async def unreact(self, message_id: MessageId, text: str) -> MessageId | None:
        """Our reaction ``text`` is taken back; None if there was none. Raises ``RefusedError`` ``not_found``."""
        return self._say_if(self._author.reaction_taken_back(message_id, text))

    async def forward(self, message_id: MessageId, rooms: Sequence[RoomUri]) -> list[MessageId]:
        """What the message says now is sent to ``rooms``, five at most, with a count of how often it was forwarded.

        Raises ``RefusedError``: ``not_found``, ``too_many`` (rooms); then nothing is sent.
        """
        return [self._say(message) for message in self._author.forward(message_id, rooms)]

    def _say_if(self, message: MimiContent | None) -> MessageId | None:
        return None if message is None else self._say(message)

    def _say(self, message: MimiContent) -> MessageId:
        message_id = self._connection.device.say(message)
        self._connection.wake()
        return message_id

    async def set_lifetime(self, room: RoomUri, seconds: int | None) -> None:
        """What this device sends to ``room`` from now on goes so long after it is read; None: it stays.

        Raises ``RefusedError``: ``not_found``, ``malformed`` (not 5 seconds to a year).
        """
        self._connection.device.set_lifetime(room, seconds)

    async def wait_sent(self, message_id: MessageId) -> None:
        """The hub took the message. Raises ``RefusedError`` when it was refused for good, or is not there."""
        message = self._store.timeline.placed(message_id)
        if message is None:
            raise RefusedError(ProblemName.NOT_FOUND)
        if message.state is MessageState.FAILED:
            raise RefusedError(self._store.timeline.problem_of(message_id) or ProblemName.INTERNAL)
        if message.state is MessageState.QUEUED:
            await self._connection.watchers.outcome(self._connection.watchers.expect(message_id))

    def messages(self, room: RoomUri, *, limit: int, before: MessageId | None = None) -> list[Message]:
        """The newest ``limit`` messages (before one, if given), oldest first; own queued ones last."""
        self._expire()
        return self._store.timeline.messages(room, limit, before)

    def message(self, message_id: MessageId) -> Message | None:
        """The message as it is shown now, if it is: what a reply answers, for example."""
        self._expire()
        return self._store.timeline.message(message_id)

    def versions(self, message_id: MessageId) -> list[MessageId]:
        """The message and its edits, in order: each has its ``evidence``, whatever is shown now."""
        return self._store.timeline.versions(message_id)

    def _expire(self) -> None:
        self._connection.device.expire()
        self._connection.wake()

    async def mark_read(self, room: RoomUri) -> None:
        """Everything in ``room`` counts as read; its senders are told if receipts are on."""
        self._connection.device.mark_read(room)
        self._connection.plan_receipts()
        self._connection.wake()

    # --- what others see of a person

    async def typing(self, room: RoomUri) -> None:
        """The others in ``room`` see that this person is writing; to be called with each key, if need be.

        Nothing happens where that is switched off, in rooms of more than 16, or without a connection.
        """
        self._connection.device.tell_typing(room)
        self._connection.wake()

    @property
    def preferences(self) -> Preferences:
        """What this person has chosen."""
        return self._store.preferences()

    async def set_receipts(self, *, wanted: bool) -> None:
        """Whether senders are told what this device holds and its person has read, from now on."""
        self._prefer(msgspec.structs.replace(self.preferences, receipts=wanted))

    async def set_typing(self, *, wanted: bool) -> None:
        """Whether others see that this person is writing, and this person sees it of them, from now on."""
        self._prefer(msgspec.structs.replace(self.preferences, typing=wanted))

    def _prefer(self, preferences: Preferences) -> None:
        with self._store.transaction():
            self._store.put_preferences(preferences)

    # --- what a report or a person's own look needs

    def evidence(self, message_id: MessageId) -> Evidence | None:
        """The message exactly as it came, with the hub's frank, for the 60 days it is kept."""
        return self._store.evidence(message_id)

    def verify(self, message_id: MessageId) -> None:
        """The room's hub signed for this message's sender, room and time, which its content names too. No network.

        That the frank is for exactly this content, only the hub can tell; it does so for a report. Raises
        ``VerificationError``, ``RemoteProtocolError``; ``RefusedError`` (``not_found``) if the message is not kept.
        """
        message, evidence = self._store.timeline.placed(message_id), self._store.evidence(message_id)
        if message is None or evidence is None:
            raise RefusedError(ProblemName.NOT_FOUND)
        room = self._store.room(message.room)
        if room is None:
            raise RefusedError(ProblemName.NOT_FOUND)
        data, frank, accepted_at_ms = evidence.application_data, evidence.frank, evidence.accepted_at_ms
        kept = FrankedMessage(data, franking_tag(data), frank, message.sender, message.room, accepted_at_ms)
        kept.verify(room.franking_key)

    def faults(self) -> list[FaultSeen]:
        """What broke a rule and was not shown, oldest first; the newest thousand."""
        return self._store.faults()


def _age(summary: RoomSummary) -> tuple[bool, int, str]:
    """Sorts the newest first: rooms with something queued, then by time, then those without a message."""
    if summary.last is None:
        return True, 0, summary.room
    return False, -(summary.last.accepted_at_ms or MAX_U64), summary.room
