"""Who lives in the demonstration, and what they say. Everybody is invented.

Everything that is said names the village, which is nowhere else: so one search for its name is a search for all texts.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import combinations

VILLAGE = "Mirrormere"
PEOPLE = (
    "juno@courier.example",
    "milo@courier.example",
    "nora@courier.example",
    "otis@courier.example",
    "pia@gallery.example",
    "quinn@gallery.example",
    "rosa@gallery.example",
    "sami@gallery.example",
    "tova@ring.example",
    "ugo@ring.example",
    "vera@ring.example",
    "wim@ring.example",
)
HOST = PEOPLE[0]
"""The one who answers visitors."""
FRIENDSHIPS = 22
MESSAGES = 300
GROUPS = ((0, 4, 8), (1, 3, 5, 9, 11))
"""Rooms of more than two, as places in ``PEOPLE``."""
SAYINGS = (
    "The lake at {village} is like glass this morning.",
    "Anyone up for a walk round {village} on Saturday?",
    "I can bring bread from the {village} bakery.",
    "First snow on the hills above {village}!",
    "The heron is back, third day in a row. Only in {village}.",
    "Does the bus to {village} still leave at ten past?",
    "Found your blue scarf on the {village} pier.",
    "Choir tonight, {village} hall, seven o'clock.",
    "The plum trees of {village} are two weeks early.",
    "I painted the {village} lighthouse again. Better this time.",
    "Fog so thick that {village} is gone. Lovely.",
    "Who has the key of the {village} boat house?",
    "Sunset over {village} was all copper just now.",
    "My sister visits {village} in May. Show her the caves?",
    "The {village} library has the maps we wanted.",
    "Chess on the {village} green, loser makes cocoa.",
)
ANSWERS = (
    "Hello, and welcome to {village}! The tea is hot.",
    "Nice to hear from you. The lake at {village} is calm today.",
    "Ha! That is what everybody in {village} says.",
    "Tell me more; I am on the {village} pier with time to spare.",
    "I will pass it on at the {village} bakery.",
)


def friendships(draw: random.Random) -> list[tuple[int, int]]:
    """Pairs of places in ``PEOPLE`` who write to each other; whoever shares a group is among them."""
    needed = {pair for group in GROUPS for pair in combinations(group, 2)}
    spare = sorted(set(combinations(range(len(PEOPLE)), 2)) - needed)
    return sorted(needed) + draw.sample(spare, max(0, FRIENDSHIPS - len(needed)))


def sayings(draw: random.Random) -> Iterator[str]:
    """Without end."""
    while True:
        yield draw.choice(SAYINGS).format(village=VILLAGE)


def answer(number: int) -> str:
    """What the host says to a visitor's message ``number``, counted from 0."""
    return ANSWERS[number % len(ANSWERS)].format(village=VILLAGE)
