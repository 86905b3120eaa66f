"""Becoming somebody: a new account with its first device."""

from __future__ import annotations

from cyclopts import App

from nightlight.cli.arguments import Json, Person, examples
from nightlight.cli.output import print_json, print_line
from nightlight.cli.people import read_person, written
from nightlight.cli.profile import DEFAULT_NEW_PROFILE, NewProfile

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
    where: NewProfile = DEFAULT_NEW_PROFILE,
    json: Json = False,
) -> None:
    """The account exists, and this machine is its first device."""
    client = await where.register(read_person(person))
    await client.close()
    if json:
        print_json({"user": client.user, "device": client.device, "server": where.server})
    else:
        print_line(f"You are {written(client.user)}.")
