"""A browser: Debian's Chromium, which Playwright drives, and a server whose app it opens."""

import shutil
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright

from nightlight.protocol.ids import UserUri
from tests.support.people import JUNO, MIRA
from tests.support.people import newcomer as python_newcomer
from tests.support.relay import Relay
from tests.support.server import ServerProcess
from tests.web.cheating_hub import CheatingHub, Scene, Stage
from tests.web.juno import Juno
from tests.web.mls_devices import Browsers
from tests.web.victim import KINDS, victim_of

_visits = count()
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A worker that a test has written itself counts as from the internet, and the server as inside the home.
    "--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets",
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


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A real server, a relay in front of it, Mira and Juno."""
    folder = tmp_path_factory.mktemp("cheating")
    relay = Relay()
    origins = [relay.url, f"http://gallery.localhost:{relay.port}"]
    process = ServerProcess(folder / "data", f"origins = {origins}")
    with process.until_done(), Browsers() as browsers:
        await process.start()
        async with relay.running(process.url):
            mira = await python_newcomer(relay.url, MIRA, folder, through=process.url)
            juno = Juno(browsers, process.url)
            await mira.request_contact(JUNO)
            await juno.arrive()
            yield Stage(relay, mira, juno)
            await juno.line.close()
            await mira.close()


@pytest_asyncio.fixture(params=KINDS, loop_scope="session")
async def scene(request: pytest.FixtureRequest, stage: Stage, browser: Browser, tmp_path: Path) -> AsyncIterator[Scene]:
    """A Tomas nobody has met before, in a new room with Mira and Juno."""
    user = UserUri(f"mimi://gallery.example/u/tomas{next(_visits)}")
    hub = CheatingHub(stage.relay)
    async with victim_of(request.param, stage.relay, user, browser, tmp_path) as tomas:
        await stage.mira.request_contact(user)
        await tomas.accept(MIRA)
        room = await stage.mira.create_room([user, JUNO])
        await stage.juno.join(room)
        scene = Scene(hub, tomas, stage.mira, stage.juno, room)
        await scene.is_in(room)
        yield scene
        stage.relay.reset()
