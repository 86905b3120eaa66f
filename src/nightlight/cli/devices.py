"""This person's devices: linking one more, and removing one."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Annotated

from cyclopts import App, Parameter

from nightlight.cli.arguments import Json, Person, examples
from nightlight.cli.conversation import go_online
from nightlight.cli.faults import InputError
from nightlight.cli.output import clock_time, print_json, print_line, print_table, qr_code, say
from nightlight.cli.people import read_person, written
from nightlight.cli.profile import DEFAULT_NEW_PROFILE, DEFAULT_WHO, NewProfile, Who
from nightlight.cli.recovery import NOT_WORDS, ask_words
from nightlight.client.sdk import Client
from nightlight.errors import ProblemName, RefusedError, RemoteProtocolError, UnavailableError, VerificationError
from nightlight.protocol.ids import DeviceUri, TimestampMs
from nightlight.protocol.linking import LinkCode

EVERYWHERE_SECONDS = 60
LOOK_SECONDS = 0.1
app = App(
    name="devices",
    help_epilogue=examples(
        "nightlight devices list",
        "nightlight devices link alice@courier.example",
        "nightlight devices accept nightlight-link:AQ…",
        "nightlight devices remove 3f2a90c1",
    ),
)
Code = Annotated[str, Parameter(help="What the new device shows.")]
Number = Annotated[str | None, Parameter(help="The number that the new device shows; without it you are asked.")]
MaySign = Annotated[
    bool, Parameter(name="--may-sign", negative="", help="The new device may link and remove others too.")
]


@app.command(name="list")
async def list_(*, json: Json = False, who: Who = DEFAULT_WHO) -> None:
    """Show your devices."""
    async with who.device() as client:
        if not await go_online(client):
            say("Offline: this is what this device knows.")
            waiting = None
        else:
            waiting = await client.recovery.waiting()
        devices = client.devices()
    if json:
        print_json(devices)
        return
    rows = [
        (
            _name(entry.device),
            "this device" if entry.this else "",
            "may link and remove others" if entry.may_sign else "",
        )
        for entry in devices
    ]
    if waiting is not None:
        ready = clock_time(TimestampMs(waiting.ready_at_ms))
        rows.append((_name(DeviceUri(waiting.device)), "waits", f"your only device at {ready}"))
    print_table(("device", "", ""), rows)


@app.command
async def link(
    person: Person,
    /,
    *,
    where: NewProfile = DEFAULT_NEW_PROFILE,
    json: Json = False,
) -> None:
    """Make this machine one more device of yours: it shows a code, which you give to a device that you have.

    With --json it prints one value with the code, and one more once it is linked.
    """
    user = read_person(person)
    new = where.linking(user)
    try:
        _show(new.code, json=json)
        try:
            client = await Client.link(new)
        except VerificationError as error:
            if error.check == "NL-352":
                raise InputError("nobody has taken this device in, and the code has expired") from error
            raise
        where.keep(user)
    finally:
        await new.close()
    if json:
        print_json({"user": client.user, "device": client.device})
    else:
        print_line(f"This machine is a device of {written(user)} now.")


def _show(code: LinkCode, *, json: bool) -> None:
    text = code.text()
    if json:
        print_json({"code": text, "number": code.number, "expires_at_ms": code.expires_at_ms})
    else:
        print_line(f"{qr_code(text)}\nOn a device that you have, within ten minutes:\n")
        print_line(f"  nightlight devices accept {text}\n\nIt must show the number {_grouped(code.number)}.")
    sys.stdout.flush()


@app.command
async def accept(
    code: Code,
    /,
    *,
    number: Number = None,
    may_sign: MaySign = False,
    json: Json = False,
    who: Who = DEFAULT_WHO,
) -> None:
    """Take in a new device of yours. It reads everything that is sent to you from then on."""
    try:
        shown = LinkCode.read(code.strip())
    except RemoteProtocolError as error:
        raise InputError("that is not a link code; copy the whole of it from the new device") from error
    _compare(shown, number)
    async with who.device() as client:
        await _online_or_refuse(client)
        try:
            device = await client.accept_device(shown, may_sign=may_sign)
        except VerificationError as error:
            if error.check == "NL-352":
                raise InputError("that code has expired; run nightlight devices link again") from error
            raise
        done = await _until(lambda: _is_everywhere(client, device))
        there, rooms = client.rooms_of(device)
    if json:
        print_json({"device": device, "rooms": there, "of": rooms})
    elif done:
        print_line(f"{_name(device)} is a device of yours, and in your rooms ({there}).")
    else:
        print_line(f"{_name(device)} is a device of yours, in {there} of {rooms} rooms so far; the others follow.")


@app.command
async def remove(
    device: Annotated[str, Parameter(help="The device, or the beginning of its name.")],
    /,
    *,
    json: Json = False,
    who: Who = DEFAULT_WHO,
) -> None:
    """Remove a device of yours: it is signed out, and reads nothing that is sent from then on.

    If it may link and remove others, your account key is replaced, and you are asked for your recovery key if you have
    one: your safety numbers change, and of your devices, this one alone may link and remove others then.
    """
    async with who.device() as client:
        await _online_or_refuse(client)
        which = _find(client, device)
        if client.recovery.has_key and any(entry.device == which and entry.may_sign for entry in client.devices()):
            await _remove_with_words(client, which)
        else:
            await client.remove_device(which)
        await _until(lambda: client.rooms_of(which)[0] == 0)
    if json:
        print_json({"device": which})
    else:
        print_line(f"{_name(which)} is not a device of yours any more.")


async def _remove_with_words(client: Client, which: DeviceUri) -> None:
    try:
        await client.recovery.remove_device(which, ask_words())
    except VerificationError as error:
        if error.check == "NL-134":
            raise InputError(NOT_WORDS) from error
        raise
    except RefusedError as error:
        if error.problem is ProblemName.NOT_ALLOWED:
            raise InputError("these are not your words, or this device may not remove others") from error
        raise


def _compare(code: LinkCode, number: str | None) -> None:
    """Raises ``InputError`` where the new device shows another number."""
    if number is None:
        sys.stderr.write(f"Does the new device show the number {_grouped(code.number)}? [y/N] ")
        sys.stderr.flush()
        same = sys.stdin.readline().strip().lower() in {"y", "yes"}
    else:
        same = number.replace(" ", "") == code.number
    if not same:
        raise InputError("not taken in: this is not the code that your new device shows")


def _find(client: Client, beginning: str) -> DeviceUri:
    """This person's one other device whose name begins so. Raises ``InputError``."""
    others = [entry.device for entry in client.devices() if not entry.this]
    match [uri for uri in others if beginning in {uri, _name(uri)} or _name(uri).startswith(beginning)]:
        case [uri]:
            return uri
        case []:
            raise InputError(f"you have no other device {beginning!r}; see nightlight devices list")
        case several:
            raise InputError(f"{len(several)} devices begin with {beginning!r}; write more of it")


def _is_everywhere(client: Client, device: DeviceUri) -> bool:
    there, rooms = client.rooms_of(device)
    return there == rooms


async def _until(done: Callable[[], bool]) -> bool:
    """Whether it is so within a minute."""
    try:
        async with asyncio.timeout(EVERYWHERE_SECONDS):
            while not done():  # noqa: ASYNC110 - the store is asked, and tells nobody
                await asyncio.sleep(LOOK_SECONDS)
    except TimeoutError:
        return False
    return True


async def _online_or_refuse(client: Client) -> None:
    if not await go_online(client):
        raise UnavailableError("the server cannot be reached")


def _name(device: DeviceUri) -> str:
    return device.rpartition("/")[2]


def _grouped(number: str) -> str:
    return " ".join(number[at : at + 4] for at in range(0, len(number), 4))
