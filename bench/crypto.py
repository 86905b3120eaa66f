"""Encryption: contents of 1 KiB there and back through ``mls.group``, beside OpenMLS in a bare loop of Rust."""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
from rich.console import Console

from bench.effort import Effort
from bench.figure import Figure, absent
from bench.load import CONTENT_BYTES
from bench.pinned import AbsentError
from bench.rooms import HUB, make_person
from bench.sample import ROOM
from nightlight.client.groups import Groups
from nightlight.client.store import Store
from nightlight.mls.group import Group
from nightlight.protocol.franking import TAG_BYTES, FrankingAgent

_RUST = Path(__file__).resolve().parents[1] / "rust"
_BARE_LOOP = _RUST / "target" / "release" / "examples" / "bare_loop"
_MESSAGES = 500
_STORED_MESSAGES = 200
_LIFETIME_S = 86_400
_CONTENT = bytes(CONTENT_BYTES)
_TAG = bytes(TAG_BYTES)
_UNIT = "messages/s, there and back"


class BareLoop(msgspec.Struct):
    """What the bare loop prints: nanoseconds a message; of the commit that adds all others, and of joining by it."""

    encrypt_ns: float
    decrypt_ns: float
    add_ns: float
    join_ns: float


async def measure(names: Collection[str], effort: Effort, folder: Path, _console: Console) -> list[Figure]:
    """``crypto.vs_bare`` in memory, ``crypto.with_store`` with both sides' state durable after each step."""
    figures = []
    if "crypto.vs_bare" in names:
        try:
            figures.append(await _vs_bare(effort))
        except AbsentError as reason:
            figures.append(absent("crypto.vs_bare", _UNIT, str(reason)))
    if "crypto.with_store" in names:
        figures.append(_with_store(effort, folder))
    return figures


# --- in memory --------------------------------------------------------------------------------------------


async def _vs_bare(effort: Effort) -> Figure:
    await build_bare_loop()
    mine, theirs = group_of_two()
    turns = [(_messages_per_s(mine, theirs), await _bare_messages_per_s()) for _ in range(effort.rounds + 1)][1:]
    return Figure(
        "crypto.vs_bare",
        statistics.median(ours for ours, _ in turns),
        _UNIT,
        peer="bare OpenMLS loop in Rust",
        peer_value=statistics.median(bare for _, bare in turns),
        ratio=statistics.median(ours / bare for ours, bare in turns),
    )


def group_of_two() -> tuple[Group, Group]:
    """One group, as its two members see it."""
    anna, ben = make_person("anna"), make_person("ben")
    now_s = time.time_ns() // 1_000_000_000
    mine = anna.member.create_group(ROOM.encode(), FrankingAgent(bytes(32), HUB).encode())
    staged = mine.commit(add=ben.member.key_packages(1, lifetime_s=_LIFETIME_S, now_s=now_s), now_s=now_s)
    mine.accept()
    assert staged.welcome is not None
    return mine, ben.member.join(staged.welcome)


def _messages_per_s(mine: Group, theirs: Group) -> float:
    """As in the bare loop: some hundred are encrypted, then decrypted; what is to be stored is thrown away."""
    began = time.perf_counter()
    for message in [mine.encrypt(_CONTENT, _TAG) for _ in range(_MESSAGES)]:
        theirs.receive(message)
    seconds = time.perf_counter() - began
    mine.take_writes()
    theirs.take_writes()
    return _MESSAGES / seconds


async def build_bare_loop() -> None:
    """The bare loop can be run. Raises ``AbsentError``."""
    if shutil.which("cargo") is None:
        raise AbsentError("cargo is not installed")
    build = ["cargo", "build", "--quiet", "--release", "--locked", "--example", "bare_loop"]
    building = await asyncio.create_subprocess_exec(
        *build, cwd=_RUST, env=os.environ | {"PYO3_BUILD_EXTENSION_MODULE": "1"}
    )
    if await building.wait() != 0:
        raise AbsentError("the bare loop does not build")


async def _bare_messages_per_s() -> float:
    bare = await run_bare_loop(_MESSAGES, members=2)
    return 1e9 / (bare.encrypt_ns + bare.decrypt_ns)


async def run_bare_loop(messages: int, *, members: int) -> BareLoop:
    """One round of the bare loop in a group of ``members``."""
    arguments = "1", str(messages), str(members)
    running = await asyncio.create_subprocess_exec(str(_BARE_LOOP), *arguments, stdout=asyncio.subprocess.PIPE)
    said, _ = await running.communicate()
    return msgspec.json.decode(said, type=BareLoop)


# --- with the store ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two devices: its groups, in its encrypted store."""

    store: Store
    groups: Groups


def _with_store(effort: Effort, folder: Path) -> Figure:
    mine, theirs = group_of_two()
    with _side(folder / "anna.store", mine) as sender, _side(folder / "ben.store", theirs) as recipient:
        rates = [_stored_messages_per_s(sender, recipient) for _ in range(effort.rounds)]
    return Figure("crypto.with_store", statistics.median(rates), _UNIT + ", durable on both sides")


@contextmanager
def _side(path: Path, group: Group) -> Iterator[Side]:
    store = Store.create(path, os.urandom(32), os.urandom)
    groups = Groups(store)
    with groups.transaction():
        groups.put(ROOM, group)
    try:
        yield Side(store, groups)
    finally:
        store.close()


def _stored_messages_per_s(sender: Side, recipient: Side) -> float:
    began = time.perf_counter()
    for _ in range(_STORED_MESSAGES):
        with sender.groups.transaction():
            message = sender.groups.get(ROOM).encrypt(_CONTENT, _TAG)
        with recipient.groups.transaction():
            recipient.groups.get(ROOM).receive(message)
    return _STORED_MESSAGES / (time.perf_counter() - began)
