"""Your recovery key: 24 words on paper, by which you come back when every device of yours is lost."""

from __future__ import annotations

import getpass
import sys
from datetime import datetime

from cyclopts import App

from nightlight.cli.arguments import Json, Person, examples
from nightlight.cli.conversation import go_online
from nightlight.cli.faults import InputError
from nightlight.cli.output import clock_time, print_json, print_line
from nightlight.cli.people import read_person, written
from nightlight.cli.profile import DEFAULT_NEW_PROFILE, DEFAULT_WHO, NewProfile, Who
from nightlight.client.sdk import Client, Recovering
from nightlight.errors import ProblemName, RefusedError, UnavailableError, VerificationError
from nightlight.protocol.ids import TimestampMs

app = App(
    name="recovery",
    help_epilogue=examples(
        "nightlight recovery make",
        "nightlight recovery status",
        "nightlight recovery cancel",
        "nightlight recovery use alice@courier.example",
    ),
)
_IN_A_LINE = 6


@app.command
async def make(*, json: Json = False, who: Who = DEFAULT_WHO) -> None:
    """Make a recovery key, in place of any before. Its words are shown once: write them down."""
    async with who.device() as client:
        await _online(client)
        words = await client.recovery.make_key()
    if json:
        print_json({"words": words})
    else:
        print_line("Write these down, and keep them where nobody else looks. They are not shown again.\n")
        print_line(lines_of(words))


@app.command
async def status(*, json: Json = False, who: Who = DEFAULT_WHO) -> None:
    """Show whether you have a recovery key, and whether somebody is using it."""
    async with who.device() as client:
        await _online(client)
        has_key, waiting = client.recovery.has_key, await client.recovery.waiting()
    if json:
        print_json({"has_key": has_key, "waiting": waiting})
        return
    print_line("You have a recovery key." if has_key else "You have no recovery key; nightlight recovery make")
    if waiting is not None:
        ready = clock_time(TimestampMs(waiting.ready_at_ms))
        print_line(f"Somebody with it makes {waiting.device.rpartition('/')[2]} your only device at {ready}.")


@app.command
async def cancel(*, json: Json = False, who: Who = DEFAULT_WHO) -> None:
    """End a recovery that waits. If you did not begin it, somebody has your words: make a new recovery key."""
    async with who.device() as client:
        await _online(client)
        await client.recovery.cancel()
    if json:
        print_json({"waiting": None})
    else:
        print_line("No recovery waits. If you did not begin it: nightlight recovery make")


@app.command
async def use(
    person: Person,
    /,
    *,
    where: NewProfile = DEFAULT_NEW_PROFILE,
    json: Json = False,
) -> None:
    """Make this machine your only device, by your recovery key. It takes a day: run it again then.

    Your other devices are told and can end it; then all of them are removed. Messages from before do not come back.
    """
    user = read_person(person)
    fresh = where.recovering(user)
    try:
        ready_at_ms = fresh.ready_at_ms or await _begin(fresh)
        try:
            client = await Client.recover(fresh)
        except RefusedError as error:
            if error.problem is ProblemName.TOO_SOON:
                _say_when(ready_at_ms, json=json)
                return
            if error.problem is ProblemName.NOT_FOUND:
                fresh.forget()
                raise InputError("a device of yours has ended this recovery, or another came before it") from error
            raise
        where.keep(user)
    finally:
        await fresh.close()
    if json:
        print_json({"user": client.user, "device": client.device})
    else:
        print_line(f"This machine is the one device of {written(user)} now.")


async def _begin(fresh: Recovering) -> TimestampMs:
    try:
        return await fresh.begin(ask_words())
    except VerificationError as error:
        if error.check == "NL-134":
            raise InputError(NOT_WORDS) from error
        raise
    except RefusedError as error:
        if error.problem is ProblemName.NOT_FOUND:
            raise InputError("these words are not the recovery key of that person") from error
        raise


NOT_WORDS = "these are not the 24 words of a recovery key; look for a misspelt one"


def ask_words() -> str:
    """The recovery key's words, typed without being shown, or a line of standard input."""
    if sys.stdin.isatty():
        return getpass.getpass("The 24 words of your recovery key: ")
    return sys.stdin.readline()


def lines_of(words: str) -> str:
    """The words with their numbers, six to a line."""
    numbered = [f"{number:2} {word:9}" for number, word in enumerate(words.split(), start=1)]
    return "\n".join("".join(numbered[at : at + _IN_A_LINE]) for at in range(0, len(numbered), _IN_A_LINE))


def _say_when(ready_at_ms: TimestampMs, *, json: bool) -> None:
    if json:
        print_json({"ready_at_ms": ready_at_ms})
    else:
        at = datetime.fromtimestamp(ready_at_ms / 1000).astimezone().strftime("%Y-%m-%d %H:%M")
        print_line(f"The recovery waits until {at}. Run this again then, on this machine.")


async def _online(client: Client) -> None:
    if not await go_online(client):
        raise UnavailableError("the server cannot be reached")
