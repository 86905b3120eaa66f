"""Looks for bytes wherever a server could keep them: its folder, and the memory of its process."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

CHUNK_BYTES = 8 * 1024 * 1024
_KERNEL_REGIONS = ("[vvar", "[vdso", "[vsyscall")


class MemoryUnreadableError(Exception):
    """The system does not let us read that process's memory; the text says why."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where was looked, how many bytes there were, and how often each form was seen."""

    name: str
    searched_bytes: int
    found: Mapping[str, int]

    @property
    def hits(self) -> int:
        """How often any form was seen."""
        return sum(self.found.values())


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything a server has, searched. ``unseen`` says what could not be searched, and why."""

    places: Sequence[Place]
    unseen: Sequence[str]
    control_seen: bool
    """Whether something that the server must hold was found in each kind of place; else the search proves nothing."""

    @property
    def hits(self) -> int:
        """How often any form was seen anywhere."""
        return sum(place.hits for place in self.places)


def search_server(data: Path | None, pid: int | None, forms: Mapping[str, bytes], control: str) -> Evidence:
    """The folder and the memory of a running server, as far as they are known and the system allows.

    ``control``: something that this server holds both in its folder and in its memory.
    """
    looked_for = {"control": control.encode()}
    places, unseen, controls = [], [], []
    if data is None:
        unseen.append("its folder: not known (--server-data)")
    else:
        places += search_folder(data, forms)
        controls.append(sum(place.hits for place in search_folder(data, looked_for)))
    if pid is None:
        unseen.append("its memory: the process is not known (--server-pid)")
    else:
        try:
            places.append(search_memory(pid, forms))
            controls.append(search_memory(pid, looked_for).hits)
        except MemoryUnreadableError as error:
            unseen.append(f"its memory: {error}")
    return Evidence(places, unseen, control_seen=bool(controls) and all(controls))


def search_folder(folder: Path, forms: Mapping[str, bytes]) -> list[Place]:
    """One place for each file under ``folder``: database, write-ahead log, blobs, logs, whatever is there."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [_search(str(path.relative_to(folder)), [_file_chunks(path)], forms) for path in files]


def search_memory(pid: int, forms: Mapping[str, bytes]) -> Place:
    """All readable memory of a running process. Raises ``MemoryUnreadableError``."""
    try:
        regions = list(_readable_regions(pid))
        memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY)
    except OSError as error:
        raise MemoryUnreadableError(f"{error.filename}: {error.strerror}") from error
    try:
        place = _search("memory", (_memory_chunks(memory, start, end) for start, end in regions), forms)
    finally:
        os.close(memory)
    if not place.searched_bytes:
        raise MemoryUnreadableError(f"/proc/{pid}/mem: nothing in it could be read")
    return place


def _search(name: str, streams: Iterable[Iterable[bytes]], forms: Mapping[str, bytes]) -> Place:
    """Each stream is contiguous bytes in chunks; a form that straddles two chunks is seen, and seen once."""
    overlap = max(map(len, forms.values())) - 1
    searched, found = 0, Counter[str]()
    for stream in streams:
        tail = b""
        for chunk in stream:
            searched += len(chunk)
            window = tail + chunk
            for form, needle in forms.items():
                found[form] += _count(window, needle, len(tail))
            tail = window[-overlap:]
    return Place(name, searched, +found)


def _count(window: bytes, needle: bytes, seen: int) -> int:
    """How often ``needle`` ends after the first ``seen`` bytes, which were searched before."""
    count, at = 0, window.find(needle, max(0, seen - len(needle) + 1))
    while at >= 0:
        count, at = count + 1, window.find(needle, at + 1)
    return count


def _file_chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def _readable_regions(pid: int) -> Iterator[tuple[int, int]]:
    """Start and end addresses, from ``/proc/PID/maps``."""
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        span, permissions, *_, last = line.split()
        if permissions.startswith("r") and not last.startswith(_KERNEL_REGIONS):
            start, _, end = span.partition("-")
            yield int(start, 16), int(end, 16)


def _memory_chunks(memory: int, start: int, end: int) -> Iterator[bytes]:
    """The region's bytes; it ends early where the process has given it back meanwhile."""
    at = start
    while at < end:
        try:
            chunk = os.pread(memory, min(CHUNK_BYTES, end - at), at)
        except OSError:
            return
        if not chunk:
            return
        yield chunk
        at += len(chunk)
