"""Malformed input of every kind, on every endpoint and verb that the server itself names."""

import asyncio
import base64
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from litestar.routes import HTTPRoute
from structlog.testing import capture_logs

from nightlight.errors import PROBLEMS, ProblemName
from nightlight.server.http.web_app import BUILT
from tests.contract.conftest import Hub
from tests.contract.device import PATIENCE_S, Line
from tests.contract.test_accounts import problem

VERBS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW")
B32 = base64.b64encode(bytes(32)).decode()
B64 = base64.b64encode(bytes(64)).decode()
LIST = base64.b64encode(b"hello").decode()
MIRA, PHONE, LAKE = "mimi://ring.example/u/mira", "mimi://ring.example/d/mira/phone", "mimi://courier.example/r/lake"

BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/v1/accounts"): {
        "user": MIRA,
        "device": PHONE,
        "account_key": B32,
        "device_list": LIST,
        "session_key": B32,
    },
    ("POST", "/v1/challenges"): {"device": PHONE},
    ("POST", "/v1/sessions"): {"device": PHONE, "nonce": B32, "expires_at_ms": 1, "signature": B64},
    ("PUT", "/v1/device-list"): {
        "device_list": LIST,
        "link": {"device": PHONE, "session_key": B32, "mailbox": B32, "package": LIST},
    },
    ("POST", "/v1/recovery"): {
        "user": MIRA,
        "device": PHONE,
        "signature_key": B32,
        "session_key": B32,
        "account_key": B32,
        "signature": B64,
    },
    ("POST", "/v1/recovery/end"): {"device": PHONE, "device_list": LIST, "succession": LIST},
    ("POST", "/v1/key-packages"): {"key_packages": [LIST]},
    ("POST", "/v1/key-packages/claim"): {"user": MIRA},
    ("POST", "/v1/contacts/{action:str}"): {"user": MIRA},
    ("POST", "/v1/rooms"): {"room": LAKE, "group_info": LIST},
    ("POST", "/v1/rooms/unusable"): {"room": LAKE, "seq": 1},
    ("POST", "/v1/blobs"): {"size": 1},
    ("POST", "/v1/blobs/{blob:str}/upload"): {"sha256": B32},
}
"""A body for each endpoint that takes one, well-formed field by field."""

ANYONE = {"/v1/accounts", "/v1/challenges", "/v1/sessions", "/v1/recovery", "/v1/recovery/end"}
"""Who has no token yet may call these."""

QUERIES: dict[tuple[str, str], str] = {
    ("GET", "/v1/device-list"): "user",
    ("GET", "/v1/link"): "mailbox",
    ("GET", "/v1/recovery"): "device",
    ("GET", "/v1/room"): "room",
}
"""The parameter of each endpoint that takes one."""

OF_BLOBS = {
    ("GET", "/v1/blobs/{blob:str}"),
    ("DELETE", "/v1/blobs/{blob:str}"),
    ("GET", "/v1/blobs/{blob:str}/upload"),
    ("PUT", "/v1/blobs/{blob:str}/upload"),
}
"""What takes a blob's id and no JSON; the last, an offset and bytes."""

WITHOUT_INPUT = {
    ("GET", "/v1/contacts"),
    ("GET", "/v1/directory"),
    ("GET", "/v1/key-packages"),
    ("DELETE", "/v1/recoveries"),
    ("GET", "/v1/rooms"),
    ("GET", "/health"),
    ("GET", "/ready"),
    ("GET", "/metrics"),
}

ANYTHING: list[Any] = [
    None,
    True,
    0,
    -1,
    2**70,
    1.5,
    "",
    "x" * 300,
    "\ud800",
    "mimi://",
    "mimi://a/u/b\n",
    [],
    [[]],
    {},
    {"a": 1},
]
JUNK = [
    b"",
    b"{",
    b"null",
    b"[]",
    b"0",
    b'"hello"',
    b"\x00",
    b"\xff\xfe",
    b"{}" * 2,
    b"[" * 100_000,
    b'{"user":' * 50_000,
    b"9" * 100_000,
    b'{"a":1,"a":2}',
]


def offered(hub: Hub) -> dict[str, set[str]]:
    """Path → verbs, as the running application documents them, but for OPTIONS."""
    return {
        route.path_format: {str(method) for method in route.methods} - {"OPTIONS"}
        for route in hub.application.http.routes
        if isinstance(route, HTTPRoute) and any(handler.resolve_include_in_schema() for handler in route.route_handlers)
    }


def hidden(hub: Hub) -> set[str]:
    """The paths that the running application answers and does not document."""
    routes = hub.application.http.routes
    return {route.path_format for route in routes if isinstance(route, HTTPRoute)} - offered(hub).keys()


