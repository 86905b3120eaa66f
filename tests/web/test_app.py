"""What people do in the app: with each other, and with somebody who uses the Python client."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from nightlight.client.sdk import MessageState
from nightlight.protocol.ids import UserUri
from tests.support.people import LOOK_EVERY_S, PATIENCE_S, befriend, conversation, newcomer, texts, until
from tests.support.server import ServerProcess
from tests.web.app import Guest, address_of, arrive, join

pytestmark = pytest.mark.asyncio(loop_scope="session")


def user(name: str) -> UserUri:
    """``mira@courier`` at the demonstration's apps."""
    handle, _, app = name.partition("@")
    return UserUri(f"mimi://{app}.example/u/{handle}")


async def test_somebody_registers_in_the_page_and_talks_with_a_python_client(
    server: ServerProcess, browser: Browser, tmp_path: Path
) -> None:
    tomas = await newcomer(server.url, user("tomas@gallery"), tmp_path, receipts=True)
    mira = await join(browser, server, user("mira@courier"))
    await mira.ask(tomas.user)
    await tomas.accept_contact(mira.user)
    await mira.write_to(tomas.user)
    await mira.say("The lake is frozen over.")
    await until(lambda: len(tomas.rooms()) == 1, "Tomas is in the room")
    room = tomas.rooms()[0].room
    await until(lambda: texts(tomas, room) == ["The lake is frozen over."], "Tomas reads")
    await expect(mira.messages.first).to_contain_text("Delivered")
    await tomas.mark_read(room)
    await expect(mira.messages.first).to_contain_text("Read")
    await tomas.send(room, "Then bring the skates!")
    await expect(mira.messages.last).to_contain_text("Then bring the skates!")
    await until(lambda: conversation(tomas, room)[-1].state is MessageState.READ, "Tomas sees that it is read")

    await mira.page.get_by_role("link", name="People and safety numbers").click()
    await mira.page.get_by_text("Safety number", exact=True).click()
    digits = mira.page.locator(".digits span")
    await expect(digits).to_have_count(12)
    assert "".join(await digits.all_inner_texts()) == await tomas.safety_number(mira.user)
    assert mira.complaints == []
    await tomas.close()


async def test_three_people_on_three_apps_talk_in_one_room(
    server: ServerProcess, browser: Browser, tmp_path: Path
) -> None:
    nora, pia = await join(browser, server, user("nora@courier")), await join(browser, server, user("pia@gallery"))
    wim = await newcomer(server.url, user("wim@ring"), tmp_path, receipts=True)
    for friend in (pia.user, wim.user):
        await nora.ask(friend)
    await pia.accept(nora.user)
    await wim.accept_contact(nora.user)

    await nora.go("new")
    for friend in (pia.user, wim.user):
        await nora.page.get_by_label(address_of(friend)).check()
    await nora.page.get_by_role("button", name="Start group with 2 people").click()
    await nora.say("Hello from Courier.")
    await pia.open("nora, wim")
    await expect(pia.messages.first).to_contain_text("nora@courier.example")
    await pia.say("Hello from Gallery.")
    await until(lambda: len(wim.rooms()) == 1, "Wim is in the room")
    room = wim.rooms()[0].room
    await until(lambda: texts(wim, room) == ["Hello from Courier.", "Hello from Gallery."], "Wim reads both")
    await wim.send(room, "Hello from Ring.")
    for guest in (nora, pia):
        await expect(guest.messages).to_have_count(3)
        await expect(guest.messages.last).to_contain_text("wim@ring.example")
        await expect(guest.messages.last).to_contain_text("Hello from Ring.")
        await expect(guest.page.get_by_text("3 people")).to_be_visible()
        assert guest.complaints == []
    await wim.close()


