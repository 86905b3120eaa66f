"""Attachments: a file sealed under a key of its own, as a blob at the hub; the key stands in the message.

AES-GCM does not commit to its key: one ciphertext may open to two things under two keys. So whatever keeps opened or
sealed attachments names them by ``Seal.name``, in which the key takes part.

Source: draft-ietf-mimi-content-08, "External content"; ``docs/protocol.md``, Attachments.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES128
from cryptography.hazmat.primitives.ciphers.modes import GCM

from nightlight.errors import RemoteProtocolError, VerificationError
from nightlight.protocol.codec import u16, write_vector
from nightlight.protocol.ids import BlobId, HubUri, parse_blob_id, parse_hub_uri
from nightlight.protocol.part import Disposition, ExternalPart, MultiPart, Part, PartSemantics, SinglePart

AES_128_GCM = 1
"""IANA, AEAD Algorithms."""
SHA_256 = 1
"""IANA, Named Information Hash Algorithms."""
KEY_BYTES, NONCE_BYTES, TAG_BYTES, HASH_BYTES = 16, 12, 16, 32
MAX_CONTENT_BYTES = 100_000_000
MAX_SEALED_BYTES = MAX_CONTENT_BYTES + TAG_BYTES
MAX_PREVIEW_BYTES = 12_000
_MIMI = "mimi://"
PREVIEW_TYPES = frozenset({"image/jpeg", "image/webp", "image/png"})

_URL = re.compile(r"https://(?P<host>[^/]+)/v1/blobs/(?P<blob>[0-9a-f]{32})")


@dataclass(frozen=True, slots=True)
class Seal:
    """How a blob is sealed. ``size``: bytes of ciphertext and tag; ``content_hash``: their SHA-256."""

    key: bytes = field(repr=False)
    nonce: bytes
    content_hash: bytes
    size: int
    aad: bytes = b""

    @property
    def name(self) -> str:
        """64 hexadecimal digits that stand for algorithm, key, nonce, additional data and hash together."""
        fields = write_vector(self.key), write_vector(self.nonce), write_vector(self.aad)
        named = u16(AES_128_GCM) + b"".join(fields) + bytes([SHA_256]) + write_vector(self.content_hash)
        return hashlib.sha256(named).hexdigest()


@dataclass(frozen=True, slots=True)
class Attachment:
    """What a message says of a file at ``hub``. ``filename`` and ``content_type`` are its sender's words.

    ``preview``: a small picture inside the message, of a type in ``PREVIEW_TYPES``, or None.
    """

    hub: HubUri
    blob: BlobId
    seal: Seal
    content_type: str
    filename: str = ""
    description: str = ""
    preview: SinglePart | None = None


# --- in a message -----------------------------------------------------------------------------------------


def attachment_body(attachments: Sequence[Attachment], caption: SinglePart | None = None) -> Part:
    """The body of a message with ``attachments``, at least one, and a caption if there is one."""
    parts: list[Part] = [] if caption is None else [caption]
    for attachment in attachments:
        parts += [] if attachment.preview is None else [attachment.preview]
        parts.append(_external(attachment))
    return parts[0] if len(parts) == 1 else MultiPart(PartSemantics.SINGLE_UNIT, tuple(parts))


def _external(attachment: Attachment) -> ExternalPart:
    seal = attachment.seal
    return ExternalPart(
        attachment.content_type,
        f"https://{attachment.hub.removeprefix(_MIMI)}/v1/blobs/{attachment.blob}",
        size=seal.size,
        encryption_algorithm=AES_128_GCM,
        key=seal.key,
        nonce=seal.nonce,
        aad=seal.aad,
        hash_algorithm=SHA_256,
        content_hash=seal.content_hash,
        description=attachment.description,
        filename=attachment.filename,
    )


def read_attachments(body: Part) -> list[Attachment]:
    """Every attachment in ``body``, in order; each has the preview that stands right before it.

    Raises ``RemoteProtocolError`` NL-150 to NL-153.
    """
    match body:
        case ExternalPart():
            return [_attachment(body, None)]
        case MultiPart(parts=parts):
            found: list[Attachment] = []
            for before, part in zip((None, *parts), parts, strict=False):
                if isinstance(part, ExternalPart):
                    found.append(_attachment(part, _as_preview(before)))
                else:
                    found += read_attachments(part)
            return found
    return []


def _as_preview(part: Part | None) -> SinglePart | None:
    if not isinstance(part, SinglePart) or part.disposition != Disposition.PREVIEW:
        return None
    return part if part.content_type in PREVIEW_TYPES and len(part.content) <= MAX_PREVIEW_BYTES else None


def _attachment(part: ExternalPart, preview: SinglePart | None) -> Attachment:
    if (part.encryption_algorithm, len(part.key), len(part.nonce)) != (AES_128_GCM, KEY_BYTES, NONCE_BYTES):
        raise RemoteProtocolError("NL-150", "an attachment that is not sealed with AES-128-GCM")
    if (part.hash_algorithm, len(part.content_hash)) != (SHA_256, HASH_BYTES):
        raise RemoteProtocolError("NL-151", "an attachment without a SHA-256 of its ciphertext")
    if not TAG_BYTES <= part.size <= MAX_SEALED_BYTES:
        raise RemoteProtocolError("NL-152", "an attachment without a size, or over 100 MB")
    seal = Seal(part.key, part.nonce, part.content_hash, part.size, part.aad)
    return Attachment(*_place(part.url), seal, part.content_type, part.filename, part.description, preview)


def _place(url: str) -> tuple[HubUri, BlobId]:
    """The hub and the blob that ``url`` names. No client asks anybody but its own hub, whatever a sender writes."""
    found = _URL.fullmatch(url)
    try:
        if found is not None:
            return parse_hub_uri(_MIMI + found["host"]), parse_blob_id(found["blob"])
    except RemoteProtocolError:
        pass
    raise RemoteProtocolError("NL-153", "an attachment that is not a blob at a hub")


# --- sealing and opening ----------------------------------------------------------------------------------


def _cipher(key: bytes, nonce: bytes) -> Cipher[GCM]:
    return Cipher(AES128(key), GCM(nonce))


class Sealer:
    """Seals one file as it is read, in little memory."""

    def __init__(self, key: bytes, nonce: bytes) -> None:
        """``key``, 16 fresh random bytes, seals nothing else; ``nonce``: 12 random bytes."""
        self._key = key
        self._nonce = nonce
        self._encryptor = _cipher(key, nonce).encryptor()
        self._hash = hashlib.sha256()
        self._size = 0

    def seal(self, chunk: bytes) -> bytes:
        """The ciphertext that goes on with ``chunk``."""
        return self._count(self._encryptor.update(chunk))

    def finish(self) -> tuple[bytes, Seal]:
        """The end of the ciphertext, and how all of it is sealed."""
        end = self._count(self._encryptor.finalize() + self._encryptor.tag)
        return end, Seal(self._key, self._nonce, self._hash.digest(), self._size)

    def _count(self, sealed: bytes) -> bytes:
        self._hash.update(sealed)
        self._size += len(sealed)
        return sealed


Read = Callable[[], Iterable[bytes]]
"""Reads a blob from its beginning, anew at each call."""


@dataclass(frozen=True, slots=True)
class CheckedBlob:
    """A blob that is the one its message names, and opens under its key."""

    seal: Seal
    _read: Read

    def open(self) -> Iterator[bytes]:
        """The content. Raises ``VerificationError`` NL-156 at the end if the blob has changed since it was checked."""
        return _decrypted(self.seal, self._read())


@dataclass(frozen=True, slots=True)
class UncheckedBlob:
    """Bytes that are said to be the blob that ``seal`` describes."""

    seal: Seal
    read: Read

    def check(self) -> CheckedBlob:
        """The blob, with its hash checked before anything is decrypted, and its tag before anything is given out.

        So it is read twice here, and once more to open it: AES-GCM says only at the end whether it was right all along.
        Raises ``VerificationError``: NL-154 (another size), NL-155 (another hash), NL-156 (does not open).
        """
        digest = hashlib.sha256()
        size = 0
        for chunk in self.read():
            digest.update(chunk)
            size += len(chunk)
        if size != self.seal.size:
            raise VerificationError("NL-154", "a blob of another size than its message says")
        if digest.digest() != self.seal.content_hash:
            raise VerificationError("NL-155", "a blob with another hash than its message says")
        for _ in _decrypted(self.seal, self.read()):
            pass
        return CheckedBlob(self.seal, self.read)


def _decrypted(seal: Seal, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Plaintext as it comes, not authenticated before the end. Raises ``VerificationError`` NL-156."""
    decryptor = _cipher(seal.key, seal.nonce).decryptor()
    decryptor.authenticate_additional_data(seal.aad)
    tag = b""
    left = seal.size - TAG_BYTES
    for chunk in chunks:
        if left:
            yield decryptor.update(chunk[:left])
        tag += chunk[left:]
        left -= min(left, len(chunk))
    try:
        yield decryptor.finalize_with_tag(tag)
    except (InvalidTag, ValueError):
        raise VerificationError("NL-156", "a blob that does not open under its message's key") from None
