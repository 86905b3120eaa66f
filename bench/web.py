"""The app in a browser: how much it loads, how soon one can type, how soon a message is seen, how long it is deaf."""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from playwright.async_api import Browser, Page, Worker, async_playwright
from rich.console import Console
from rich.table import Table

from bench.bare_page import WIRE_BYTES, bare_page
from bench.effort import QUICK, Effort
from bench.figure import Figure
from bench.pinned import SERVER_CORE, AbsentError
from nightlight.protocol.ids import UserUri
from nightlight.protocol.messages import ContactAction
from tests.contract.device import Device, Line
from tests.support.people import newcomer
from tests.support.server import ServerProcess
from tests.web.app import Guest, address_of, join
from tests.web.conftest import FLAGS
from tests.web.first_load import first_load

FIRST_LOAD, INTERACTIVE, SHOWN, LONGEST = (
    "web.first_load_kb",
    "web.interactive_ms",
    "web.send_to_shown_ms",
    "web.longest_task_ms",
)
LONGEST_IN_WORKER = "web.longest_task_worker_ms"
MEMBERS = 100
_KB = 1000
_MIRA = UserUri("mimi://courier.example/u/mira")
_TOMAS = UserUri("mimi://gallery.example/u/tomas")
_SETTINGS = """\
requests_per_second = 100000
requests_burst = 100000
arrivals_per_second = 100000
arrivals_burst = 100000
claims_burst = 100000
log_level = "warning"
"""

# Both pages' clocks are this machine's: timeOrigin is Unix time, in milliseconds with fractions.
_NOTE_SENT = """
globalThis.sent = [];
addEventListener('keydown', ({ key }) => {
  if (key === 'Enter') globalThis.sent.push(performance.timeOrigin + performance.now());
}, { capture: true });
"""
_NOTE_SHOWN = """(list) => {
  const element = [...document.querySelectorAll('ol')].find((each) => each.ariaLabel === list || list === null);
  globalThis.shown = new Map();
  new MutationObserver(() => {
    const now = performance.timeOrigin + performance.now();
    for (const [line] of element.textContent.matchAll(/line \\d+\\./g)) {
      if (!globalThis.shown.has(line)) globalThis.shown.set(line, now);
    }
  }).observe(element, { childList: true, subtree: true, characterData: true });
}"""
_NOTE_LONG_TASKS = """() => {
  globalThis.longest = 0;
  new PerformanceObserver((entries) => {
    for (const { duration } of entries.getEntries()) globalThis.longest = Math.max(globalThis.longest, duration);
  }).observe({ type: 'longtask' });
}"""
_SEES_A_LONG_TASK = """async () => {
  await new Promise((resolve) => setTimeout(() => {
    for (const began = performance.now(); performance.now() - began < 60;);
    setTimeout(resolve, 200);
  }));
  return globalThis.longest >= 60;
}"""
# Workers have no such observer: a turn that comes late was waiting for another.
_NOTE_STALLS = """() => {
  globalThis.longest = 0;
  const { port1, port2 } = new MessageChannel();
  let last = performance.now();
  port1.onmessage = () => {
    const now = performance.now();
    globalThis.longest = Math.max(globalThis.longest, now - last);
    last = now;
    setTimeout(() => { last = performance.now(); port2.postMessage(null); }, 1);
  };
  port2.postMessage(null);
}"""


@dataclass(frozen=True, slots=True)
class _Stage:
    launch: Callable[[], Awaitable[Browser]]
    browser: Browser
    server: ServerProcess
    effort: Effort
    folder: Path


async def measure(names: Collection[str], effort: Effort, folder: Path, console: Console) -> list[Figure]:
    """The figures in ``names``; the worker's longest task stands beside the page's."""
    async with _stage(effort, folder) as stage:
        figures: list[Figure] = []
        if FIRST_LOAD in names:
            figures.append(await _first_load(stage, console))
        if INTERACTIVE in names:
            figures.append(await _interactive(stage))
        if SHOWN in names:
            figures.append(await _shown(stage, console))
        if {LONGEST, LONGEST_IN_WORKER} & set(names):
            figures += await _longest(stage, console)
        return figures


