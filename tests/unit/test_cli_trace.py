"""Traces: a bad line is named before anything starts, and a generated one looks like a real one."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from nightlight.cli.faults import InputError
from nightlight.cli.trace import TraceLine, generate_trace, read_trace


def test_the_first_lines_are_read(tmp_path: Path) -> None:
    trace = tmp_path / "trace.txt"
    trace.write_text("1 2 1082040961\n3 4 1082155839\n2 1 1082155839\nnot reached\n")

    assert read_trace(trace, 2) == [TraceLine(1, 2, 1082040961), TraceLine(3, 4, 1082155839)]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("", "whole numbers"),
        ("1 2", "whole numbers"),
        ("1 2 3 4", "whole numbers"),
        ("1 -2 1082155839", "whole numbers"),
        ("1 two 1082155839", "whole numbers"),
        ("1 ² 1082155839", "whole numbers"),
        ("1 2 99999999999999999999999999", "whole numbers"),
        ("7 7 1082155839", "to themselves"),
        ("1 2 1082040960", "earlier"),
        ("\x00\x00\x00", "whole numbers"),
    ],
)
def test_a_bad_line_is_named_with_its_file_and_number(line: str, complaint: str, tmp_path: Path) -> None:
    trace = tmp_path / "trace.txt"
    trace.write_text(f"1 2 1082040961\n{line}\n1 2 1082155839\n", encoding="utf-8")

    with pytest.raises(InputError, match=rf"trace\.txt, line 2: .*{complaint}"):
        read_trace(trace, 3)


def test_a_trace_that_is_too_short_says_so(tmp_path: Path) -> None:
    trace = tmp_path / "trace.txt"
    trace.write_text("1 2 1082040961\n")

    with pytest.raises(InputError, match="has 1 messages, 1,500 were asked for"):
        read_trace(trace, 1500)


def test_a_trace_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.txt: No such file"):
        read_trace(tmp_path / "nowhere.txt", 1)


def test_a_generated_trace_is_the_same_for_the_same_seed() -> None:
    assert generate_trace(1, 300) == generate_trace(1, 300)
    assert generate_trace(1, 300) != generate_trace(2, 300)


def test_a_generated_trace_can_be_written_and_read(tmp_path: Path) -> None:
    generated = generate_trace(5, 500)
    trace = tmp_path / "trace.txt"
    trace.write_text("".join(f"{line.sender} {line.recipient} {line.at_s}\n" for line in generated))

    assert read_trace(trace, 500) == generated


def test_a_generated_trace_has_a_few_busy_people_and_many_quiet_ones() -> None:
    partners: dict[int, set[int]] = {}
    for line in generate_trace(1, 1500):
        partners.setdefault(line.sender, set()).add(line.recipient)
        partners.setdefault(line.recipient, set()).add(line.sender)
    degrees = sorted(map(len, partners.values()))

    assert 200 < len(partners) < 350
    assert 400 < sum(degrees) / 2 < 700
    assert degrees[len(degrees) // 2] <= 4
    assert degrees[-1] >= 20


def test_a_generated_trace_comes_in_bursts() -> None:
    trace = generate_trace(1, 1500)
    pauses = sorted(later.at_s - line.at_s for line, later in pairwise(trace))
    same_pair = Counter(
        {line.sender, line.recipient} == {later.sender, later.recipient} for line, later in pairwise(trace)
    )

    assert pauses[-1] > 50 * pauses[len(pauses) // 2]
    assert same_pair[True] > 300
