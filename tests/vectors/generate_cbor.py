"""Writes cbor.json: maps in the order of their encoded keys, and what a strict decoder refuses."""

from typing import Any

from nightlight.protocol import cbor
from tests.vectors.writing import write

MAPS: dict[str, dict[cbor.Key, cbor.Value]] = {
    "24 before -1: by encoded bytes, not by length": {-1: "b", 24: "a"},
    "numbers before negative numbers before text": {"a": 1, -24: 2, 23: 3, -25: 4, 255: 5, 256: 6},
    "text by length, then by bytes": {"bb": 1, "b": 2, "aa": 3, "": 4},
    "a map in a map": {2: {-1: 0, 100: 0}, 1: "c"},
}

REFUSED: dict[str, tuple[str, str]] = {
    "keys ordered by length first": ("a220616218186161", "NL-111"),
    "a key twice": ("a201000100", "NL-110"),
    "a long integer": ("1801", "NL-111"),
    "a long length": ("580101", "NL-111"),
    "bytes left over": ("0000", "NL-111"),
    "an indefinite byte string": ("5f4100ff", "NL-110"),
    "an indefinite array": ("9f00ff", "NL-110"),
    "an indefinite map": ("bf0000ff", "NL-110"),
    "a tag": ("c11a00000000", "NL-110"),
    "a bignum": ("c24101", "NL-110"),
    "a set": ("d901028100", "NL-110"),
    "a shared reference": ("d81d00", "NL-110"),
    "a half float": ("f90000", "NL-110"),
    "a NaN": ("f97e00", "NL-110"),
    "undefined": ("f7", "NL-110"),
    "another simple value": ("e0", "NL-110"),
    "an array as a key": ("a18000", "NL-110"),
    "a boolean as a key": ("a1f500", "NL-110"),
    "text that is not UTF-8": ("61ff", "NL-110"),
    "text that is half of a surrogate pair": ("63eda080", "NL-110"),
    "nine arrays deep": ("818181818181818180", "NL-110"),
    "an array without its end": ("8200", "NL-110"),
    "an array of 2^64 - 1 items": ("9bffffffffffffffff", "NL-110"),
    "a byte string of 2^63 - 1 bytes": ("5b7fffffffffffffff", "NL-110"),
    "a lone break": ("ff", "NL-110"),
    "a reserved length": ("1c", "NL-110"),
    "nothing": ("", "NL-110"),
}


def vector() -> dict[str, Any]:
    """All of cbor.json."""
    return {
        "source": "made by generate_cbor.py after RFC 8949 section 4.2.1 and docs/protocol.md, Content",
        "maps": [
            {"name": name, "entries": [[key, _json(item)] for key, item in value.items()], "cbor": cbor.encode(value)}
            for name, value in MAPS.items()
        ],
        "refused": [{"name": name, "cbor": data, "check": check} for name, (data, check) in REFUSED.items()],
    }


def _json(value: cbor.Value) -> Any:
    """Maps as lists of pairs, since JSON has no numbers as keys."""
    return [[key, _json(item)] for key, item in value.items()] if isinstance(value, dict) else value


if __name__ == "__main__":
    write("cbor", vector())
