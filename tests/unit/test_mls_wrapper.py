"""What good wrappers of MLS handle: each line of that list, as far as the crate contributes to it.

What belongs to the client's session beyond that (buffers, retries, staggering) is tested with the session.
"""

import pytest

from nightlight.mls.group import (
    DesyncError,
    Disposition,
    DuplicateError,
    FatalError,
    ForbiddenHandshakeError,
    InvalidError,
    MlsError,
    OrphanWelcomeError,
    StateError,
    TooDistantError,
    WrongEpochError,
    disposition,
    read_key_package,
    read_welcome,
)
from tests.support.mls import AGENT, DAY_S, ROOM, TAG, Entries, Room, key_package, new_member, now_s, room_of


@pytest.fixture
def room() -> Room:
    return room_of(["mira", "tomas"])


def test_publish_before_apply(room: Room) -> None:
    mira, tomas = room["mira"].group, room["tomas"]
    staged = mira.commit(now_s=now_s())
    assert (mira.epoch, staged.epoch, mira.has_pending) == (1, 2, True)
    assert tomas.read(mira.encrypt(b"still in the old epoch", TAG)).epoch == 1
    room.accept(staged.commit)
    assert mira.epoch == 1
    mira.accept()
    assert (mira.epoch, mira.has_pending) == (2, False)


def test_one_commit_per_epoch_losers_rebuild(room: Room) -> None:
    mira, tomas = room["mira"], room["tomas"]
    won = mira.group.commit(now_s=now_s())
    newcomer = key_package(new_member("nadia"))
    lost = tomas.group.commit(add=[newcomer], now_s=now_s())
    room.accept(won.commit)
    mira.group.accept()
    with pytest.raises(WrongEpochError, match="NL-204"):
        room.hub.process(lost.commit, now_s())
    tomas.group.discard()
    tomas.follow(won.commit)
    rebuilt = tomas.group.commit(add=[newcomer], now_s=now_s())
    room.enter("tomas", rebuilt)
    assert [leaf.credential for leaf in mira.group.members] == [b"mira", b"tomas", b"nadia"]


def test_a_loser_s_pending_commit_goes_when_the_winner_is_merged(room: Room) -> None:
    tomas = room["tomas"].group
    tomas.commit(now_s=now_s())
    room["tomas"].follow(room["mira"].group.commit(now_s=now_s()).commit)
    assert (tomas.epoch, tomas.has_pending) == (2, False)


def test_own_commit_echo_is_matched_by_confirmation_tag(room: Room) -> None:
    mira = room["mira"]
    staged = mira.group.commit(now_s=now_s())
    mira.save()
    mira.reload()
    echo = mira.stage(staged.commit)
    assert echo.own
    assert echo.change.members == room["tomas"].stage(staged.commit).change.members
    assert staged.confirmation_tag in staged.commit
    mira.group.accept()
    assert mira.group.epoch == 2


def test_a_cleared_commit_that_was_accepted_is_told_from_a_replayed_one(room: Room) -> None:
    mira = room["mira"].group
    replayed = mira.commit(now_s=now_s())
    room.enter("mira", replayed)
    with pytest.raises(DuplicateError, match="NL-209"):
        mira.receive(replayed.commit)
    cleared = mira.commit(now_s=now_s())
    mira.discard()
    room.accept(cleared.commit)
    with pytest.raises(DesyncError, match="NL-250"):
        mira.receive(cleared.commit)


def test_a_staged_commit_that_was_not_stored_is_cleared_by_reloading(room: Room) -> None:
    mira, tomas = room["mira"], room["tomas"]
    staged = mira.group.commit(now_s=now_s())
    tomas.stage(staged.commit)
    for device in (mira, tomas):
        device.reload()
        assert (device.group.has_pending, device.group.epoch) == (False, 1)
    room.enter("mira", mira.group.commit(now_s=now_s()))


def test_one_transaction_and_after_a_rollback_the_group_is_reloaded(room: Room) -> None:
    mira, tomas = room["mira"], room["tomas"]
    message = mira.group.encrypt(b"hello", TAG)
    assert tomas.read(message).data == b"hello"
    tomas.group.take_writes()  # handed over, and rolled back with the transaction
    tomas.reload()
    assert tomas.read(message).data == b"hello"
    tomas.save()
    tomas.reload()
    with pytest.raises(DuplicateError, match="NL-207"):
        tomas.group.receive(message)


