"""What a hub answers to who asks for its web app."""

import base64
import hashlib
import re
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser, Page, expect

from tests.support.server import ServerProcess
from tests.web.first_load import first_load

pytestmark = pytest.mark.asyncio(loop_scope="session")

MOST_BYTES = 120_000
APPS = ["courier", "gallery", "ring"]


async def get(server: ServerProcess, path: str, host: str = "courier.localhost", **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=server.url, trust_env=False) as http:
        return await http.get(path, headers={"host": f"{host}:{server.port}", **headers})


async def index_and_files(server: ServerProcess) -> tuple[str, dict[str, str]]:
    """The page, and the files that it names with their hashes."""
    index = (await get(server, "/")).text
    tags = re.findall(r"<(?:script|link)\b(?![^>]*rel=\"icon\")[^>]*/assets/[^>]*>", index)
    files = {}
    for tag in tags:
        path, integrity = re.search(r'(?:src|href)="([^"]+)"', tag), re.search(r'integrity="([^"]+)"', tag)
        assert path
        assert integrity, tag
        files[path[1]] = integrity[1]
    return index, files


async def test_the_page_names_every_file_with_its_hash(server: ServerProcess) -> None:
    index, files = await index_and_files(server)
    assert {path.rpartition(".")[2] for path in files} == {"css", "js"}
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bon\w+=|https?:", index)
    for path, integrity in files.items():
        content = (await get(server, path)).content
        assert integrity == "sha384-" + base64.b64encode(hashlib.sha384(content).digest()).decode()


async def test_the_policy_allows_code_from_the_own_origin_alone_and_none_from_text(server: ServerProcess) -> None:
    headers = (await get(server, "/")).headers
    policy = dict(directive.split(" ", 1) for directive in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == policy["worker-src"] == "'self'"
    assert policy["base-uri"] == policy["form-action"] == policy["frame-ancestors"] == "'none'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin"


async def test_every_document_and_worker_has_the_policy_and_what_they_are_made_of_none(
    server: ServerProcess, page: Page
) -> None:
    policed: dict[str, bool] = {}
    page.on("response", lambda answer: policed.update({answer.url: "content-security-policy" in answer.headers}))
    async with page.expect_worker() as starting:
        await page.goto(f"http://courier.localhost:{server.port}/")
    worker = await starting.value
    await expect(page.get_by_label("Your name at")).to_be_visible()
    ran = {page.url, worker.url}
    assert {url for url, has_policy in policed.items() if has_policy} == ran
    assert len([url for url in policed if "/assets/parts/" in url]) >= 3


async def test_the_page_is_asked_for_each_time_and_what_it_names_once(server: ServerProcess) -> None:
    index = await get(server, "/")
    again = await get(server, "/", **{"if-none-match": index.headers["etag"]})
    assert index.headers["cache-control"] == "no-cache"
    assert (again.status_code, again.content) == (304, b"")
    _, files = await index_and_files(server)
    for path in files:
        assert (await get(server, path)).headers["cache-control"] == "public, max-age=31536000, immutable"


async def test_files_come_compressed_to_who_takes_that(server: ServerProcess) -> None:
    _, files = await index_and_files(server)
    for path in ["/", *files]:
        best = await get(server, path, **{"accept-encoding": "gzip, deflate, br"})
        zipped = await get(server, path, **{"accept-encoding": "br;q=0, gzip"})
        plain = await get(server, path, **{"accept-encoding": "identity"})
        assert best.headers["content-encoding"] == "br"
        assert best.headers["vary"] == "accept-encoding"
        assert int(best.headers["content-length"]) < int(zipped.headers["content-length"])
        assert zipped.headers["content-encoding"] == "gzip"
        assert "content-encoding" not in plain.headers
        assert zipped.headers["vary"] == plain.headers["vary"] == "accept-encoding"
        assert zipped.content == plain.content
        assert int(zipped.headers["content-length"]) < int(plain.headers["content-length"])


async def test_what_a_browser_loads_until_a_first_message_is_sent_is_under_120_kilobytes(
    browser: Browser, tmp_path: Path
) -> None:
    loaded = await first_load(browser, tmp_path)
    assert 60_000 < loaded.newcomer < MOST_BYTES, loaded
    assert 60_000 < loaded.returning < MOST_BYTES, loaded


@pytest.mark.parametrize("host", ["hub.example", "10.0.0.1", "localhost.example", ""])
async def test_the_app_is_at_no_other_host(server: ServerProcess, host: str) -> None:
    answer = await get(server, "/", host)
    assert answer.status_code == 421
    assert f"http://courier.localhost:{server.port}" in answer.text.splitlines()
    assert "<" not in answer.text


async def test_what_is_not_there_is_a_problem_as_ever(server: ServerProcess) -> None:
    for path in (
        "/index.html",
        "/assets/",
        "/assets/../settings.py",
        "/assets/%2e%2e/settings.py",
        "/v1/nothing",
    ):
        answer = await get(server, path)
        assert (answer.status_code, answer.json()["title"]) == (404, "There is nothing here for you.")


@pytest.mark.parametrize("app", APPS)
async def test_a_device_signs_in_to_the_origin_it_asked(server: ServerProcess, app: str) -> None:
    async with httpx.AsyncClient(base_url=server.url, trust_env=False) as http:
        asked = {"device": f"mimi://{app}.example/d/ada/phone"}
        host = f"{app}.localhost:{server.port}"
        ours = (await http.post("/v1/challenges", json=asked, headers={"host": host})).json()
        other = (await http.post("/v1/challenges", json=asked, headers={"host": "evil.example"})).json()
    assert ours["origin"] == f"http://{host}"
    assert other["origin"] == server.url
