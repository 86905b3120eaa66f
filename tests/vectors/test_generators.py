import pytest

from tests.vectors import (
    generate_attachment,
    generate_cbor,
    generate_contact_code,
    generate_conversation,
    generate_day_key,
    generate_filename,
    generate_frames,
    generate_identity,
    generate_linking,
    generate_profile,
    generate_received,
    generate_recovery_words,
    generate_refused_identity,
    generate_roles,
    generate_safety_number,
    generate_succession,
)
from tests.vectors.reading import HERE
from tests.vectors.writing import text


@pytest.mark.parametrize(
    ("name", "vector"),
    [
        ("attachment", generate_attachment.vector()),
        ("cbor", generate_cbor.vector()),
        ("contact-code", generate_contact_code.vector()),
        ("conversation", generate_conversation.vector()),
        ("day-key", generate_day_key.vector()),
        ("filename", generate_filename.vector()),
        ("frames", generate_frames.vector()),
        ("identity", generate_identity.vector()),
        ("linking", generate_linking.vector()),
        ("profile", generate_profile.vector()),
        ("received", generate_received.vector()),
        ("recovery-words", generate_recovery_words.vector()),
        ("refused-identity", generate_refused_identity.vector()),
        ("roles", generate_roles.vector()),
        ("safety-number", generate_safety_number.vector()),
        ("succession", generate_succession.vector()),
    ],
)
def test_a_generator_writes_the_file_that_is_kept(name: str, vector: dict[str, object]) -> None:
    assert (HERE / f"{name}.json").read_text() == text(vector)
