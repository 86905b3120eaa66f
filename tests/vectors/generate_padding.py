"""Writes padding.json: how long the ciphertext of a message is, by how long its content is."""

from nightlight.protocol.codec import Reader
from tests.support.mls import AGENT, ROOM, TAG, new_member
from tests.vectors.writing import write

SMALLEST_BUCKET = 128
LARGEST_BUCKET = 65_536


def content_lengths() -> list[int]:
    """The first and last length in each bucket, one between them, and the shortest contents."""
    lengths = [0, 1, 63, 64]
    bucket = SMALLEST_BUCKET
    while bucket <= LARGEST_BUCKET:
        lengths += [bucket - bucket // 4, bucket, bucket + 1]
        bucket *= 2
    return lengths[:-1]


def ciphertext_length(message: bytes) -> int:
    """The length of ``ciphertext`` in a PrivateMessage (RFC 9420, "Content Encryption")."""
    reader = Reader(message)
    reader.take(4)  # version and wire format
    reader.vector()  # group id
    reader.take(9)  # epoch and content type
    reader.vector()  # authenticated data
    reader.vector()  # sender data
    return len(reader.vector())


def vector() -> dict[str, object]:
    """What the crate makes of contents of these lengths."""
    group = new_member("mira").create_group(ROOM, AGENT)
    lengths = {str(length): ciphertext_length(group.encrypt(bytes(length), TAG)) for length in content_lengths()}
    return {
        "source": "made by generate_padding.py with the crate; checked by the arithmetic in test_mls_padding.py",
        "ciphertext length in bytes by content length in bytes": lengths,
    }


if __name__ == "__main__":
    write("padding", vector())
