"""Each check has a number: on the protocol page, where it is made, and in a test."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
NUMBER = re.compile(r"\bNL-\d{3}\b")


def numbers(*patterns: str) -> set[str]:
    """Every check number in the files that match ``patterns`` below the root."""
    files = [file for pattern in patterns for file in ROOT.glob(pattern)]
    assert files
    return {number for file in files for number in NUMBER.findall(file.read_text())}


PAGE = numbers("docs/protocol.md")
CODE = numbers("src/nightlight/**/*.py", "rust/src/**/*.rs")
TESTS = numbers("tests/**/*.py", "rust/tests/**/*.rs") if (ROOT / "rust/tests").exists() else numbers("tests/**/*.py")


def test_the_page_names_every_check_of_the_code() -> None:
    assert sorted(CODE - PAGE) == []


def test_the_code_makes_every_check_of_the_page() -> None:
    assert sorted(PAGE - CODE) == []


def test_every_check_has_a_test_that_names_it() -> None:
    assert sorted(PAGE - TESTS) == []


def test_tests_name_no_check_that_the_page_does_not() -> None:
    assert sorted(TESTS - PAGE) == []


def test_a_number_stands_once_on_the_page() -> None:
    rows = re.findall(r"^\| *(NL-\d{3}) *\|", (ROOT / "docs/protocol.md").read_text(), re.MULTILINE)
    assert set(rows) == PAGE
    assert len(rows) == len(set(rows))
