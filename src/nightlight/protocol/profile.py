"""A room's name and picture: content like any other, which shows around the conversation instead of in it.

Source: draft-ietf-mimi-content-08, "Disposition": profile and icon.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from nightlight.errors import RemoteProtocolError
from nightlight.protocol.content import MimiContent, extensions_of
from nightlight.protocol.ids import RoomUri, UserUri
from nightlight.protocol.part import TEXT_PLAIN, Disposition, MultiPart, NullPart, Part, PartSemantics, SinglePart

MAX_NAME_BYTES = 256
MAX_PICTURE_BYTES = 30_000
"""So that name and picture fit the padding's bucket of 32 KiB."""
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
PICTURE_TYPES = frozenset({"image/png", "image/jpeg", "image/webp"})


@dataclass(frozen=True, slots=True)
class Picture:
    """A small picture. ``content_type``: PNG, JPEG or WebP."""

    content_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class RoomProfile:
    """``name``: one line of at most 256 bytes; empty, if the room has none."""

    name: str
    picture: Picture | None = None


def profile_message(salt: bytes, sender: UserUri, room: RoomUri, profile: RoomProfile) -> MimiContent:
    """The message that gives ``room`` its profile; ``salt``: 16 fresh random bytes."""
    body: Part = SinglePart(TEXT_PLAIN, profile.name.encode(), Disposition.PROFILE)
    if profile.picture is not None:
        picture = SinglePart(profile.picture.content_type, profile.picture.data, Disposition.ICON)
        body = MultiPart(PartSemantics.PROCESS_ALL, (body, picture), Disposition.PROFILE)
    return MimiContent(salt=salt, extensions=extensions_of(sender, room), body=body)


def read_profile(body: Part) -> RoomProfile | None:
    """The profile that ``body`` is, or None if it is none. Raises ``RemoteProtocolError`` NL-177."""
    if body.disposition != Disposition.PROFILE or isinstance(body, NullPart):
        return None
    match body:
        case SinglePart(content_type, content) if content_type == TEXT_PLAIN:
            profile = RoomProfile(content.decode())
        case MultiPart(
            PartSemantics.PROCESS_ALL,
            (
                SinglePart(content_type, content, Disposition.PROFILE),
                SinglePart(picture_type, picture, Disposition.ICON),
            ),
        ) if content_type == TEXT_PLAIN:
            profile = RoomProfile(content.decode(), Picture(picture_type, picture))
        case _:
            raise RemoteProtocolError("NL-177", "a profile that is neither a name nor a name and a picture")
    if not is_profile(profile):
        raise RemoteProtocolError("NL-177", "a name that is not one line, or too long, or a picture that is none")
    return profile


def is_profile(profile: RoomProfile) -> bool:
    """Whether name and picture are within their bounds; whether the picture can be shown is not looked at."""
    picture = profile.picture
    one_line = _CONTROL.search(profile.name) is None
    small = picture is None or (picture.content_type in PICTURE_TYPES and 0 < len(picture.data) <= MAX_PICTURE_BYTES)
    return one_line and len(profile.name.encode()) <= MAX_NAME_BYTES and small
