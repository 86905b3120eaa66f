"""Makes bytes that are nearly good: values of CBOR, MessagePack and JSON, written as a careless program would.

Damaging samples seldom makes a new value that is well-formed; these do, so that two decoders are compared on what they
accept as well. The same ``Random``, the same bytes.
"""

import base64
import json
import struct
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

_URIS = ["mimi://courier.example/u/ada", "mimi://courier.example/r/harbour", "mimi://courier.example/d/ada/phone"]
_TEXTS = ["", "a", "bb", "é", "ﻼ", "\U0001f600", "\ufeff", "text/plain;charset=utf-8", *_URIS]
_EDGES = [0, 1, 2, 3, 23, 24, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32, 2**53 - 1, 2**53, 2**63 - 1, 2**63, 2**64 - 1]


def _bytes(random: Random) -> bytes:
    return random.choice([b"", b"\xff", bytes(16), b"\x01" + bytes(31), bytes(32), bytes(100), "é".encode()])


# --- CBOR -------------------------------------------------------------------------------------------------


def cbor(random: Random, depth: int = 0) -> bytes:
    """An item, mostly of our profile and in its shortest form."""
    kinds = _CBOR if depth < random.choice([3, 5, 10]) else _CBOR[:4]
    return random.choice(kinds)(random, depth)


def _head(random: Random, major: int, number: int) -> bytes:
    forms = [(-1, number)] if number < 24 else []
    forms += [(extra, number) for extra in range(4) if number < 256 ** (2**extra)]
    extra, number = forms[0] if random.random() < 0.98 else random.choice(forms)
    if extra < 0:
        return bytes([major << 5 | number])
    return bytes([major << 5 | 24 + extra]) + number.to_bytes(2**extra, "big")


def _integer(random: Random, _depth: int) -> bytes:
    return _head(random, random.randint(0, 1), random.choice(_EDGES))


def _byte_string(random: Random, _depth: int) -> bytes:
    content = _bytes(random)
    return _head(random, 2, len(content)) + content


def _text(random: Random, _depth: int) -> bytes:
    content = random.choice(_TEXTS).encode() if random.random() < 0.95 else _bytes(random)
    return _head(random, 3, len(content)) + content


def _simple(random: Random, _depth: int) -> bytes:
    return bytes([random.choice([0xF4, 0xF5, 0xF6] * 9 + [0xF7, 0xE0, 0xFF])])


def _array(random: Random, depth: int) -> bytes:
    items = [cbor(random, depth + 1) for _ in range(random.randint(0, 4))]
    return _head(random, 4, len(items)) + b"".join(items)


def _map(random: Random, depth: int) -> bytes:
    keys = [
        random.choice((_integer, _integer, _text, _byte_string))(random, depth) for _ in range(random.randint(0, 4))
    ]
    keys = sorted(set(keys)) if random.random() < 0.9 else keys
    return _head(random, 5, len(keys)) + b"".join(key + cbor(random, depth + 1) for key in keys)


def _odd(random: Random, depth: int) -> bytes:
    return random.choice([b"\xc1", b"\xc2", b"\xf9\x3c\x00", b"\xfb" + bytes(8), b"\x5f", b"\x9f"]) + cbor(
        random, depth
    )


_CBOR: Sequence[Callable[[Random, int], bytes]] = [
    *(_integer, _byte_string, _text, _simple),
    *(_integer, _byte_string, _text, _simple, _array, _array, _array, _map, _map, _map),
    *(_integer, _byte_string, _text, _simple, _array, _array, _array, _map, _map, _map, _odd),
]


def content(random: Random) -> bytes:
    """An array of seven that starts with a salt; each other item is a good one, or any."""
    extensions = (
        b"\xa3\x01\x78\x1c" + _URIS[0].encode() + b"\x02\x78\x20" + _URIS[1].encode() + cbor_key(random) + cbor(random)
    )
    rows = [
        [b"\xf6", b"\x58\x20\x01" + bytes(31)],
        [b"\x40", b"\x43foo"],
        [b"\xf6", b"\x82\xf5\x05", b"\x82\xf4\x1a\xff\xff\xff\xff"],
        [b"\xf6", b"\x58\x20\x01" + bytes(31)],
        [extensions],
        [_part(random, 1)],
    ]
    items = [cbor(random) if random.random() < 0.05 else random.choice(row) for row in rows]
    return b"\x87\x50" + random.randbytes(16) + b"".join(items)


def cbor_key(random: Random) -> bytes:
    """A key after 1 and 2."""
    return random.choice([b"\x03", b"\x18\x2a", b"\x1b" + struct.pack(">Q", random.choice(_EDGES)), b"\x61a", b"\x20"])


