"""Messages over the stream: order, repeats, catching up, limits."""

import asyncio
import itertools
from typing import Any

import httpx
import msgspec
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from nightlight.errors import ProblemName
from nightlight.mls.group import Application
from nightlight.protocol.franking import Frank, context, verify_frank
from nightlight.protocol.ids import RoomUri, TimestampMs
from nightlight.protocol.messages import (
    Accepted,
    Acknowledge,
    ContactAction,
    Delivery,
    Directory,
    EntryKind,
    Goodbye,
    Hello,
    Ready,
    Refused,
    SubmitMessage,
    TellTyping,
    Typing,
    Wake,
    encode_frame,
    read_server_frame,
)
from nightlight.server.http.allowance import Allowance
from tests.contract.conftest import Hub
from tests.contract.device import Frames, Line, befriend, room_of_two, submission_id

LAKE = "mimi://courier.example/r/lake"


@pytest.fixture
async def lake(mira: Line, tomas: Line) -> RoomUri:
    """A room of Mira and Tomas, whose log has one entry."""
    await befriend(mira, tomas)
    return await room_of_two(mira, tomas)


async def deliveries(frames: Frames, count: int) -> list[Delivery]:
    """The next ``count`` frames, all deliveries."""
    return [await frames.expect(Delivery) for _ in range(count)]


async def test_a_message_is_franked_and_delivered(mira: Line, tomas: Line, lake: RoomUri) -> None:
    directory = await mira.call("GET", "/v1/directory", Directory)
    async with mira.stream({lake: 1}) as sending, tomas.stream({lake: 1}) as receiving:
        message = mira.device.message(lake, b"hello from the lake")
        accepted = await sending.submit(message)
        delivery = await receiving.expect(Delivery)
    assert (accepted.seq, accepted.epoch) == (2, 1)
    assert delivery == Delivery(
        lake, 2, EntryKind.APPLICATION, mira.device.device, accepted.accepted_at_ms, message.message, accepted.frank
    )
    received = tomas.device.groups[lake].receive(delivery.payload)
    assert isinstance(received, Application)
    assert received.data == b"hello from the lake"
    stated = context(mira.device.user, lake, TimestampMs(accepted.accepted_at_ms))
    verify_frank(Frank.decode(accepted.frank), directory.franking_keys[0], stated)


async def test_both_sides_hear_everything_in_the_order_of_the_log(mira: Line, tomas: Line, lake: RoomUri) -> None:
    async with mira.stream({lake: 1}) as one, tomas.stream({lake: 1}) as other:
        for _ in range(20):
            await one.send(mira.device.message(lake))
            await other.send(tomas.device.message(lake))
        for frames in (one, other):
            heard = [await frames.receive() for _ in range(40)]
            assert [frame.seq for frame in heard if isinstance(frame, Accepted | Delivery)] == list(range(2, 42))


async def test_a_repeat_is_answered_alike_whatever_has_happened_since(
    hub: Hub, mira: Line, tomas: Line, lake: RoomUri
) -> None:
    message = mira.device.message(lake)
    async with mira.stream({lake: 1}) as frames:
        first = await frames.submit(message)
        await frames.send(message)
        await frames.send(message)
        assert [await frames.expect(Accepted) for _ in range(2)] == [first, first]
        await frames.submit(mira.device.commit(lake))
        assert await frames.submit(message) == first
    await hub.restart()
    async with mira.stream({lake: 3}) as frames, tomas.stream({lake: 3}) as other:
        assert await frames.submit(message) == first
        await other.nothing_more()


async def test_another_device_s_submission_of_the_same_id_is_its_own(mira: Line, tomas: Line, lake: RoomUri) -> None:
    same = submission_id()
    async with mira.stream({lake: 1}) as one, tomas.stream({lake: 1}) as other:
        await one.submit(msgspec.structs.replace(mira.device.message(lake), submission_id=same))
        accepted = await other.submit(msgspec.structs.replace(tomas.device.message(lake), submission_id=same))
    assert accepted.seq == 3


