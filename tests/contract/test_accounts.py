"""Registering, signing in, device lists and key packages, over HTTP."""

import hashlib
import os
from typing import Any

import msgspec
import pytest

from nightlight.protocol import credential
from nightlight.protocol.ids import TimestampMs, UserUri
from nightlight.protocol.messages import (
    Challenge,
    ChallengeRequest,
    ContactAction,
    DeviceListUpdate,
    Directory,
    KeyPackageClaim,
    KeyPackageCount,
    KeyPackageUpload,
    Session,
    UserDevices,
)
from tests.contract.conftest import Hub
from tests.contract.device import DAY_S, Device, Line, befriend, room_of_two

HANNA = UserUri("mimi://ring.example/u/hanna")


def problem(response: Any) -> str:
    """The problem's name; it is a problem as RFC 9457 has it."""
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == response.status_code
    return str(body["type"]).rpartition("/")[2]


async def test_registering_twice_is_registering_once(hub: Hub) -> None:
    line = hub.line(HANNA)
    registration = line.device.registration()
    first = await line.call("POST", "/v1/accounts", UserDevices, registration)
    assert await line.call("POST", "/v1/accounts", UserDevices, registration) == first


async def test_a_handle_is_taken_once(hub: Hub) -> None:  # NL-446
    await hub.person(HANNA)
    response = await hub.line(HANNA).raw("POST", "/v1/accounts", Device(HANNA).registration())
    assert (response.status_code, problem(response)) == (409, "handle_taken")


async def test_the_same_handle_at_another_app_is_another_person(hub: Hub) -> None:
    await hub.person(HANNA)
    await hub.person(UserUri("mimi://courier.example/u/hanna"))


async def test_an_app_that_is_not_ours_is_refused(hub: Hub) -> None:  # NL-440
    response = await hub.line(HANNA).raw(
        "POST", "/v1/accounts", Device(UserUri("mimi://elsewhere.example/u/hanna")).registration()
    )
    assert problem(response) == "not_found"


async def test_a_person_registers_their_own_device_alone(hub: Hub) -> None:  # NL-441
    registration = msgspec.structs.replace(Device(HANNA).registration(), device="mimi://ring.example/d/juno/phone")
    assert problem(await hub.line(HANNA).raw("POST", "/v1/accounts", registration)) == "malformed"


async def test_a_device_list_that_its_account_key_has_not_signed_is_refused(hub: Hub) -> None:  # NL-442
    registration = msgspec.structs.replace(Device(HANNA).registration(), account_key=os.urandom(32))
    assert problem(await hub.line(HANNA).raw("POST", "/v1/accounts", registration)) == "malformed"


async def test_a_person_begins_with_the_device_that_registers(hub: Hub) -> None:  # NL-443
    registration = msgspec.structs.replace(Device(HANNA).registration(), device="mimi://ring.example/d/hanna/tablet")
    assert problem(await hub.line(HANNA).raw("POST", "/v1/accounts", registration)) == "malformed"


async def test_signing_in_needs_the_device_s_own_signature(mira: Line) -> None:  # NL-451
    challenge = await mira.call("POST", "/v1/challenges", Challenge, ChallengeRequest(mira.device.device))
    forged = msgspec.structs.replace(mira.device.sign_in(challenge), signature=os.urandom(64))
    assert problem(await mira.raw("POST", "/v1/sessions", forged)) == "unauthenticated"


async def test_signing_in_to_a_device_that_does_not_exist_looks_the_same(mira: Line) -> None:
    stranger = Device(HANNA)
    challenge = await mira.call("POST", "/v1/challenges", Challenge, ChallengeRequest(stranger.device))
    response = await mira.raw("POST", "/v1/sessions", stranger.sign_in(challenge))
    assert problem(response) == "unauthenticated"


async def test_a_challenge_is_answered_once(mira: Line) -> None:  # NL-452
    challenge = await mira.call("POST", "/v1/challenges", Challenge, ChallengeRequest(mira.device.device))
    answer = mira.device.sign_in(challenge)
    await mira.call("POST", "/v1/sessions", Session, answer)
    assert problem(await mira.raw("POST", "/v1/sessions", answer)) == "unauthenticated"


async def test_a_challenge_ends_and_cannot_be_stretched_or_handed_on(hub: Hub, mira: Line, tomas: Line) -> None:
    challenge = await mira.call("POST", "/v1/challenges", Challenge, ChallengeRequest(mira.device.device))
    stretched = msgspec.structs.replace(challenge, expires_at_ms=challenge.expires_at_ms + 1)
    for answer in (mira.device.sign_in(stretched), tomas.device.sign_in(challenge)):  # NL-450
        assert problem(await mira.raw("POST", "/v1/sessions", answer)) == "unauthenticated"
    hub.clock.ahead_ms = 61_000
    assert problem(await mira.raw("POST", "/v1/sessions", mira.device.sign_in(challenge))) == "unauthenticated"


