"""Bad input gets one line and exit code 2, an absent server exit code 1; no traceback reaches a person."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.support.terminal import Terminal


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["frobnicate"], "Unknown command"),
        (["send"], "requires an argument"),
        (["send", "bob@gallery.example"], "requires an argument"),
        (["send", "bob@gallery.example", "hello", "--loud"], "Unknown option"),
        (["read", "bob@gallery.example", "--limit", "many"], "--limit"),
        (["read", "bob@gallery.example", "--limit", "0"], "--limit"),
        (["register", "bob"], "'bob' is not a person"),
        (["register", "Bob@gallery.example"], "is not a person"),
        (["contacts", "request", "nobody"], "is not a person"),
        (["contacts", "list"], "has no profile; run nightlight register"),
        (["rooms", "list", "--as", "bob@gallery.example"], "has no profile bob@gallery.example"),
        (["chat", "bob@gallery.example"], "chat needs a terminal"),
        (["verify", "bob"], "is not a person"),
        (["completion", "tcsh"], "Invalid value"),
        (["replay"], "name a trace, or make one up with --generate SEED"),
        (["replay", "nowhere.txt"], "nowhere.txt: No such file or directory"),
        (["replay", "--generate", "1", "--messages", "0"], "--messages"),
        (["serve", "--settings", "nowhere.toml"], "nowhere.toml"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments: list[str], line: str, offline: Terminal) -> None:
    assert line in offline.refused(*arguments)


def test_a_bad_line_of_a_trace_is_named_before_anything_starts(offline: Terminal, tmp_path: Path) -> None:
    trace = tmp_path / "trace.txt"
    trace.write_text("1 2 1082040961\n1 2 yesterday\n")

    assert offline.refused("replay", str(trace), "--json") == (
        f"{trace}, line 2: expected 'sender recipient unix_seconds' in whole numbers"
    )


def test_a_folder_that_is_not_empty_is_not_used_for_a_demonstration(offline: Terminal, tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("keep me")

    assert offline.refused("demo", "--once", "--data", str(tmp_path)) == f"{tmp_path} is not empty"


def test_an_absent_server_is_not_the_persons_fault(offline: Terminal) -> None:
    assert offline.refused("register", "alice@courier.example", code=1).startswith("not available now")
    assert offline.refused("replay", "--generate", "1", "--server", offline.server_url, code=1).startswith("not avail")


def test_a_key_that_others_may_read_is_refused(offline: Terminal) -> None:
    key = offline.home / "key"
    key.write_text("ab" * 32)
    key.chmod(0o644)

    assert "others may read this key" in offline.refused("register", "alice@courier.example")


def test_a_key_file_that_holds_no_key_is_refused(offline: Terminal) -> None:
    key = offline.home / "key"
    key.write_text("swordfish")
    key.chmod(0o600)

    assert "not a key" in offline.refused("register", "alice@courier.example")


def test_a_machine_without_a_keyring_is_told_what_to_do(offline: Terminal) -> None:
    environment = offline.environment | {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
    del environment["NIGHTLIGHT_KEY_FILE"]
    done = subprocess.run(
        [sys.executable, "-m", "nightlight.cli.main", "register", "alice@courier.example"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert "--key-file" in done.stderr


@pytest.mark.parametrize(
    "command",
    ["", "register", "contacts", "rooms", "send", "read", "chat", "verify", "serve", "demo", "replay", "completion"],
)
def test_every_command_has_help_with_examples(command: str, offline: Terminal) -> None:
    text = offline.ok(*filter(None, [command]), "--help")

    assert "Usage: nightlight" in text
    assert "For example:" in text or not command


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_the_commands(shell: str, offline: Terminal) -> None:
    script = offline.ok("completion", shell)

    assert all(command in script for command in ("register", "contacts", "replay", "--server-data"))


def test_bash_accepts_its_completion(offline: Terminal) -> None:
    script = offline.ok("completion", "bash")

    assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0


def test_ctrl_c_ends_quietly_and_takes_the_server_along(offline: Terminal) -> None:
    process = offline.start("replay", "--generate", "1")
    while not (children := psutil.Process(process.pid).children()):
        time.sleep(0.05)
    (server,) = children
    process.send_signal(signal.SIGINT)
    printed = "".join(process.communicate(timeout=60))

    assert process.returncode == 130
    assert "Traceback" not in printed
    # Its parent has ended: whether it is still in the table of processes is up to the machine.
    assert not server.is_running() or server.status() == psutil.STATUS_ZOMBIE