def _part(random: Random, depth: int) -> bytes:
    front = random.choice([b"\x01\x60", b"\x02\x62en", b"\x18\xff\x60"])
    kind = random.randint(0, 3 if depth < 4 else 2)
    if kind == 0:
        return b"\x83" + front + b"\x00"
    if kind == 1:
        return b"\x85" + front + b"\x01" + _text(random, 0) + _byte_string(random, 0)
    if kind == 2:
        middle = [_text, _text, _integer, _integer, _integer, *[_byte_string] * 3, _integer, _byte_string, _text, _text]
        return b"\x8f" + front + b"\x02" + b"".join(make(random, 0) for make in middle)
    parts = [_part(random, depth + 1) for _ in range(random.choice([2, 2, 2, 3, 3, 1]))]
    return (
        b"\x85"
        + front
        + b"\x03"
        + bytes([random.choice([0, 1, 2, 2, 3])])
        + bytes([0x80 | len(parts)])
        + b"".join(parts)
    )


# --- MessagePack ------------------------------------------------------------------------------------------


def frame(random: Random) -> bytes:
    """A server's frame whose fields are good ones, or any."""
    name, kinds = random.choice(_FRAMES)
    fields = [_value(random, 0) if random.random() < 0.05 else random.choice(kind)(random) for kind in kinds]
    fields += [_value(random, 0) for _ in range(random.choice([0, 0, 0, 1, 2]))]
    if random.random() < 0.1:
        del fields[random.randrange(len(fields)) :]
    return bytes([0x90 | len(fields) + 1]) + _packed_text(name) + b"".join(fields)


def _packed_text(text: str) -> bytes:
    data = text.encode()
    return bytes([0xA0 | len(data)]) + data if len(data) < 32 else b"\xd9" + bytes([len(data)]) + data


def _packed_uri(random: Random) -> bytes:
    return _packed_text(random.choice([*_URIS, "", "x" * 255, "ﻼ" * 80]))


def _packed_bytes(random: Random) -> bytes:
    data = _bytes(random)
    return random.choice([b"\xc4" + struct.pack(">B", len(data)), b"\xc5" + struct.pack(">H", len(data))]) + data


def _packed_id(random: Random) -> bytes:
    return b"\xc4\x10" + random.randbytes(16)


def _packed_integer(random: Random) -> bytes:
    marker, width = random.choice(
        [(0xCC, 1), (0xCD, 2), (0xCE, 4), (0xCF, 8), (0xD0, 1), (0xD1, 2), (0xD2, 4), (0xD3, 8)]
    )
    number = random.choice([edge for edge in _EDGES if edge < 256**width])
    return bytes([marker]) + number.to_bytes(width, "big")


def _packed_name(*names: str) -> Callable[[Random], bytes]:
    return lambda random: _packed_text(random.choice(names))


def _packed_cursors(random: Random) -> bytes:
    pairs = [_packed_uri(random) + _packed_integer(random) for _ in range(random.randint(0, 3))]
    return bytes([0x80 | len(pairs)]) + b"".join(pairs)


def _nil(_random: Random) -> bytes:
    return b"\xc0"


def _value(random: Random, depth: int) -> bytes:
    """A value of any type, also of those that no frame has."""
    if depth < 4 and random.random() < 0.3:
        values = [_value(random, depth + 1) for _ in range(4)]
        return random.choice([b"\x94", b"\x82"]) + b"".join(values)
    make = random.choice([_packed_uri, _packed_bytes, _packed_integer, _nil, _other])
    return make(random)


def _other(random: Random) -> bytes:
    """Floats, extensions, negative numbers, booleans, and the marker that means nothing."""
    double, extension = b"\xcb" + bytes(8), b"\xc7\x03\x05abc"
    return random.choice(
        [double, extension, b"\xd4\x05\x00", b"\xd6\xff" + bytes(4), b"\xe0", b"\xc2", b"\xc3", b"\xc1"]
    )


Maker = Callable[[Random], bytes]
_PROBLEM = _packed_name("malformed", "wrong_epoch", "bad")
_KIND = _packed_name("application", "commit", "welcome", "bad")
_FRAMES: list[tuple[str, list[list[Maker]]]] = [
    ("ready", [[_packed_uri], [_packed_cursors]]),
    (
        "accepted",
        [[_packed_id], [_packed_uri], [_packed_integer], [_packed_integer], [_packed_integer], [_packed_bytes]],
    ),
    ("refused", [[_packed_id, _nil], [_PROBLEM], [_packed_integer, _nil], [_packed_integer, _nil]]),
    (
        "deliver",
        [
            [_packed_uri],
            [_packed_integer],
            [_KIND],
            [_packed_uri],
            [_packed_integer],
            [_packed_bytes],
            [_packed_bytes],
        ],
    ),
    ("removed", [[_packed_uri], [_packed_integer]]),
    ("wake", [[_packed_name("contacts", "key_packages", "anything")]]),
    ("goodbye", [[_packed_name("stopping", "slow")]]),
    ("farewell", [[_nil]]),
]


