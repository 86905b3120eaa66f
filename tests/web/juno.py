"""Juno: a member who helps a hub that lies. Her device is ts-mls under node, and makes what ours never do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from nightlight.mls.group import Member
from nightlight.protocol.codec import Reader
from nightlight.protocol.ids import RoomUri
from nightlight.protocol.messages import ContactAction, Delivery, EntryKind
from tests.contract.device import DAY_S, Device, Line
from tests.support.people import JUNO, MIRA
from tests.web.mls_devices import Browsers

KEY_PACKAGES = 100
DAYS_30_S = 30 * DAY_S


class Forger:
    """A device in the node process called ``name``. It keeps to RFC 9420, and to nothing else."""

    def __init__(self, browsers: Browsers, name: str) -> None:
        """It has keys."""
        self._browsers = browsers
        self._name = name
        self.signature_key = self._make("hello")

    def another(self, name: str) -> Forger:
        """Another device beside this one."""
        return Forger(self._browsers, name)

    def _ask(self, do: str, **fields: Any) -> Any:
        return self._browsers.ask(self._name, do, now_s=Device.now_s(), **fields)

    def _make(self, do: str, **fields: Any) -> bytes:
        return bytes.fromhex(self._ask(do, **fields))

    def set_credential(self, credential: bytes) -> None:
        """As ``Member.set_credential``."""
        self._ask("hello", bytes=credential.hex())

    def key_packages(
        self, count: int, *, lifetime_s: int = 0, now_s: int = 0, last_resort: bool = False
    ) -> list[bytes]:
        """As ``Member.key_packages``, for thirty days from now."""
        del lifetime_s, now_s
        return [self._make("key_package", last_resort=last_resort) for _ in range(count)]

    def join(self, welcome: bytes) -> None:
        """The device is in the room of ``welcome``, and in no other."""
        self._ask("join", bytes=welcome.hex())

    def commit(self, *, add: Sequence[bytes] = (), roles: bytes = b"") -> bytes:
        """A commit that adds these key packages and gives these roles."""
        commit, _welcome = self._ask("commit", add=[package.hex() for package in add], remove=[], roles=roles.hex())
        self._ask("discard")
        return bytes.fromhex(commit)

    def hidden_commit(self) -> bytes:
        """A commit inside a PrivateMessage."""
        return self._make("forge_hidden_commit")

    def extension_swap(self, agent: bytes) -> bytes:
        """A commit that makes ``agent`` the room's franking agent."""
        return self._make("forge_extension_swap", agent=agent.hex())

    def open_group_info(self) -> bytes:
        """What somebody needs to join by themselves."""
        return self._make("forge_open_group_info")

    def external_commit(self, group_info: bytes) -> bytes:
        """The commit by which this device joins by itself."""
        return self._make("forge_external_commit", bytes=group_info.hex())


class Juno:
    """A person with an account, a contact of Mira's."""

    def __init__(self, browsers: Browsers, url: str) -> None:
        """Nobody knows her yet."""
        self.forger = Forger(browsers, "juno")
        self.line = Line(Device(JUNO, member=cast("Member", self.forger)), url)
        self.device = self.line.device.device

    async def arrive(self) -> None:
        """She is registered, and Mira has asked her already."""
        await self.line.join()
        await self.line.call("POST", "/v1/key-packages", object, self.line.device.upload(KEY_PACKAGES))
        await self.line.contact(ContactAction.ACCEPT, MIRA)

    async def join(self, room: RoomUri) -> None:
        """She is in ``room``, to which she was added."""
        async with self.line.stream() as frames:
            while True:
                frame = await frames.receive()
                if isinstance(frame, Delivery) and frame.kind is EntryKind.WELCOME and frame.room == room:
                    self.forger.join(Reader(frame.payload).vector())
                    return
