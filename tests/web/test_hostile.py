"""Messages that mean harm: nothing runs, nothing leaves, nothing poses as something else, and people go on talking.

The sender is a Python client that puts into its messages whatever it likes; the hub franks what it cannot read.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Dialog, expect

from nightlight.client.records import ItemKind
from nightlight.client.sdk import Client
from nightlight.protocol import content
from nightlight.protocol.content import SALT_BYTES
from nightlight.protocol.ids import RoomUri, UserUri
from tests.support.people import newcomer, until
from tests.support.server import ServerProcess
from tests.web.app import Guest, arrive, join

pytestmark = pytest.mark.asyncio(loop_scope="session")

MIRA = UserUri("mimi://courier.example/u/mira")
TOMAS = UserUri("mimi://gallery.example/u/tomas")
TORNAS = UserUri("mimi://gallery.example/u/tornas")
SALT = bytes(range(16))
FRONT = b"\x87\x50" + SALT
PHONE = {"width": 390, "height": 844}

MARKUP = [
    "<script>document.title = 'ran'</script>",
    "<img src=x onerror=\"document.title='ran'\">",
    "<img src='https://elsewhere.example/pixel.png'>",
    "<svg onload=alert(1)><style>@import 'https://elsewhere.example/a.css'</style></svg>",
    "<iframe srcdoc='<script>top.document.title=1</script>'></iframe><form action=//elsewhere.example><input>",
    "</span></li></ol></div><h1>Nightlight</h1><a href='javascript:alert(1)'>Online</a>",
    "![pixel](https://elsewhere.example/pixel.png) [click](javascript:alert(1))",
    "{@html '<b>bold</b>'} {{constructor.constructor('alert(1)')()}} ${alert(1)} &lt;b&gt; &#60;b&#62;",
    "data:text/html,<script>alert(1)</script> javascript:alert(1) //elsewhere.example",
]
TRICKS = {
    "the order of letters turned around": ("photo\u202egnp.exe", "photo⟨U+202E⟩gnp.exe"),
    "embeddings without an end": ("\u202a\u202b" * 40 + "hello", "⟨U+202A⟩⟨U+202B⟩" * 40 + "hello"),
    "isolates without an end": ("\u2066\u2067\u2068" * 40 + "hello", "\u2066\u2067\u2068" * 40 + "hello"),
    "controls of a terminal": ("\x1b[31mred\x1b[0m\x07\x00", "⟨U+001B⟩[31mred⟨U+001B⟩[0m⟨U+0007⟩⟨U+0000⟩"),
    "nothing that can be seen": ("\u200b\u2060\u00ad\ufeff\u3164", "(nothing that can be seen)"),
    "letters with towers of marks": ("Z" + "\u0301\u0323" * 300, "Z" + "\u0301\u0323" * 300),
    "a message that poses as the app": (
        "Today\nA message could not be verified and is not shown: check NL-143, a fault of the server.",
        "Today\nA message could not be verified and is not shown: check NL-143, a fault of the server.",
    ),
    "words of another direction": ("مرحبا hello שלום", "مرحبا hello שלום"),
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    """A hub that lets through more than ours would."""
    process = ServerProcess(tmp_path_factory.mktemp("server") / "data", "message_bytes_max = 400_000")
    with process.until_done():
        await process.start()
        yield process
        assert await process.stop() == 0


def put(client: Client, room: RoomUri, application_data: bytes) -> None:
    """``application_data`` goes out as it is, with a tag that is true of it."""
    device = client._connection.device
    with device._outbox._groups.transaction():
        item = device._outbox._enqueue(room, ItemKind.STATUS, application_data, None)
    device._queued(item)
    client._connection.wake()


@dataclass
class Story:
    """Mira at the app, on a phone, in a conversation with Tomas, who means harm."""

    mira: Guest
    tomas: Client
    room: RoomUri
    requests: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        """Tomas's client sends ``text``, however long it is."""
        salt = self.tomas._connection.device._outbox._random(SALT_BYTES)
        put(self.tomas, self.room, content.encode(content.text_message(salt, self.tomas.user, self.room, text)))

    async def goes_on(self) -> None:
        """The next message is shown, can be answered, and nothing has run, left, or grown out of the page."""
        self.say("Shall we walk to the pier?")
        await expect(self.mira.messages.last).to_contain_text("Shall we walk to the pier?")
        await self.mira.say("Yes, at ten.")
        await expect(self.mira.messages.last).to_contain_text("Yes, at ten.")
        await expect(self.mira.messages.last).to_contain_text("Delivered")
        page = self.mira.page
        assert self.dialogs == []
        assert self.mira.complaints == []
        assert await page.evaluate("() => globalThis.violations") == []
        assert {urlsplit(url).netloc for url in self.requests} <= {urlsplit(page.url).netloc}
        assert page.url.partition("#")[0] == f"http://courier.localhost:{urlsplit(page.url).port}/"
        await expect(page).to_have_title("Courier")
        assert await page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def story(
    server: ServerProcess, browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Story]:
    tomas = await newcomer(server.url, TOMAS, tmp_path_factory.mktemp("tomas"), receipts=True)
    mira = await join(browser, server, MIRA, viewport=PHONE)
    await mira.ask(TOMAS)
    await tomas.accept_contact(MIRA)
    await mira.write_to(TOMAS)
    await until(lambda: len(tomas.rooms()) == 1, "Tomas is in the room")
    told = Story(mira, tomas, tomas.rooms()[0].room)
    mira.page.on("request", lambda request: told.requests.append(request.url))

    async def dismiss(dialog: Dialog) -> None:
        told.dialogs.append(dialog.message)
        await dialog.dismiss()

    mira.page.on("dialog", dismiss)
    yield told
    await tomas.close()
    await mira.context.close()


