"""Message traces: who wrote to whom, and when; never what.

One line a message, ``sender recipient unix_seconds``, in time order. People are whole numbers.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate, islice
from pathlib import Path

from nightlight.cli.faults import InputError

FIELDS = 3
PERSON_DIGITS = 12

# The generator's shape, set so that 1,500 and 20,000 messages have about the people and pairs of the real trace.
PEOPLE_PER_ROOT = 7.5
ZIPF = 0.6
BURST = 0.35
"""How often the next message belongs to the same pair."""
ANSWER = 0.6
"""How often, in a burst, the other one answers."""
RETURN = 0.6
"""How often a sender turns to somebody they know."""


@dataclass(frozen=True, slots=True)
class TraceLine:
    """One message of a trace."""

    sender: int
    recipient: int
    at_s: int


def read_trace(path: Path, messages: int | None = None) -> list[TraceLine]:
    """The first ``messages`` lines of the trace, or all. Raises ``InputError`` naming the file and the line."""
    try:
        with path.open(encoding="ascii", errors="replace") as lines:
            trace = list(_parse(str(path), islice(lines, messages)))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    if not trace:
        raise InputError(f"{path}: is empty")
    if messages and len(trace) < messages:
        raise InputError(f"{path}: has {len(trace):,} messages, {messages:,} were asked for")
    return trace


def _parse(name: str, lines: Iterable[str]) -> Iterator[TraceLine]:
    before = 0
    for number, line in enumerate(lines, 1):
        fields = line.split()
        if len(fields) != FIELDS or not all(field.isdecimal() and len(field) <= PERSON_DIGITS for field in fields):
            raise InputError(f"{name}, line {number}: expected 'sender recipient unix_seconds' in whole numbers")
        parsed = TraceLine(*map(int, fields))
        if parsed.sender == parsed.recipient:
            raise InputError(f"{name}, line {number}: person {parsed.sender} writes to themselves")
        if parsed.at_s < before:
            raise InputError(f"{name}, line {number}: earlier than the line before it")
        before = parsed.at_s
        yield parsed


def generate_trace(seed: int, messages: int) -> list[TraceLine]:
    """A trace shaped like a real one, the same for the same seed.

    The number of people grows with the square root of the messages; how many partners they have is heavy-tailed (a
    Zipf-like weight a person); talk comes in bursts (seconds to minutes), with long pauses between.
    """
    draw = random.Random(seed)  # noqa: S311  a trace is a test load, not a secret
    people = max(2, round(PEOPLE_PER_ROOT * messages**0.5))
    weights = list(accumulate(1 / (rank + 1) ** ZIPF for rank in range(people)))
    order = draw.sample(range(1, people + 1), people)
    partners: dict[int, list[int]] = {}
    trace: list[TraceLine] = []
    now_s, pair = 1_000_000_000, (0, 0)
    for _ in range(messages):
        if trace and draw.random() < BURST:
            pair = pair[::-1] if draw.random() < ANSWER else pair
            now_s += int(draw.expovariate(1 / 40))
        else:
            pair = _next_pair(draw, partners, order, weights)
            now_s += int(draw.paretovariate(1.1) * 5)
        trace.append(TraceLine(*pair, now_s))
    return trace


def _next_pair(
    draw: random.Random, partners: dict[int, list[int]], order: list[int], weights: list[float]
) -> tuple[int, int]:
    """A sender and a recipient: an old partner half of the time, else somebody by weight."""
    sender = draw.choices(order, cum_weights=weights)[0]
    if partners.get(sender) and draw.random() < RETURN:
        return sender, draw.choice(partners[sender])
    recipient = sender
    while recipient == sender:
        recipient = draw.choices(order, cum_weights=weights)[0]
    for one, other in ((sender, recipient), (recipient, sender)):
        if other not in partners.setdefault(one, []):
            partners[one].append(other)
    return sender, recipient
