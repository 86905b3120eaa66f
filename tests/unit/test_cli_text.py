"""What people see: hostile text cannot steer a terminal, people are written name@provider, failures are one line."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightlight.cli.faults import InputError, explain
from nightlight.cli.people import read_person, written
from nightlight.cli.plain import neutralise
from nightlight.errors import ProblemName, RefusedError, RemoteProtocolError, UnavailableError


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[2Jgone", "␛[2Jgone"),
        ("\x1b]0;title\x07", "␛]0;title␇"),
        ("over\rwritten", "over␍written"),
        ("\x9b31m", "⟨U+009B⟩31m"),
        ("del\x7f", "del␡"),
        ("exe.\u202egnp", "exe.⟨U+202E⟩gnp"),
        ("\u2066isolated\u2069", "⟨U+2066⟩isolated⟨U+2069⟩"),
        ("a\u2028b", "a⟨U+2028⟩b"),
        ("zero\u200bwidth", "zero⟨U+200B⟩width"),
        ("\ud800", "⟨U+D800⟩"),
    ],
)
def test_hostile_characters_are_shown_as_what_they_are(hostile: str, shown: str) -> None:
    assert neutralise(hostile) == shown


@pytest.mark.parametrize(
    "text", ["hello", "two\nlines", "Grüße vom See", "می‌خواهم", "👩‍👩‍👧 ❤️", "שלום", "[bold]not markup[/bold]"]
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert neutralise(text) == text


@given(st.text())
def test_nothing_that_is_shown_can_steer_a_terminal(text: str) -> None:
    categories = {unicodedata.category(c) for c in neutralise(text) if c not in "\n\u200c\u200d"}
    assert not categories & {"Cc", "Cf", "Cs", "Zl", "Zp"}


def test_people_are_read_and_written_in_both_ways() -> None:
    user = read_person("alice@courier.example")

    assert user == "mimi://courier.example/u/alice"
    assert read_person(user) == user
    assert written(user) == "alice@courier.example"


@pytest.mark.parametrize("text", ["", "alice", "@courier.example", "Alice@courier.example", "a@b@c", "mimi://x/r/y"])
def test_what_is_not_a_person_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InputError, match=r"alice@courier\.example"):
        read_person(text)


@pytest.mark.parametrize(
    ("error", "line", "code"),
    [
        (InputError("no such room"), "no such room", 2),
        (RefusedError(ProblemName.NOT_ALLOWED), "refused: That is not allowed.", 2),
        (RemoteProtocolError("NL-104", "short"), "the other side broke rule NL-104: short", 2),
        (UnavailableError("no answer from the server"), "not available now: no answer from the server", 1),
        (FileNotFoundError(2, "No such file or directory", "x"), "x: No such file or directory", 2),
        (ValueError("something private"), "something unexpected happened on our side (ValueError)", 1),
        (
            ExceptionGroup("tasks", [RefusedError(ProblemName.TOO_MANY)]),
            "refused: Too many requests; wait a little.",
            2,
        ),
        (InputError("two\nlines \x1b[1m"), "two lines ␛[1m", 2),
    ],
)
def test_a_failure_is_one_line_and_an_exit_code(error: Exception, line: str, code: int) -> None:
    assert explain(error) == (line, code)
