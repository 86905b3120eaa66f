"""Pictures go out without anything but their pixels; hostile ones do not make this machine work."""

import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image

from nightlight.client.outgoing_file import FileError, outgoing
from nightlight.client.pictures import MAX_PIXELS, PREVIEW_PIXELS, Picture, PictureError, clean
from nightlight.protocol.attachment import MAX_PREVIEW_BYTES
from tests.support.pictures import SECRET, landscape, of, saved

KINDS = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "GIF": "image/gif"}


def colour(picture: Image.Image, at: tuple[int, int]) -> tuple[int, int, int]:
    """Red, green and blue there."""
    found = picture.convert("RGB").getpixel(at)
    assert isinstance(found, tuple)
    red, green, blue = found
    return red, green, blue


def cleaned(path: Path) -> Picture:
    picture = clean(path)
    assert picture is not None
    return picture


def png_of(width: int, height: int, pixels: bytes = b"") -> bytes:
    """A PNG that says so; what it unpacks to is ``pixels``."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_is_made_anew_with_its_pixels_alone(tmp_path: Path, kind: str) -> None:
    path = saved(tmp_path / "lake", kind)
    before = path.read_bytes()
    assert SECRET.encode() in before
    picture = cleaned(path)
    assert picture.content_type == KINDS[kind]
    for data in (picture.content, picture.preview.content):
        assert not any(word in data for word in (b"Canary", b"Cana", b"Exif", b"ICC", b"iCCP", b"xmp", b"GPS", b"2026"))
        again = of(data)
        assert not again.getexif()
        assert {"icc_profile", "comment", "exif", "xmp", "photoshop"}.isdisjoint(again.info)
    shown, original = of(picture.content), of(before)
    assert shown.size == original.size
    for at in ((5, 5), (300, 200), (600, 390)):
        pairs = zip(colour(shown, at), colour(original, at), strict=True)
        assert max(abs(one - other) for one, other in pairs) < 24


def test_a_picture_that_was_taken_sideways_stands_upright(tmp_path: Path) -> None:
    picture = cleaned(saved(tmp_path / "lake.jpg", "JPEG", orientation=6))
    assert of(picture.content).size == (400, 640)
    assert of(picture.preview.content).height > of(picture.preview.content).width


def test_transparency_and_movement_stay(tmp_path: Path) -> None:
    see_through = landscape().convert("RGBA")
    see_through.putalpha(Image.linear_gradient("L").resize(see_through.size))
    picture = cleaned(saved(tmp_path / "lake.png", "PNG", see_through))
    assert of(picture.content).mode == "RGBA"
    frames = [landscape(80 + 0 * number, 60).rotate(number * 40) for number in range(4)]
    for kind in ("GIF", "WEBP"):
        path = saved(tmp_path / "lake", kind, frames[0], save_all=True, append_images=frames[1:], duration=70)
        moving = of(cleaned(path).content)
        assert (getattr(moving, "n_frames", 1), moving.info["duration"]) == (4, 70)


@pytest.mark.parametrize(
    "picture",
    [
        landscape(),
        landscape(3000, 10),
        landscape(2, 2),
        Image.effect_noise((2000, 1500), 120).convert("RGB"),
        landscape().convert("CMYK"),
        landscape().convert("L"),
    ],
)
def test_a_preview_is_small(tmp_path: Path, picture: Image.Image) -> None:
    preview = cleaned(saved(tmp_path / "lake.jpg", "JPEG", picture)).preview
    assert len(preview.content) <= MAX_PREVIEW_BYTES
    assert max(of(preview.content).size) <= PREVIEW_PIXELS
    assert preview.content_type == "image/jpeg"


@pytest.mark.parametrize("size", [(8_001, 8_000), (60_000, 60_000), (2**31 - 1, 2**31 - 1), (1, MAX_PIXELS + 1)])
def test_a_decompression_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, size: tuple[int, int]) -> None:
    bomb = tmp_path / "lake.png"
    bomb.write_bytes(png_of(*size))
    with pytest.raises(PictureError):
        clean(bomb)


def test_more_frames_than_there_is_room_for_are_refused(tmp_path: Path) -> None:
    frames = [Image.new("1", (4_000, 4_000), number % 2) for number in range(5)]
    frames[0].save(tmp_path / "lake.gif", save_all=True, append_images=frames[1:])
    with pytest.raises(PictureError, match="too many pixels"):
        clean(tmp_path / "lake.gif")


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_picture_is_refused_in_words_and_nothing_else_happens(tmp_path: Path, kind: str) -> None:
    whole = saved(tmp_path / "lake", kind, landscape(64, 64)).read_bytes()
    path = tmp_path / "damaged"
    refused = 0
    for cut in range(len(whole) // 20, len(whole), len(whole) // 20):
        for data in (whole[:cut], whole[:cut] + bytes(40) + whole[cut + 40 :], whole[:cut] + b"\xff" * 40):
            path.write_bytes(data)
            try:
                clean(path)
            except PictureError:
                refused += 1
    assert refused


def test_what_is_no_picture_goes_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "lake.txt"
    path.write_bytes(b"a lake in the morning")
    assert clean(path) is None
    file = outgoing(path, original=False)
    assert (file.filename, file.content_type, b"".join(file.chunks), file.preview) == (
        "lake.txt",
        "text/plain",
        b"a lake in the morning",
        None,
    )
    path.rename(tmp_path / "lake.xyzzy")
    assert outgoing(tmp_path / "lake.xyzzy", original=False).content_type == "application/octet-stream"


def test_a_picture_under_another_name_is_still_made_anew(tmp_path: Path) -> None:
    file = outgoing(saved(tmp_path / "notes.txt", "JPEG"), original=False)
    assert file.content_type == "image/jpeg"
    assert SECRET.encode() not in b"".join(file.chunks)


def test_a_picture_that_cannot_be_made_anew_goes_only_as_the_original(tmp_path: Path) -> None:
    for name, data in (
        ("lake.heic", b"\x00\x00\x00 ftypheic"),
        ("lake.svg", b"<svg/>"),
        ("lake.png", png_of(60_000, 9_000)),
    ):
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(FileError, match=name):
            outgoing(path, original=False)
        assert b"".join(outgoing(path, original=True).chunks) == data


def test_the_original_keeps_everything(tmp_path: Path) -> None:
    path = saved(tmp_path / "lake.jpg", "JPEG")
    file = outgoing(path, original=True)
    assert b"".join(file.chunks) == path.read_bytes()
    assert file.preview is not None
    assert SECRET.encode() not in file.preview.content


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError):
        outgoing(tmp_path, original=False)
    with pytest.raises(FileError):
        outgoing(Path("/dev/null"), original=False)
    with pytest.raises(FileNotFoundError):
        outgoing(tmp_path / "nothing", original=False)
