"""What people do with single messages in the app: answer, react, edit, delete, forward, mention, send files."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, expect

from nightlight.client.sdk import Client
from nightlight.protocol.ids import RoomUri, UserUri
from tests.support.people import conversation, newcomer, texts, until
from tests.support.pictures import SECRET, landscape, of, saved
from tests.support.server import ServerProcess
from tests.web.app import Guest, address_of, join

pytestmark = pytest.mark.asyncio(loop_scope="session")

MIRA = UserUri("mimi://courier.example/u/mira")
TOMAS = UserUri("mimi://gallery.example/u/tomas")


@dataclass
class Pair:
    """Mira, at the app, and Tomas, with the Python client, share ``room``."""

    mira: Guest
    tomas: Client
    room: RoomUri

    def said(self, text: str) -> Locator:
        """The message in Mira's app that says ``text``."""
        return self.mira.messages.filter(has_text=text)

    async def menu(self, text: str) -> Locator:
        """The menu of the message that says ``text`` is open."""
        await self.said(text).locator(".bubble").click(button="right")
        return self.mira.page.get_by_role("dialog", name="What to do with this message")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def pair(
    server: ServerProcess, browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Pair]:
    """They have met, and said nothing yet."""
    tomas = await newcomer(server.url, TOMAS, tmp_path_factory.mktemp("tomas"), receipts=True)
    mira = await join(browser, server, MIRA)
    await tomas.request_contact(MIRA)
    await mira.accept(TOMAS)
    yield Pair(mira, tomas, await tomas.room_with(MIRA))
    await tomas.close()
    assert mira.complaints == []


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def opened(pair: Pair) -> None:
    """The conversation is open."""
    await pair.mira.open(address_of(TOMAS))


async def test_an_answer_shows_what_it_answers_and_leads_there(pair: Pair) -> None:
    page = pair.mira.page
    for number in range(30):
        await pair.tomas.send(pair.room, f"Stone {number} in the wall.")
    await expect(pair.said("Stone 29 in the wall.")).to_be_visible()
    await page.get_by_role("list", name="Messages").evaluate("(list) => list.parentElement.scrollTo(0, 0)")
    await (await pair.menu("Stone 0 in the wall.")).get_by_role("button", name="Reply").click()
    await expect(pair.mira.composer).to_be_focused()
    await expect(page.get_by_text("Answer to tomas")).to_be_visible()
    await page.keyboard.type("That one is loose.")
    await page.keyboard.press("Enter")
    await until(lambda: texts(pair.tomas, pair.room)[-1:] == ["That one is loose."], "Tomas reads the answer")
    answer, first = [conversation(pair.tomas, pair.room)[at] for at in (-1, 0)]
    assert answer.reply_to == first.message_id

    quote = pair.said("That one is loose.").get_by_role("button", name="Answers")
    await expect(quote).to_contain_text("tomas")
    await quote.click()
    await expect(pair.mira.messages.first).to_be_focused()
    await expect(pair.mira.messages.first).to_be_in_viewport()


async def test_an_answer_to_what_is_not_here_says_so(pair: Pair) -> None:
    gone = await pair.tomas.send(pair.room, "Nobody reads this for long.")
    await expect(pair.said("Nobody reads this for long.")).to_be_visible()
    await pair.tomas.send(pair.room, "But they answer it.", reply_to=gone)
    await pair.tomas.delete(gone)
    await expect(pair.said("But they answer it.").get_by_role("button", name="Answers")).to_contain_text("Deleted")


async def test_a_reaction_is_chosen_shown_and_taken_back(pair: Pair) -> None:
    page = pair.mira.page
    message = await pair.tomas.send(pair.room, "The heron is back.")
    menu = await pair.menu("The heron is back.")
    await menu.get_by_role("button", name="👍").click()
    await expect(menu).to_have_count(0)

    def reactions() -> list[str]:
        shown = pair.tomas.message(message)
        return [] if shown is None else [reaction.text for reaction in shown.reactions]

    def users() -> list[UserUri]:
        shown = pair.tomas.message(message)
        return [] if shown is None else [user for reaction in shown.reactions for user in reaction.users]

    await until(lambda: reactions() == ["👍"], "Tomas sees the reaction")
    chip = pair.said("The heron is back.").get_by_role("button", name="👍 from 1 person")
    await expect(chip).to_have_attribute("aria-pressed", "true")
    await pair.tomas.react(message, "👍")
    both = pair.said("The heron is back.").get_by_role("button", name="👍 from 2 people")
    await expect(both).to_be_visible()
    menu = await pair.menu("The heron is back.")
    await expect(menu.get_by_role("list", name="Reactions")).to_contain_text("mira@courier.example")
    await expect(menu.get_by_role("list", name="Reactions")).to_contain_text("tomas@gallery.example")
    await page.keyboard.press("Escape")
    await both.click()
    await until(lambda: users() == [TOMAS], "it is taken back")
    await expect(pair.said("The heron is back.").get_by_role("button", name="👍 from 1 person")).to_have_attribute(
        "aria-pressed", "false"
    )

    menu = await pair.menu("The heron is back.")
    await menu.get_by_role("button", name="More reactions").click()
    await menu.get_by_role("button", name="🥾").click()
    await until(lambda: reactions() == ["👍", "🥾"], "Tomas sees the boot")


