"""A browser: Debian's Chromium, which Playwright drives, and a server whose app it opens."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright

from tests.support.server import ServerProcess

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Chromium, without a window, a past, or anything from outside."""
    chromium = shutil.which("chromium")
    assert chromium is not None, "Debian's chromium is not installed"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser) -> AsyncIterator[Page]:
    """A page in a profile of its own."""
    async with await browser.new_context() as context:
        yield await context.new_page()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    """A hub with three apps."""
    data: Path = tmp_path_factory.mktemp("server") / "data"
    process = ServerProcess(data)
    with process.until_done():
        await process.start()
        yield process
        assert await process.stop() == 0
