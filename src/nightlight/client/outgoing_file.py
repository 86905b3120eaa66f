"""A file that a person sends, as it will be sealed: pictures without metadata, everything else as it is."""

from __future__ import annotations

import mimetypes
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from nightlight.client.pictures import PictureError, clean
from nightlight.client.sealed_files import STEP_BYTES
from nightlight.errors import NightlightError, ProblemName, RefusedError
from nightlight.protocol.attachment import MAX_CONTENT_BYTES
from nightlight.protocol.filename import safe_filename
from nightlight.protocol.part import SinglePart

_ANYTHING = "application/octet-stream"
_TYPES = mimetypes.MimeTypes()


class FileError(NightlightError):
    """A file that cannot be sent; the text says why."""


@dataclass(frozen=True, slots=True)
class OutgoingFile:
    """What is sealed, and what the message says of it."""

    filename: str
    content_type: str
    chunks: Iterable[bytes]
    preview: SinglePart | None


def outgoing(path: Path, *, original: bool) -> OutgoingFile:
    """The file at ``path``. ``original``: a picture goes as it is, with whatever is in it besides its pixels.

    Raises ``FileError``: not a file, or a picture that cannot be made anew; ``RefusedError`` ``too_large``: more than
    100 MB; ``OSError`` from reading.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise FileError(f"{path} is not a file")
    if status.st_size > MAX_CONTENT_BYTES:
        raise RefusedError(ProblemName.TOO_LARGE)
    filename = safe_filename(path.name)
    guessed = _TYPES.guess_type(filename)[0] or _ANYTHING
    try:
        picture = clean(path)
    except PictureError as error:
        if not original:
            raise FileError(f"{path}: {error}") from error
        return OutgoingFile(filename, guessed, _steps(path), None)
    if original:
        return OutgoingFile(filename, guessed, _steps(path), None if picture is None else picture.preview)
    if picture is None:
        if guessed.startswith("image/"):
            raise FileError(f"{path}: this kind of picture cannot be made anew without what else is in it")
        return OutgoingFile(filename, guessed, _steps(path), None)
    return OutgoingFile(filename, picture.content_type, _pieces(picture.content), picture.preview)


def _steps(path: Path) -> Iterator[bytes]:
    left = MAX_CONTENT_BYTES
    with path.open("rb") as file:
        while chunk := file.read(STEP_BYTES):
            left -= len(chunk)
            if left < 0:  # it has grown since
                raise RefusedError(ProblemName.TOO_LARGE)
            yield chunk


def _pieces(content: bytes) -> Iterator[bytes]:
    if len(content) > MAX_CONTENT_BYTES:
        raise RefusedError(ProblemName.TOO_LARGE)
    for at in range(0, len(content), STEP_BYTES):
        yield content[at : at + STEP_BYTES]
