"""Writes attachment.json: sealed blobs, messages that name them, and what is refused of both."""

from dataclasses import replace
from typing import Any

from nightlight.protocol import content
from nightlight.protocol.attachment import Attachment, Seal, Sealer, attachment_body
from nightlight.protocol.content import MimiContent
from nightlight.protocol.ids import BlobId, HubUri
from nightlight.protocol.part import TEXT_PLAIN, Disposition, ExternalPart, MultiPart, Part, PartSemantics, SinglePart
from tests.vectors.writing import write

HUB = HubUri("mimi://hub.example")
BLOB = BlobId("0123456789abcdef" * 2)
EXTENSIONS: dict[int | str, Any] = {1: "mimi://courier.example/u/ada", 2: "mimi://courier.example/r/harbour"}
KEY, NONCE = bytes(range(16)), bytes(range(100, 112))
PREVIEW = SinglePart("image/jpeg", b"a small lake", Disposition.PREVIEW)
PLAIN = b"a lake in the morning"


def sealed(plain: bytes) -> tuple[bytes, Seal]:
    """``plain`` as a blob."""
    sealer = Sealer(KEY, NONCE)
    blob = sealer.seal(plain)
    end, seal = sealer.finish()
    return blob + end, seal


SEALED, SEAL = sealed(PLAIN)
GOOD = Attachment(HUB, BLOB, SEAL, "text/plain", "lake.txt", "a lake")


def external(**changes: Any) -> ExternalPart:
    """The part of ``GOOD``, with changes."""
    body = attachment_body([GOOD])
    assert isinstance(body, ExternalPart)
    return replace(body, **changes)


def cbor(body: Part) -> bytes:
    """A message with ``body``."""
    return content.encode(MimiContent(bytes(16), EXTENSIONS, body))


def messages() -> list[dict[str, Any]]:
    """Good ones, with what each attachment in them is."""
    several = MultiPart(PartSemantics.PROCESS_ALL, (external(filename="1"), PREVIEW, external(filename="2")))
    odd = replace(PREVIEW, content_type="image/svg+xml")
    large = replace(PREVIEW, content=bytes(12_001))
    rows: list[tuple[str, Part, list[tuple[str, SinglePart | None]]]] = [
        ("alone", attachment_body([GOOD]), [("lake.txt", None)]),
        ("with a caption", attachment_body([GOOD], SinglePart(TEXT_PLAIN, b"in the morning")), [("lake.txt", None)]),
        ("with a preview", attachment_body([replace(GOOD, preview=PREVIEW)]), [("lake.txt", PREVIEW)]),
        (
            "with both",
            attachment_body([replace(GOOD, preview=PREVIEW)], SinglePart(TEXT_PLAIN, b"hello")),
            [("lake.txt", PREVIEW)],
        ),
        ("several", several, [("1", None), ("2", PREVIEW)]),
        (
            "one of two",
            MultiPart(PartSemantics.CHOOSE_ONE, (several, external())),
            [("1", None), ("2", PREVIEW), ("lake.txt", None)],
        ),
        ("a preview of another kind", MultiPart(PartSemantics.SINGLE_UNIT, (odd, external())), [("lake.txt", None)]),
        ("a preview too large", MultiPart(PartSemantics.SINGLE_UNIT, (large, external())), [("lake.txt", None)]),
        (
            "at another hub",
            attachment_body([replace(GOOD, hub=HubUri("mimi://elsewhere.example"))]),
            [("lake.txt", None)],
        ),
        ("none", SinglePart(TEXT_PLAIN, b"hello"), []),
    ]
    return [
        {
            "name": name,
            "cbor": cbor(body),
            "attachments": [
                {"filename": filename, "preview": None if preview is None else preview.content}
                for filename, preview in found
            ],
        }
        for name, body, found in rows
    ]