def test_writes_are_of_one_scope_and_each_key_stands_once(room: Room) -> None:
    tomas = room["tomas"]
    for text in (b"one", b"two"):
        tomas.read(room["mira"].group.encrypt(text, TAG))
    [(key, _)] = tomas.group.take_writes()
    assert key.startswith(bytes([len(ROOM)]) + ROOM)
    assert tomas.group.take_writes() == []


def test_epoch_authenticators_find_forks(room: Room) -> None:
    mira, tomas = room["mira"].group, room["tomas"].group
    room.enter("mira", mira.commit(now_s=now_s()))
    assert mira.epoch_authenticator == tomas.epoch_authenticator
    assert mira.confirmed_transcript_hash == tomas.confirmed_transcript_hash
    for group in (mira, tomas):  # each told by a forking hub that its own commit won
        group.commit(now_s=now_s())
        group.accept()
    assert mira.epoch == tomas.epoch
    assert mira.epoch_authenticator != tomas.epoch_authenticator


def test_messages_of_a_future_epoch_are_told_apart_and_read_after_the_commit(room: Room) -> None:
    mira, tomas = room["mira"].group, room["tomas"]
    staged = mira.commit(now_s=now_s())
    mira.accept()
    ahead = mira.encrypt(b"after the commit", TAG)
    with pytest.raises(WrongEpochError, match="NL-205") as early:
        tomas.group.receive(ahead)
    assert disposition(early.value) is Disposition.FUTURE
    tomas.follow(staged.commit)
    assert tomas.read(ahead).data == b"after the commit"


def test_dispositions_are_typed(room: Room) -> None:
    mira, tomas = room["mira"].group, room["tomas"]
    stale = mira.encrypt(b"too late", TAG)
    duplicate = mira.encrypt(b"hello", TAG)
    tomas.read(duplicate)
    own = tomas.group.encrypt(b"my own", TAG)
    corrupt = bytearray(mira.encrypt(b"torn", TAG))
    corrupt[-1] ^= 1

    def of(message: bytes) -> Disposition:
        with pytest.raises(MlsError) as refused:
            tomas.group.receive(message)
        return disposition(refused.value)

    assert of(duplicate) is Disposition.DUPLICATE
    assert of(own) is Disposition.DUPLICATE
    assert of(bytes(corrupt)) is Disposition.CORRUPT
    assert of(b"not MLS at all") is Disposition.CORRUPT
    room.enter("mira", mira.commit(now_s=now_s()))
    assert of(stale) is Disposition.STALE


def test_a_message_from_before_membership_is_told_from_a_stale_one(room: Room) -> None:
    before = room["mira"].group.encrypt(b"before nadia came", TAG)
    nadia = room.add("mira", "nadia")
    with pytest.raises(WrongEpochError, match="NL-206") as early:
        nadia.group.receive(before)
    assert disposition(early.value) is Disposition.BEFORE_MEMBERSHIP


def test_a_commit_and_its_welcome_name_the_same_key_packages(room: Room) -> None:
    packages = [key_package(new_member(name)) for name in ("nadia", "otto")]
    staged = room["mira"].group.commit(add=packages, now_s=now_s())
    assert staged.welcome is not None
    references = [read_key_package(package).reference for package in packages]
    assert sorted(read_welcome(staged.welcome)) == sorted(references)
    assert room.hub.process(staged.commit, now_s()).references == references
    assert room["tomas"].follow(staged.commit).change.references == references


def test_orphan_welcome(room: Room) -> None:
    nadia, stranger = new_member("nadia"), new_member("stranger")
    message = key_package(nadia)
    staged = room["mira"].group.commit(add=[message], now_s=now_s())
    assert staged.welcome is not None
    assert read_welcome(staged.welcome) == [read_key_package(message).reference]
    with pytest.raises(OrphanWelcomeError, match="NL-245"):
        stranger.join(staged.welcome)