# --- JSON -------------------------------------------------------------------------------------------------


def body(random: Random, good: bytes) -> bytes:
    """The answer ``good``, in which something is odd most of the time."""
    value = json.loads(good)
    for _ in range(random.choice([0, 1, 1, 1, 2])):
        value = _changed(random, value)
    return _written(random, value).encode(errors="surrogatepass") + random.choice([b""] * 20 + [b"\n", b",", b"\xff"])


class Raw(str):
    """JSON as it stands, which no value writes."""

    __slots__ = ()


def _changed(random: Random, value: Any) -> Any:
    """``value`` with one thing in it changed; often deep inside."""
    if isinstance(value, dict) and value and random.random() < 0.85:
        name = random.choice(list(value))
        kind = random.random()
        if kind < 0.1:
            return {each: value[each] for each in value if each != name}
        if kind < 0.2:
            return value | {random.choice(["more", "", "__proto__", "\ud800"]): _any_json(random, 0)}
        return value | {name: _changed(random, value[name])}
    if isinstance(value, list) and random.random() < 0.7:
        items = [*value, _any_json(random, 0)] if not value or random.random() < 0.2 else value
        at = random.randrange(len(items))
        return [*items[:at], *[_changed(random, items[at])] * random.choice([0, 1, 1, 1, 2]), *items[at + 1 :]]
    if isinstance(value, str) and random.random() < 0.7:
        return _other_text(random, value)
    return _any_json(random, 0)


def _other_text(random: Random, text: str) -> str:
    """Another base64, another name, or nearly the same."""
    data = base64.b64encode(_bytes(random)).decode()
    at = random.randrange(len(text) + 1)
    odd = text[:at] + random.choice(["=", " ", "\n", "A", "B", "-", "/", "\ud800", "é", "\0"]) + text[at:]
    names = [*_URIS, "mimi://hub.example", "0" * 32, "f" * 31, "asked", "connected", "/problems/internal", "x" * 256]
    return random.choice([data, data.rstrip("="), odd, odd[::-1], text[:at], text.upper(), random.choice(names)])


def _any_json(random: Random, depth: int) -> Any:
    if depth < 3 and random.random() < 0.3:
        items = [_any_json(random, depth + 1) for _ in range(random.randint(0, 3))]
        return random.choice([items, {f"m{at}": item for at, item in enumerate(items)}])
    if random.random() < 0.05:
        deep = random.choice([4, 5, 6, 7, 8, 9, 2_000])
        return Raw("[" * deep + "]" * deep)
    return random.choice([*_EDGES, None, True, False, 0.0, 1.5, *_TEXTS, *map(Raw, _NUMBERS)])


_NUMBERS = [
    *("1.0", "-0", "-0.0", "-1", "1e2", "1E+2", "1e400", "-1e400", "01", "+1", ".5", "1.", "0x1", "NaN", "Infinity"),
    *("-Infinity", str(2**53 - 1), str(2**53), str(2**53 + 1), f"{2**53 - 1}.4", "9" * 5_000, "undefined", "'a'"),
]


def _written(random: Random, value: Any) -> str:
    """JSON, written in any of its ways, and in some that are none."""
    if isinstance(value, Raw):
        return value
    space = random.choice([""] * 30 + [" ", "\n", "\t", "\r", "\u00a0", "\ufeff", "/**/"])
    if isinstance(value, dict):
        members = [f"{_written(random, name)}{space}:{_written(random, member)}" for name, member in value.items()]
        if members and random.random() < 0.05:
            members.append(random.choice(members))
        return space + "{" + ",".join(members) + random.choice([""] * 50 + [","]) + "}"
    if isinstance(value, list):
        return space + "[" + ",".join(_written(random, item) for item in value) + random.choice([""] * 50 + [","]) + "]"
    if isinstance(value, str):
        return space + _written_text(random, value)
    return space + json.dumps(value)


def _written_text(random: Random, text: str) -> str:
    kind = random.random()
    if kind < 0.9:
        return json.dumps(text, ensure_ascii=random.random() < 0.5)
    if kind < 0.98:
        return '"' + "".join(f"\\u{ord(letter):04x}" for letter in text if ord(letter) < 2**16) + '"'
    return random.choice([f"'{text}'", f'"{text}', '"\\x41"', '"\t"', '"\\u12"', '"\x7f"'])
