"""Our TypeScript under Node, asked line by line."""

import json
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

WEB = Path(__file__).parents[2] / "web"


def answers(module: str, lines: Iterable[str]) -> list[Any]:
    """What ``module`` below web/tests answers to ``lines``: one line of JSON each."""
    node = shutil.which("node")
    assert node is not None
    command = [node, "tests/load.js", module]
    run = subprocess.run(command, cwd=WEB, input="\n".join(lines), capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    return [json.loads(line) for line in run.stdout.splitlines()]
