"""A rule that never failed is untested: each import contract is broken here and must sound the alarm."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTRACTS = [
    contract["id"]
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
]

# contract → what breaks it: a module of src/nightlight, old or new → the line that it gets
BREAKS = {
    "layers": [
        ("client/leak.py", "import nightlight.server.main"),
        ("server/leak.py", "import nightlight.client.sdk"),
        ("client/leak.py", "import nightlight.cli.main"),
        ("protocol/leak.py", "import nightlight.mls.public_group"),
        ("errors_leak.py", "VALUE = 'a module that no layer names'"),
    ],
    "server-layers": [
        ("server/domain/leak.py", "import nightlight.server.ports"),
        ("server/ports/leak.py", "import nightlight.server.services"),
        ("server/services/leak.py", "import nightlight.server.http"),
        ("server/services/leak.py", "import nightlight.server.adapters"),
        ("server/http/leak.py", "import nightlight.server.adapters"),
        ("server/leak.py", "VALUE = 'a module that no layer names'"),
    ],
    "pure": [
        ("protocol/leak.py", "import time"),
        ("protocol/leak.py", "from os import urandom"),
        ("server/domain/leak.py", "from datetime import datetime"),
        ("server/domain/leak.py", "import sqlalchemy"),
        ("client/session.py", "import asyncio"),
    ],
    "services-apart": [("server/services/leak.py", "import nightlight.server.services.rooms")],
    "services-behind-ports": [
        ("server/services/leak.py", "import sqlite3"),
        ("server/ports/leak.py", "import litestar"),
    ],
    "adapters-below": [("server/adapters/leak.py", "import nightlight.server.services.rooms")],
    "handlers-stay-inside": [("server/http/leak.py", "import httpx")],
    "one-composition-root": [
        ("server/http/leak.py", "import nightlight.server.settings"),
        ("cli/leak.py", "import nightlight.server.adapters.sql"),
    ],
    "server-without-member": [("server/leak.py", "import nightlight.mls.group")],
    "client-without-hub": [("client/leak.py", "import nightlight.mls.public_group")],
    "one-door-to-the-crate": [
        ("server/leak.py", "import nightlight_mls"),
        ("client/leak.py", "import nightlight_mls"),
        ("protocol/leak.py", "import nightlight_mls"),
        ("cli/leak.py", "import nightlight_mls"),
    ],
}


def lint(root: Path, *contracts: str) -> subprocess.CompletedProcess[str]:
    """The linter's answer about the package below ``root``; only ``contracts``, if any are named."""
    chosen = [argument for contract in contracts for argument in ("--contract", contract)]
    config = ["--config", str(ROOT / "pyproject.toml"), "--no-cache", "--no-logo"]
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    return subprocess.run(
        [sys.executable, "-P", "-c", program, *config, *chosen],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("source")
    shutil.copytree(
        ROOT / "src" / "nightlight", root / "nightlight", ignore=shutil.ignore_patterns("__pycache__", "*.so")
    )
    return root


def test_every_contract_is_kept(intact: Path) -> None:
    answer = lint(intact)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert f"Contracts: {len(CONTRACTS)} kept, 0 broken." in answer.stdout


def test_every_contract_has_a_module_that_breaks_it() -> None:
    assert set(BREAKS) == set(CONTRACTS)


@pytest.mark.parametrize(
    ("contract", "file", "line"),
    [(contract, file, line) for contract, breaks in BREAKS.items() for file, line in breaks],
)
def test_breaking_a_contract_is_noticed(intact: Path, contract: str, file: str, line: str) -> None:
    module = intact / "nightlight" / file
    before = module.read_text() if module.exists() else None
    module.write_text(f"{before or ''}\n{line}\n")
    try:
        answer = lint(intact, contract)
    finally:
        if before is None:
            module.unlink()
        else:
            module.write_text(before)
    assert answer.returncode == 1, answer.stdout + answer.stderr
    assert "Contracts: 0 kept, 1 broken." in answer.stdout
