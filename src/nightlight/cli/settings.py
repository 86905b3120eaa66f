"""What a person chooses: whether others are told what was read, and who is writing."""

from __future__ import annotations

from typing import Literal

from cyclopts import App

from nightlight.cli.arguments import Json, examples
from nightlight.cli.output import print_json, print_line
from nightlight.cli.profile import DEFAULT_WHO, Who
from nightlight.client.sdk import Preferences

OnOff = Literal["on", "off"]
app = App(
    name="settings",
    help_epilogue=examples("nightlight settings", "nightlight settings receipts off", "nightlight settings typing off"),
)


@app.default
async def show(*, json: Json = False, who: Who = DEFAULT_WHO) -> None:
    """What is switched on here."""
    async with who.device() as client:
        _tell(client.preferences, json=json)


@app.command
async def receipts(wanted: OnOff, /, *, json: Json = False, who: Who = DEFAULT_WHO) -> None:
    """Whether senders are told what this device holds and you have read."""
    async with who.device() as client:
        await client.set_receipts(wanted=wanted == "on")
        _tell(client.preferences, json=json)


@app.command
async def typing(wanted: OnOff, /, *, json: Json = False, who: Who = DEFAULT_WHO) -> None:
    """Whether others see that you are writing, and you see it of them."""
    async with who.device() as client:
        await client.set_typing(wanted=wanted == "on")
        _tell(client.preferences, json=json)


def _tell(preferences: Preferences, *, json: bool) -> None:
    if json:
        print_json(preferences)
        return
    for name, is_on in (("receipts", preferences.receipts), ("typing", preferences.typing)):
        print_line(f"{name}: {'on' if is_on else 'off'}")