async def test_a_refusal_leaves_its_neighbours_alone(mira: Line, tomas: Line, lake: RoomUri) -> None:
    async with mira.stream({lake: 1}) as frames:
        good = [mira.device.message(lake) for _ in range(3)]
        bad = [
            SubmitMessage(submission_id(), lake, b"hello"),
            SubmitMessage(submission_id(), "mimi://courier.example/r/nowhere", good[0].message),
            SubmitMessage(submission_id(), lake, tomas.device.message(lake).message[:-1]),
        ]
        for frame in (good[0], bad[0], good[1], bad[1], bad[2], good[2]):
            await frames.send(frame)
        answers = [await frames.receive() for _ in range(6)]
    assert [frame.seq for frame in answers if isinstance(frame, Accepted)] == [2, 3, 4]
    assert [frame.problem for frame in answers if isinstance(frame, Refused)] == ["malformed", "not_found", "malformed"]


async def test_a_message_of_a_past_epoch_is_refused_with_the_present_one(mira: Line, lake: RoomUri) -> None:
    old = mira.device.message(lake)
    async with mira.stream({lake: 1}) as frames:
        await frames.submit(mira.device.commit(lake))
        refusal = await frames.refused(old)
    assert (refusal.problem, refusal.epoch) == ("wrong_epoch", 2)  # NL-413


async def test_a_message_of_another_room_is_refused(mira: Line, lake: RoomUri) -> None:  # NL-412
    await mira.create("hill")
    message = mira.device.message(RoomUri("mimi://courier.example/r/hill"))
    async with mira.stream({lake: 1}) as frames:
        assert (await frames.refused(msgspec.structs.replace(message, room=lake))).problem == "malformed"


async def test_who_was_away_catches_up_in_order_and_live_entries_follow(mira: Line, tomas: Line, lake: RoomUri) -> None:
    async with mira.stream({lake: 1}) as sending:
        for _ in range(300):
            await sending.send(mira.device.message(lake, b"hello" * 400))
        for _ in range(300):
            await sending.expect(Accepted)
        async with tomas.stream({lake: 1}) as receiving:
            for _ in range(100):
                await sending.send(mira.device.message(lake))
            caught_up = await deliveries(receiving, 400)
    assert [delivery.seq for delivery in caught_up] == list(range(2, 402))


async def test_a_device_goes_on_where_it_says_and_own_entries_come_as_accepted(
    hub: Hub, mira: Line, tomas: Line, lake: RoomUri
) -> None:
    async with mira.stream({lake: 1}) as frames, tomas.stream({lake: 1}) as other:
        own = [await frames.submit(mira.device.message(lake)) for _ in range(3)]
        theirs = await other.submit(tomas.device.message(lake))
    await hub.restart()
    async with mira.stream({lake: 3}) as frames:
        assert frames.ready.heads == {lake: 5}
        assert await frames.expect(Accepted) == own[2]
        assert (await frames.expect(Delivery)).seq == theirs.seq
        await frames.nothing_more()


async def test_a_cursor_beyond_the_log_is_taken_for_its_end(mira: Line, tomas: Line, lake: RoomUri) -> None:  # NL-480
    async with mira.stream({lake: 1}) as sending, tomas.stream({lake: 10**15}) as receiving:
        await receiving.acknowledge(lake, 10**15)
        await receiving.acknowledge(RoomUri("mimi://ring.example/r/nowhere"), 1)
        await sending.submit(mira.device.message(lake))
        assert (await receiving.expect(Delivery)).seq == 2


@pytest.mark.parametrize("settings", [{"connections_per_address_max": 2, "trusted_proxies": 1}])
async def test_an_address_holds_no_more_connections_than_its_limit(hub: Hub) -> None:  # NL-565
    url = "ws" + hub.url.removeprefix("http") + "/v1/stream"
    far, farther = {"x-forwarded-for": "198.51.100.1"}, {"x-forwarded-for": "198.51.100.2"}
    async with connect(url, proxy=None, additional_headers=far):
        async with (
            connect(url, proxy=None, additional_headers=far),
            connect(url, proxy=None, additional_headers=farther),
        ):
            with pytest.raises(InvalidStatus) as refusal:
                await connect(url, proxy=None, additional_headers=far)
            assert refusal.value.response.status_code == 429
            assert int(refusal.value.response.headers["retry-after"]) >= 1
            assert b"too_many" in refusal.value.response.body
        while len(hub.application.stream._admission._open) > 1:  # noqa: ASYNC110 - a test may look inside
            await asyncio.sleep(0.01)
        async with connect(url, proxy=None, additional_headers=far):
            pass


