"""How much somebody may still do."""

import pytest

from nightlight.errors import ProblemName, RefusedError
from nightlight.server.http import allowance
from nightlight.server.http.allowance import Allowance, Allowances


class Seconds:
    """A clock that the test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_may_be_taken_at_once_and_then_as_fast_as_it_fills() -> None:
    clock = Seconds()
    allowance = Allowance(clock, per_second=10, burst=3)
    assert [allowance.take() for _ in range(4)] == [0, 0, 0, 101]
    clock.now = 0.1
    assert [allowance.take() for _ in range(2)] == [0, 101]
    clock.now = 60
    assert [allowance.take() for _ in range(4)] == [0, 0, 0, 101]


def test_who_waits_as_long_as_told_is_let_through() -> None:
    clock = Seconds()
    allowance = Allowance(clock, per_second=3, burst=1)
    for _ in range(10):
        while wait_ms := allowance.take():
            clock.now += wait_ms / 1000
        assert allowance.take() > 0


def test_one_device_s_haste_is_not_another_s() -> None:
    allowances = Allowances[int](Seconds(), per_second=1, burst=1)
    allowances.take(1)
    with pytest.raises(RefusedError) as refused:
        allowances.take(1)
    assert (refused.value.problem, refused.value.retry_after_s) == (ProblemName.TOO_MANY, 2)
    allowances.take(2)


def test_so_many_are_remembered_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allowance, "_REMEMBERED", 3)
    allowances = Allowances[int](Seconds(), per_second=1, burst=1)
    for who in range(10):
        allowances.take(who)
    assert len(allowances._buckets) == 3
    with pytest.raises(RefusedError):
        allowances.take(9)
    allowances.take(0)
