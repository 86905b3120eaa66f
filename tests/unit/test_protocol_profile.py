"""A room's name and picture, as content."""

import pytest

from nightlight.errors import RemoteProtocolError
from nightlight.protocol.content import decode, encode
from nightlight.protocol.ids import RoomUri, UserUri
from nightlight.protocol.part import TEXT_PLAIN, Disposition, MultiPart, NullPart, Part, PartSemantics, SinglePart
from nightlight.protocol.profile import Picture, RoomProfile, profile_message, read_profile

MIRA, LAKE = UserUri("mimi://ring.example/u/mira"), RoomUri("mimi://ring.example/r/lake")
NAME = SinglePart(TEXT_PLAIN, b"Lake", Disposition.PROFILE)
ICON = SinglePart("image/png", b"landscape", Disposition.ICON)


@pytest.mark.parametrize(
    "profile", [RoomProfile("Lake"), RoomProfile(""), RoomProfile("Lake", Picture("image/jpeg", b"x"))]
)
def test_a_profile_is_read_as_it_was_written(profile: RoomProfile) -> None:
    assert read_profile(decode(encode(profile_message(bytes(16), MIRA, LAKE, profile))).body) == profile


@pytest.mark.parametrize("body", [SinglePart(TEXT_PLAIN, b"Lake"), ICON, NullPart(Disposition.PROFILE)])
def test_other_content_is_no_profile(body: Part) -> None:
    assert read_profile(body) is None


@pytest.mark.parametrize(
    "body",
    [
        SinglePart("text/html", b"Lake", Disposition.PROFILE),
        SinglePart(TEXT_PLAIN, "a\u2028b".encode(), Disposition.PROFILE),
        SinglePart(TEXT_PLAIN, b"n" * 257, Disposition.PROFILE),
        MultiPart(PartSemantics.CHOOSE_ONE, (NAME, ICON), Disposition.PROFILE),
        MultiPart(PartSemantics.PROCESS_ALL, (ICON, NAME), Disposition.PROFILE),
        MultiPart(PartSemantics.PROCESS_ALL, (NAME, ICON, ICON), Disposition.PROFILE),
        MultiPart(
            PartSemantics.PROCESS_ALL, (NAME, SinglePart("image/gif", b"x", Disposition.ICON)), Disposition.PROFILE
        ),
    ],
)
def test_what_calls_itself_a_profile_and_is_none_is_refused(body: Part) -> None:  # NL-177
    with pytest.raises(RemoteProtocolError) as error:
        read_profile(body)
    assert error.value.check == "NL-177"
