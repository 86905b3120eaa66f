"""Becoming somebody: a new account with its first device."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from nightlight.cli.arguments import Json, Person, examples
from nightlight.cli.output import print_json, print_line
from nightlight.cli.people import read_person, written
from nightlight.cli.profile import DEFAULT_HOME, Home, create_profile

Server = Annotated[str, Parameter(env_var="NIGHTLIGHT_SERVER", help="Where the provider's server is.")]
KeyFile = Annotated[
    Path | None,
    Parameter(
        env_var="NIGHTLIGHT_KEY_FILE",
        help="Keep the local store's key in this file (made if it is not there) and not in the keyring.",
    ),
]
DEFAULT_SERVER = "http://127.0.0.1:8440"
app = App(
    name="register",
    help_epilogue=examples(
        "nightlight register alice@courier.example",
        "nightlight register alice@courier.example --server https://hub.example --key-file ~/alice.key",
    ),
)


@app.default
async def register(
    person: Person,
    /,
    *,
    server: Server = DEFAULT_SERVER,
    home: Home = DEFAULT_HOME,
    key_file: KeyFile = None,
    json: Json = False,
) -> None:
    """The account exists, and this machine is its first device."""
    client = await create_profile(home, read_person(person), server, key_file)
    await client.close()
    if json:
        print_json({"user": client.user, "device": client.device, "server": server})
    else:
        print_line(f"You are {written(client.user)}.")
