"""docs/status.md says what is shown by what; a row whose test or command does not exist is caught here."""

import ast
import datetime as dt
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CLAUSES = {f"S{number}" for number in range(1, 16)}
BEGUN = {f"M{number}" for number in range(1, 8)} | {f"W{number}" for number in range(1, 9)}
STATES = {"open", "part", "shown"}


@dataclass(frozen=True)
class Row:
    clause: str
    what: str
    shown_by: tuple[str, ...]
    date: str
    figure: str
    state: str


def rows() -> list[Row]:
    """The table's rows, in order."""
    lines = (ROOT / "docs" / "status.md").read_text().splitlines()
    cells = [
        [cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines if re.match(r"\| [A-Z]\d", line)
    ]
    return [
        Row(clause, what, tuple(re.findall(r"`([^`]+)`", shown_by)), date, figure, state)
        for clause, what, shown_by, date, figure, state in cells
    ]


ROWS = rows()
MAKE_TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def python_names(file: Path) -> set[str]:
    """The test functions of a file, those of classes as ``Class::method``."""
    tree = ast.parse(file.read_text())
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    flat = {node.name for node in tree.body if isinstance(node, functions)}
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    return flat | {
        f"{node.name}::{inner.name}" for node in classes for inner in node.body if isinstance(inner, functions)
    }


def is_command(word: str) -> bool:
    """Whether ``nightlight`` lists the subcommand and its file is there."""
    folder = ROOT / "src" / "nightlight" / "cli"
    return f'    "{word}": ' in (folder / "main.py").read_text() and (folder / f"{word}.py").exists()


def exists(shown_by: str) -> bool:
    """Whether ``shown_by`` (a test, a page or file, ``make …`` or ``nightlight …``) is there."""
    if shown_by.startswith("make "):
        return shown_by.split()[1] in MAKE_TARGETS
    if shown_by.startswith("nightlight "):
        return is_command(shown_by.split()[1])
    path, _, test = shown_by.partition("::")
    file = ROOT / path
    if not file.exists():
        return False
    if file.suffix == ".rs":
        return f"fn {test}()" in file.read_text()
    return not test or test in python_names(file)


@pytest.mark.parametrize("page", sorted(ROOT.glob("docs/**/*.md")), ids=lambda page: page.name)
def test_a_page_names_tests_that_exist(page: Path) -> None:
    named = re.findall(r"`(tests/[^`]+)`", page.read_text())
    assert [name for name in named if not exists(name)] == []


def test_every_clause_has_a_row() -> None:
    clauses = {row.clause.partition(".")[0] for row in ROWS}
    assert clauses - BEGUN == CLAUSES
    assert len({row.clause for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=[row.clause for row in ROWS])
def test_a_row_names_what_exists(row: Row) -> None:
    assert row.state in STATES
    assert [name for name in row.shown_by if not exists(name)] == []
    if row.state == "open":
        return
    assert row.shown_by
    assert dt.date.fromisoformat(row.date)
