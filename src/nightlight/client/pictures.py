"""Pictures as they go out: made anew from their pixels, so that no place, camera, time or comment goes with them.

Only kinds that are decoded within bounds are touched: a picture of too many pixels is refused before it is unpacked.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image, ImageCms, ImageOps, ImageSequence, UnidentifiedImageError

from nightlight.errors import NightlightError
from nightlight.protocol.attachment import MAX_PREVIEW_BYTES
from nightlight.protocol.part import Disposition, SinglePart

MAX_PIXELS = 64_000_000
"""All frames together; about 256 MB unpacked."""
PREVIEW_PIXELS = 320
_KINDS = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "GIF": "image/gif"}
"""By Pillow's names."""
_MOVING = {"PNG", "WEBP", "GIF"}
_OPTIONS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 90, "optimize": True},
    "PNG": {"optimize": True},
    "WEBP": {"quality": 90},
    "GIF": {},
}
_WITHOUT_TRANSPARENCY = "RGB"
_WITH_TRANSPARENCY = "RGBA"
_WHITE = (255, 255, 255)
_PREVIEWS = ((PREVIEW_PIXELS, 75), (PREVIEW_PIXELS, 50), (PREVIEW_PIXELS // 2, 50), (PREVIEW_PIXELS // 4, 30))
"""Longest side and JPEG's quality, until one is small enough."""


class PictureError(NightlightError):
    """A picture that cannot be sent like this; the text says why."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture without metadata, and a preview of it."""

    content_type: str
    content: bytes
    preview: SinglePart


def clean(path: Path) -> Picture | None:
    """The picture in ``path``, made anew; None if it is none of the kinds that we know.

    Raises ``PictureError``: damaged, or more than 64 million pixels; ``OSError`` from reading.
    """
    with path.open("rb") as file, _within_bounds():
        try:
            image = Image.open(file, formats=tuple(_KINDS))
        except UnidentifiedImageError:
            return None
        frames = getattr(image, "n_frames", 1) if image.format in _MOVING else 1
        if image.width * image.height * frames > MAX_PIXELS:
            raise PictureError("this picture has too many pixels")
        kind = str(image.format) if image.format in _KINDS else "JPEG"  # with more pictures behind it, which stay here
        made = [_pixels(frame) for frame, _ in zip(ImageSequence.Iterator(image), range(frames), strict=False)]
        content = _encoded(kind, made, image)
        return Picture(_KINDS[kind], content, _preview(made[0]))


def _pixels(frame: Image.Image) -> Image.Image:
    """The frame upright, in sRGB, with nothing beside its pixels."""
    upright = ImageOps.exif_transpose(frame)
    mode = _WITH_TRANSPARENCY if upright.has_transparency_data else _WITHOUT_TRANSPARENCY
    profile = upright.info.get("icc_profile")
    shown = upright.convert(mode) if profile is None else _in_srgb(upright, profile, mode)
    made = Image.new(mode, shown.size)
    made.paste(shown)
    return made


def _in_srgb(image: Image.Image, profile: bytes, mode: str) -> Image.Image:
    try:
        found = ImageCms.ImageCmsProfile(BytesIO(profile))
        made = ImageCms.profileToProfile(image, found, ImageCms.createProfile("sRGB"), outputMode=mode)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image.convert(mode)  # a profile that says nothing: the colours are as good a guess as any
    assert made is not None, "not in place"
    return made


def _encoded(kind: str, frames: list[Image.Image], source: Image.Image) -> bytes:
    out = BytesIO()
    options = dict(_OPTIONS[kind])
    if len(frames) > 1:
        options |= {"save_all": True, "append_images": frames[1:], "loop": source.info.get("loop", 0)}
        options["duration"] = source.info.get("duration", 100)
    first = frames[0].convert(_WITHOUT_TRANSPARENCY) if kind == "JPEG" else frames[0]
    first.save(out, kind, **options)
    return out.getvalue()


def _preview(picture: Image.Image) -> SinglePart:
    flat = Image.new(_WITHOUT_TRANSPARENCY, picture.size, _WHITE)
    flat.paste(picture, mask=picture if picture.mode == _WITH_TRANSPARENCY else None)
    for side, quality in _PREVIEWS:
        out = BytesIO()
        flat.thumbnail((side, side))
        flat.save(out, "JPEG", quality=quality, optimize=True)
        if len(out.getvalue()) <= MAX_PREVIEW_BYTES:
            break
    return SinglePart("image/jpeg", out.getvalue(), Disposition.PREVIEW)


@contextmanager
def _within_bounds() -> Iterator[None]:
    """Whatever a decoder stumbles over is a damaged picture."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's own words about size come later than ours
            yield
    except (PictureError, OSError) as error:
        if isinstance(error, OSError) and error.filename is None:
            raise PictureError("this picture is damaged") from error
        raise
    except Image.DecompressionBombError:
        raise PictureError("this picture has too many pixels") from None
    except Exception as error:
        raise PictureError("this picture is damaged") from error