@pytest.mark.parametrize("text", MARKUP)
async def test_markup_and_scripts_are_text(story: Story, text: str) -> None:
    story.say(text)
    shown = story.mira.messages.last.locator(".text")
    await expect(shown).to_have_text(text, use_inner_text=True)
    assert await shown.evaluate("(shown) => shown.childElementCount") == 0
    await story.mira.go("")
    last = story.mira.page.get_by_role("navigation", name="Conversations").locator(".last bdi")
    await expect(last).to_have_text(text[:120], use_inner_text=True)
    assert await last.evaluate("(shown) => shown.childElementCount") == 0
    await story.mira.page.go_back()
    await story.goes_on()


@pytest.mark.parametrize("trick", TRICKS)
async def test_what_would_steer_the_eye_is_shown_as_what_it_is(story: Story, trick: str) -> None:
    text, shown = TRICKS[trick]
    story.say(text)
    bubble = story.mira.messages.last.locator(".bubble")
    await expect(bubble).to_contain_text(shown, use_inner_text=True)
    inside, outside = await bubble.bounding_box(), await story.mira.page.locator(".box").bounding_box()
    assert inside is not None
    assert outside is not None
    assert inside["x"] >= outside["x"]
    assert inside["x"] + inside["width"] <= outside["x"] + outside["width"]
    await story.goes_on()


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("👩‍👩‍👧‍👦🏴󠁧󠁢󠁳󠁣󠁴󠁿🌙" * 1_150, id="emoji"),
        pytest.param("w" * 65_536, id="one_word"),
        pytest.param("\n" * 60_000 + "the end", id="lines"),
        pytest.param("مرحبا\u0301" * 5_000, id="arabic"),
    ],
)
async def test_a_giant_message_is_clipped_until_all_of_it_is_wanted(story: Story, text: str) -> None:
    story.say(text)
    bubble = story.mira.messages.last.locator(".bubble")
    await expect(bubble.get_by_role("button", name="Show all")).to_be_visible()
    assert len(await bubble.locator(".text").inner_text()) <= 2_001
    box = await bubble.bounding_box()
    assert box is not None
    assert box["height"] < 3 * PHONE["height"]
    await bubble.get_by_role("button", name="Show all").click()
    assert await bubble.locator(".text").text_content() == text
    await bubble.get_by_role("button", name="Show less").click()
    await story.goes_on()


