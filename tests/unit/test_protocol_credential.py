from collections.abc import Sequence
from dataclasses import replace

import pytest

from nightlight.errors import LocalProtocolError, RemoteProtocolError, VerificationError
from nightlight.protocol.codec import u64, write_vector
from nightlight.protocol.credential import (
    CLOCK_SKEW_MS,
    DEVICE_LIST_LABEL,
    LEAF_LABEL,
    MAX_DEVICES,
    MAX_LIFETIME_MS,
    NO_PREVIOUS,
    SESSION_LABEL,
    Device,
    DeviceList,
    LeafCredential,
    SignedDeviceList,
    first_device_list,
    leaf_content,
    leaf_credential,
    session_content,
    verify_leaf,
    verify_session,
)
from nightlight.protocol.ids import DeviceUri, TimestampMs, UserUri
from tests.support.keys import key_from

NOW_MS = TimestampMs(1_900_000_000_000)
EXPIRES_AT_MS = TimestampMs(NOW_MS + MAX_LIFETIME_MS)
ADA = UserUri("mimi://courier.example/u/ada")
BEN = UserUri("mimi://courier.example/u/ben")
ACCOUNT, OTHER_ACCOUNT = key_from(bytes([1]) * 32), key_from(bytes([2]) * 32)
PHONE = Device(DeviceUri("mimi://courier.example/d/ada/phone"), bytes([3]) * 32)
TABLET = Device(DeviceUri("mimi://courier.example/d/ada/tablet"), bytes([4]) * 32)
BENS = Device(DeviceUri("mimi://courier.example/d/ben/phone"), bytes([5]) * 32)
FIRST = first_device_list(ADA, ACCOUNT.public, PHONE, EXPIRES_AT_MS)
PHONE = FIRST.devices[0]
SECOND = FIRST.next([TABLET, PHONE], EXPIRES_AT_MS)


def verified(device_list: DeviceList, known: DeviceList | None = None) -> DeviceList:
    """What a stranger makes of ``device_list`` as it comes over the wire."""
    signed = SignedDeviceList.decode(device_list.sign(ACCOUNT.sign).encode())
    return signed.verify(ADA, ACCOUNT.public, NOW_MS, known=known)


def not_verified(check: str, device_list: DeviceList, known: DeviceList | None = None) -> None:
    with pytest.raises(VerificationError) as error:
        verified(device_list, known)
    assert error.value.check == check


def raw_list(version: int, previous: bytes, devices: Sequence[Device]) -> bytes:
    content = DeviceList(ADA, ACCOUNT.public, version, previous, EXPIRES_AT_MS, tuple(devices)).encode()
    return SignedDeviceList(content, ACCOUNT.sign(DEVICE_LIST_LABEL, content)).encode()