async def test_a_token_ends(hub: Hub, mira: Line) -> None:  # NL-453
    assert (await mira.raw("GET", "/v1/contacts")).is_success
    hub.clock.ahead_ms = hub.settings.session_minutes * 60_000 + 1_000
    assert problem(await mira.raw("GET", "/v1/contacts")) == "unauthenticated"


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer  x", "Basic abc", "bearer abc", "Bearer " + "x" * 200])
async def test_a_request_without_a_bearer_token_is_refused(hub: Hub, header: str) -> None:  # NL-454
    response = await hub.line(HANNA).http.get("/v1/contacts", headers={"authorization": header})
    assert (response.status_code, problem(response)) == (401, "unauthenticated")


@pytest.mark.parametrize("settings", [{"requests_per_second": 1, "requests_burst": 3}])
async def test_a_device_that_calls_too_often_is_told_to_wait_and_others_are_not(
    mira: Line, tomas: Line, settings: dict[str, Any]
) -> None:  # NL-455
    answers = [await mira.raw("GET", "/v1/contacts") for _ in range(settings["requests_burst"] + 1)]
    assert (answers[-1].status_code, problem(answers[-1])) == (429, "too_many")
    assert answers[-1].headers["retry-after"] == "1"
    assert (await tomas.raw("GET", "/v1/contacts")).is_success


@pytest.mark.parametrize("settings", [{"arrivals_per_second": 1, "arrivals_burst": 3, "trusted_proxies": 1}])
async def test_an_address_that_arrives_too_often_is_told_to_wait_and_others_are_not(hub: Hub) -> None:  # NL-456
    line = hub.line(HANNA)
    far, farther = {"x-forwarded-for": "192.0.2.7, 198.51.100.1"}, {"x-forwarded-for": "192.0.2.7, 198.51.100.2"}
    challenge = {"device": line.device.device}
    for path, body in (("accounts", {}), ("sessions", {}), ("challenges", challenge)):
        answer = await line.http.post(f"/v1/{path}", json=body, headers=far)
        assert answer.status_code == (200 if body else 400)
    mailbox = {"mailbox": "00" * 32}
    assert problem(await line.http.get("/v1/link", params=mailbox, headers=far)) == "too_many"
    for path in ("accounts", "sessions", "challenges"):
        answer = await line.http.post(f"/v1/{path}", json=challenge, headers=far)
        assert (answer.status_code, problem(answer)) == (429, "too_many")
        assert answer.headers["retry-after"] in {"1", "2"}
    assert (await line.http.get("/v1/directory", headers=far)).is_success
    assert (await line.http.post("/v1/challenges", json=challenge, headers=farther)).is_success


async def test_the_server_stores_no_token(hub: Hub, mira: Line) -> None:
    with hub.database.snapshot() as connection:
        stored = [bytes(row[0]) for row in connection.exec_driver_sql("SELECT token_hash FROM sessions")]
    assert stored == [hashlib.sha256(mira.token.encode()).digest()]


async def test_contacts_see_each_other_s_device_list_and_strangers_see_nothing(
    mira: Line, tomas: Line, juno: Line
) -> None:  # NL-447
    await befriend(mira, tomas)
    seen = await mira.call("GET", "/v1/device-list", UserDevices, user=tomas.device.user)
    assert seen.account_key == tomas.device.account.public_key
    refusals = [
        await mira.raw("GET", "/v1/device-list", user=user)
        for user in (juno.device.user, "mimi://ring.example/u/no-one")
    ]
    assert [problem(refusal) for refusal in refusals] == ["not_found", "not_found"]
    assert refusals[0].content == refusals[1].content


async def test_who_was_in_a_room_together_sees_each_other_s_list_still_and_who_came_later_does_not(
    mira: Line, tomas: Line, juno: Line
) -> None:
    await befriend(mira, tomas)
    await befriend(mira, juno)
    room = await room_of_two(mira, tomas)
    packages = await mira.claim(juno.device.user)
    async with mira.stream() as frames:
        for changes in ({"remove": [1]}, {"add": packages}):
            await frames.submit(mira.device.commit(room, **changes))
            mira.device.groups[room].accept()
    await tomas.contact(ContactAction.BLOCK, mira.device.user)  # So that they are no contacts any more.
    together = await tomas.raw("GET", "/v1/device-list", user=mira.device.user)
    apart = [
        await one.raw("GET", "/v1/device-list", user=other.device.user) for one, other in ((juno, tomas), (tomas, juno))
    ]
    assert together.status_code == 200
    assert [problem(refusal) for refusal in apart] == ["not_found", "not_found"]


