"""Damages good bytes in the ways that find faults in decoders; the same seed, the same damage."""

from collections.abc import Callable, Iterator, Sequence
from random import Random

INTERESTING = bytes(
    [0x00, 0x01, 0x3F, 0x40, 0x5F, 0x7F, 0x80, 0x9F, 0xA1, 0xBF, 0xC0, 0xC2, 0xD8, 0xF6, 0xF7, 0xFB, 0xFF]
)


def _flip_bit(random: Random, data: bytearray) -> None:
    data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def _set_byte(random: Random, data: bytearray) -> None:
    data[random.randrange(len(data))] = random.choice(INTERESTING)


def _insert(random: Random, data: bytearray) -> None:
    at = random.randrange(len(data) + 1)
    data[at:at] = bytes(random.choices(INTERESTING, k=random.randint(1, 9)))


def _delete(random: Random, data: bytearray) -> None:
    at = random.randrange(len(data))
    del data[at : at + random.randint(1, 9)]


def _truncate(random: Random, data: bytearray) -> None:
    del data[random.randrange(len(data)) :]


def _repeat(random: Random, data: bytearray) -> None:
    at = random.randrange(len(data))
    piece = data[at : at + random.randint(1, 20)]
    data[at:at] = piece * random.randint(1, 12)


def _count_up_or_down(random: Random, data: bytearray) -> None:
    at = random.randrange(len(data))
    data[at] = (data[at] + random.choice((-1, 1))) % 256


_MUTATIONS: Sequence[Callable[[Random, bytearray], None]] = (
    _flip_bit,
    _set_byte,
    _insert,
    _delete,
    _truncate,
    _repeat,
    _count_up_or_down,
)


def mutants(samples: Sequence[bytes], rounds: int, seed: int) -> Iterator[bytes]:
    """``rounds`` damaged copies: of one sample, or of the front of one and the back of another."""
    random = Random(seed)  # noqa: S311 - repeatable, and keeps nothing secret
    for _ in range(rounds):
        data = bytearray(random.choice(samples))
        if random.random() < 0.1:
            other = random.choice(samples)
            data[random.randrange(len(data) + 1) :] = other[random.randrange(len(other) + 1) :]
        for _ in range(random.randint(1, 4)):
            if data:
                random.choice(_MUTATIONS)(random, data)
        yield bytes(data)
