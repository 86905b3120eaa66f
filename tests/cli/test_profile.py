"""Where the key of a local store is kept: in the keyring, or in a file of the person's choice."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend

from nightlight.cli.faults import InputError
from nightlight.cli.people import read_person
from nightlight.cli.profile import NewProfile, Who
from nightlight.errors import UnavailableError
from tests.support.server import ServerProcess

ALICE = read_person("alice@courier.example")


class MemoryKeyring(KeyringBackend):
    """A keyring that lasts for a test."""

    priority = 1
    passwords: dict[tuple[str, str], str]

    def get_password(self, service: str, username: str) -> str | None:
        return self.passwords.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.passwords[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.passwords[service, username]


@pytest.fixture
def memory_keyring() -> Iterator[MemoryKeyring]:
    before, backend = keyring.get_keyring(), MemoryKeyring()  # type: ignore[no-untyped-call]  # not annotated there
    backend.passwords = {}
    keyring.set_keyring(backend)
    yield backend
    keyring.set_keyring(before)


async def test_the_keyring_keeps_the_key_and_opens_the_store(
    server_process: ServerProcess, memory_keyring: MemoryKeyring, tmp_path: Path
) -> None:
    await server_process.start()
    home = tmp_path / "home"

    await (await NewProfile(server=server_process.url, home=home).register(ALICE)).close()

    (key,) = memory_keyring.passwords.values()
    assert re.fullmatch("[0-9a-f]{64}", key)
    for file in home.rglob("*"):
        assert file.is_dir() or key.encode() not in file.read_bytes()
    async with Who(home=home).device() as client:
        assert client.user == ALICE

    memory_keyring.passwords.clear()
    with pytest.raises(InputError, match="the keyring has no key"):
        async with Who(home=home).device():
            pass


async def test_a_key_file_is_made_for_its_owner_alone(server_process: ServerProcess, tmp_path: Path) -> None:
    await server_process.start()
    key_file = tmp_path / "keys" / "alice.key"

    await (
        await NewProfile(server=server_process.url, home=tmp_path / "home", key_file=key_file).register(ALICE)
    ).close()

    assert key_file.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "home" / "alice@courier.example").stat().st_mode & 0o777 == 0o700
    async with Who(home=tmp_path / "home", as_="alice@courier.example").device() as client:
        assert client.user == ALICE


async def test_registering_goes_on_after_a_server_that_was_away(server_process: ServerProcess, tmp_path: Path) -> None:
    key_file = tmp_path / "key"
    with pytest.raises(UnavailableError):
        await NewProfile(server=server_process.url, home=tmp_path, key_file=key_file).register(ALICE)
    with pytest.raises(InputError, match="has no profile"):
        async with Who(home=tmp_path).device():
            pass

    await server_process.start()
    client = await NewProfile(server=server_process.url, home=tmp_path, key_file=key_file).register(ALICE)
    await client.close()
    async with Who(home=tmp_path).device() as opened:
        assert opened.device == client.device
