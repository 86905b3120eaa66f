"""A trace played through the whole product ends with zeros where zeros belong; with a leak, it does not."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from nightlight.cli.canary import Canaries
from nightlight.cli.trace import generate_trace, read_trace
from tests.support.server import ServerProcess
from tests.support.terminal import Terminal

TRACE = Path(__file__).parents[3] / "shared" / "data" / "trace-a.txt"
"""A real trace, where this clone has it beside itself."""
KEYS = [
    *("people", "rooms", "sent", "delivered", "lost", "duplicated", "out_of_order", "undecryptable"),
    *("frank_failures", "plaintext_found", "p50_ms", "p99_ms", "messages_per_s"),
]


@pytest.fixture
def terminal(tmp_path: Path, server_process: ServerProcess) -> Terminal:
    return Terminal(tmp_path / "home", server_process.url, patience_s=900)


def outcome_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The one line on standard output."""
    (line,) = done.stdout.splitlines()
    outcome: dict[str, Any] = json.loads(line)
    assert list(outcome) == KEYS
    return outcome


def assert_faultless(outcome: dict[str, Any], messages: int) -> None:
    zeros = ("lost", "duplicated", "out_of_order", "undecryptable", "frank_failures", "plaintext_found")
    assert {name: outcome[name] for name in zeros} == dict.fromkeys(zeros, 0)
    assert (outcome["sent"], outcome["delivered"]) == (messages, messages)
    assert 0 < outcome["p50_ms"] <= outcome["p99_ms"]
    assert outcome["messages_per_s"] > 0


def test_a_short_trace_is_played_and_nothing_is_found_at_the_server(terminal: Terminal) -> None:
    done = terminal.run("replay", "--generate", "5", "--messages", "150", "--json")

    assert done.returncode == 0
    outcome = outcome_of(done)
    assert_faultless(outcome, 150)
    lines = generate_trace(5, 150)
    assert outcome["people"] == len({person for line in lines for person in (line.sender, line.recipient)})
    assert outcome["rooms"] == len({frozenset((line.sender, line.recipient)) for line in lines})
    assert "150/150" in done.stderr


def test_1500_messages_of_a_real_trace_where_there_is_one(terminal: Terminal) -> None:
    trace = [str(TRACE)] if TRACE.exists() else ["--generate", "1"]
    done = terminal.run("replay", *trace, "--messages", "1500", "--json")

    assert done.returncode == 0
    outcome = outcome_of(done)
    assert_faultless(outcome, 1500)
    if TRACE.exists():
        assert len(read_trace(TRACE, 1500)) == 1500
        assert (outcome["people"], outcome["rooms"]) == (294, 651)


async def test_a_text_at_a_running_server_is_found(terminal: Terminal, server_process: ServerProcess) -> None:
    await server_process.start()
    leak = server_process.data / "blobs"
    leak.mkdir()
    (leak / "1").write_bytes(b"x" + base64.b64encode(b"?" + Canaries.seeded(9).text(3).encode()))
    given = ["--server", server_process.url, "--server-data", str(server_process.data)]

    done = terminal.run("replay", "--generate", "5", "--messages", "20", "--seed", "9", "--json", *given)

    assert done.returncode == 1
    assert outcome_of(done)["plaintext_found"] == 1
    assert "Not searched: its memory" in done.stderr


async def test_a_server_that_cannot_be_searched_is_not_said_to_be_clean(
    terminal: Terminal, server_process: ServerProcess
) -> None:
    await server_process.start()

    done = terminal.run("replay", "--generate", "5", "--messages", "20", "--json", "--server", server_process.url)

    assert outcome_of(done)["plaintext_found"] is None
    assert done.returncode == 1
    assert "Not searched: its folder" in done.stderr
    assert "Not searched: its memory" in done.stderr


def test_a_table_comes_before_the_line_of_json_unless_only_that_is_wanted(terminal: Terminal) -> None:
    done = terminal.run("replay", "--generate", "5", "--messages", "20")

    *table, last = done.stdout.splitlines()
    assert any(line.startswith("memory") for line in table)
    assert list(json.loads(last)) == KEYS