@asynccontextmanager
async def _stage(effort: Effort, folder: Path) -> AsyncIterator[_Stage]:
    chromium = shutil.which("chromium")
    if chromium is None:
        raise AbsentError("chromium is not installed")
    server = ServerProcess(folder / "data", _SETTINGS)
    with server.until_done():
        await server.start()
        server.process.cpu_affinity([SERVER_CORE])
        pinned = os.sched_getaffinity(0)
        os.sched_setaffinity(0, range(os.cpu_count() or 1))  # the browser has all cores, as a person's has
        try:
            async with async_playwright() as playwright:
                launch = partial(playwright.chromium.launch, executable_path=chromium, args=FLAGS)
                browser = await launch()
                yield _Stage(launch, browser, server, effort, folder)
                await browser.close()
        finally:
            os.sched_setaffinity(0, pinned)
        await server.stop()


# --- the first load --------------------------------------------------------------------------------------------


async def _first_load(stage: _Stage, console: Console) -> Figure:
    """The larger of what a newcomer loads, and who comes back to a browser that has none of the app's files."""
    loaded = await first_load(stage.browser, stage.folder)
    table = Table("who", title="First load until a message is sent: all bytes from the server", title_justify="left")
    table.add_column("bytes", justify="right")
    for who, size in {"a newcomer": loaded.newcomer, "who comes back": loaded.returning}.items():
        table.add_row(who, f"{size:,}")
    console.print(table)
    return Figure(FIRST_LOAD, max(loaded.newcomer, loaded.returning) / _KB, "KB")


async def _interactive(stage: _Stage) -> Figure:
    """A fresh browser opens the app until a handle can be typed; in turns with a bare page until a line can be."""
    ours: list[float] = []
    bare: list[float] = []
    async with bare_page() as address:
        for _ in range(stage.effort.rounds):
            async with await stage.launch() as browser:
                ours.append(await _load(browser, stage.server))
            async with await stage.launch() as browser:
                bare.append(await _load_bare(browser, address))
    return Figure(
        INTERACTIVE,
        1000 * statistics.median(ours),
        "ms",
        peer="bare page",
        peer_value=1000 * statistics.median(bare),
        ratio=statistics.median(own / other for own, other in zip(ours, bare, strict=True)),
    )


async def _load(browser: Browser, server: ServerProcess) -> float:
    async with await browser.new_context() as context:
        page = await context.new_page()
        began = time.perf_counter()
        await page.goto(f"http://courier.localhost:{server.port}/", wait_until="commit")
        field = page.get_by_label("Your name at")
        await field.press_sequentially("mira")
        seconds = time.perf_counter() - began
        assert await field.input_value() == "mira"
        return seconds


async def _load_bare(browser: Browser, address: str) -> float:
    async with await browser.new_context() as context:
        page = await context.new_page()
        began = time.perf_counter()
        await page.goto(address, wait_until="commit")
        await page.get_by_label("Message").press_sequentially("mira")
        return time.perf_counter() - began


# --- from Enter in one browser to the message in another --------------------------------------------------------


async def _shown(stage: _Stage, console: Console) -> Figure:
    mira = await join(stage.browser, stage.server, _MIRA)
    tomas = await join(stage.browser, stage.server, _TOMAS)
    await mira.ask(_TOMAS)
    await tomas.accept(_MIRA)
    await mira.write_to(_TOMAS)
    await mira.say("Good morning!")
    await tomas.open(address_of(_MIRA))
    await tomas.page.get_by_role("list", name="Messages").get_by_text("Good morning!").wait_for()
    async with bare_page() as address:
        bare_sender, bare_reader = [await (await stage.browser.new_context()).new_page() for _ in range(2)]
        for page in (bare_sender, bare_reader):
            await page.goto(address)
        for page in (mira.page, bare_sender):
            await page.evaluate(f"() => {{ {_NOTE_SENT} }}")
        await tomas.page.evaluate(_NOTE_SHOWN, "Messages")
        await bare_reader.evaluate(_NOTE_SHOWN, None)
        ours: list[float] = []
        bare: list[float] = []
        for number in range(20 if stage.effort is QUICK else 200):
            line = f"line {number}."
            await mira.say(line)
            ours.append(await _took(mira.page, tomas.page, line))
            await bare_sender.get_by_label("Message").fill(line)
            await bare_sender.get_by_label("Message").press("Enter")
            bare.append(await _took(bare_sender, bare_reader, line))
    _print_percentiles({"Nightlight": ours, f"bare WebSocket, {WIRE_BYTES} bytes": bare}, console)
    for person in (mira, tomas):
        await person.context.close()
    return Figure(
        SHOWN,
        statistics.median(ours),
        "ms",
        peer="bare WebSocket",
        peer_value=statistics.median(bare),
        ratio=statistics.median(ours) / statistics.median(bare),
    )


