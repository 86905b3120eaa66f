"""The demonstration: people talk, a table says what came of it, and a visitor can join by the printed commands."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.terminal import Terminal


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path / "home", "")


def test_once_ends_after_a_table_without_a_loss_and_without_a_text(terminal: Terminal, tmp_path: Path) -> None:
    done = terminal.run("demo", "--once", "--json", "--data", str(tmp_path / "hub"))
    report = json.loads(done.stdout)

    assert done.returncode == 0
    assert (report["people"], report["apps"], report["rooms"]) == (12, 3, 24)
    outcome = report["outcome"]
    assert (outcome["sent"], outcome["delivered"] > 300) == (300, True)
    assert not any(
        outcome[fault] for fault in ("lost", "duplicated", "out_of_order", "undecryptable", "frank_failures")
    )
    assert report["wire_bytes"] > 100_000
    assert {held["table"]: held["rows"] for held in report["held"]}.items() >= {"accounts": 12, "rooms": 24}.items()
    searched = {place["name"]: place["searched_bytes"] for place in report["evidence"]["places"]}
    assert searched.keys() >= {"nightlight.db", "nightlight.db-wal", "server.log", "memory"}
    assert searched["memory"] > 10_000_000
    assert report["evidence"]["control_seen"]
    assert not any(place["found"] for place in report["evidence"]["places"])
    assert (tmp_path / "hub" / "nightlight.db").exists()
    assert "300/300" in done.stderr


@pytest.fixture
def demonstration(terminal: Terminal) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "nightlight.cli.main", "demo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=terminal.environment | {"PYTHONUNBUFFERED": "1"},
    )
    yield process
    process.kill()
    process.communicate()


def invitation(demonstration: subprocess.Popen[str]) -> list[str]:
    """The commands that the demonstration prints, once it is ready."""
    assert demonstration.stdout
    lines: list[str] = []
    for line in demonstration.stdout:
        lines.append(line)
        if "Ctrl-C ends" in line:
            break
    assert "300 sent, 348 deliveries, 0 lost" in "".join(lines)
    return [line.strip() for line in lines[lines.index("Join in from another terminal:\n") + 1 :] if line[:2] == "  "]


def test_a_visitor_joins_by_the_printed_commands_and_is_answered(
    terminal: Terminal, demonstration: subprocess.Popen[str]
) -> None:
    export, register, request, chat = invitation(demonstration)
    command, _, host = chat.rpartition(" ")
    send = f"{command.removesuffix(' chat')} send {host} hello"
    read = f"{command.removesuffix(' chat')} read {host}"
    script = f"set -e\n{export}\n{register}\n{request}\n{send}\nfor _ in $(seq 30); do sleep 1; {read}; done"

    answers = subprocess.Popen(
        ["bash", "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={"PATH": terminal.environment["PATH"]},
    )
    assert answers.stdout
    seen = ""
    for line in answers.stdout:
        seen += line
        if f"{host}  Hello, and welcome to Mirrormere!" in line:
            break
    answers.kill()
    answers.communicate()
    assert "welcome to Mirrormere" in seen


@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)])
def test_it_ends_cleanly_with_its_server_and_its_files(
    how: signal.Signals, code: int, demonstration: subprocess.Popen[str]
) -> None:
    home = invitation(demonstration)[0].split()[1].removeprefix("NIGHTLIGHT_HOME=")
    (server,) = psutil.Process(demonstration.pid).children()
    folder = Path(home).parent
    assert folder.is_dir()

    demonstration.send_signal(how)
    demonstration.wait(30)

    assert demonstration.returncode == code
    assert not server.is_running()
    assert not folder.exists()
