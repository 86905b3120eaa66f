"""Answers over HTTP, read strictly: what two languages might read differently is of no interface."""

import pytest

from nightlight.errors import ProblemName, RemoteProtocolError
from nightlight.protocol.bodies import Problem, read_body, read_problem
from nightlight.protocol.messages import Contact, KeyPackageCount, Mailbox

GOOD = b'{"remaining": 1, "has_last_resort": true}'


def test_an_answer_is_read_also_with_members_that_are_not_known_yet() -> None:
    more = b'{"more": {"to": ["come"]}, ' + GOOD[1:]
    assert read_body(GOOD, KeyPackageCount) == read_body(more, KeyPackageCount) == KeyPackageCount(1, True)
    assert read_body(b"", object) is None


@pytest.mark.parametrize(
    "odd",
    [
        *(b"1.0", b"1e0", b"-1", b"9007199254740992", b'"1"', b"true", b"NaN", b"01"),
        *(b'1, "more": 1.5', b'1, "more": 9007199254740992', b'1, "more": "\\ud800"', b'1, "\\ud800": 1'),
        *(b'1, "more": "\xff"', b'1, "more": ' + b"[" * 8 + b"]" * 8, b'1, "more": ' + b"[" * 100_000),
    ],
    ids=lambda odd: odd[:40].decode(errors="replace"),
)
def test_nl_541_what_only_some_languages_read_is_refused_wherever_it_stands(odd: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        read_body(GOOD.replace(b"1", odd), KeyPackageCount)
    assert caught.value.check == "NL-541"


def test_of_two_members_with_one_name_the_last_counts() -> None:
    assert read_body(GOOD.replace(b"{", b'{"remaining": "x", '), KeyPackageCount).remaining == 1


@pytest.mark.parametrize("text", ["AQI", "AQJ=", " AQI=", "AQ-_", "AQI=\\n"])
def test_nl_541_base64_has_one_form(text: str) -> None:
    assert read_body(b'{"package": "AQI="}', Mailbox).package == b"\x01\x02"
    with pytest.raises(RemoteProtocolError, match="NL-541"):
        read_body(f'{{"package": "{text}"}}'.encode(), Mailbox)


def test_nl_541_a_name_is_within_its_grammar() -> None:
    row = b'[{"user": "mimi://ring.example/u/cleo", "state": "asked", "since_ms": 1}]'
    assert read_body(row, list[Contact])[0].user == "mimi://ring.example/u/cleo"
    with pytest.raises(RemoteProtocolError, match="NL-541"):
        read_body(row.replace(b"cleo", b"Cleo"), list[Contact])


def test_a_problem_is_known_by_the_end_of_its_type() -> None:
    told = b'{"type": "https://hub.example/problems/wrong_epoch", "title": "words", "status": 409, "epoch": 9}'
    assert read_problem(told) == Problem(ProblemName.WRONG_EPOCH, 9)
    for other in (told.replace(b"wrong_epoch", b"wrong"), told.replace(b"9}", b"null}"), b"{}"):
        with pytest.raises(RemoteProtocolError, match="NL-541"):
            read_problem(other)
