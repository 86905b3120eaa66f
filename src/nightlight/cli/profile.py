"""A profile: one person's device on this machine, in a folder of its own.

``HOME/NAME@PROVIDER/`` holds ``profile.json``, which says where the store's key is, and the encrypted ``store.db``.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import keyring
import keyring.errors
import msgspec
from cyclopts import Parameter

from nightlight.cli.faults import InputError
from nightlight.cli.people import read_person, written
from nightlight.client.sdk import Client, NewDevice, Recovering
from nightlight.errors import RefusedError
from nightlight.protocol.ids import UserUri

DEFAULT_HOME = Path("~/.local/share/nightlight")
STORE_KEY_BYTES = 32
PROFILE = "profile.json"
Home = Annotated[Path, Parameter(env_var="NIGHTLIGHT_HOME", help="Folder of this machine's profiles.")]
_SERVICE = "nightlight"
_PRIVATE_FILE, _PRIVATE_FOLDER = 0o600, 0o700


class _Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``profile.json``. ``key_file`` is None where the system's keyring has the key."""

    key_file: str | None


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Who:
    """Whose device a command works on."""

    home: Home = DEFAULT_HOME
    as_: Annotated[
        str | None, Parameter(name="--as", env_var="NIGHTLIGHT_AS", help="Which profile, if there are several.")
    ] = None

    @asynccontextmanager
    async def device(self) -> AsyncIterator[Client]:
        """The chosen profile's device, closed afterwards. Raises ``InputError`` and what ``Client.open`` raises."""
        folder = self._folder()
        client = await Client.open(folder / "store.db", store_key=_stored_key(folder))
        try:
            yield client
        finally:
            await client.close()

    def _folder(self) -> Path:
        """The folder of the profile that is meant. Raises ``InputError``."""
        home = self.home.expanduser().absolute()
        known = sorted(file.parent.name for file in home.glob(f"*/{PROFILE}"))
        chosen = written(read_person(self.as_)) if self.as_ else None
        match [name for name in known if chosen in (None, name)]:
            case [name]:
                return home / name
            case []:
                raise InputError(
                    f"{home} has no profile {chosen}" if chosen else f"{home} has no profile; run nightlight register"
                )
            case several:
                raise InputError(f"whose? choose one with --as: {', '.join(several)}")


DEFAULT_WHO = Who()


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class NewProfile:
    """Where a device that is not there yet is to be, and the server that it is to know."""

    server: Annotated[str, Parameter(env_var="NIGHTLIGHT_SERVER", help="Where the provider's server is.")] = (
        "http://127.0.0.1:8440"
    )
    home: Home = DEFAULT_HOME
    key_file: Annotated[
        Path | None,
        Parameter(
            env_var="NIGHTLIGHT_KEY_FILE",
            help="Keep the local store's key in this file (made if it is not there) and not in the keyring.",
        ),
    ] = None

    async def register(self, user: UserUri) -> Client:
        """A new device of a new person, registered at the server, with its profile.

        Its store key is in ``key_file`` (made if it is not there) or in the keyring. After ``UnavailableError`` the
        same call goes on where it was; after ``InputError`` or ``RefusedError`` nothing of the profile is left.
        """
        folder = _new_folder(self.home, user)
        try:
            key = _new_key(folder, self.key_file)
            client = await Client.register(self.server, user, folder / "store.db", store_key=key)
        except (InputError, RefusedError):
            shutil.rmtree(folder)
            raise
        self.keep(user)
        return client

    def linking(self, user: UserUri) -> NewDevice:
        """A device of ``user`` that is to be linked; ``keep`` once it is."""
        folder = _new_folder(self.home, user)
        return NewDevice.at(self.server, user, folder / "store.db", store_key=_new_key(folder, self.key_file))

    def recovering(self, user: UserUri) -> Recovering:
        """A device of ``user`` that is to be recovered; ``keep`` once it is."""
        folder = _new_folder(self.home, user)
        return Recovering.at(self.server, user, folder / "store.db", store_key=_new_key(folder, self.key_file))

    def keep(self, user: UserUri) -> None:
        """The device is a profile of this machine."""
        profile = _Profile(None if self.key_file is None else str(self.key_file.expanduser().absolute()))
        (_folder_of(self.home, user) / PROFILE).write_bytes(msgspec.json.encode(profile))


DEFAULT_NEW_PROFILE = NewProfile()


def _folder_of(home: Path, user: UserUri) -> Path:
    return home.expanduser().absolute() / written(user)


def _new_folder(home: Path, user: UserUri) -> Path:
    folder = _folder_of(home, user)
    if (folder / PROFILE).exists():
        raise InputError(f"{written(user)} is already registered in {home}")
    folder.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
    return folder


def _new_key(folder: Path, key_file: Path | None) -> bytes:
    """The key of the profile's store, kept for next time; the same after an attempt that went wrong."""
    if key_file is not None:
        key_file = key_file.expanduser().absolute()
        return _read_key_file(key_file) if key_file.exists() else _write_key_file(key_file)
    try:
        key = keyring.get_password(_SERVICE, str(folder)) or secrets.token_hex(STORE_KEY_BYTES)
        keyring.set_password(_SERVICE, str(folder), key)
    except keyring.errors.KeyringError:
        raise InputError("this machine has no keyring to use; keep the key in a file: --key-file FILE") from None
    return bytes.fromhex(key)


def _stored_key(folder: Path) -> bytes:
    try:
        profile = msgspec.json.decode((folder / PROFILE).read_bytes(), type=_Profile)
    except msgspec.DecodeError as error:
        raise InputError(f"{folder / PROFILE}: {error}") from error
    if profile.key_file is not None:
        return _read_key_file(Path(profile.key_file))
    try:
        key = keyring.get_password(_SERVICE, str(folder))
    except keyring.errors.KeyringError:
        raise InputError("the keyring that has this profile's key cannot be used now") from None
    if key is None:
        raise InputError(f"the keyring has no key for {folder}")
    return bytes.fromhex(key)


def _write_key_file(path: Path) -> bytes:
    key = secrets.token_bytes(STORE_KEY_BYTES)
    path.parent.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE_FILE), "w") as file:
        file.write(f"{key.hex()}\n")
    return key


def _read_key_file(path: Path) -> bytes:
    """The 32 bytes in the file, in hexadecimal. Raises ``InputError``, also when others may read it."""
    if path.stat().st_mode & 0o077:
        raise InputError(f"{path}: others may read this key; run chmod 600 {path}")
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii"))
    except ValueError:
        key = b""
    if len(key) != STORE_KEY_BYTES:
        raise InputError(f"{path}: not a key; expected 64 hexadecimal digits")
    return key