async def _took(sender: Page, reader: Page, line: str) -> float:
    """Milliseconds from the last Enter in ``sender`` until ``line`` was in ``reader``'s document."""
    await reader.wait_for_function("(line) => globalThis.shown.has(line)", arg=line)
    shown: float = await reader.evaluate("(line) => globalThis.shown.get(line)", line)
    sent: float = await sender.evaluate("() => globalThis.sent.at(-1)")
    return shown - sent


def _print_percentiles(samples: dict[str, list[float]], console: Console) -> None:
    table = Table("who", title="From Enter to the other browser's document, ms", title_justify="left")
    for heading in ("messages", "p50", "p95", "most"):
        table.add_column(heading, justify="right")
    for who, times in samples.items():
        p95 = statistics.quantiles(times, n=20)[-1]
        table.add_row(who, str(len(times)), *(f"{each:.1f}" for each in (statistics.median(times), p95, max(times))))
    console.print(table)


# --- the longest task while somebody joins a large room ---------------------------------------------------------


async def _longest(stage: _Stage, console: Console) -> list[Figure]:
    """Mira begins a room with everybody else and one browser, in one commit; that browser joins it and opens it."""
    owner = UserUri("mimi://courier.example/u/owner")
    mira = await newcomer(stage.server.url, owner, stage.folder)
    users = [UserUri(f"mimi://ring.example/u/guest{number}") for number in range(MEMBERS - 2)]
    others = [Line(Device(user), stage.server.url) for user in users]
    for line in others:
        await line.join()
        await mira.request_contact(line.device.user)
        assert (await line.contact(ContactAction.ACCEPT, owner)).is_success
        await line.close()
    page_ms: list[float] = []
    worker_ms: list[float] = []
    for turn in range(stage.effort.rounds):
        guest = await join(stage.browser, stage.server, UserUri(f"mimi://gallery.example/u/joiner{turn}"))
        await mira.request_contact(guest.user)
        await guest.accept(owner)
        await guest.go("")
        worker = await _worker(guest)
        await guest.page.evaluate(_NOTE_LONG_TASKS)
        await worker.evaluate(_NOTE_STALLS)
        await mira.create_room([*users, guest.user])
        rooms = guest.page.get_by_role("navigation", name="Conversations").get_by_role("listitem")
        await rooms.get_by_role("link").click()
        await guest.composer.wait_for()
        await asyncio.sleep(1)  # what follows from joining is over
        page_ms.append(await guest.page.evaluate("() => globalThis.longest"))
        assert await guest.page.evaluate(_SEES_A_LONG_TASK), "long tasks are not observed"
        worker_ms.append(await worker.evaluate("() => globalThis.longest"))
        await guest.context.close()
    await mira.close()
    table = Table("thread", title=f"Longest task while joining a room of {MEMBERS}, ms", title_justify="left")
    for heading in ("median", "most"):
        table.add_column(heading, justify="right")
    for thread, times in {"page (0: none of 50 ms or more)": page_ms, "worker": worker_ms}.items():
        table.add_row(thread, f"{statistics.median(times):.0f}", f"{max(times):.0f}")
    console.print(table)
    return [
        Figure(LONGEST, max(page_ms), "ms"),
        Figure(LONGEST_IN_WORKER, max(worker_ms), "ms"),
    ]


async def _worker(guest: Guest) -> Worker:
    [worker] = guest.page.workers
    return worker
