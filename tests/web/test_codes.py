"""Contact codes as QR codes: shown in a terminal and in the app, read by a camera and from a picture."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image, ImageOps
from playwright.async_api import Browser, async_playwright, expect

from nightlight.cli.output import qr_code
from nightlight.protocol.ids import UserUri
from tests.support.people import newcomer
from tests.support.server import ServerProcess
from tests.web.app import Guest, address_of, join
from tests.web.conftest import FLAGS

pytestmark = pytest.mark.asyncio(loop_scope="session")

# The light halves of each letter, upper and lower.
HALVES = {"█": (255, 255), "▀": (255, 0), "▄": (0, 255), " ": (0, 0)}
MODULE_PIXELS = 6
WIDTH, HEIGHT = 640, 480


def seen(terminal: str) -> Image.Image:
    """What is to be seen of a QR code in a terminal, light letters on dark."""
    lines = terminal.splitlines()
    picture = Image.new("L", (len(lines[0]), 2 * len(lines)))
    for row, line in enumerate(lines):
        for column, letter in enumerate(line):
            for half, light in enumerate(HALVES[letter]):
                picture.putpixel((column, 2 * row + half), light)
    return ImageOps.scale(picture, MODULE_PIXELS, Image.Resampling.NEAREST)


def filmed(picture: Image.Image, path: Path) -> None:
    """A film of ``picture`` lies at ``path``, as a camera of Chromium's takes it: YUV4MPEG2, 4:2:0."""
    view = Image.new("L", (WIDTH, HEIGHT), 200)
    view.paste(picture, ((WIDTH - picture.width) // 2, (HEIGHT - picture.height) // 2))
    frame = b"FRAME\n" + view.tobytes() + bytes([128]) * (WIDTH * HEIGHT // 2)
    path.write_bytes(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F10:1 Ip A1:1 C420jpeg\n".encode() + frame * 5)


async def chooses(guest: Guest, picture: Path) -> None:
    await guest.go("contacts")
    await guest.page.get_by_role("button", name="Scan").click()
    await guest.page.get_by_label("A picture of the code").set_input_files(picture)


async def test_a_code_in_a_terminal_is_read_by_the_camera_of_a_browser(server: ServerProcess, tmp_path: Path) -> None:
    emil = await newcomer(server.url, UserUri("mimi://courier.example/u/emil"), tmp_path)
    film = tmp_path / "film.y4m"
    filmed(seen(qr_code(emil.contact_code())), film)
    camera = ["--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={film}"]
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=[*FLAGS, *camera])
        fern = await join(launched, server, UserUri("mimi://ring.example/u/fern"), permissions=["camera"])
        await fern.go("contacts")
        await fern.page.get_by_role("button", name="Scan").click()
        await expect(fern.page.get_by_text(f"You have asked {address_of(emil.user)}.")).to_be_visible()
        await expect(fern.page.get_by_role("dialog")).to_have_count(0)
        assert fern.complaints == []
        assert await fern.page.evaluate("() => globalThis.violations") == []
        await launched.close()
    assert [contact.user for contact in await emil.contacts()] == [fern.user]
    await emil.close()


async def test_a_code_on_a_screen_is_read_from_a_picture_of_it(
    server: ServerProcess, browser: Browser, tmp_path: Path
) -> None:
    gail = await join(browser, server, UserUri("mimi://gallery.example/u/gail"))
    hugo = await join(browser, server, UserUri("mimi://courier.example/u/hugo"))
    await gail.go("contacts")
    await gail.page.get_by_role("button", name="Show as QR code").click()
    await gail.page.get_by_role("img", name="Your contact code").screenshot(path=tmp_path / "code.png")

    landscape = tmp_path / "landscape.png"
    Image.linear_gradient("L").save(landscape)
    await chooses(hugo, landscape)
    await expect(hugo.page.get_by_text("There is no QR code in this picture.")).to_be_visible()
    await hugo.page.get_by_role("button", name="Cancel").click()

    seen(qr_code("hello")).save(tmp_path / "hello.png")
    await chooses(hugo, tmp_path / "hello.png")
    await expect(hugo.page.get_by_text("That is not a contact code, or not all of it.")).to_be_visible()

    await chooses(hugo, tmp_path / "code.png")
    await expect(hugo.page.get_by_text(f"You have asked {address_of(gail.user)}.")).to_be_visible()
    await gail.accept(hugo.user)
    for guest in (gail, hugo):
        assert guest.complaints == []
        await guest.context.close()


async def test_who_has_no_camera_is_told_and_may_choose_a_picture(server: ServerProcess, browser: Browser) -> None:
    iris = await join(browser, server, UserUri("mimi://ring.example/u/iris"))
    await iris.go("contacts")
    await iris.page.get_by_role("button", name="Scan").click()
    await expect(iris.page.get_by_text("The camera cannot be used here.")).to_be_visible()
    await expect(iris.page.get_by_label("A picture of the code")).to_be_visible()
    await iris.context.close()
