"""How long to measure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Effort:
    """``rounds``: turns of each contestant; ``seconds``: length of a turn, after a fifth of that to warm up."""

    rounds: int
    seconds: float

    @property
    def warm_up_s(self) -> float:
        """The part of a turn that does not count."""
        return self.seconds / 5


FULL = Effort(rounds=5, seconds=5)
QUICK = Effort(rounds=3, seconds=1)
