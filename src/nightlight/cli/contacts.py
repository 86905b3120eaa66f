"""Contacts: no message reaches a person who has not accepted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from cyclopts import App, Parameter

from nightlight.cli.arguments import Json, Person, examples
from nightlight.cli.conversation import go_online
from nightlight.cli.output import clock_time, print_json, print_line, print_table, qr_code
from nightlight.cli.people import read_contact_code, read_person, written
from nightlight.cli.profile import DEFAULT_WHO, Who
from nightlight.client.sdk import Client
from nightlight.protocol.contact_code import is_contact_code
from nightlight.protocol.ids import TimestampMs, UserUri, parse_user_uri
from nightlight.protocol.messages import ContactState
from nightlight.protocol.safety_number import grouped

app = App(
    name="contacts",
    help_epilogue=examples(
        "nightlight contacts request bob@gallery.example",
        "nightlight contacts code --as bob@gallery.example",
        "nightlight contacts list",
        "nightlight contacts accept-anew bob@gallery.example",
        "nightlight contacts accept alice@courier.example --as bob@gallery.example",
    ),
)
_WORDS = {
    ContactState.REQUESTED: "you have asked",
    ContactState.ASKED: "asks you; accept or decline",
    ContactState.CONNECTED: "connected",
    ContactState.BLOCKED: "blocked by you",
}


@app.command(name="list")
async def list_(*, json: Json = False, who: Who = DEFAULT_WHO) -> None:
    """Show everyone you have a relation with."""
    async with who.device() as client:
        contacts = await client.contacts()
    if json:
        print_json(contacts)
        return
    rows = [
        (written(parse_user_uri(contact.user)), _WORDS[contact.state], clock_time(TimestampMs(contact.since_ms)))
        for contact in contacts
    ]
    print_table(("person", "", "since"), rows)


@app.command
async def request(
    person: Annotated[str, Parameter(help="name@provider, or a contact code.")],
    /,
    *,
    json: Json = False,
    who: Who = DEFAULT_WHO,
) -> None:
    """Ask a person; you can write to them once they accept. With their contact code, no server can pose as them."""
    if is_contact_code(person):
        user = written(read_contact_code(person))
        await _act(lambda client, _: client.request_by_code(person), user, who, "You have asked {}.", json=json)
    else:
        await _act(Client.request_contact, person, who, "You have asked {}.", json=json)


@app.command
async def code(
    *,
    qr: Annotated[bool, Parameter(help="Also as a QR code, to be scanned.", negative=())] = False,
    json: Json = False,
    who: Who = DEFAULT_WHO,
) -> None:
    """Print your contact code: give it to people in a way that you trust."""
    async with who.device() as client:
        own = client.contact_code()
    if json:
        print_json({"code": own})
    else:
        print_line(f"{qr_code(own)}\n{own}" if qr else own)


@app.command
async def accept(person: Person, /, *, json: Json = False, who: Who = DEFAULT_WHO) -> None:
    """Accept a person who asks you; both of you can write then."""
    await _act(Client.accept_contact, person, who, "You and {} can write to each other.", json=json)


@app.command
async def accept_anew(person: Person, /, *, json: Json = False, who: Who = DEFAULT_WHO) -> None:
    """Believe a person whose account key nobody vouches for: it may be somebody else. Compare the safety number."""
    user = read_person(person)
    async with who.device() as client:
        await go_online(client)
        client.people.accept_anew(user)
        number = await client.safety_number(user)
    if json:
        print_json({"user": user, "safety_number": number})
    else:
        print_line(f"{written(user)} is believed now. Compare this with them:\n\n{grouped(number)}")


@app.command
async def decline(person: Person, /, *, json: Json = False, who: Who = DEFAULT_WHO) -> None:
    """Decline a person who asks you; they are not told."""
    await _act(Client.decline_contact, person, who, "The request of {} is gone.", json=json)


@app.command
async def cancel(person: Person, /, *, json: Json = False, who: Who = DEFAULT_WHO) -> None:
    """Take back your own request."""
    await _act(Client.cancel_contact, person, who, "Your request to {} is gone.", json=json)


@app.command
async def block(person: Person, /, *, json: Json = False, who: Who = DEFAULT_WHO) -> None:
    """This person can neither write to you nor ask you; they are not told. In groups with others you both go on."""
    await _act(Client.block, person, who, "{} is blocked.", json=json)


@app.command
async def unblock(person: Person, /, *, json: Json = False, who: Who = DEFAULT_WHO) -> None:
    """Lift a block; who was a contact before is one again."""
    await _act(Client.unblock, person, who, "{} is not blocked any more.", json=json)


async def _act(
    action: Callable[[Client, UserUri], Awaitable[object]], person: Person, who: Who, done: str, *, json: bool
) -> None:
    user = read_person(person)
    async with who.device() as client:
        await action(client, user)
        contacts = await client.contacts() if json else []
    if json:
        state = next((contact.state for contact in contacts if contact.user == user), None)
        print_json({"user": user, "state": state})
    else:
        print_line(done.format(written(user)))
