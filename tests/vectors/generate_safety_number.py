"""Writes safety-number.json: the digits that two people compare."""

from typing import Any

from nightlight.protocol.ids import UserUri
from nightlight.protocol.safety_number import safety_number
from tests.vectors.writing import write

SIDES = [
    (UserUri("mimi://courier.example/u/ada"), bytes(range(32))),
    (UserUri("mimi://gallery.example/u/ben"), bytes(range(32, 64))),
    (UserUri("mimi://ring.example/u/cleo"), bytes([255]) * 32),
]


def vector() -> dict[str, Any]:
    """All of safety-number.json: each pair of sides."""
    return {
        "source": "made by generate_safety_number.py after docs/protocol.md, Safety number",
        "pairs": [
            {
                "sides": [{"user": user, "account_key": key} for user, key in (one, other)],
                "number": safety_number(*one, *other),
            }
            for one, other in zip(SIDES, SIDES[1:] + SIDES[:1], strict=True)
        ],
    }


if __name__ == "__main__":
    write("safety-number", vector())
