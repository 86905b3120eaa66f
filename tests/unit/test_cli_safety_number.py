"""The safety number, computed a second time from its description alone."""

from __future__ import annotations

import hashlib

from hypothesis import given, settings
from hypothesis import strategies as st

from nightlight.protocol.ids import UserUri
from nightlight.protocol.safety_number import grouped, safety_number

ALICE, BOB = UserUri("mimi://courier.example/u/alice"), UserUri("mimi://gallery.example/u/bob")
ALICE_KEY, BOB_KEY = bytes(range(32)), bytes(range(32, 64))


def half_by_the_description(user: str, key: bytes) -> str:
    """Hash label, key and user with SHA-512; then 5,199 times hash the hash and the key; six times five bytes."""
    value = hashlib.sha512(b"NLF1 safety number" + key + user.encode() + key)
    for _ in range(5199):
        value = hashlib.sha512(value.digest() + key)
    number = value.digest()[:30]
    return "".join(str(int(number[i : i + 5].hex(), 16) % 100000).zfill(5) for i in (0, 5, 10, 15, 20, 25))


def test_both_sides_see_the_number_of_the_description() -> None:
    halves = {half_by_the_description(ALICE, ALICE_KEY), half_by_the_description(BOB, BOB_KEY)}

    number = safety_number(ALICE, ALICE_KEY, BOB, BOB_KEY)

    assert number == safety_number(BOB, BOB_KEY, ALICE, ALICE_KEY)
    assert {number[:30], number[30:]} == halves
    assert number[:30] <= number[30:]


@settings(deadline=None)
@given(st.binary(min_size=32, max_size=32))
def test_another_account_key_gives_another_number(key: bytes) -> None:
    assert (key == BOB_KEY) == (
        safety_number(ALICE, ALICE_KEY, BOB, key) == safety_number(ALICE, ALICE_KEY, BOB, BOB_KEY)
    )


def test_the_same_key_under_another_name_gives_another_number() -> None:
    carol = UserUri("mimi://gallery.example/u/carol")
    assert safety_number(ALICE, ALICE_KEY, carol, BOB_KEY) != safety_number(ALICE, ALICE_KEY, BOB, BOB_KEY)


def test_people_read_it_in_groups_of_five() -> None:
    lines = grouped(safety_number(ALICE, ALICE_KEY, BOB, BOB_KEY)).splitlines()

    assert [[len(group) for group in line.split()] for line in lines] == [[5, 5, 5, 5]] * 3