async def test_what_was_said_is_edited_and_deleted(pair: Pair) -> None:
    page, composer = pair.mira.page, pair.mira.composer
    await pair.mira.say("See you at nien.")
    await until(lambda: "See you at nien." in texts(pair.tomas, pair.room), "Tomas reads it")
    await composer.fill("Begun before")
    await (await pair.menu("See you at nien.")).get_by_role("button", name="Edit").click()
    await expect(composer).to_have_value("See you at nien.")
    await composer.fill("See you at nine.")
    await composer.press("Enter")
    await until(lambda: "See you at nine." in texts(pair.tomas, pair.room), "Tomas reads the edit")
    await expect(pair.said("See you at nine.")).to_contain_text("edited")
    await expect(composer).to_have_value("Begun before")
    await composer.fill("")

    # An edit can be left, and the arrow begins one.
    await composer.press("ArrowUp")
    await expect(composer).to_have_value("See you at nine.")
    await composer.press("Escape")
    await expect(composer).to_have_value("")

    await (await pair.menu("See you at nine.")).get_by_role("button", name="Delete for everyone").click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete for everyone").click()
    await until(lambda: "See you at nine." not in texts(pair.tomas, pair.room), "it is gone for Tomas")
    await expect(pair.said("See you at nine.")).to_have_count(0)
    await expect(pair.mira.messages.last).to_contain_text("Deleted")

    # What somebody else said cannot be changed.
    await pair.tomas.send(pair.room, "Mine alone.")
    menu = await pair.menu("Mine alone.")
    await expect(menu.get_by_role("button", name="Reply")).to_be_visible()
    await expect(menu.get_by_role("button", name="Edit")).to_have_count(0)
    await page.keyboard.press("Escape")


async def test_a_message_is_forwarded_with_its_count(pair: Pair, server: ServerProcess, tmp_path: Path) -> None:
    page = pair.mira.page
    wim = await newcomer(server.url, UserUri("mimi://ring.example/u/wim"), tmp_path)
    await wim.request_contact(MIRA)
    await pair.mira.accept(wim.user)
    other = await wim.room_with(MIRA)
    await wim.send(other, "Anything new?")
    await pair.mira.open(address_of(TOMAS))
    await pair.tomas.send(pair.room, "The ferry goes again.")
    await (await pair.menu("The ferry goes again.")).get_by_role("button", name="Forward").click()
    dialog = page.get_by_role("dialog", name="Forward to")
    await dialog.get_by_label(address_of(wim.user)).check()
    await dialog.get_by_role("button", name="Forward").click()
    await until(lambda: texts(wim, other)[-1:] == ["The ferry goes again."], "Wim reads it")
    assert conversation(wim, other)[-1].forwarded == 1
    await pair.mira.open(address_of(wim.user))
    await expect(pair.mira.messages.last).to_contain_text("Forwarded")
    await wim.close()


async def test_somebody_is_called_by_the_first_letters_of_their_name(pair: Pair) -> None:
    page, composer = pair.mira.page, pair.mira.composer
    await composer.press_sequentially("Ask @to")
    people = page.get_by_role("listbox", name="People who may be meant")
    await expect(people.get_by_role("option")).to_contain_text("tomas@gallery.example")
    await composer.press("Enter")
    await expect(composer).to_have_value("Ask @tomas@gallery.example ")
    await composer.press_sequentially("about it")
    await composer.press("Enter")
    await until(
        lambda: [said.mentions for said in conversation(pair.tomas, pair.room)][-1:] == [(TOMAS,)], "Tomas is mentioned"
    )
    await pair.tomas.send(pair.room, "@mira@courier.example: they know.")
    await expect(pair.mira.messages.last.locator(".mention.me")).to_have_text("@mira@courier.example")

    # Whoever means no one goes on writing.
    await composer.press_sequentially("@t")
    await expect(people).to_be_visible()
    await composer.press("Escape")
    await expect(people).to_have_count(0)
    await expect(composer).to_have_value("@t")
    await composer.fill("")


