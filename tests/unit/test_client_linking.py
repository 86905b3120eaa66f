from dataclasses import replace
from pathlib import Path

import pytest

from nightlight.client.identity import open_or_create
from nightlight.client.linking import join, seal, show
from nightlight.client.store import Store, StoreError
from nightlight.client.surroundings import Surroundings
from nightlight.errors import RemoteProtocolError, VerificationError
from nightlight.protocol.credential import Device, first_device_list, leaf_credential
from nightlight.protocol.ids import DeviceUri, TimestampMs, UserUri
from nightlight.protocol.linking import CLOCK_SKEW_MS, CODE_LIFETIME_MS, LinkCode, LinkPackage
from tests.support.keys import key_from

ADA, BEN = UserUri("mimi://courier.example/u/ada"), UserUri("mimi://courier.example/u/ben")
ACCOUNT, OTHER = key_from(bytes([1]) * 32), key_from(bytes([2]) * 32)
NOW_MS = TimestampMs(1_900_000_000_000)
URL = "https://hub.example"
SURROUNDINGS = Surroundings(clock=lambda: NOW_MS)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_or_create(tmp_path / "tablet.store", bytes(32), SURROUNDINGS)


def package_for(code: LinkCode, user: UserUri = ADA) -> LinkPackage:
    """What ``user``'s old device hands to the one that shows ``code``."""
    phone = Device(DeviceUri(user.replace("/u/", "/d/") + "/phone"), bytes([9]) * 32)
    tablet = Device(DeviceUri(user.replace("/u/", "/d/") + f"/{code.name}"), code.signature_key, may_sign=True)
    expires_at_ms = TimestampMs(NOW_MS + 86_400_000)
    listed = first_device_list(user, ACCOUNT.public, phone, expires_at_ms).next([phone, tablet], expires_at_ms)
    leaf = leaf_credential(listed, tablet.uri, ACCOUNT.sign).encode()
    return LinkPackage(user, ACCOUNT.public, listed.sign(ACCOUNT.sign).encode(), leaf, ACCOUNT.seed, b"")


def refused(check: str, store: Store, sealed: bytes) -> None:
    """``sealed`` makes nobody's device of the one in ``store``."""
    pending, _ = show(store, URL, ADA, SURROUNDINGS)
    with pytest.raises((RemoteProtocolError, VerificationError)) as error:
        join(store, pending, sealed, NOW_MS)
    assert str(error.value).startswith(f"{check}:")
    assert not store.has_identity()


def test_a_device_that_was_taken_in_is_its_person_s(store: Store) -> None:
    pending, code = show(store, URL, ADA, SURROUNDINGS)
    join(store, pending, seal(code, package_for(code)), NOW_MS)
    identity = store.identity()
    assert (identity.user, identity.device.rpartition("/")[2]) == (ADA, code.name)
    assert (identity.account_seed, identity.registered) == (ACCOUNT.seed, True)
    with pytest.raises(StoreError):
        show(store, URL, ADA, SURROUNDINGS)


def test_a_code_is_the_same_until_it_expires_or_is_for_another(store: Store) -> None:
    _, code = show(store, URL, ADA, SURROUNDINGS)
    assert show(store, URL, ADA, SURROUNDINGS)[1] == code
    assert show(store, URL, BEN, SURROUNDINGS)[1] != code
    _, code = show(store, URL, ADA, SURROUNDINGS)
    later = replace(SURROUNDINGS, clock=lambda: TimestampMs(NOW_MS + CODE_LIFETIME_MS))
    assert show(store, URL, ADA, later)[1] != code


def test_a_code_lasts_ten_minutes_and_what_clocks_differ(store: Store) -> None:
    _, code = show(store, URL, ADA, SURROUNDINGS)
    code.check_time(TimestampMs(code.expires_at_ms + CLOCK_SKEW_MS - 1))
    with pytest.raises(VerificationError) as error:
        code.check_time(TimestampMs(code.expires_at_ms + CLOCK_SKEW_MS))
    assert error.value.check == "NL-352"


def test_who_has_not_seen_the_whole_code_seals_in_vain(store: Store) -> None:
    _, code = show(store, URL, ADA, SURROUNDINGS)
    guessed = replace(code, secret=bytes(16))
    refused("NL-355", store, seal(guessed, package_for(code)))
    refused("NL-355", store, seal(code, package_for(code))[:-1])
    refused("NL-355", store, b"")


def test_a_package_is_for_this_device_and_this_person(store: Store) -> None:
    _, code = show(store, URL, ADA, SURROUNDINGS)
    refused("NL-354", store, seal(code, package_for(code, BEN)))
    another = replace(code, name="laptop", signature_key=bytes([8]) * 32)
    refused("NL-323", store, seal(code, package_for(another)))
    renamed = replace(code, name="laptop")
    refused("NL-354", store, seal(code, package_for(renamed)))


def test_the_account_key_that_is_handed_over_is_the_person_s(store: Store) -> None:
    _, code = show(store, URL, ADA, SURROUNDINGS)
    refused("NL-356", store, seal(code, replace(package_for(code), account_seed=OTHER.seed)))
    refused("NL-311", store, seal(code, replace(package_for(code), account_key=OTHER.public)))


@pytest.mark.parametrize("change", [{"account_key": bytes(31)}, {"account_seed": bytes(31)}, {"history_key": b"1"}])
def test_keys_that_are_handed_over_have_their_lengths(store: Store, change: dict[str, bytes]) -> None:
    _, code = show(store, URL, ADA, SURROUNDINGS)
    refused("NL-353", store, seal(code, replace(package_for(code), **change)))  # type: ignore[arg-type]  # bytes alone