async def test_somebody_is_added_to_a_group_and_removed_by_who_began_it(
    server: ServerProcess, browser: Browser, tmp_path: Path
) -> None:
    ada = await join(browser, server, user("ada@courier"))
    ben, cleo, dora = [
        await newcomer(server.url, user(name), tmp_path) for name in ("ben@gallery", "cleo@ring", "dora@ring")
    ]
    for friend in (ben, cleo, dora):
        await ada.ask(friend.user)
        await friend.accept_contact(ada.user)
    await ada.go("new")
    for friend in (ben, cleo):
        await ada.page.get_by_label(address_of(friend.user)).check()
    await ada.page.get_by_role("button", name="Start group").click()
    await ada.say("Who else?")

    people = ada.page.get_by_role("link", name="People and safety numbers")
    await people.click()
    await ada.page.get_by_label(address_of(dora.user)).check()
    await ada.page.get_by_role("button", name="Add 1 person").click()
    await until(lambda: len(dora.rooms()) == 1, "Dora is in the room")
    await ada.page.get_by_role("button", name=f"Remove: {address_of(ben.user)}").click()
    await ada.page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    await expect(ada.page.get_by_text(f"{address_of(ben.user)} is not in the conversation any more.")).to_be_visible()
    await until(lambda: ben.rooms() == [], "Ben is out of the room")

    # Who did not begin the room may not do that.
    await befriend(ben, cleo)
    eli = await join(browser, server, user("eli@ring"))
    await eli.ask(cleo.user)
    await cleo.accept_contact(eli.user)
    room = cleo.rooms()[0].room
    await cleo.add(room, [eli.user])
    await eli.open("ada, cleo, dora")
    await eli.page.get_by_role("link", name="People and safety numbers").click()
    await eli.page.get_by_role("button", name=f"Remove: {address_of(dora.user)}").click()
    await eli.page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    await expect(eli.page.get_by_role("alert")).to_have_text("Only who began the conversation may remove people.")
    for client in (ben, cleo, dora):
        await client.close()


async def test_a_name_that_is_taken_can_be_replaced_by_another(server: ServerProcess, browser: Browser) -> None:
    await join(browser, server, user("fern@courier"))
    guest = await arrive(browser, server, user("fern@courier"))
    await guest.page.get_by_label("Your name at").fill("fern")
    await guest.page.get_by_role("button", name="Create account").click()
    await expect(guest.page.get_by_text("This name is taken. Choose another one.")).to_be_visible()
    await expect(guest.page.get_by_label("Your name at")).to_be_focused()
    await guest.page.get_by_label("Your name at").fill("fern.2")
    await guest.page.get_by_role("button", name="Create account").click()
    await expect(guest.standing).to_have_text("Online")


async def people(browser: Browser, server: ServerProcess, *names: str) -> list[Guest]:
    return [await join(browser, server, user(name)) for name in names]


async def test_requests_are_declined_taken_back_and_people_blocked(server: ServerProcess, browser: Browser) -> None:
    gil, hana = await people(browser, server, "gil@courier", "hana@ring")
    here, there = gil.page, hana.page
    await hana.go("contacts")
    asking = there.get_by_role("region", name="Asking you")
    await gil.ask(hana.user)
    await expect(asking).to_contain_text(gil.address)
    await here.get_by_role("button", name=f"Take back: {hana.address}").click()
    await expect(asking).to_have_count(0)
    await gil.ask(hana.user)
    await there.get_by_role("button", name=f"Decline: {gil.address}").click()
    await expect(there.get_by_text(f"The request of {gil.address} is gone.")).to_be_visible()
    await expect(here.get_by_role("region", name="You have asked")).to_contain_text(hana.address)

    # Who was asked and declined may still ask.
    await hana.ask(gil.user)
    await expect(here.get_by_role("region", name="Contacts", exact=True)).to_contain_text(hana.address)

    await there.get_by_role("button", name=f"Block: {gil.address}").click()
    await there.get_by_role("dialog").get_by_role("button", name="Block").click()
    await expect(there.get_by_role("region", name="Blocked")).to_contain_text(gil.address)
    await there.get_by_role("button", name=f"Unblock: {gil.address}").click()
    await expect(there.get_by_role("region", name="Blocked")).to_have_count(0)

    # Nobody learns whether somebody exists.
    await gil.ask(user("nobody@ring"))
    await expect(here.get_by_role("region", name="You have asked")).to_contain_text("nobody@ring.example")
    assert gil.complaints == hana.complaints == []


async def test_a_contact_code_is_copied_from_one_app_and_pasted_in_another(
    server: ServerProcess, browser: Browser, tmp_path: Path
) -> None:
    (ines,) = await people(browser, server, "ines@gallery")
    jon = await newcomer(server.url, user("jon@ring"), tmp_path)
    await ines.go("contacts")
    own = ines.page.get_by_role("textbox", name="Your contact code")
    await expect(own).to_have_value(re.compile("^nightlight:"))
    assert await jon.request_by_code(await own.input_value()) == ines.user
    await ines.accept(jon.user)

    karl = await newcomer(server.url, user("karl@ring"), tmp_path)
    await ines.go(f"contact/{karl.contact_code().partition(':')[2]}")
    await ines.page.get_by_role("button", name="Ask", exact=True).click()
    await expect(ines.page.get_by_text("You have asked karl@ring.example.")).to_be_visible()
    await ines.page.get_by_label("Address or contact code").fill(karl.contact_code()[:-1])
    await ines.page.get_by_role("button", name="Ask", exact=True).click()
    await expect(ines.page.get_by_text("That is not a contact code, or not all of it.")).to_be_visible()
    await ines.page.get_by_label("Address or contact code").fill("karl@")
    await ines.page.get_by_role("button", name="Ask", exact=True).click()
    await expect(ines.page.get_by_text("That is neither an address")).to_be_visible()
    for client in (jon, karl):
        await client.close()