def malformed(check: str, data: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as error:
        SignedDeviceList.decode(data)
    assert error.value.check == check


# --- device list ---


def test_a_person_s_lists_follow_one_another() -> None:
    assert verified(FIRST) == FIRST
    assert verified(SECOND, known=FIRST) == SECOND
    assert SECOND.devices == (PHONE, TABLET)


def test_the_same_list_again_is_fine() -> None:
    assert verified(SECOND, known=SECOND) == SECOND


def test_somebody_who_was_away_takes_a_list_two_versions_on() -> None:
    third = SECOND.next([PHONE], EXPIRES_AT_MS)
    assert verified(third, known=FIRST) == third


def test_a_list_that_the_account_key_did_not_sign_is_not_believed() -> None:
    signed = FIRST.sign(OTHER_ACCOUNT.sign)
    with pytest.raises(VerificationError) as error:
        signed.verify(ADA, ACCOUNT.public, NOW_MS)
    assert error.value.check == "NL-311"


def test_a_signature_for_another_purpose_is_none_for_a_list() -> None:
    signed = SignedDeviceList(FIRST.encode(), ACCOUNT.sign(LEAF_LABEL, FIRST.encode()))
    with pytest.raises(VerificationError) as error:
        signed.verify(ADA, ACCOUNT.public, NOW_MS)
    assert error.value.check == "NL-311"


def test_nobody_lists_another_s_device() -> None:
    not_verified("NL-312", FIRST.next([PHONE, BENS], EXPIRES_AT_MS))


@pytest.mark.parametrize("expires_at_ms", [0, NOW_MS, NOW_MS + MAX_LIFETIME_MS + CLOCK_SKEW_MS + 1])
def test_a_list_lasts_for_thirty_days_at_most(expires_at_ms: int) -> None:
    not_verified("NL-313", first_device_list(ADA, ACCOUNT.public, PHONE, TimestampMs(expires_at_ms)))


def test_a_clock_an_hour_ahead_is_forgiven() -> None:
    latest = TimestampMs(NOW_MS + MAX_LIFETIME_MS + CLOCK_SKEW_MS)
    assert verified(first_device_list(ADA, ACCOUNT.public, PHONE, latest)).expires_at_ms == latest


def test_another_account_key_is_another_person() -> None:
    known = first_device_list(ADA, OTHER_ACCOUNT.public, PHONE, EXPIRES_AT_MS)
    not_verified("NL-314", SECOND, known=known)


def test_an_older_list_never_comes_back() -> None:
    not_verified("NL-315", FIRST, known=SECOND)


def test_there_are_no_two_lists_of_one_version() -> None:
    not_verified("NL-316", FIRST.next([PHONE], EXPIRES_AT_MS), known=SECOND)


def test_the_next_list_names_the_one_before() -> None:
    other_first = first_device_list(ADA, ACCOUNT.public, TABLET, EXPIRES_AT_MS)
    not_verified("NL-316", SECOND, known=other_first)


@pytest.mark.parametrize(
    "devices",
    [
        [],
        [TABLET, PHONE],
        [PHONE, PHONE],
        [PHONE, Device(PHONE.uri, TABLET.signature_key)],
        [PHONE, Device(TABLET.uri, PHONE.signature_key)],
        [Device(DeviceUri(f"mimi://courier.example/d/ada/{n:03}"), bytes([n]) * 32) for n in range(MAX_DEVICES + 1)],
        [
            *(
                Device(DeviceUri(f"mimi://courier.example/d/ada/{n:03}"), bytes([n]) * 32)
                for n in range(MAX_DEVICES + 1)
            ),
            Device(DeviceUri("what is beyond is not read"), b""),
        ],
    ],
    ids=["none", "out of order", "one twice", "one URI twice", "one key twice", "too many", "far too many"],
)
def test_the_devices_of_a_list_are_in_order_and_distinct(devices: list[Device]) -> None:
    malformed("NL-302", raw_list(1, NO_PREVIOUS, devices))


@pytest.mark.parametrize(("version", "previous"), [(0, NO_PREVIOUS), (1, bytes([1]) * 32), (2, NO_PREVIOUS)])
def test_only_the_first_list_has_none_before_it(version: int, previous: bytes) -> None:
    malformed("NL-302", raw_list(version, previous, [PHONE]))


def test_keys_and_signatures_have_their_lengths() -> None:
    malformed("NL-303", raw_list(1, NO_PREVIOUS, [Device(PHONE.uri, bytes(31))]))
    malformed("NL-303", SignedDeviceList(replace(FIRST, recovery_key=bytes(31)).encode(), bytes(64)).encode())
    malformed("NL-301", SignedDeviceList(FIRST.encode(), bytes(63)).encode())


def test_a_device_may_sign_or_may_not() -> None:
    flag = FIRST.encode().rindex(b"\x01")
    content = FIRST.encode()[:flag] + b"\x02"
    malformed("NL-304", SignedDeviceList(content, bytes(64)).encode())
    assert [device.may_sign for device in SECOND.devices] == [True, False]


def test_a_list_s_devices_are_device_uris() -> None:
    malformed("NL-002", raw_list(1, NO_PREVIOUS, [Device(DeviceUri("phone"), bytes(32))]))


def test_nothing_follows_a_list() -> None:
    malformed("NL-103", FIRST.sign(ACCOUNT.sign).encode() + b"\x00")
    malformed("NL-103", SignedDeviceList(FIRST.encode() + b"\x00", bytes(64)).encode())


# --- leaf ---


def leaf(device_list: DeviceList = FIRST, device: Device = PHONE) -> bytes:
    return leaf_credential(device_list, device.uri, ACCOUNT.sign).encode()


def leaf_refused(check: str, credential: bytes, key: bytes, device_list: DeviceList) -> None:
    with pytest.raises(VerificationError) as error:
        verify_leaf(credential, key, device_list)
    assert error.value.check == check


def test_a_leaf_on_the_list_is_its_user_s_device() -> None:
    verified_leaf = verify_leaf(leaf(), PHONE.signature_key, FIRST)
    assert (verified_leaf.user, verified_leaf.device) == (ADA, PHONE.uri)
    assert verified_leaf.account_key == ACCOUNT.public


def test_a_leaf_from_an_earlier_list_is_listed_while_its_device_is() -> None:
    assert verify_leaf(leaf(FIRST), PHONE.signature_key, SECOND).listed
    assert not verify_leaf(leaf(FIRST), PHONE.signature_key, SECOND.next([TABLET], EXPIRES_AT_MS)).listed


def test_a_leaf_that_its_own_list_does_not_name_is_nobody_s() -> None:
    third = SECOND.next([TABLET], EXPIRES_AT_MS)
    signature = ACCOUNT.sign(LEAF_LABEL, leaf_content(PHONE.uri, PHONE.signature_key, 3))
    forged = LeafCredential(PHONE.uri, ACCOUNT.public, 3, signature)
    leaf_refused("NL-323", forged.encode(), PHONE.signature_key, third)


def test_a_leaf_under_an_account_key_that_was_replaced_is_still_its_user_s() -> None:
    replaced = replace(SECOND, account_key=OTHER_ACCOUNT.public, former_keys=(ACCOUNT.public,))
    assert verify_leaf(leaf(FIRST), PHONE.signature_key, replaced).listed


def test_a_leaf_under_another_account_key_is_another_person() -> None:
    others = first_device_list(ADA, OTHER_ACCOUNT.public, PHONE, EXPIRES_AT_MS)
    leaf_refused("NL-321", leaf(), PHONE.signature_key, others)


def test_a_leaf_under_a_newer_list_waits_for_that_list() -> None:
    leaf_refused("NL-322", leaf(SECOND), PHONE.signature_key, FIRST)


def test_a_leaf_with_another_key_is_not_on_the_list() -> None:
    leaf_refused("NL-323", leaf(), TABLET.signature_key, FIRST)
    leaf_refused("NL-324", leaf(), TABLET.signature_key, SECOND)


def test_a_leaf_s_signature_is_for_its_key_and_version() -> None:
    stolen = LeafCredential(PHONE.uri, ACCOUNT.public, 2, LeafCredential.decode(leaf(FIRST)).signature)
    leaf_refused("NL-324", stolen.encode(), PHONE.signature_key, SECOND)


def test_only_a_listed_device_gets_a_credential() -> None:
    with pytest.raises(LocalProtocolError):
        leaf_credential(FIRST, TABLET.uri, ACCOUNT.sign)


@pytest.mark.parametrize(
    ("credential", "check"),
    [
        (leaf() + b"\x00", "NL-103"),
        (leaf()[:-1], "NL-101"),
        (LeafCredential(DeviceUri("phone"), bytes(32), 1, bytes(64)).encode(), "NL-002"),
        (LeafCredential(PHONE.uri, bytes(33), 1, bytes(64)).encode(), "NL-303"),
        (LeafCredential(PHONE.uri, bytes(32), 1, bytes(65)).encode(), "NL-301"),
        (write_vector(b"\xff") + write_vector(bytes(32)) + u64(1) + write_vector(bytes(64)), "NL-104"),
    ],
)
def test_a_credential_of_another_shape_is_refused(credential: bytes, check: str) -> None:
    with pytest.raises(RemoteProtocolError) as error:
        verify_leaf(credential, PHONE.signature_key, FIRST)
    assert error.value.check == check


def test_what_a_leaf_signs_starts_with_its_user() -> None:
    assert leaf_content(PHONE.uri, PHONE.signature_key, 1).startswith(write_vector(ADA.encode()))
    assert leaf_content(BENS.uri, BENS.signature_key, 1).startswith(write_vector(BEN.encode()))


# --- session ---

SESSION = session_content("https://courier.example", PHONE.uri, bytes(32), NOW_MS)


def test_a_device_signs_in_with_its_session_key() -> None:
    verify_session(ACCOUNT.public, SESSION, ACCOUNT.sign(SESSION_LABEL, SESSION))


@pytest.mark.parametrize(
    "other",
    [
        session_content("https://gallery.example", PHONE.uri, bytes(32), NOW_MS),
        session_content("https://courier.example", TABLET.uri, bytes(32), NOW_MS),
        session_content("https://courier.example", PHONE.uri, bytes([1]) * 32, NOW_MS),
        session_content("https://courier.example", PHONE.uri, bytes(32), TimestampMs(NOW_MS + 1)),
    ],
)
def test_a_session_signature_is_for_one_origin_device_nonce_and_expiry(other: bytes) -> None:
    with pytest.raises(VerificationError) as error:
        verify_session(ACCOUNT.public, other, ACCOUNT.sign(SESSION_LABEL, SESSION))
    assert error.value.check == "NL-331"