@pytest.mark.parametrize("settings", [{"arrivals_per_second": 1, "arrivals_burst": 2, "trusted_proxies": 1}])
async def test_an_address_connects_no_more_often_than_its_limit(hub: Hub) -> None:  # NL-456
    url = "ws" + hub.url.removeprefix("http") + "/v1/stream"
    far = {"x-forwarded-for": "198.51.100.1"}
    statuses: list[int] = []
    while 429 not in statuses:
        try:
            async with connect(url, proxy=None, additional_headers=far):
                statuses.append(101)
        except InvalidStatus as refusal:
            statuses.append(refusal.response.status_code)
    assert statuses[:2] == [101, 101]
    async with connect(url, proxy=None, additional_headers={"x-forwarded-for": "198.51.100.2"}):
        pass


@pytest.mark.parametrize("settings", [{"connections_max": 3}])
async def test_a_server_holds_no_more_connections_than_its_limit(hub: Hub) -> None:  # NL-564
    port = int(hub.url.rpartition(":")[2])
    held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(4)]
    answer = await held[3][0].read()
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"/problems/unavailable" in answer
    held[0][1].close()
    await held[0][1].wait_closed()
    held[1][1].write(b"GET /health HTTP/1.1\r\nhost: hub.example\r\nconnection: close\r\n\r\n")
    assert (await held[1][0].read()).startswith(b"HTTP/1.1 200 ")
    async with httpx.AsyncClient(base_url=hub.url) as http:
        assert (await http.get("/health")).is_success
    for _, writer in held:
        writer.close()


async def test_an_acknowledgement_of_nothing_is_passed_over(hub: Hub, mira: Line, lake: RoomUri) -> None:  # NL-480
    async with mira.stream({lake: 1}) as frames:
        for number in range(20):
            await frames.acknowledge(RoomUri(f"mimi://ring.example/r/nowhere{number}"), 0)
        await frames.acknowledge(lake, 0)
        await frames.nothing_more()
        assert set(hub.application.stream._log._cursors) <= {(lake, mira.device.device)}
        await hub.flush()


