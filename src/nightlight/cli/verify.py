"""Making sure: of a person, by the safety number; of a message, by its frank."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from nightlight.cli.arguments import Json, Person, examples
from nightlight.cli.conversation import go_online
from nightlight.cli.faults import NOT_DONE
from nightlight.cli.one_message import Id, find_message
from nightlight.cli.output import print_json, print_line
from nightlight.cli.people import read_person, written
from nightlight.cli.profile import DEFAULT_WHO, Who
from nightlight.errors import RemoteProtocolError, VerificationError
from nightlight.protocol.safety_number import grouped

app = App(
    name="verify",
    help_epilogue=examples(
        "nightlight verify bob@gallery.example",
        "nightlight verify bob@gallery.example --same",
        "nightlight verify message 01f3a9c2",
    ),
)
Same = Annotated[bool, Parameter(negative="", help="You have compared it, and it is the same: remember that.")]


@app.default
async def person(person: Person, /, *, same: Same = False, json: Json = False, who: Who = DEFAULT_WHO) -> None:
    """Show the safety number: if both of you see the same, nobody sits between you."""
    user = read_person(person)
    async with who.device() as client:
        await go_online(client)
        number = await client.safety_number(user)
        if same:
            client.people.compare(user)
        compared = client.people.is_compared(user)
    if json:
        print_json({"user": user, "safety_number": number, "compared": compared})
    elif compared:
        print_line(f"You have compared this with {written(user)}, and it was the same:\n\n{grouped(number)}")
    else:
        print_line(f"Compare this with {written(user)}, aloud or side by side:\n\n{grouped(number)}")


@app.command
async def message(
    message_id: Id,
    /,
    *,
    json: Json = False,
    who: Who = DEFAULT_WHO,
) -> int:
    """Check, offline, that the provider signed for a message's sender, room and time."""
    check: str | None = None
    async with who.device() as client:
        found = find_message(client, message_id)
        try:
            client.verify(found.message_id)
        except (RemoteProtocolError, VerificationError) as error:
            check = error.check
    if json:
        print_json({"message": found.message_id.hex(), "sender": found.sender, "verified": not check, "check": check})
    elif check:
        print_line(f"Not verified: it breaks rule {check}.")
    else:
        print_line(
            f"Verified: the provider signed that {written(found.sender)} sent a message to this room then. "
            "When you report it, the provider also checks that it was this one, word for word."
        )
    return NOT_DONE if check else 0