def renewed(device: Device, *, days: int = 25) -> tuple[credential.DeviceList, bytes]:
    """The device's next list, with the same devices, and its signed bytes."""
    expires_at_ms = TimestampMs(device.device_list.expires_at_ms + days * DAY_S * 1000 - 20 * DAY_S * 1000)
    following = device.device_list.next(device.device_list.devices, expires_at_ms)
    return following, following.sign(device.account.sign_with_label).encode()


async def test_a_device_list_is_renewed_and_never_goes_back(mira: Line) -> None:
    first = mira.device.registration().device_list
    following, signed = renewed(mira.device)
    for _ in range(2):
        answer = await mira.call("PUT", "/v1/device-list", UserDevices, DeviceListUpdate(signed))
        assert answer.device_list == signed
    assert problem(await mira.raw("PUT", "/v1/device-list", DeviceListUpdate(first))) == "stale_device_list"  # NL-444
    skipping = following.next(following.devices, following.expires_at_ms).next(
        following.devices, following.expires_at_ms
    )
    late = DeviceListUpdate(skipping.sign(mira.device.account.sign_with_label).encode())
    assert problem(await mira.raw("PUT", "/v1/device-list", late)) == "stale_device_list"


async def test_a_device_cannot_be_listed_before_it_is_linked(mira: Line) -> None:  # NL-445
    phone = mira.device.device_list.devices[0]
    tablet = credential.Device(Device(mira.device.user, "tablet").device, os.urandom(32))
    listed = mira.device.device_list.next([phone, tablet], mira.device.device_list.expires_at_ms)
    update = DeviceListUpdate(listed.sign(mira.device.account.sign_with_label).encode())
    assert problem(await mira.raw("PUT", "/v1/device-list", update)) == "not_allowed"


async def test_key_packages_are_counted_claimed_once_and_the_last_resort_stays(mira: Line, tomas: Line) -> None:
    await befriend(mira, tomas)
    assert await tomas.call("GET", "/v1/key-packages", KeyPackageCount) == KeyPackageCount(3, has_last_resort=True)
    claimed = [(await mira.claim(tomas.device.user))[0] for _ in range(5)]
    assert len(set(claimed)) == 4
    assert claimed[3] == claimed[4]
    assert await tomas.call("GET", "/v1/key-packages", KeyPackageCount) == KeyPackageCount(0, has_last_resort=True)


async def test_an_upload_that_is_repeated_counts_once(mira: Line) -> None:
    upload = mira.device.upload(2)
    for _ in range(2):
        count = await mira.call("POST", "/v1/key-packages", KeyPackageCount, upload)
        assert count.remaining == 5


async def test_an_upload_that_is_repeated_does_not_offer_again_what_was_claimed(
    hub: Hub, mira: Line, tomas: Line
) -> None:
    await befriend(mira, tomas)
    upload = KeyPackageUpload(tomas.device.key_packages(2))
    await tomas.call("POST", "/v1/key-packages", KeyPackageCount, upload)
    *claimed, last_resort = [(await mira.claim(tomas.device.user))[0] for _ in range(6)]
    await hub.restart()
    count = await tomas.call("POST", "/v1/key-packages", KeyPackageCount, upload)
    assert count == KeyPackageCount(0, has_last_resort=True)
    assert set(upload.key_packages) < set(claimed)
    assert await mira.claim(tomas.device.user) == [last_resort]
    with hub.database.snapshot() as connection:
        kept = connection.exec_driver_sql("SELECT length(message) FROM key_packages WHERE claimed").scalars().all()
    assert kept == [0] * 5


@pytest.mark.parametrize("settings", [{"claims_per_hour": 1, "claims_burst": 2}])
async def test_a_person_claims_only_so_many_key_packages_of_another(mira: Line, tomas: Line, juno: Line) -> None:
    for contact in (tomas, juno):
        await befriend(mira, contact)
    await befriend(tomas, juno)
    for _ in range(2):
        await mira.claim(tomas.device.user)
    response = await mira.raw("POST", "/v1/key-packages/claim", KeyPackageClaim(tomas.device.user))
    assert (response.status_code, problem(response)) == (429, "too_many")  # NL-566
    assert int(response.headers["retry-after"]) > 3_000
    assert await mira.claim(juno.device.user)
    assert await juno.claim(tomas.device.user)


