"""A search that never found anything proves nothing: each form is planted, and seen."""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nightlight.cli import search
from nightlight.cli.canary import Canaries

CANARIES = Canaries.seeded(7)
TEXT = CANARIES.text(41)

DISGUISES: list[tuple[str, Callable[[str], bytes]]] = [
    ("utf-8", str.encode),
    ("utf-16", lambda text: text.encode("utf-16-le")),
    ("utf-16", lambda text: text.encode("utf-16-be")),
    ("hex", lambda text: text.encode().hex().encode()),
    ("hex in capitals", lambda text: text.encode().hex().upper().encode()),
    ("base64 at 0", lambda text: base64.b64encode(text.encode())),
    ("base64 at 1", lambda text: base64.b64encode(b"?" + text.encode())),
    ("base64 at 2", lambda text: base64.urlsafe_b64encode(b"??" + text.encode())),
]


def test_every_form_that_is_looked_for_has_a_disguise_here() -> None:
    assert CANARIES.forms().keys() == {form for form, _ in DISGUISES}


@pytest.mark.parametrize(("form", "disguise"), DISGUISES)
@pytest.mark.parametrize("before", [0, 3, 64, 4096])
def test_a_canary_in_a_file_is_found_in_each_form(
    form: str, disguise: Callable[[str], bytes], before: int, tmp_path: Path
) -> None:
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs" / "b7").write_bytes(b"\xff" * before + disguise(TEXT) + b"\x00" * 9)
    (tmp_path / "hub.db").write_bytes(b"\x00" * 5000)

    blob, database = search.search_folder(tmp_path, CANARIES.forms())

    assert (blob.name, blob.found) == ("blobs/b7", {form: 1})
    assert (database.name, database.hits, database.searched_bytes) == ("hub.db", 0, 5000)


@pytest.mark.parametrize(("form", "disguise"), DISGUISES)
def test_a_canary_across_two_chunks_is_found_once(
    form: str, disguise: Callable[[str], bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "CHUNK_BYTES", 100)
    (tmp_path / "log").write_bytes(b"".join(b"\n" * 77 + disguise(TEXT) for _ in range(50)))

    (log,) = search.search_folder(tmp_path, CANARIES.forms())

    assert log.found == {form: 50}


@pytest.fixture
def holder() -> Iterator[Callable[[bytes], int]]:
    """Starts a process that keeps some bytes in its memory, each XORed on the way in so that argv holds no canary."""
    running: list[subprocess.Popen[bytes]] = []
    program = "import sys; kept = bytes(b ^ 255 for b in sys.stdin.buffer.readline()[:-1]); print(flush=True); input()"

    def hold(content: bytes) -> int:
        process = subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        running.append(process)
        assert process.stdin
        assert process.stdout
        process.stdin.write(bytes(byte ^ 255 for byte in content) + b"\n")
        process.stdout.readline()
        return process.pid

    yield hold
    for process in running:
        process.communicate(b"\n", timeout=10)


@pytest.mark.parametrize(("form", "disguise"), DISGUISES)
def test_a_canary_in_the_memory_of_a_process_is_found_in_each_form(
    form: str, disguise: Callable[[str], bytes], holder: Callable[[bytes], int]
) -> None:
    memory = search.search_memory(holder(disguise(TEXT)), CANARIES.forms())

    assert memory.found.keys() == {form}
    assert memory.searched_bytes > 1_000_000


def test_a_process_that_holds_none_is_searched_and_clean(holder: Callable[[bytes], int]) -> None:
    memory = search.search_memory(holder(b"hello"), CANARIES.forms())

    assert memory.hits == 0
    assert memory.searched_bytes > 1_000_000


def test_memory_that_cannot_be_read_is_said_to_be_so() -> None:
    with pytest.raises(search.MemoryUnreadableError, match="No such"):
        search.search_memory(2**22 + 1, CANARIES.forms())


def test_the_same_seed_gives_the_same_canaries_and_each_message_its_own() -> None:
    assert Canaries.seeded(7) == CANARIES
    assert Canaries.seeded(8).mark != CANARIES.mark
    assert len({CANARIES.text(number) for number in range(1000)}) == 1000
