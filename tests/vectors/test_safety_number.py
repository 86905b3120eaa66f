from typing import Any

import pytest

from nightlight.protocol.safety_number import safety_number
from tests.vectors.reading import read


@pytest.mark.parametrize("pair", read("safety-number")["pairs"])
def test_both_sides_see_the_same_sixty_digits(pair: dict[str, Any]) -> None:
    one, other = ((side["user"], bytes.fromhex(side["account_key"])) for side in pair["sides"])
    assert safety_number(*one, *other) == safety_number(*other, *one) == pair["number"]
