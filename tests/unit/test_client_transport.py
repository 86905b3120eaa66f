"""What the server answers, as the client reads it."""

import gzip
from collections.abc import AsyncIterator

import httpx
import msgspec
import pytest

from nightlight.client.transport import MAX_ANSWER_BYTES, read_answer, read_bounded
from nightlight.errors import PROBLEMS, ProblemName, RefusedError, RemoteProtocolError, UnavailableError
from nightlight.protocol.messages import KeyPackageCount


def problem(name: str, **fields: int) -> bytes:
    return msgspec.json.encode({"type": f"/problems/{name}", "title": "words", "status": 400, **fields})


def test_an_answer_is_read_as_its_type() -> None:
    answer = read_answer(200, b'{"remaining": 7, "has_last_resort": true}', KeyPackageCount)
    assert answer == KeyPackageCount(7, has_last_resort=True)


def test_an_answer_without_a_body_is_one() -> None:
    assert read_answer(202, b"", object) is None


@pytest.mark.parametrize("name", [name for name in ProblemName if PROBLEMS[name].status < 500])
def test_a_problem_is_a_refusal_by_its_name(name: ProblemName) -> None:
    with pytest.raises(RefusedError) as refused:
        read_answer(PROBLEMS[name].status, problem(name), KeyPackageCount)
    assert refused.value.problem is name


def test_a_wrong_epoch_tells_the_room_s() -> None:
    with pytest.raises(RefusedError) as refused:
        read_answer(409, problem("wrong_epoch", epoch=9), KeyPackageCount)
    assert refused.value.epoch == 9


@pytest.mark.parametrize("name", [name for name in ProblemName if PROBLEMS[name].status >= 500])
def test_the_server_s_own_troubles_pass(name: ProblemName) -> None:
    with pytest.raises(UnavailableError) as unavailable:
        read_answer(PROBLEMS[name].status, problem(name), KeyPackageCount, retry_after="7")
    assert unavailable.value.retry_after_s == 7


def test_a_refusal_that_says_when_to_ask_again_passes_too() -> None:
    with pytest.raises(UnavailableError) as unavailable:
        read_answer(429, problem("too_many"), KeyPackageCount, retry_after="3")
    assert unavailable.value.retry_after_s == 3


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"type": "/problems/no_such_problem"}'])
def test_a_proxy_s_own_words_mean_that_the_server_is_not_available(body: bytes) -> None:
    with pytest.raises(UnavailableError):
        read_answer(502, body, KeyPackageCount)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b""),
        (200, b"<html>"),
        (200, b'{"remaining": -1, "has_last_resort": true}'),
        (200, b'{"remaining": "many"}'),
        (404, b"<html>"),
        (404, b'{"type": "/problems/no_such_problem"}'),
        (302, b""),
    ],
)
def test_nl_541_anything_else_is_against_the_rules(status: int, body: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as broken:
        read_answer(status, body, KeyPackageCount)
    assert broken.value.check == "NL-541"


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield bytes(2**20)


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(200, content=endless()),
        httpx.Response(200, headers={"content-encoding": "gzip"}, content=gzip.compress(bytes(MAX_ANSWER_BYTES + 1))),
    ],
    ids=["endless", "packed"],
)
async def test_nl_541_an_answer_without_end_is_not_read_to_its_end(response: httpx.Response) -> None:
    with pytest.raises(RemoteProtocolError) as broken:
        await read_bounded(response)
    assert broken.value.check == "NL-541"


async def test_an_answer_as_large_as_may_be_is_read() -> None:
    assert len(await read_bounded(httpx.Response(200, content=bytes(MAX_ANSWER_BYTES)))) == MAX_ANSWER_BYTES
