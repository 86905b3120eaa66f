"""Devices over the crate and over ts-mls, behind one set of words, so that a test need not know which is which."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

from nightlight.mls.group import Application, Group, Member, MlsError

WEB = Path(__file__).parents[2] / "web"
NOW_S = 1_795_000_000
LIFETIME_S = 30 * 86_400


class Refused(Exception):  # noqa: N818 - what a device answers, not a failure of the test
    """A device refused, with this check."""

    def __init__(self, check: str) -> None:
        super().__init__(check)
        self.check = check


@dataclass(frozen=True)
class View:
    """What a member must agree on with all others."""

    epoch: int
    authenticator: bytes
    transcript: bytes
    agent: bytes
    members: tuple[tuple[int, bytes, bytes], ...]


class Device(Protocol):
    """One member of one room. ``credential`` is its name; the checks of real ones are elsewhere."""

    credential: bytes

    def key_package(self, *, last_resort: bool = False) -> bytes: ...
    def create(self, group_id: bytes, agent: bytes) -> bytes: ...
    def join(self, welcome: bytes) -> View: ...
    def encrypt(self, data: bytes, tag: bytes) -> bytes: ...
    def commit(self, add: list[bytes], remove: list[int], roles: bytes = b"") -> tuple[bytes, bytes | None]: ...
    def accept(self) -> View: ...
    def discard(self) -> View: ...
    def receive(self, message: bytes) -> tuple[Any, ...]: ...
    def apply(self) -> View: ...
    def reload(self) -> View: ...


class CrateDevice:
    """A device over OpenMLS."""

    def __init__(self, credential: bytes) -> None:
        self.credential = credential
        self._member = Member.create()
        self._member.set_credential(credential)
        self._entries: dict[bytes, bytes | None] = {}
        self._group: Group | None = None

    @property
    def group(self) -> Group:
        assert self._group is not None
        return self._group

    def view(self) -> View:
        members = tuple((leaf.index, leaf.credential, leaf.signature_key) for leaf in self.group.members)
        return View(
            self.group.epoch,
            self.group.epoch_authenticator,
            self.group.confirmed_transcript_hash,
            self.group.franking_agent,
            members,
        )

    def key_package(self, *, last_resort: bool = False) -> bytes:
        return self._member.key_packages(1, lifetime_s=LIFETIME_S, now_s=NOW_S, last_resort=last_resort)[0]

    def create(self, group_id: bytes, agent: bytes) -> bytes:
        self._group = self._member.create_group(group_id, agent)
        return self.group.group_info()

    def join(self, welcome: bytes) -> View:
        self._group = self._member.join(welcome)
        self._entries.clear()
        return self.view()

    def encrypt(self, data: bytes, tag: bytes) -> bytes:
        return self.group.encrypt(data, tag)

    def commit(self, add: list[bytes], remove: list[int], roles: bytes = b"") -> tuple[bytes, bytes | None]:
        staged = self.group.commit(add=add, remove=remove, roles=roles, now_s=NOW_S)
        return staged.commit, staged.welcome

    def accept(self) -> View:
        self.group.accept()
        return self.view()

    def discard(self) -> View:
        self.group.discard()
        return self.view()

    def receive(self, message: bytes) -> tuple[Any, ...]:
        try:
            received = self.group.receive(message)
        except MlsError as error:
            raise Refused(error.check) from error
        if isinstance(received, Application):
            return received.data, received.tag, received.sender.credential
        change = received.change
        added, removed = ([leaf.index for leaf in leaves] for leaves in (change.added, change.removed))
        return change.epoch, received.removes_me, added, removed, change.roles

    def apply(self) -> View:
        self.group.apply()
        return self.view()

    def reload(self) -> View:
        group_id = self.group.group_id
        self._entries |= dict(self.group.take_writes())
        entries = [(key, value) for key, value in self._entries.items() if value is not None]
        self._group = self._member.open(group_id, entries)
        return self.view()


class Browsers:
    """The process that runs web/tests/mls-devices.ts."""

    def __init__(self) -> None:
        node = shutil.which("node")
        assert node is not None
        command = [node, "tests/load.js", "mls-devices.ts"]
        self._process = subprocess.Popen(command, cwd=WEB, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, device: str, do: str, **fields: Any) -> Any:
        command = {"device": device, "do": do, "bytes": "", "now_s": NOW_S} | fields
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the browsers' process has ended"
        answer = json.loads(line)
        if "refused" in answer:
            raise Refused(answer["refused"])
        return answer["ok"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=20)


class BrowserDevice:
    """A device over ts-mls."""

    def __init__(self, browsers: Browsers, credential: bytes) -> None:
        self.credential = credential
        self._browsers = browsers
        self._ask("hello", bytes=credential.hex())

    def _ask(self, do: str, **fields: Any) -> Any:
        return self._browsers.ask(self.credential.decode(), do, **fields)

    def _view(self, do: str, **fields: Any) -> View:
        said = self._ask(do, **fields)
        members = tuple(
            (index, bytes.fromhex(credential), bytes.fromhex(key)) for index, credential, key in said["members"]
        )
        authenticator, transcript, agent = (
            bytes.fromhex(said[name]) for name in ("authenticator", "transcript", "agent")
        )
        return View(said["epoch"], authenticator, transcript, agent, members)

    def key_package(self, *, last_resort: bool = False) -> bytes:
        return bytes.fromhex(self._ask("key_package", last_resort=last_resort))

    def read_key_package(self, message: bytes) -> tuple[bytes, bytes, int, int]:
        credential, key, not_before_s, not_after_s = self._ask("read_key_package", bytes=message.hex())
        return bytes.fromhex(credential), bytes.fromhex(key), not_before_s, not_after_s

    def create(self, group_id: bytes, agent: bytes) -> bytes:
        return bytes.fromhex(self._ask("create", bytes=group_id.hex(), agent=agent.hex()))

    def join(self, welcome: bytes) -> View:
        return self._view("join", bytes=welcome.hex())

    def encrypt(self, data: bytes, tag: bytes) -> bytes:
        return bytes.fromhex(self._ask("encrypt", bytes=data.hex(), tag=tag.hex()))

    def commit(self, add: list[bytes], remove: list[int], roles: bytes = b"") -> tuple[bytes, bytes | None]:
        packages = [message.hex() for message in add]
        commit, welcome = self._ask("commit", add=packages, remove=remove, roles=roles.hex())
        return bytes.fromhex(commit), None if welcome is None else bytes.fromhex(welcome)

    def accept(self) -> View:
        return self._view("accept")

    def discard(self) -> View:
        return self._view("discard")

    def receive(self, message: bytes) -> tuple[Any, ...]:
        received = self._ask("receive", bytes=message.hex())
        return tuple(bytes.fromhex(value) if isinstance(value, str) else value for value in received)

    def apply(self) -> View:
        return self._view("apply")

    def reload(self) -> View:
        return self._view("reload")
