"""Writes profile.json: messages that give a room its name and picture, those that do not, and those that may not."""

from typing import Any

from nightlight.errors import RemoteProtocolError
from nightlight.protocol import content
from nightlight.protocol.content import MimiContent
from nightlight.protocol.ids import RoomUri, UserUri
from nightlight.protocol.part import TEXT_MARKDOWN, TEXT_PLAIN, Disposition, MultiPart, NullPart, Part, PartSemantics
from nightlight.protocol.part import SinglePart as Single
from nightlight.protocol.profile import (
    MAX_NAME_BYTES,
    MAX_PICTURE_BYTES,
    Picture,
    RoomProfile,
    profile_message,
    read_profile,
)
from tests.vectors.writing import write

ADA = UserUri("mimi://courier.example/u/ada")
HARBOUR = RoomUri("mimi://courier.example/r/harbour")
SALT = bytes(range(16))
NAME = Single(TEXT_PLAIN, b"Harbour", Disposition.PROFILE)
ICON = Single("image/png", b"landscape", Disposition.ICON)

PROFILES: dict[str, RoomProfile] = {
    "a name": RoomProfile("Harbour"),
    "no name": RoomProfile(""),
    "a name in another script, with a joined emoji": RoomProfile("港 🧑‍🌾"),
    "a name and a picture": RoomProfile("Harbour", Picture("image/png", b"landscape")),
    "the longest name": RoomProfile("n" * MAX_NAME_BYTES, Picture("image/jpeg", b"landscape")),
    "the largest picture": RoomProfile("", Picture("image/webp", bytes(MAX_PICTURE_BYTES))),
}


def _together(*parts: Part, semantics: PartSemantics = PartSemantics.PROCESS_ALL) -> Part:
    return MultiPart(semantics, parts, Disposition.PROFILE)


OTHERS: dict[str, Part] = {
    "a text": Single(TEXT_PLAIN, b"Harbour"),
    "an icon": ICON,
    "nothing": NullPart(Disposition.PROFILE),
    "a name in Markdown": Single(TEXT_MARKDOWN, b"Harbour", Disposition.PROFILE),
    "two lines": Single(TEXT_PLAIN, b"Har\nbour", Disposition.PROFILE),
    "a line separator": Single(TEXT_PLAIN, "Har\u2028bour".encode(), Disposition.PROFILE),
    "a control character": Single(TEXT_PLAIN, "Har\u0085bour".encode(), Disposition.PROFILE),
    "a name of 257 bytes": Single(TEXT_PLAIN, b"n" * 257, Disposition.PROFILE),
    "parts to choose from": _together(NAME, ICON, semantics=PartSemantics.CHOOSE_ONE),
    "the picture first": _together(ICON, NAME),
    "two pictures": _together(NAME, ICON, ICON),
    "two names": _together(NAME, NAME),
    "an animation": _together(NAME, Single("image/gif", b"landscape", Disposition.ICON)),
    "an empty picture": _together(NAME, Single("image/png", b"", Disposition.ICON)),
    "a picture over the limit": _together(NAME, Single("image/png", bytes(MAX_PICTURE_BYTES + 1), Disposition.ICON)),
}


def vector() -> dict[str, Any]:
    """All of profile.json."""
    return {
        "source": "made by generate_profile.py after docs/protocol.md, Room profiles",
        "sender": ADA,
        "room": HARBOUR,
        "salt": SALT,
        "profiles": [_profile(name, profile) for name, profile in PROFILES.items()],
        "others": [{"name": name, **_other(body)} for name, body in OTHERS.items()],
    }


def _profile(name: str, profile: RoomProfile) -> dict[str, Any]:
    picture = profile.picture and {"content_type": profile.picture.content_type, "data": profile.picture.data}
    message = content.encode(profile_message(SALT, ADA, HARBOUR, profile))
    return {"name": name, "called": profile.name, "picture": picture, "message": message}


def _other(body: Part) -> dict[str, Any]:
    check: str | None = None
    try:
        assert read_profile(body) is None
    except RemoteProtocolError as error:
        check = error.check
    message = MimiContent(salt=SALT, extensions=content.extensions_of(ADA, HARBOUR), body=body)
    return {"message": content.encode(message), "check": check}


if __name__ == "__main__":
    write("profile", vector())
