"""Landscapes of our own painting, with the metadata that cameras and programs leave in them."""

from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image, ImageCms
from PIL.ExifTags import GPS, IFD, Base
from PIL.PngImagePlugin import PngInfo

SECRET = "Canary Meadow 7"
"""Stands in every comment, title and place that a picture here has."""


def landscape(width: int = 640, height: int = 400) -> Image.Image:
    """A sky above a meadow."""
    sky = Image.linear_gradient("L").resize((width, height))
    return Image.merge("RGB", (sky.point(lambda light: light // 2), sky, sky.point(lambda light: 255 - light)))


def exif(orientation: int = 1) -> Image.Exif:
    """What a camera writes: who, with what, when and where."""
    data = Image.Exif()
    data[Base.Orientation] = orientation
    data[Base.Artist] = SECRET
    data[Base.Make] = SECRET
    data.get_ifd(IFD.GPSInfo).update({GPS.GPSLatitudeRef: "N", GPS.GPSLatitude: (47.0, 48.0, 9.0)})
    data.get_ifd(IFD.Exif).update({Base.UserComment: SECRET.encode(), Base.DateTimeOriginal: "2026:05:01 06:12:00"})
    return data


def profile() -> bytes:
    """A colour profile, which says who made it."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes().replace(b"sRGB", b"Cana")


def saved(path: Path, kind: str, picture: Image.Image | None = None, **options: Any) -> Path:
    """The picture, of ``kind`` as Pillow calls it, with everything that such a file can say beside its pixels."""
    said: dict[str, Any] = {"exif": exif(options.pop("orientation", 1)), "icc_profile": profile()}
    if kind == "PNG":
        said["pnginfo"] = PngInfo()
        said["pnginfo"].add_text("Comment", SECRET)
        said["pnginfo"].add_itxt("XML:com.adobe.xmp", f"<x>{SECRET}</x>")
    elif kind == "GIF":
        said = {"comment": SECRET.encode()}
    else:
        said["xmp"] = f"<x>{SECRET}</x>".encode()
        if kind == "JPEG":
            said["comment"] = SECRET.encode()
    (picture or landscape()).save(path, kind, **said, **options)
    return path


def of(content: bytes) -> Image.Image:
    """The picture that ``content`` is."""
    picture = Image.open(BytesIO(content))
    picture.load()
    return picture