def spoiled(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """``body`` with each field missing, or holding what it must not; and with one too many."""
    yield body | {"more": 1}
    for name, good in body.items():
        yield {key: value for key, value in body.items() if key != name}
        for bad in ANYTHING:
            if type(bad) is not type(good) or isinstance(bad, str):
                yield body | {name: bad}
        if isinstance(good, str) and not good.startswith("mimi:"):
            yield from (body | {name: text} for text in ("!", good[:-1], good[:-4] + "===="))


async def test_who_has_not_signed_in_is_refused_before_their_body_comes(hub: Hub) -> None:
    port = int(hub.url.rpartition(":")[2])
    bodies = [(verb, path) for verb, path in BODIES if path not in ANYONE] + [("PUT", "/v1/blobs/{blob:str}/upload")]
    for verb, template in bodies:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = f"{verb} {path_of(template)}?offset=0 HTTP/1.1\r\nhost: hub.example\r\ncontent-length: 1000000\r\n\r\n"
        writer.write(head.encode())
        async with asyncio.timeout(PATIENCE_S):
            assert (await reader.readline()).startswith(b"HTTP/1.1 401 "), template
        writer.close()


def path_of(template: str) -> str:
    """A path that the template matches."""
    return template.replace(":str", "").replace("{action}", "request").replace("{blob}", "0" * 32)


def check(response: httpx.Response, *names: ProblemName) -> None:
    """One of these problems, whole and with nothing more in it."""
    name = ProblemName(problem(response))
    assert name in names, (name, response.request.url)
    assert response.status_code == PROBLEMS[name].status
    assert response.json() == {
        "type": f"/problems/{name}",
        "title": PROBLEMS[name].title,
        "status": response.status_code,
    }


def test_every_endpoint_has_its_row_here(hub: Hub) -> None:
    rows = {(verb, path_of(path)) for verb, path in [*BODIES, *QUERIES, *OF_BLOBS, *WITHOUT_INPUT]}
    assert {(verb, path_of(path)) for path, verbs in offered(hub).items() for verb in verbs} == rows


async def test_what_is_not_documented_is_the_web_app_and_the_document(hub: Hub) -> None:
    files = [path for path in BUILT.rglob("*") if path.is_file() and path.suffix != ".br"]
    app = {f"/{path.relative_to(BUILT).as_posix()}" for path in files}
    document = {"/schema", "/schema/openapi.json", "/schema/{path}"}
    assert hidden(hub) == document | ({"/"} | app - {"/index.html"} if app else set())


async def test_what_is_not_documented_takes_get_alone_and_whatever_its_headers_say(hub: Hub, mira: Line) -> None:
    paths = sorted(hidden(hub) - {"/schema", "/schema/{path}"})
    for path in paths:
        for verb in set(VERBS) - {"GET", "OPTIONS", "CONNECT"}:
            response = await mira.raw(verb, path)
            if verb == "HEAD":
                assert response.status_code == 405
            else:
                check(response, ProblemName.MALFORMED if verb == "BREW" else ProblemName.METHOD_NOT_ALLOWED)
        for name in ("host", "accept", "accept-encoding", "if-none-match", "range", "cookie", "origin"):
            for value in ("", ",", "?" * 1_000, "\xff", "gzip;q=x", '"'):
                response = await mira.http.get(path, headers=[(name.encode(), value.encode("latin-1"))])
                if response.status_code not in {200, 304, 421}:
                    check(response, ProblemName.MALFORMED)
    for path in (
        "/schema",
        "/schema/",
        "/schema/nothing",
        "/schema/swagger",
        "/schema/openapi.json/x",
        "/assets",
        "/assets/nothing.js",
    ):
        check(await mira.raw("GET", path), ProblemName.NOT_FOUND)


async def test_a_verb_that_is_not_offered_is_refused_on_every_path(hub: Hub, mira: Line) -> None:
    for template, verbs in offered(hub).items():
        for verb in set(VERBS) - verbs - {"OPTIONS", "CONNECT"}:
            response = await mira.raw(verb, path_of(template))
            if verb == "HEAD":
                assert response.status_code == 405
            else:
                check(response, ProblemName.MALFORMED if verb == "BREW" else ProblemName.METHOD_NOT_ALLOWED)


async def test_a_path_that_is_not_there_is_refused_with_every_verb(mira: Line) -> None:
    for path in (
        "/v1",
        "/v1/",
        "/v2/rooms",
        "/v1/rooms/x",
        "/v1/contacts/request/x",
        "/%00",
        "/v1/%2e%2e/rooms",
    ):
        for verb in ("GET", "POST", "PUT", "DELETE"):
            check(await mira.raw(verb, path), ProblemName.NOT_FOUND, ProblemName.METHOD_NOT_ALLOWED)


@pytest.mark.parametrize("endpoint", BODIES, ids=" ".join)
async def test_a_body_that_is_no_json_or_of_another_shape_is_malformed(mira: Line, endpoint: tuple[str, str]) -> None:
    verb, path = endpoint[0], path_of(endpoint[1])
    headers = {"authorization": f"Bearer {mira.token}", "content-type": "application/json"}
    junk = [*JUNK, *(json.dumps(body).encode() for body in spoiled(BODIES[endpoint]))]
    for content in junk:
        response = await mira.http.request(verb, path, content=content, headers=headers)
        empty = {ProblemName.INVALID_COMMIT} if path == "/v1/rooms" else set()
        check(response, ProblemName.MALFORMED, *empty)
    for kind in (
        "text/plain",
        "application/x-msgpack",
        "multipart/form-data",
        "application/x-www-form-urlencoded",
        "?",
    ):
        response = await mira.http.request(verb, path, content=b"\xff", headers=headers | {"content-type": kind})
        check(response, ProblemName.MALFORMED)


@pytest.mark.parametrize("endpoint", BODIES, ids=" ".join)
async def test_a_body_over_the_limit_is_too_large(hub: Hub, mira: Line, endpoint: tuple[str, str]) -> None:
    content = b"[" + b" " * hub.settings.body_bytes_max + b"]"
    headers = {"authorization": f"Bearer {mira.token}", "content-type": "application/json"}
    response = await mira.http.request(endpoint[0], path_of(endpoint[1]), content=content, headers=headers)
    check(response, ProblemName.TOO_LARGE)


@pytest.mark.parametrize("endpoint", QUERIES, ids=" ".join)
async def test_a_parameter_that_is_missing_or_no_uri_is_malformed(mira: Line, endpoint: tuple[str, str]) -> None:
    name = QUERIES[endpoint]
    check(await mira.raw(*endpoint), ProblemName.MALFORMED)
    for value in ("", "x", "x" * 300, "mimi://", MIRA + "\n", MIRA + "/", "mimi://ring.example/U/mira", "\x00", "é"):
        check(await mira.raw(*endpoint, **{name: value}), ProblemName.MALFORMED)
    check(await mira.raw(endpoint[0], f"{endpoint[1]}?{name}=%ff%fe"), ProblemName.MALFORMED)


UPGRADE = {
    "host": "hub.example",
    "connection": "upgrade",
    "upgrade": "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": base64.b64encode(bytes(16)).decode(),
}
NO_STREAM: list[tuple[str, str, dict[str, str | None], ProblemName]] = [
    ("POST", "/v1/stream", {}, ProblemName.METHOD_NOT_ALLOWED),
    ("GET", "/v1/stream", {"sec-websocket-version": None}, ProblemName.MALFORMED),
    ("GET", "/v1/stream", {"sec-websocket-version": "12"}, ProblemName.MALFORMED),
    ("GET", "/v1/stream", {"sec-websocket-key": None}, ProblemName.MALFORMED),
    ("GET", "/v1/stream", {"sec-websocket-key": "hello"}, ProblemName.MALFORMED),
    ("GET", "/v1/stream", {"sec-websocket-key": "\xff"}, ProblemName.MALFORMED),
    ("GET", "/v1/stream", {"connection": "upgrade, ???"}, ProblemName.MALFORMED),
    ("GET", "/v1/stream", {"upgrade": "h2c"}, ProblemName.NOT_FOUND),
    ("GET", "/v1/stream", {"upgrade": None}, ProblemName.NOT_FOUND),
    ("GET", "/v1/stream", {"connection": None}, ProblemName.NOT_FOUND),
    ("GET", "/v1/stream", {"content-length": "5"}, ProblemName.MALFORMED),
    ("GET", "/v1/stream", {"transfer-encoding": "chunked"}, ProblemName.MALFORMED),
    ("GET", "/v1/stream", {"sec-websocket-protocol": "?,;"}, ProblemName.MALFORMED),
    ("GET", "/v1/stream", {"x-long": "x" * 10_000}, ProblemName.TOO_LARGE),
    ("GET", "/v1/stream", {f"x-{number}": "many" for number in range(200)}, ProblemName.TOO_LARGE),
    ("GET", "/v1/stream?" + "x" * 10_000, {}, ProblemName.TOO_LARGE),
    ("GET", "/v1/streams", {}, ProblemName.NOT_FOUND),
    ("GET", "/", {}, ProblemName.NOT_FOUND),
]
"""Upgrades to a WebSocket that are none: verb, path, what differs from a good one, and the answer."""


@pytest.mark.parametrize(("verb", "path", "headers", "name"), NO_STREAM)
async def test_an_upgrade_that_cannot_be_is_refused_in_a_problem(
    hub: Hub, verb: str, path: str, headers: dict[str, str | None], name: ProblemName
) -> None:
    lines = [f"{key}: {value}\r\n" for key, value in (UPGRADE | headers).items() if value is not None]
    reader, writer = await asyncio.open_connection("127.0.0.1", int(hub.url.rpartition(":")[2]))
    writer.write(f"{verb} {path} HTTP/1.1\r\n{''.join(lines)}\r\n".encode("latin-1"))
    head = await reader.readuntil(b"\r\n\r\n")
    (length,) = (int(line[16:]) for line in head.lower().splitlines() if line.startswith(b"content-length: "))
    body = await reader.readexactly(length)
    writer.close()
    assert head.startswith(f"HTTP/1.1 {PROBLEMS[name].status} ".encode())
    assert b"content-type: application/problem+json" in head.lower()
    assert json.loads(body) == {
        "type": f"/problems/{name}",
        "title": PROBLEMS[name].title,
        "status": PROBLEMS[name].status,
    }


@pytest.mark.parametrize(
    "sent",
    [
        b"hello\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\n\r\n",
        b"CONNECT hub.example:443 HTTP/1.1\r\nhost: hub.example\r\n\r\n",
        b"POST /v1/challenges HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        b"POST /v1/challenges HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nhello\r\n",
        bytes(100),
    ],
)
async def test_what_is_not_http_is_malformed(hub: Hub, sent: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(hub.url.rpartition(":")[2]))
    writer.write(sent)
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    assert b"application/problem+json" in head
    assert json.loads(body)["type"] == "/problems/malformed"


async def test_a_body_that_never_ends_is_its_sender_s_fault_and_not_ours(hub: Hub) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", int(hub.url.rpartition(":")[2]))
    with capture_logs() as log:
        writer.write(b"POST /v1/challenges HTTP/1.1\r\ncontent-length: 100\r\n\r\n{")
        writer.close()
        async with httpx.AsyncClient(base_url=hub.url) as http:
            while "/v1/challenges" not in (counted := (await http.get("/metrics")).text):
                pass
    assert 'nightlight_requests_total{route="/v1/challenges",status="400"} 1.0' in counted
    assert log == []


async def test_an_action_that_does_not_exist_is_malformed_or_not_there(mira: Line) -> None:
    for action in ("dance", "REQUEST", "request%00", "%20"):
        response = await mira.raw("POST", f"/v1/contacts/{action}", {"user": MIRA})
        check(response, ProblemName.MALFORMED, ProblemName.NOT_FOUND)


PUBLIC = {
    "/v1/accounts",
    "/v1/challenges",
    "/v1/link",
    "/v1/recovery",
    "/v1/recovery/end",
    "/v1/sessions",
    "/v1/directory",
    "/health",
    "/ready",
    "/metrics",
}


async def test_every_endpoint_but_the_public_ones_asks_for_a_token(hub: Hub) -> None:
    async with httpx.AsyncClient(base_url=hub.url) as http:
        for template, verbs in offered(hub).items():
            if template not in PUBLIC:
                for verb in verbs:
                    body = BODIES.get((verb, template)) or BODIES.get((verb, template.replace("}", ":str}")))
                    query = {QUERIES[verb, template]: MIRA} if (verb, template) in QUERIES else {"offset": "0"}
                    check(
                        await http.request(verb, path_of(template), json=body, params=query),
                        ProblemName.UNAUTHENTICATED,
                    )


async def test_the_interface_is_published(hub: Hub, mira: Line) -> None:
    published = (await mira.raw("GET", "/schema/openapi.json")).json()["paths"]
    assert {path: {verb.upper() for verb in verbs} for path, verbs in published.items()} == offered(hub)
    for path, verbs in published.items():
        for operation in verbs.values():
            (success, other) = operation["responses"]
            assert (success[0], other) == ("2", "default")
            assert list(operation["responses"]["default"]["content"]) == ["application/problem+json"]
            assert operation["security"] == ([] if path in PUBLIC else [{"token": []}])


async def test_health_and_metrics_answer_without_naming_anyone(mira: Line) -> None:
    assert (await mira.raw("GET", "/health")).json() == {"status": "ok"}
    assert (await mira.raw("GET", "/ready")).json() == {"status": "ok"}
    await mira.raw("GET", "/v1/room", room="mimi://courier.example/r/secret")
    metrics = (await mira.raw("GET", "/metrics")).text
    assert 'nightlight_requests_total{route="/v1/room",status="404"} 1.0' in metrics
    assert "mimi:" not in metrics
    assert "mira" not in metrics