def refused_messages() -> list[dict[str, Any]]:
    """Messages with an attachment that fails a check."""
    rows: list[tuple[str, dict[str, Any], str]] = [
        ("not sealed", {"encryption_algorithm": 0}, "NL-150"),
        ("another cipher", {"encryption_algorithm": 2}, "NL-150"),
        ("a longer key", {"key": bytes(32)}, "NL-150"),
        ("no key", {"key": b""}, "NL-150"),
        ("a short nonce", {"nonce": bytes(11)}, "NL-150"),
        ("no hash", {"hash_algorithm": 0}, "NL-151"),
        ("another hash", {"hash_algorithm": 2}, "NL-151"),
        ("a short hash", {"content_hash": bytes(31)}, "NL-151"),
        ("no size", {"size": 0}, "NL-152"),
        ("less than a tag", {"size": 15}, "NL-152"),
        ("over 100 MB", {"size": 100_000_017}, "NL-152"),
        ("the largest size there is", {"size": 2**64 - 1}, "NL-152"),
        ("no URL", {"url": ""}, "NL-153"),
        ("a port", {"url": f"https://hub.example:8440/v1/blobs/{BLOB}"}, "NL-153"),
        ("a host in capitals", {"url": f"https://HUB.example/v1/blobs/{BLOB}"}, "NL-153"),
        ("the hub as a user", {"url": f"https://hub.example@elsewhere.example/v1/blobs/{BLOB}"}, "NL-153"),
        ("another scheme", {"url": f"http://hub.example/v1/blobs/{BLOB}"}, "NL-153"),
        ("a longer path", {"url": f"https://hub.example/v1/blobs/{BLOB}/../x"}, "NL-153"),
        ("a query", {"url": f"https://hub.example/v1/blobs/{BLOB}?x"}, "NL-153"),
        ("a line's end", {"url": f"https://hub.example/v1/blobs/{BLOB}\n"}, "NL-153"),
        ("no host", {"url": f"/v1/blobs/{BLOB}"}, "NL-153"),
    ]
    return [{"name": name, "cbor": cbor(external(**changes)), "check": check} for name, changes, check in rows]


def refused_blobs() -> list[dict[str, Any]]:
    """Bytes that are not the blob of the seal beside them."""
    rows = [
        ("nothing", SEAL, b"", "NL-154"),
        ("truncated", SEAL, SEALED[:-1], "NL-154"),
        ("going on", SEAL, SEALED + b"!", "NL-154"),
        ("swapped", SEAL, bytes(len(SEALED)), "NL-155"),
        ("one bit changed", SEAL, bytes([SEALED[0] ^ 1]) + SEALED[1:], "NL-155"),
        ("another key", replace(SEAL, key=bytes(16)), SEALED, "NL-156"),
        ("another nonce", replace(SEAL, nonce=bytes(12)), SEALED, "NL-156"),
        ("other additional data", replace(SEAL, aad=b"more"), SEALED, "NL-156"),
    ]
    return [{"name": name, "seal": described(seal), "blob": blob, "check": check} for name, seal, blob, check in rows]


def described(seal: Seal) -> dict[str, Any]:
    """The fields of ``seal``."""
    return {
        "key": seal.key,
        "nonce": seal.nonce,
        "aad": seal.aad,
        "content_hash": seal.content_hash,
        "size": seal.size,
    }


def vector() -> dict[str, Any]:
    """All of attachment.json."""
    return {
        "source": "made by generate_attachment.py after docs/protocol.md, Attachments",
        "hub": HUB,
        "blob": BLOB,
        "sealed": [
            {"plain": plain, "blob": sealed(plain)[0], "seal": described(seal), "kept_as": seal.name}
            for plain in (b"", b"a", PLAIN, bytes(range(256)) * 5)
            for _, seal in (sealed(plain),)
        ],
        "messages": messages(),
        "refused messages": refused_messages(),
        "refused blobs": refused_blobs(),
    }


if __name__ == "__main__":
    write("attachment", vector())