@pytest.mark.parametrize("settings", [{"submissions_per_second": 20, "submissions_burst": 6}])
async def test_acknowledgements_that_come_too_fast_wait_and_none_is_lost(
    hub: Hub, mira: Line, tomas: Line, lake: RoomUri, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[int] = []
    take = Allowance.take

    def counted(allowance: Allowance) -> int:
        waited.append(take(allowance))
        return waited[-1]

    async with mira.stream({lake: 1}) as sending, tomas.stream({lake: 1}) as receiving:
        await sending.submit(mira.device.message(lake))
        last = await sending.submit(mira.device.message(lake))
        await deliveries(receiving, 2)
        monkeypatch.setattr(Allowance, "take", counted)
        for _ in range(10):
            await receiving.acknowledge(lake, 2)
        await receiving.acknowledge(lake, last.seq)
        await receiving.nothing_more()
        assert any(waited)
        assert hub.application.stream._log._cursors[lake, tomas.device.device][1] == last.seq
        assert (await receiving.submit(tomas.device.message(lake))).seq == last.seq + 1


async def test_ciphertext_goes_once_every_device_has_it_and_repeats_are_still_known(
    hub: Hub, mira: Line, tomas: Line, lake: RoomUri
) -> None:
    def payloads() -> int:
        with hub.database.snapshot() as connection:
            return int(connection.exec_driver_sql("SELECT count(*) FROM payloads").scalar_one())

    message = mira.device.message(lake)
    async with mira.stream({lake: 1}) as frames, tomas.stream({lake: 1}) as other:
        first = await frames.submit(message)
        assert payloads() == 2
        await frames.acknowledge(lake, 2)
        await frames.nothing_more()
        await hub.flush()
        assert payloads() == 1
        await other.expect(Delivery)
        await other.acknowledge(lake, 2)
        await other.nothing_more()
        await hub.flush()
        assert payloads() == 0
        assert await frames.submit(message) == first


async def test_ciphertext_that_was_still_to_be_erased_goes_after_a_restart(
    hub: Hub, mira: Line, tomas: Line, lake: RoomUri
) -> None:
    async with mira.stream({lake: 1}) as frames, tomas.stream({lake: 1}) as other:
        await frames.submit(mira.device.message(lake))
        await other.expect(Delivery)
        for line in (frames, other):
            await line.acknowledge(lake, 2)
            await line.nothing_more()
    await hub.restart()
    await hub.application.stream._log.erase_received()
    with hub.database.snapshot() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM payloads").scalar_one() == 0


async def test_accepted_times_rise_though_the_clock_jumps(hub: Hub, mira: Line, lake: RoomUri) -> None:
    times = []
    async with mira.stream({lake: 1}) as frames:
        for ahead_ms in (0, -3_600_000, 86_400_000, 0, 0):
            hub.clock.ahead_ms = ahead_ms
            times.append((await frames.submit(mira.device.message(lake))).accepted_at_ms)
    assert all(earlier < later for earlier, later in itertools.pairwise(times))
    hub.clock.ahead_ms = 0
    await hub.restart()
    async with mira.stream({lake: 6}) as frames:
        assert (await frames.submit(mira.device.message(lake))).accepted_at_ms > times[-1]


# --- the connection itself --------------------------------------------------------------------------------


async def first_answer(hub: Hub, *sent: bytes | str) -> Refused:
    """What a connection hears that begins with ``sent``, and that it is closed then."""
    async with connect("ws" + hub.url.removeprefix("http") + "/v1/stream", proxy=None) as socket:
        for data in sent:
            await socket.send(data)
        answer = read_server_frame(await socket.recv(decode=False))
        with pytest.raises(ConnectionClosed):
            await socket.recv()
    assert isinstance(answer, Refused)
    return answer


async def test_a_connection_begins_with_a_hello_that_signs_in(hub: Hub) -> None:  # NL-400
    assert (await first_answer(hub, encode_frame(Acknowledge(LAKE, 1)))).problem == "unauthenticated"
    assert (await first_answer(hub, encode_frame(Hello("nobody's", {})))).problem == "unauthenticated"
    for data in (b"", b"hello", "hello", b"\xc1", b"\x91" * 100_000):
        assert (await first_answer(hub, data)).problem == "malformed", data[:8]


@pytest.mark.parametrize("settings", [{"hello_seconds": 1}])
async def test_a_connection_that_says_nothing_is_closed(hub: Hub, settings: dict[str, Any]) -> None:
    assert settings
    assert (await first_answer(hub)).problem == "unauthenticated"


async def test_a_frame_that_cannot_be_read_is_refused_and_the_connection_stays(mira: Line, lake: RoomUri) -> None:
    bad = [b"", b"?", encode_frame(["dance"]), encode_frame(["ack", LAKE]), encode_frame(["ack", LAKE, -1]), b"\x93"]
    async with mira.stream({lake: 1}) as frames:
        for data in bad:
            await frames.socket.send(data)
            assert await frames.expect(Refused) == Refused(None, ProblemName.MALFORMED)
        await frames.socket.send("text")
        assert await frames.expect(Refused) == Refused(None, ProblemName.MALFORMED)
        await frames.send(Hello(mira.token, {}))  # NL-402
        assert await frames.expect(Refused) == Refused(None, ProblemName.MALFORMED)
        await frames.submit(mira.device.message(lake))


async def test_a_frame_over_the_limit_is_refused_and_the_connection_stays(hub: Hub, mira: Line, lake: RoomUri) -> None:
    async with mira.stream({lake: 1}) as frames:
        await frames.socket.send(bytes(hub.settings.frame_bytes_max + 1))  # NL-401
        assert await frames.expect(Refused) == Refused(None, ProblemName.TOO_LARGE)
        large = SubmitMessage(submission_id(), lake, bytes(hub.settings.message_bytes_max + 1))
        assert (await frames.refused(large)).problem == "too_large"  # NL-403
        await frames.submit(mira.device.message(lake))


@pytest.mark.parametrize("settings", [{"submissions_per_second": 1, "submissions_burst": 3}])
async def test_who_submits_too_fast_is_told_when_to_go_on(
    mira: Line, lake: RoomUri, settings: dict[str, Any]
) -> None:  # NL-404
    async with mira.stream({lake: 1}) as frames:
        for _ in range(settings["submissions_burst"]):
            await frames.submit(mira.device.message(lake))
        refusal = await frames.refused(mira.device.message(lake))
        assert refusal.problem == "too_many"
        assert refusal.retry_after_ms is not None
        await asyncio.sleep(refusal.retry_after_ms / 1000)
        await frames.submit(mira.device.message(lake))


@pytest.mark.parametrize("settings", [{"unanswered_max": 2}])
async def test_a_device_that_submits_without_waiting_is_read_no_faster_than_it_is_answered(
    mira: Line, lake: RoomUri, settings: dict[str, Any]
) -> None:
    assert settings
    async with mira.stream({lake: 1}) as frames:
        for _ in range(50):
            await frames.send(mira.device.message(lake))
        assert [(await frames.expect(Accepted)).seq for _ in range(50)] == list(range(2, 52))


async def test_a_second_connection_of_a_device_takes_the_place_of_the_first(mira: Line, lake: RoomUri) -> None:
    async with mira.stream({lake: 1}) as first, mira.stream({lake: 1}) as second:
        assert await first.expect(Goodbye) == Goodbye("replaced")
        with pytest.raises(ConnectionClosed):
            await first.receive()
        await second.submit(mira.device.message(lake))


async def test_those_connected_hear_that_the_server_stops(hub: Hub, mira: Line, lake: RoomUri) -> None:
    async with mira.stream({lake: 1}) as frames:
        for _ in range(5):
            await frames.send(mira.device.message(lake))
        await frames.expect(Accepted)
        stopping = asyncio.create_task(hub.stop())
        heard = [await frames.receive() for _ in range(5)]
        await stopping
    assert heard[-1] == Goodbye("stopping")
    assert [type(frame) for frame in heard[:-1]] == [Accepted] * 4


@pytest.mark.parametrize("settings", [{"outbox_bytes_max": 20_000}])
async def test_who_reads_slowly_costs_a_bounded_outbox_and_misses_nothing(
    hub: Hub, mira: Line, tomas: Line, lake: RoomUri, settings: dict[str, Any]
) -> None:
    async with mira.stream({lake: 1}) as sending, tomas.stream({lake: 1}) as receiving:
        receiving.socket.transport.pause_reading()
        connection = hub.connection_of(tomas.device.device)
        for _ in range(20):
            for _ in range(30):
                await sending.send(mira.device.message(lake, bytes(4_000)))
            for _ in range(30):
                await sending.expect(Accepted)
            assert connection._outbox_bytes <= settings["outbox_bytes_max"] + 262_144
        receiving.socket.transport.resume_reading()
        assert [delivery.seq for delivery in await deliveries(receiving, 600)] == list(range(2, 602))


async def test_others_hear_who_is_writing_and_nothing_is_kept_of_it(mira: Line, tomas: Line, lake: RoomUri) -> None:
    async with mira.stream({lake: 1}) as writing, tomas.stream({lake: 1}) as reading:
        await writing.send(TellTyping(lake))
        assert await reading.expect(Typing) == Typing(lake, mira.device.user)
        await writing.nothing_more()
        accepted = await writing.submit(mira.device.message(lake))
        assert accepted.seq == 2
        await reading.expect(Delivery)
    async with tomas.stream({lake: 2}) as later:
        await later.nothing_more()


async def test_who_may_not_write_tells_nobody_that_they_do(mira: Line, tomas: Line, juno: Line, lake: RoomUri) -> None:
    async with juno.stream({}) as stranger, tomas.stream({lake: 1}) as reading, mira.stream({lake: 1}) as writing:
        await stranger.send(TellTyping(lake))
        await stranger.send(TellTyping(RoomUri("mimi://courier.example/r/nowhere")))
        await stranger.nothing_more()
        await tomas.contact(ContactAction.BLOCK, mira.device.user)
        assert await reading.expect(Wake) == Wake("contacts")
        await writing.send(TellTyping(lake))
        await writing.nothing_more()
        await reading.nothing_more()


async def test_more_typing_than_a_person_does_is_passed_over(mira: Line, tomas: Line, lake: RoomUri) -> None:  # NL-405
    async with mira.stream({lake: 1}) as writing, tomas.stream({lake: 1}) as reading:
        for _ in range(1_000):
            await writing.send(TellTyping(lake))
        await writing.nothing_more()
        await writing.submit(mira.device.message(lake))
        heard = 0
        while isinstance(await reading.receive(), Typing):
            heard += 1
        assert 1 <= heard < 100


async def test_a_websocket_elsewhere_is_refused(hub: Hub) -> None:
    with pytest.raises(InvalidStatus) as refusal:
        await connect("ws" + hub.url.removeprefix("http") + "/v1/nowhere", proxy=None)
    response = refusal.value.response
    assert (response.status_code, response.headers["content-type"]) == (404, "application/problem+json")


async def test_ready_names_the_device_and_where_its_rooms_end(mira: Line, lake: RoomUri) -> None:
    async with mira.stream({lake: 1}) as frames:
        assert frames.ready == Ready(mira.device.device, {lake: 1})
