"""Sealed attachments on this machine, in a folder beside the store: the same ciphertext that lies at the hub.

What opens them is in the store alone, so that no plaintext is on the disk. Each is kept under ``Seal.name``, in which
the key takes part; a name tells nothing. They are what a report of an attachment needs.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from nightlight.client.store import StoreError
from nightlight.errors import VerificationError
from nightlight.protocol.attachment import CheckedBlob, Seal, Sealer, UncheckedBlob

STEP_BYTES = 2**20
KEPT_BYTES = 2_000_000_000
"""Beyond this, those that were longest not used go; the hub may still have them."""
_PART = ".part"
_SEALING = "sealing"
_PRIVATE_FOLDER, _PRIVATE_FILE = 0o700, 0o600


class SealedFiles:
    """The folder. Everything here raises ``StoreError`` when the disk is full, or does not do as it should."""

    def __init__(self, folder: Path, kept_bytes: int = KEPT_BYTES) -> None:
        """The folder is made when something is kept; what was not sealed to its end is gone."""
        self._folder = folder
        self._kept_bytes = kept_bytes
        self._path(_SEALING + _PART).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._folder / name

    # --- what goes out

    def seal(self, chunks: Iterable[bytes], sealer: Sealer) -> Seal:
        """``chunks`` are kept, sealed and durable. What reading them raises goes through, and nothing is kept."""
        unfinished = self._path(_SEALING + _PART)
        with _explained():
            unfinished.unlink(missing_ok=True)
        for chunk in chunks:
            self._append(unfinished, sealer.seal(chunk))
        end, seal = sealer.finish()
        with _explained():
            self._append(unfinished, end)
            _sync(unfinished)
            unfinished.rename(self._path(seal.name))
            _sync(self._folder)
        return seal

    def read(self, seal: Seal, offset: int, size: int) -> bytes:
        """So many bytes from there, fewer at the end."""
        with _explained(), self._path(seal.name).open("rb") as file:
            file.seek(offset)
            return file.read(size)

    # --- what comes in

    def received(self, seal: Seal) -> int:
        """How much of a download is here."""
        path = self._path(seal.name + _PART)
        return path.stat().st_size if path.exists() else 0

    def append(self, seal: Seal, chunk: bytes) -> None:
        """The download goes on with ``chunk``."""
        self._append(self._path(seal.name + _PART), chunk)

    def _append(self, path: Path, data: bytes) -> None:
        with _explained():
            self._folder.mkdir(mode=_PRIVATE_FOLDER, exist_ok=True)
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, _PRIVATE_FILE), "wb") as file:
                file.write(data)

    def finish(self, seal: Seal) -> CheckedBlob:
        """The download, checked, is kept. One that fails is gone. Raises ``VerificationError`` NL-154 to NL-156."""
        path = self._path(seal.name + _PART)
        try:
            _unchecked(seal, path).check()
        except VerificationError:
            path.unlink(missing_ok=True)
            raise
        kept = self._path(seal.name)
        with _explained():
            path.rename(kept)
        return CheckedBlob(seal, partial(_steps, kept))

    # --- what is here

    def open(self, seal: Seal) -> CheckedBlob | None:
        """The attachment, checked anew, if it is here and whole; one that the disk has spoilt goes."""
        path = self._path(seal.name)
        if not path.exists():
            return None
        with _explained():
            os.utime(path)
        try:
            return _unchecked(seal, path).check()
        except VerificationError:
            path.unlink(missing_ok=True)
            return None

    def trim(self, wanted: Collection[str]) -> None:
        """No more is kept than there is room for, but for those ``wanted``, by their names."""
        if not self._folder.exists():
            return
        with _explained():
            kept = sorted(((path, path.stat()) for path in self._folder.iterdir()), key=lambda entry: entry[1].st_mtime)
            total = sum(status.st_size for _, status in kept)
            for path, status in kept:
                if total <= self._kept_bytes:
                    break
                if path.name not in wanted:
                    path.unlink()
                    total -= status.st_size


def _unchecked(seal: Seal, path: Path) -> UncheckedBlob:
    return UncheckedBlob(seal, partial(_steps, path))


def _steps(path: Path) -> Iterator[bytes]:
    with _explained(), path.open("rb") as file:
        while chunk := file.read(STEP_BYTES):
            yield chunk


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(f"attachments: {error.strerror or 'the disk does not answer as it should'}") from error
