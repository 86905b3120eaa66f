"""All contents of one bucket have ciphertexts of one length, and that length is the page's."""

from itertools import groupby

import pytest

from tests.support.mls import AGENT, ROOM, TAG, new_member
from tests.vectors import generate_padding
from tests.vectors.generate_padding import ciphertext_length
from tests.vectors.reading import HERE, read
from tests.vectors.writing import text

LENGTHS = read("padding")["ciphertext length in bytes by content length in bytes"]
BUCKETS = [128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536]


def by_the_page(content: int) -> int:
    """V(content) up to the bucket's end, V(a signature of 64 bytes), and a tag of 16 bytes."""
    bucket = next(bucket for bucket in BUCKETS if content <= bucket)
    header = 2 if bucket < 2**14 else 4
    return header + bucket + (2 + 64) + 16


@pytest.mark.parametrize(("content", "ciphertext"), [(int(key), value) for key, value in LENGTHS.items()])
def test_a_ciphertext_is_as_long_as_the_page_says(content: int, ciphertext: int) -> None:
    assert ciphertext == by_the_page(content)


def test_the_vector_has_both_ends_of_every_bucket() -> None:
    lengths = {int(key) for key in LENGTHS}
    assert {0, *BUCKETS, *(bucket + 1 for bucket in BUCKETS[:-1])} <= lengths


def test_the_generator_writes_the_file_that_is_kept() -> None:
    assert (HERE / "padding.json").read_text() == text(generate_padding.vector())


def test_every_length_up_to_1000_falls_into_one_of_four_buckets() -> None:
    group = new_member("mira").create_group(ROOM, AGENT)
    lengths = [ciphertext_length(group.encrypt(bytes(content), TAG)) for content in range(1001)]
    runs = [(length, len(list(run))) for length, run in groupby(lengths)]
    assert runs == [(212, 129), (340, 128), (596, 256), (1108, 488)]
