import pytest

from tests.vectors import generate_cbor, generate_day_key, generate_identity
from tests.vectors.reading import HERE
from tests.vectors.writing import text


@pytest.mark.parametrize(
    ("name", "vector"),
    [
        ("cbor", generate_cbor.vector()),
        ("day-key", generate_day_key.vector()),
        ("identity", generate_identity.vector()),
    ],
)
def test_a_generator_writes_the_file_that_is_kept(name: str, vector: dict[str, object]) -> None:
    assert (HERE / f"{name}.json").read_text() == text(vector)