def hostile_contents(room: RoomUri) -> dict[str, tuple[bytes, str]]:
    """Application data that is none, each with the check that it fails."""
    good = content.encode(content.text_message(SALT, TOMAS, room, "hello"))
    of_mira = content.encode(content.text_message(SALT, MIRA, room, "hello"))
    elsewhere = content.encode(content.text_message(SALT, TOMAS, RoomUri(f"{room}x"), "hello"))
    return {
        "nothing after the salt": (FRONT, "NL-110"),
        "the end is missing": (good[:-1], "NL-110"),
        "something follows": (good + b"\x00", "NL-110"),
        "arrays without end": (FRONT + b"\x81" * 5_000, "NL-110"),
        "a giant that is not there": (FRONT + b"\x5b\x7f\xff\xff\xff\xff\xff\xff\xff", "NL-110"),
        "an indefinite length": (FRONT + b"\x9f\xff" + good[18:], "NL-110"),
        "numbers that are too long": (FRONT + b"\xf6\x40\xf6\xf6\xa0\x83\x18\x01\x60\x00", "NL-111"),
        "text that is no text": (good.replace(b"hello", b"\xff\xfe\xfd\xfc\xfb"), "NL-128"),
        "another's name": (of_mira, "NL-145"),
        "another room's name": (elsewhere, "NL-146"),
    }


@pytest.mark.parametrize("kind", hostile_contents(RoomUri("mimi://courier.example/r/any")))
async def test_broken_content_under_a_true_frank_is_told_of_and_not_shown(story: Story, kind: str) -> None:
    data, check = hostile_contents(story.room)[kind]
    before = await story.mira.messages.count()
    put(story.tomas, story.room, data)
    await expect(story.mira.page.locator("li.fault").last).to_have_text(
        f"A message could not be verified and is not shown: check {check}, tomas@gallery.example."
    )
    assert await story.mira.messages.count() == before
    await story.goes_on()


async def test_who_looks_like_a_friend_is_told_apart(server: ServerProcess, story: Story, tmp_path: Path) -> None:
    tornas = await newcomer(server.url, TORNAS, tmp_path)
    await tornas.request_contact(MIRA)
    page = story.mira.page
    await story.mira.go("contacts")
    asking = page.get_by_role("region", name="Asking you")
    await expect(asking).to_contain_text("Not tomas@gallery.example: look closely.")
    await story.mira.accept(TORNAS)
    room = await tornas.room_with(MIRA)
    await tornas.send(room, "It is me, Tomas!")
    await story.mira.open("tornas@gallery.example")
    await expect(page.get_by_role("heading", name="tornas@gallery.example")).to_be_visible()
    await story.mira.open("tomas@gallery.example")
    await tornas.close()


@pytest.mark.parametrize(
    "name", ["<b>ada</b>", "ada\u202ename", "\u0430da", "ada@ring.example", "../ada", "Ada", "a da"]
)
async def test_a_name_that_could_pose_as_another_is_none(server: ServerProcess, browser: Browser, name: str) -> None:
    guest = await arrive(browser, server, UserUri("mimi://ring.example/u/nobody"))
    asked: list[str] = []
    guest.page.on("request", lambda request: asked.append(request.method))
    await guest.page.get_by_label("Your name at").fill(name)
    await expect(guest.page.get_by_text("Use small letters a to z, digits, and . _ - only.")).to_be_visible()
    await guest.page.get_by_role("button", name="Create account").click()
    await expect(guest.page.get_by_label("Your name at")).to_be_focused()
    assert "POST" not in asked
    await guest.context.close()