async def test_what_is_unread_is_counted_until_it_is_seen(
    server: ServerProcess, browser: Browser, tmp_path: Path
) -> None:
    lena = await newcomer(server.url, user("lena@gallery"), tmp_path, receipts=True)
    milo = await join(browser, server, user("milo@courier"))
    await lena.request_contact(milo.user)
    await milo.accept(lena.user)
    room = await lena.room_with(milo.user)
    await milo.go("")
    for text in ("First snow!", "On the hills already.", "Come and see."):
        await lena.send(room, text)
    link = milo.page.get_by_role("navigation", name="Conversations").get_by_role("link", name=address_of(lena.user))
    await expect(link).to_contain_text("3 unread messages")
    await expect(link).to_contain_text("Come and see.")
    await expect(milo.page).to_have_title("(3) Courier")
    await link.click()
    await expect(milo.page).to_have_title("Courier")
    await expect(milo.page.locator("li.new + li")).to_contain_text("First snow!")
    await until(lambda: conversation(lena, room)[0].state is MessageState.READ, "Lena sees that it is read")

    # Without receipts nobody is told, and the count goes all the same.
    await milo.go("settings")
    await milo.page.get_by_label("Tell people what has arrived").uncheck()
    await lena.send(room, "Bring a scarf.")
    await expect(milo.page).to_have_title("(1) Courier")
    await milo.open(address_of(lena.user))
    await expect(milo.page).to_have_title("Courier")
    await milo.say("I have two.")
    await until(lambda: texts(lena, room)[-1] == "I have two.", "Lena reads the answer")
    assert conversation(lena, room)[-2].state is MessageState.SENT
    await lena.close()


async def test_what_is_edited_deleted_and_reacted_to_is_shown_so(
    server: ServerProcess, browser: Browser, tmp_path: Path
) -> None:
    ruth = await newcomer(server.url, user("ruth@gallery"), tmp_path)
    sven = await join(browser, server, user("sven@courier"))
    await ruth.request_contact(sven.user)
    await sven.accept(ruth.user)
    room = await ruth.room_with(sven.user)
    first, second = await ruth.send(room, "Walk at nine?"), await ruth.send(room, "Or not at all.")
    await sven.open(address_of(ruth.user))
    await expect(sven.messages).to_have_count(2)
    await ruth.edit(first, "Walk at ten?")
    await ruth.delete(second)
    await ruth.react(first, "🥾")
    await expect(sven.messages.first).to_contain_text("Walk at ten?")
    await expect(sven.messages.first).to_contain_text("edited")
    await expect(sven.messages.first).to_contain_text("🥾 from 1 person")
    await expect(sven.messages.last).to_contain_text("Deleted")
    await expect(sven.page.locator("html")).not_to_contain_text("Or not at all.")  # Nor is it read aloud any more.
    assert "Or not at all." not in await sven.page.content()
    assert sven.complaints == []
    await ruth.close()


async def test_a_long_conversation_is_loaded_as_far_as_somebody_scrolls(
    server: ServerProcess, browser: Browser, tmp_path: Path
) -> None:
    nils = await newcomer(server.url, user("nils@gallery"), tmp_path)
    olga = await join(browser, server, user("olga@courier"))
    await nils.request_contact(olga.user)
    await olga.accept(nils.user)
    room = await nils.room_with(olga.user)
    for number in range(500):
        await nils.send(room, f"Lap {number} round the lake.")
    await nils.wait_settled()
    await olga.open(address_of(nils.user))
    await expect(olga.messages.last).to_contain_text("Lap 499 ")
    assert await olga.messages.count() < 100

    box = olga.page.locator(".box")
    first = olga.page.get_by_text("Lap 0 round the lake.")
    most = await olga.messages.count()
    for _ in range(int(PATIENCE_S / LOOK_EVERY_S)):
        await box.evaluate("(box) => box.scrollBy(0, -1200)")
        await olga.page.wait_for_timeout(LOOK_EVERY_S * 1_000)
        most = max(most, await olga.messages.count())
        if await first.count():
            break
    await expect(first).to_be_attached()
    await expect(olga.page.get_by_text("This is the beginning of your conversation.")).to_be_attached()
    assert most <= 180

    await nils.send(room, "And another.")
    await olga.page.get_by_role("button", name="1 new message", exact=True).click()
    await expect(olga.messages.last).to_contain_text("And another.")
    await expect(olga.messages.last).to_be_in_viewport()
    await nils.close()
