"""Two implementations of one protocol: what either accepts, the other accepts with the same meaning, or both refuse."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from random import Random
from typing import Any

import msgspec
import pytest

from nightlight.errors import RemoteProtocolError, VerificationError
from nightlight.protocol.attachment import Attachment
from nightlight.protocol.part import ExternalPart, MultiPart, NullPart, SinglePart
from tests.fuzz.decoders import ACCOUNT, ADA, DECODERS, LIST, PHONE, ROOM, Decoder
from tests.fuzz.mutate import mutants
from tests.web import arbitrary
from tests.web.node import answers

INPUTS = int(os.environ.get("NIGHTLIGHT_FUZZ_ROUNDS", "10000"))
SEED = 20_261_123
# Only a server reads what a client sends, and no browser begins a recovery.
NOT_IN_A_BROWSER = {"messages.read_client_frame", "bodies.read_body[Recovery]"}
SHARED = [decoder for decoder in DECODERS if decoder.name not in NOT_IN_A_BROWSER]
ARBITRARY: dict[str, Callable[[Random], bytes]] = {
    "cbor.decode": arbitrary.cbor,
    "content.decode": arbitrary.content,
    "messages.read_server_frame": arbitrary.frame,
}


_KINDS = {NullPart: "null", SinglePart: "single", ExternalPart: "external", MultiPart: "multi"}


@dataclass
class Preview:
    """What is shown of a preview: all that the browser keeps of it."""

    content_type: str
    content: bytes


def maker_for(decoder: Decoder) -> Callable[[Random], bytes] | None:
    if decoder.name.startswith("bodies."):
        return lambda random: arbitrary.body(random, random.choice(decoder.samples))
    return ARBITRARY.get(decoder.name)


def inputs(decoder: Decoder) -> Iterator[bytes]:
    """The good samples, made ones where the decoder has a maker, bytes of no kind, and damaged ones."""
    random = Random(f"{SEED} {decoder.name}")  # noqa: S311 - repeatable, and keeps nothing secret
    make = maker_for(decoder)
    made = INPUTS // 2 if make else 0
    noise = INPUTS // 20
    yield from decoder.samples
    yield from (make(random) for _ in range(made) if make)
    yield from (random.randbytes(random.randrange(64)) for _ in range(noise))
    yield from mutants(decoder.samples, INPUTS - made - noise, SEED)


def plain(value: object) -> Any:
    """``value`` in JSON that says the type of everything, as web/tests/differential.ts writes it."""
    match value:
        case None | bool():
            said: Any = value
        case int():
            said = f"int:{int(value)}"
        case str():
            said = f"text:{value}"
        case bytes():
            said = f"bytes:{value.hex()}"
        case list() | tuple():
            said = [plain(item) for item in value]
        case dict():
            said = {"map": [[plain(key), plain(item)] for key, item in value.items()]}
        case _:
            said = {name: plain(item) for name, item in named(value).items()}
    return said


def named(value: object) -> dict[str, Any]:
    """The fields of a frame, header, content or part; also which kind it is, where TypeScript has no class for that."""
    if isinstance(value, msgspec.Struct):
        tag = value.__struct_config__.tag
        return ({"frame": tag} if tag else {}) | msgspec.structs.asdict(value)
    assert is_dataclass(value)
    if isinstance(value, Attachment) and value.preview is not None:
        preview = Preview(value.preview.content_type, value.preview.content)
        return {field.name: getattr(value, field.name) for field in fields(value)} | {"preview": preview}
    kind = {"kind": _KINDS[type(value)]} if type(value) in _KINDS else {}
    return kind | {field.name: getattr(value, field.name) for field in fields(value)}


def python_answer(decoder: Decoder, data: bytes) -> dict[str, Any]:
    try:
        return {"accepted": plain(decoder.decode(data))}
    except (RemoteProtocolError, VerificationError) as error:
        return {"refused": error.check}


def browser_answers(name: str, data: list[bytes]) -> list[dict[str, Any]]:
    """What the browser's decoder called ``name`` makes of each of ``data``."""
    setting = {
        "user": ADA,
        "room": ROOM,
        "accountKey": ACCOUNT.public.hex(),
        "signatureKey": PHONE.signature_key.hex(),
        "deviceList": LIST.sign(ACCOUNT.sign).encode().hex(),
        "nowMs": LIST.expires_at_ms - 1,
    }
    return answers("differential.ts", [json.dumps(setting), *(f"{name} {item.hex()}" for item in data)])


@pytest.mark.parametrize("decoder", SHARED, ids=lambda decoder: decoder.name)
def test_both_accept_with_the_same_meaning_or_both_refuse(decoder: Decoder) -> None:
    data = list(inputs(decoder))
    browser = browser_answers(decoder.name, data)
    assert len(browser) == len(data) >= INPUTS
    differences = [
        (item.hex(), ours, theirs)
        for item, theirs in zip(data, browser, strict=True)
        if (ours := python_answer(decoder, item)) != theirs
    ]
    assert differences[:3] == []
    assert any("accepted" in answer for answer in browser)
    assert any("refused" in answer for answer in browser)