def test_a_welcome_that_fails_does_not_use_up_its_key_package(room: Room) -> None:
    nadia = new_member("nadia")
    staged = room["mira"].group.commit(add=[key_package(nadia)], now_s=now_s())
    assert staged.welcome is not None
    nadia.take_writes()
    with pytest.raises(InvalidError, match="NL-246"):
        nadia.join(staged.welcome[:-1] + bytes([staged.welcome[-1] ^ 1]))
    assert nadia.take_writes() == []
    assert nadia.join(staged.welcome).epoch == 2


def test_desync_is_healed_by_removing_and_adding_anew(room: Room) -> None:
    mira, tomas = room["mira"], room["tomas"]
    missed = mira.group.commit(now_s=now_s())
    room.accept(missed.commit)
    mira.group.accept()
    staged = mira.group.commit(add=[key_package(tomas.member)], remove=[tomas.group.own_index], now_s=now_s())
    change = room.accept(staged.commit)
    mira.group.accept()
    assert [leaf.credential for leaf in change.removed] == [leaf.credential for leaf in change.added] == [b"tomas"]
    assert staged.welcome is not None
    tomas.group.delete()
    tomas.save()
    assert tomas.entries.of(ROOM) == []
    tomas.group = tomas.member.join(staged.welcome)
    tomas.save()
    tomas.reload()
    assert tomas.read(mira.group.encrypt(b"welcome back", TAG)).data == b"welcome back"


def test_key_packages_are_tracked_used_once_and_forgotten() -> None:
    nadia, entries = new_member("nadia"), Entries()
    references = [
        read_key_package(message).reference for message in nadia.key_packages(3, lifetime_s=30 * DAY_S, now_s=now_s())
    ]
    entries.commit(nadia)
    held = len(entries.stored)
    nadia.forget_key_packages(references[:2])
    entries.commit(nadia)
    assert held - len(entries.stored) == 2
    with pytest.raises(StateError, match="NL-265"):
        nadia.key_packages(1, lifetime_s=91 * DAY_S, now_s=now_s())


def test_the_last_resort_serves_again_and_others_once(room: Room) -> None:
    nadia = new_member("nadia")
    [last_resort] = nadia.key_packages(1, lifetime_s=30 * DAY_S, now_s=now_s(), last_resort=True)
    assert read_key_package(last_resort).last_resort
    once = key_package(nadia)
    for message, again in ((last_resort, True), (once, False)):
        staged = room["mira"].group.commit(add=[message], now_s=now_s())
        room["mira"].group.discard()
        assert staged.welcome is not None
        nadia.join(staged.welcome)
        if again:
            nadia.join(staged.welcome)
        else:
            with pytest.raises(OrphanWelcomeError):
                nadia.join(staged.welcome)


def test_key_packages_expire() -> None:
    [message] = new_member("nadia").key_packages(1, lifetime_s=DAY_S, now_s=now_s())
    package = read_key_package(message)
    assert package.not_before_s <= now_s() <= package.not_after_s <= now_s() + DAY_S
    mira = new_member("mira").create_group(ROOM, AGENT)
    for outside in (package.not_before_s - 1, package.not_after_s + 1):
        with pytest.raises(InvalidError, match="NL-241"):
            mira.commit(add=[message], now_s=outside)


def test_a_commit_that_adds_is_still_read_when_the_key_package_has_expired_meanwhile(room: Room) -> None:
    hurried = new_member("hurried")
    [message] = hurried.key_packages(1, lifetime_s=1, now_s=now_s() - 30 * DAY_S)
    staged = room["mira"].group.commit(add=[message], now_s=now_s() - 30 * DAY_S)
    with pytest.raises(InvalidError, match="NL-241"):
        room.hub.process(staged.commit, now_s())
    assert room["tomas"].follow(staged.commit).change.added[0].credential == b"hurried"


def test_leaf_indices_to_stagger_commits_by(room: Room) -> None:
    nadia = room.add("tomas", "nadia")
    assert [room[name].group.own_index for name in ("mira", "tomas", "nadia")] == [0, 1, 2]
    room.enter("mira", room["mira"].group.commit(remove=[1], now_s=now_s()))
    assert not room["tomas"].group.is_active
    assert nadia.group.own_index == 2