async def test_a_picture_goes_out_and_others_are_looked_at(pair: Pair, tmp_path: Path) -> None:
    page, composer = pair.mira.page, pair.mira.composer
    lake = saved(tmp_path / "lake.jpg", "JPEG", landscape(900, 600))
    await page.set_input_files("input[type=file]", lake)
    await expect(page.get_by_role("list", name="To be sent")).to_contain_text("lake.jpg")
    await composer.fill("From the jetty.")
    await composer.press("Enter")
    await until(lambda: texts(pair.tomas, pair.room)[-1:] == ["From the jetty."], "Tomas has the message")
    message = conversation(pair.tomas, pair.room)[-1]
    [file] = message.attachments
    content = b"".join(await pair.tomas.files.open(message.message_id, 0))
    assert SECRET.encode() not in content
    assert of(content).size == (900, 600)
    assert file.preview is not None

    await pair.tomas.files.send(pair.room, saved(tmp_path / "ice.png", "PNG", landscape(700, 500)))
    await page.get_by_role("button", name="Picture ice.png").click()
    shown = page.get_by_role("dialog", name="Picture ice.png").get_by_role("img")
    await expect(shown).to_be_visible()
    assert await shown.evaluate("async (image) => { await image.decode(); return image.naturalWidth; }") == 700
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(composer).to_be_visible()


async def test_a_file_is_saved_as_it_was_sent(pair: Pair, tmp_path: Path) -> None:
    page = pair.mira.page
    route = tmp_path / "route.gpx"
    route.write_bytes(b"hello" * 9_000)
    await pair.tomas.files.send(pair.room, route)
    save = page.get_by_role("button", name="File route.gpx, 45 kB: save")
    async with page.expect_download() as download:
        await save.click()
    file = await download.value
    assert file.suggested_filename == "route.gpx"
    content = await asyncio.to_thread(Path(await file.path()).read_bytes)
    assert content == b"hello" * 9_000


async def test_files_are_dropped_and_pasted_and_can_be_left_out(pair: Pair) -> None:
    page = pair.mira.page
    picture = BytesIO()
    landscape(40, 30).save(picture, "PNG")
    page_files = """async ([kind, bytes, selector]) => {
      const files = new DataTransfer();
      files.items.add(new File([Uint8Array.from(bytes)], `${kind}.png`, { type: 'image/png' }));
      const target = document.querySelector(selector);
      const options = { bubbles: true, cancelable: true };
      target.dispatchEvent(
        kind === 'paste'
          ? new ClipboardEvent('paste', { ...options, clipboardData: files })
          : new DragEvent('drop', { ...options, dataTransfer: files }),
      );
    }"""
    staged = page.get_by_role("list", name="To be sent").get_by_role("listitem")
    await page.evaluate(page_files, ["paste", list(picture.getvalue()), "textarea"])
    await expect(staged).to_have_count(1)
    await page.evaluate(page_files, ["drop", list(picture.getvalue()), "li.message"])
    await expect(staged).to_have_count(2)
    await page.get_by_role("button", name="Do not send paste.png").click()
    await expect(staged).to_have_count(1)
    await pair.mira.composer.press("Enter")
    await expect(page.get_by_role("button", name="Picture drop.png")).to_be_visible()
    await until(
        lambda: [file.filename for file in conversation(pair.tomas, pair.room)[-1].attachments] == ["drop.png"],
        "Tomas has the one",
    )


async def test_what_cannot_be_sent_says_why_and_is_not_lost(pair: Pair, tmp_path: Path) -> None:
    page, composer = pair.mira.page, pair.mira.composer
    torn = tmp_path / "torn.png"
    torn.write_bytes(b"\x89PNG\r\n\x1a\n torn")
    await page.set_input_files("input[type=file]", torn)
    await composer.fill("Look at this.")
    await composer.press("Enter")
    await expect(page.get_by_role("alert")).to_be_visible()
    await expect(composer).to_have_value("Look at this.")
    await expect(page.get_by_role("list", name="To be sent")).to_contain_text("torn.png")
    await page.get_by_role("button", name="Do not send torn.png").click()
    await composer.fill("")


async def test_a_draft_waits_in_the_list_until_it_is_sent(pair: Pair) -> None:
    await pair.mira.composer.fill("When the ice melts")
    await pair.mira.go("")
    row = pair.mira.page.get_by_role("navigation", name="Conversations").get_by_role("link", name=address_of(TOMAS))
    await expect(row).to_contain_text("Draft: When the ice melts")
    await row.click()
    await expect(pair.mira.composer).to_have_value("When the ice melts")
    await pair.mira.composer.press("Enter")
    await pair.mira.go("")
    await expect(row).not_to_contain_text("Draft:")
    await expect(row).to_contain_text("You: When the ice melts")


async def test_the_list_is_searched_by_name(pair: Pair) -> None:
    page = pair.mira.page
    await pair.mira.go("")
    search = page.get_by_role("searchbox", name="Search conversations")
    rows = page.get_by_role("navigation", name="Conversations").get_by_role("link")
    await search.fill("GALLERY")
    await expect(rows).to_have_count(1)
    await search.press("ArrowDown")
    await expect(rows.first).to_be_focused()
    await search.fill("nobody of that name")
    await expect(page.get_by_text("No conversation is called so.")).to_be_visible()
    await search.press("Escape")
    await expect(search).to_have_value("")
    await expect(rows.filter(has_text=address_of(TOMAS))).to_be_visible()
