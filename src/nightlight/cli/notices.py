"""What you have to be told about keys and devices: shown with every command until you have seen it."""

from __future__ import annotations

from cyclopts import App

from nightlight.cli.arguments import Json, examples
from nightlight.cli.output import clock_time, print_json, print_table, say
from nightlight.cli.people import written
from nightlight.cli.profile import DEFAULT_WHO, Who
from nightlight.client.sdk import Client, Notice, NoticeKind

app = App(name="notices", help_epilogue=examples("nightlight notices", "nightlight notices --json"))


@app.default
async def notices(*, json: Json = False, who: Who = DEFAULT_WHO) -> None:
    """Show all notices about keys and devices; they count as seen then."""
    async with who.device() as client:
        kept = client.people.notices()
        client.people.see_notices()
        lines = [(clock_time(notice.at_ms), worded(notice, client)) for notice in kept]
    if json:
        print_json(kept)
    else:
        print_table(("", "notice"), lines)


def worded(notice: Notice, client: Client) -> str:
    """The notice as a sentence."""
    who = written(notice.user)
    mine = notice.user == client.user
    match notice.kind:
        case NoticeKind.RECOVERY_WAITS:
            until = clock_time(notice.until_ms)
            return (
                f"somebody with your recovery key makes the device {_name(notice.about)} yours at {until}, and removes "
                "all others; if it is not you: nightlight recovery cancel"
            )
        case NoticeKind.RECOVERED:
            return f"{who} came back on a new device by their recovery key; the safety number is another one now"
        case NoticeKind.KEY_REPLACED if mine:
            return "another device of yours has replaced your account key; your safety numbers are others now"
        case NoticeKind.KEY_REPLACED:
            return f"{who} has replaced their account key; the safety number is another one now"
        case NoticeKind.RECOVERY_KEY_CHANGED:
            return "you have a new recovery key; words from before are worth nothing"
        case NoticeKind.NEW_PERSON:
            return (
                f"{who} has an account key that nobody vouches for: it may be somebody else, and nothing is sent to "
                f"them; compare the safety number, then: nightlight contacts accept-anew {who}"
            )


def tell_unseen(client: Client) -> None:
    """What the person has not seen stands on standard error."""
    for notice in client.people.notices(unseen=True):
        say(f"Notice: {worded(notice, client)}.")


def _name(device: str) -> str:
    return device.rpartition("/")[2]
