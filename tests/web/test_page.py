"""The page that a hub hands out, as a browser sees it."""

from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, Error, Page, Request, Route, expect

from nightlight.protocol.ids import UserUri
from tests.support.server import ServerProcess
from tests.web.people import Refused, visitor

pytestmark = pytest.mark.asyncio(loop_scope="session")

APPS = ["courier", "gallery", "ring"]


def app_url(server: ServerProcess, app: str) -> str:
    return f"http://{app}.localhost:{server.port}/"


async def complaints_of(page: Page) -> list[str]:
    """What the page will complain of: errors, and all that its policy stops."""
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.add_init_script(
        "addEventListener('securitypolicyviolation', (event) => console.error(event.violatedDirective))"
    )
    return complaints


@pytest.mark.parametrize("app", APPS)
async def test_an_app_loads_from_its_own_origin_alone(server: ServerProcess, page: Page, app: str) -> None:
    requests: list[Request] = []
    page.on("request", lambda request: requests.append(request))  # noqa: PLW0108 - Playwright marks its handlers
    complaints = await complaints_of(page)
    await page.goto(app_url(server, app))

    await expect(page).to_have_title("Nightlight")
    await expect(page.get_by_role("heading")).to_have_text(app.capitalize())
    assert await page.evaluate("() => isSecureContext")
    assert complaints == []
    assert {urlsplit(request.url).netloc for request in requests} == {f"{app}.localhost:{server.port}"}
    assert {urlsplit(request.url).path for request in requests} >= {"/", "/v1/directory"}


async def test_text_never_becomes_markup_or_a_script(server: ServerProcess, page: Page) -> None:
    complaints = await complaints_of(page)
    await page.goto(app_url(server, "courier"))
    for attempt in ("document.body.innerHTML = '<b>hello</b>'", "document.createElement('script').text = 'hello'"):
        with pytest.raises(Error, match="Trusted"):
            await page.evaluate(f"() => {{ {attempt} }}")
    assert "require-trusted-types-for" in complaints


async def test_a_script_that_was_changed_on_its_way_does_not_run(server: ServerProcess, page: Page) -> None:
    async def change(route: Route) -> None:
        await route.fulfill(body="document.title = 'changed'", content_type="text/javascript")

    await page.route("**/assets/**/*.js", change)
    complaints = await complaints_of(page)
    await page.goto(app_url(server, "courier"))
    await expect(page).to_have_title("Nightlight")
    await expect(page.get_by_role("heading")).to_have_count(0)
    assert any("integrity" in complaint for complaint in complaints)


async def test_a_server_that_does_not_answer_is_said_and_tried_again(server: ServerProcess, page: Page) -> None:
    await page.route("**/v1/directory", lambda route: route.abort())
    await page.goto(app_url(server, "courier"))
    await expect(page.get_by_role("alert")).to_contain_text("try again")
    await page.unroute("**/v1/directory")
    await page.get_by_role("button", name="Try again").click()
    await expect(page.get_by_role("heading")).to_have_text("Courier")


async def test_what_is_loaded_only_to_register_is_asked_for_again(server: ServerProcess, browser: Browser) -> None:
    somebody = await visitor(browser, server, UserUri("mimi://courier.example/u/somebody"))
    late = "**/connection-*.js"
    await somebody.context.route(late, lambda route: route.abort())
    with pytest.raises(Refused, match="UnavailableError"):
        await somebody.call("register", somebody.user)
    await somebody.context.unroute(late)
    await somebody.call("register", somebody.user)
    await somebody.wait_online()
    await somebody.context.close()


async def test_localhost_alone_leads_to_the_apps(server: ServerProcess, page: Page) -> None:
    await page.goto(f"http://localhost:{server.port}/")
    await expect(page.get_by_role("link")).to_have_count(len(APPS))
    assert [await link.get_attribute("href") for link in await page.get_by_role("link").all()] == [
        app_url(server, app) for app in APPS
    ]
    await page.get_by_role("link", name="Gallery").click()
    await expect(page.get_by_role("heading")).to_have_text("Gallery")