async def test_a_device_has_only_its_ten_newest_tokens(hub: Hub, mira: Line) -> None:
    tokens = [mira.token]
    for _ in range(11):
        await mira.sign_in()
        tokens.append(mira.token)
    holds: list[bool] = []
    for mira.token in tokens:
        holds.append((await mira.raw("GET", "/v1/contacts")).is_success)
    assert holds == [False] * 2 + [True] * 10
    with hub.database.snapshot() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM sessions").scalar_one() == 10


async def test_key_packages_of_strangers_cannot_be_claimed(mira: Line, tomas: Line) -> None:  # NL-448
    await mira.contact(ContactAction.REQUEST, tomas.device.user)
    for user in (tomas.device.user, HANNA):
        response = await mira.raw("POST", "/v1/key-packages/claim", KeyPackageClaim(user))
        assert problem(response) == "not_found"


async def test_a_contact_without_key_packages_cannot_be_added_now(hub: Hub, mira: Line) -> None:  # NL-464
    hanna = hub.line(HANNA)
    await hanna.call("POST", "/v1/accounts", object, hanna.device.registration())
    await hanna.sign_in()
    await befriend(mira, hanna)
    response = await mira.raw("POST", "/v1/key-packages/claim", KeyPackageClaim(HANNA))
    assert (response.status_code, problem(response)) == (409, "no_key_package")


async def test_a_key_package_that_has_expired_is_not_given_out(hub: Hub, mira: Line, tomas: Line) -> None:
    await befriend(mira, tomas)
    hub.clock.ahead_ms = 40 * DAY_S * 1000
    await mira.sign_in()
    assert (
        problem(await mira.raw("POST", "/v1/key-packages/claim", KeyPackageClaim(tomas.device.user)))
        == "no_key_package"
    )


@pytest.mark.parametrize("settings", [{"key_packages_max": 2}])
async def test_more_key_packages_than_the_limit_are_counted_before_they_are_read(hub: Hub) -> None:  # NL-463
    hanna = hub.line(HANNA)
    await hanna.call("POST", "/v1/accounts", object, hanna.device.registration())
    await hanna.sign_in()
    response = await hanna.raw("POST", "/v1/key-packages", KeyPackageUpload([b"hello"] * 3))
    assert (response.status_code, problem(response)) == (429, "too_many")


async def test_only_usable_key_packages_of_this_device_are_taken(hub: Hub, mira: Line, tomas: Line) -> None:
    single, last = mira.device.key_packages(1)[0], mira.device.key_packages(1, last_resort=True)[0]
    bad = {
        "not a key package": KeyPackageUpload([b"hello"]),  # NL-460
        "a last resort among the others": KeyPackageUpload([last]),
        "a single-use one as last resort": KeyPackageUpload([], single),
        "another device's": KeyPackageUpload(tomas.device.key_packages(1)),  # NL-461
    }
    for what, upload in bad.items():
        response = await mira.raw("POST", "/v1/key-packages", upload)
        assert (response.status_code, problem(response)) == (422, "invalid_key_package"), what
    hub.clock.ahead_ms = -10 * DAY_S * 1000  # NL-462
    await mira.sign_in()
    assert problem(await mira.raw("POST", "/v1/key-packages", KeyPackageUpload([single]))) == "invalid_key_package"
    hub.clock.ahead_ms = 0
    await mira.sign_in()
    assert (await mira.call("GET", "/v1/key-packages", KeyPackageCount)).remaining == 3


async def test_a_device_holds_no_more_key_packages_than_the_limit(mira: Line) -> None:  # NL-463
    response = await mira.raw("POST", "/v1/key-packages", KeyPackageUpload(mira.device.key_packages(199)))
    assert (response.status_code, problem(response)) == (429, "too_many")
    assert (await mira.call("GET", "/v1/key-packages", KeyPackageCount)).remaining == 3


async def test_the_directory_names_hub_apps_and_franking_key(hub: Hub, mira: Line) -> None:
    directory = await mira.call("GET", "/v1/directory", Directory)
    assert (directory.hub, directory.providers) == ("mimi://hub.example", hub.settings.providers)
    await hub.restart()
    assert await mira.call("GET", "/v1/directory", Directory) == directory


async def test_a_session_survives_a_restart(hub: Hub, mira: Line) -> None:
    await hub.restart()
    assert (await mira.raw("GET", "/v1/contacts")).is_success
