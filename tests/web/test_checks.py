"""Each rule has one number, whichever language applies it."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
NUMBER = re.compile(r"\bNL-\d{3}\b")
# What only a server reads or verifies.
SERVER_ONLY = {"NL-010", "NL-331"}


def raised(*patterns: str) -> set[str]:
    """The numbers that code names in a string: raised there, not only written of."""
    files = [file for pattern in patterns for file in ROOT.glob(pattern)]
    assert files
    return {number for file in files for number in re.findall(r"[\"'](NL-\d{3})[\"']", file.read_text())}


def test_the_page_names_every_check_of_the_browser() -> None:
    page = set(NUMBER.findall((ROOT / "docs/protocol.md").read_text()))
    assert sorted(raised("web/src/**/*.ts") - page) == []


def test_the_browser_makes_every_check_of_the_protocol_package() -> None:
    assert raised("web/src/*.ts") >= raised("src/nightlight/protocol/*.py") - SERVER_ONLY
