from typing import Any

import pytest

from nightlight.errors import RemoteProtocolError
from nightlight.protocol import content
from nightlight.protocol.profile import Picture, RoomProfile, profile_message, read_profile
from tests.vectors.reading import read

VECTOR = read("profile")


@pytest.mark.parametrize("case", VECTOR["profiles"], ids=lambda case: case["name"])
def test_a_profile_is_written_and_read(case: dict[str, Any]) -> None:
    picture = case["picture"] and Picture(case["picture"]["content_type"], bytes.fromhex(case["picture"]["data"]))
    profile = RoomProfile(case["called"], picture)
    message = content.encode(profile_message(bytes.fromhex(VECTOR["salt"]), VECTOR["sender"], VECTOR["room"], profile))
    assert message.hex() == case["message"]
    assert read_profile(content.decode(message).body) == profile


@pytest.mark.parametrize("case", VECTOR["others"], ids=lambda case: case["name"])
def test_other_content_is_no_profile_or_is_refused(case: dict[str, Any]) -> None:
    body = content.decode(bytes.fromhex(case["message"])).body
    if case["check"] is None:
        assert read_profile(body) is None
    else:
        with pytest.raises(RemoteProtocolError) as refusal:
            read_profile(body)
        assert refusal.value.check == case["check"]