def test_windows_of_50_out_of_order_and_1000_forward(room: Room) -> None:
    mira, tomas = room["mira"].group, room["tomas"]
    sent = [mira.encrypt(b"%d" % number, TAG) for number in range(1052)]
    with pytest.raises(TooDistantError, match="NL-211"):
        tomas.group.receive(sent[1001])
    assert tomas.read(sent[1000]).data == b"1000"
    with pytest.raises(TooDistantError, match="NL-210"):
        tomas.group.receive(sent[950])
    assert tomas.read(sent[951]).data == b"951"
    tomas.save()
    tomas.reload()
    assert tomas.read(sent[999]).data == b"999"
    with pytest.raises(DuplicateError, match="NL-207"):
        tomas.group.receive(sent[951])


def test_the_franking_agent_is_the_same_for_the_hub_and_all_who_join(room: Room) -> None:
    nadia = room.add("mira", "nadia")
    assert room.hub.franking_agent == nadia.group.franking_agent == AGENT


def test_policy_before_merge(room: Room) -> None:
    mira, tomas = room["mira"].group, room["tomas"]
    staged = mira.commit(add=[key_package(new_member("unwelcome"))], now_s=now_s())
    seen = tomas.stage(staged.commit)
    assert [leaf.credential for leaf in seen.change.added] == [b"unwelcome"]
    assert [leaf.credential for leaf in seen.change.members] == [b"mira", b"tomas", b"unwelcome"]
    tomas.group.reject()
    assert [leaf.credential for leaf in tomas.group.members] == [b"mira", b"tomas"]
    with pytest.raises(StateError, match="NL-261"):
        tomas.group.apply()


def test_what_a_commit_says_it_will_do_is_what_it_does() -> None:
    room = room_of(["mira", "tomas", "nadia", "otto", "pia"])
    mira = room["mira"].group
    for remove, names in (([1, 3], ["quin"]), ([], ["ruth", "sami", "tilda"]), ([4, 2], []), ([5], ["ugo", "vera"])):
        newcomers = [key_package(new_member(name)) for name in names]
        staged = mira.commit(add=newcomers, remove=remove, now_s=now_s())
        change = room.accept(staged.commit)
        assert {leaf.index for leaf in change.removed} == set(remove)
        assert {leaf.credential.decode() for leaf in change.added} == set(names)
        mira.accept()
        assert change.members == mira.members == room.hub.members
        assert change.epoch == mira.epoch == room.hub.epoch


def test_a_credential_s_successor_is_seen_before_merge(room: Room) -> None:
    mira, tomas = room["mira"].group, room["tomas"]
    before = tomas.group.members[0]
    staged = mira.commit(credential=b"mira, list 2", now_s=now_s())
    after = tomas.stage(staged.commit).change.committer
    assert (before.index, before.credential) == (after.index, b"mira")
    assert (after.credential, after.signature_key) == (b"mira, list 2", before.signature_key)
    assert room.accept(staged.commit).committer == after


def test_own_messages_cannot_be_decrypted(room: Room) -> None:
    mira = room["mira"].group
    with pytest.raises(DuplicateError, match="NL-208"):
        mira.receive(mira.encrypt(b"hello", TAG))


def test_padding(room: Room) -> None:
    lengths = {len(room["mira"].group.encrypt(b"x" * content, TAG)) for content in (0, 1, 64, 127, 128)}
    assert len(lengths) == 1


def test_a_fatal_error_kills_the_handle_and_a_reload_brings_the_group_back(room: Room) -> None:
    tomas = room["tomas"]
    in_mira_s_place = [
        (key, b"\x00" if key.endswith(b"own_leaf_index") else value) for key, value in tomas.entries.of(ROOM)
    ]
    broken = tomas.member.open(ROOM, in_mira_s_place)
    with pytest.raises(FatalError, match="NL-290"):
        broken.encrypt(b"hello", TAG)
    with pytest.raises(FatalError, match="NL-292"):
        _ = broken.epoch
    tomas.reload()
    assert room["mira"].read(tomas.group.encrypt(b"hello", TAG)).data == b"hello"


def test_a_message_in_place_of_a_handshake_is_refused(room: Room) -> None:
    message = room["mira"].group.encrypt(b"hello", TAG)
    with pytest.raises(ForbiddenHandshakeError, match="NL-220"):
        room.hub.process(message, now_s())
