"""The command as people run it: a process of its own, with a home of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COMMAND = (sys.executable, "-m", "nightlight.cli.main")


@dataclass(frozen=True)
class Terminal:
    """One person's machine: ``home`` has their profiles."""

    home: Path
    server_url: str
    patience_s: float = 120

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """The command while it runs, with pipes to what it prints."""
        return subprocess.Popen(
            [*COMMAND, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
        )

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=self.patience_s,
            env=self.environment,
        )

    def ok(self, *arguments: str, stdin: str = "") -> str:
        """Standard output of a command that succeeds and has nothing to remark."""
        done = self.run(*arguments, stdin=stdin)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    def json(self, *arguments: str) -> Any:
        """The one line of JSON that a command prints."""
        (line,) = self.ok(*arguments, "--json").splitlines()
        return json.loads(line)

    def refused(self, *arguments: str, code: int = 2) -> str:
        """The one line on standard error of a command that fails and prints nothing else."""
        done = self.run(*arguments)
        assert (done.returncode, done.stdout) == (code, "")
        (line,) = done.stderr.splitlines()
        return line.removeprefix("nightlight: ")

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("NIGHTLIGHT_")}
        return kept | {
            "NIGHTLIGHT_HOME": str(self.home),
            "NIGHTLIGHT_KEY_FILE": str(self.home / "key"),
            "NIGHTLIGHT_SERVER": self.server_url,
            "COLUMNS": "120",
        }
