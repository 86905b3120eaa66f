"""Writes succession.json: which account keys of one invented person are believed by who knew which list, and why not.

Each row is an answer of a hub to somebody who has a list pinned, or none.
"""

from dataclasses import replace
from typing import Any

from nightlight.errors import RemoteProtocolError, VerificationError
from nightlight.protocol.credential import Device, DeviceList, first_device_list
from nightlight.protocol.ids import DeviceUri, TimestampMs, UserUri
from nightlight.protocol.messages import UserDevices
from nightlight.protocol.succession import Succession, follow_account, recovery_content, succeed
from tests.support.keys import TestKey, key_from
from tests.vectors.writing import write

USER = UserUri("mimi://courier.example/u/ada")
PHONE, LAPTOP, FRESH = (DeviceUri(f"mimi://courier.example/d/ada/{name}") for name in ("phone", "laptop", "tablet"))
FIRST, SECOND, THIRD, RECOVERY, OTHER, LEAF, SESSION = (key_from(bytes([number]) * 32) for number in range(1, 8))
NOW_MS = TimestampMs(1_900_000_000_000)
EXPIRES_AT_MS = TimestampMs(NOW_MS + 86_400_000)


def under(key: TestKey, listed: DeviceList, *devices: Device) -> DeviceList:
    """The list after ``listed``, under another account key."""
    return replace(listed.next(devices, EXPIRES_AT_MS), account_key=key.public)


def signed(key: TestKey, listed: DeviceList) -> bytes:
    return listed.sign(key.sign).encode()


def step(former: DeviceList, by: TestKey, key: TestKey, to: TestKey, *, recovered: bool = False) -> Succession:
    """``to`` follows ``key``, as ``by`` says."""
    return succeed(former, signed(key, former), to.public, by.sign, recovered=recovered)


ONE = first_device_list(USER, FIRST.public, Device(PHONE, LEAF.public), EXPIRES_AT_MS)
TWO = ONE.next([*ONE.devices, Device(LAPTOP, SECOND.public, may_sign=True)], EXPIRES_AT_MS)
THREE = under(SECOND, TWO, Device(PHONE, LEAF.public, may_sign=True))
FOUR = replace(THREE.next(THREE.devices, EXPIRES_AT_MS), recovery_key=RECOVERY.public)
FIVE = under(THIRD, FOUR, Device(FRESH, SESSION.public, may_sign=True))
BY_FORMER = step(TWO, FIRST, FIRST, SECOND)
BY_RECOVERY = step(FOUR, RECOVERY, SECOND, THIRD, recovered=True)
NEWEST = UserDevices(USER, THIRD.public, signed(THIRD, FIVE), [BY_FORMER.encode(), BY_RECOVERY.encode()])


def answer(*successions: Succession | bytes, newest: DeviceList = FIVE, key: TestKey = THIRD) -> UserDevices:
    encoded = [one.encode() if isinstance(one, Succession) else one for one in successions]
    return UserDevices(USER, key.public, signed(key, newest), encoded)


def _row(name: str, devices: UserDevices, known: tuple[TestKey, DeviceList] | None) -> dict[str, Any]:
    """What ``follow_account`` makes of it; the second implementation has to agree."""
    pinned = None if known is None else known[1]
    row: dict[str, Any] = {
        "name": name,
        "known": None if known is None else {"account_key": known[0].public, "device_list": signed(*known)},
        "account_key": devices.account_key,
        "device_list": devices.device_list,
        "successions": devices.successions,
    }
    try:
        followed = follow_account(devices, NOW_MS, pinned)
    except (RemoteProtocolError, VerificationError) as error:
        return row | {"check": error.check}
    return row | {
        "version": followed.newest.version,
        "former_keys": list(followed.newest.former_keys),
        "recovered": [one.recovered for one in followed.successions],
    }


LATE = replace(FOUR, version=9, previous=bytes([9]) * 32)
ROWS: tuple[tuple[str, UserDevices, tuple[TestKey, DeviceList] | None], ...] = (
    ("of somebody who was not known", NEWEST, None),
    ("from the first list", NEWEST, (FIRST, ONE)),
    ("from the last list under the first key", NEWEST, (FIRST, TWO)),
    ("from the middle", NEWEST, (SECOND, THREE)),
    ("from the newest", NEWEST, (THIRD, FIVE)),
    ("of one whose key never changed", answer(newest=TWO, key=FIRST), (FIRST, ONE)),
    ("of a key that nobody vouches for", answer(), (FIRST, ONE)),
    ("with a step left out", answer(BY_RECOVERY), (FIRST, ONE)),
    ("with the steps in another order", answer(BY_RECOVERY, BY_FORMER), (FIRST, ONE)),
    ("that ends at another key", answer(BY_FORMER), (FIRST, ONE)),
    ("back to a key from before", answer(BY_FORMER, BY_RECOVERY, newest=TWO, key=FIRST), (SECOND, THREE)),
    (
        "vouched for by the former key in the recovery key's place",
        answer(BY_FORMER, step(FOUR, SECOND, SECOND, THIRD, recovered=True)),
        (FIRST, ONE),
    ),
    (
        "vouched for by another recovery key",
        answer(BY_FORMER, step(FOUR, OTHER, SECOND, THIRD, recovered=True)),
        (FIRST, ONE),
    ),
    ("recovered, and said to be replaced", answer(BY_FORMER, replace(BY_RECOVERY, recovered=False)), (FIRST, ONE)),
    (
        "with a former list that somebody else signed",
        answer(BY_FORMER, replace(BY_RECOVERY, former_list=signed(OTHER, FOUR))),
        (FIRST, ONE),
    ),
    ("with a former list older than the one known", answer(BY_FORMER, BY_RECOVERY), (SECOND, LATE)),
    (
        "with a list that is not later than the former one",
        answer(BY_FORMER, step(FOUR, RECOVERY, SECOND, THIRD), newest=replace(FIVE, version=4)),
        (FIRST, ONE),
    ),
    (
        "with a list that does not name the former one",
        answer(BY_FORMER, BY_RECOVERY, newest=replace(FIVE, previous=bytes([9]) * 32)),
        (SECOND, FOUR),
    ),
    (
        "with a former list that is not later than the one before it",
        answer(BY_FORMER, step(replace(FOUR, version=2), RECOVERY, SECOND, THIRD)),
        (FIRST, ONE),
    ),
    (
        "with a flag that is none",
        answer(BY_FORMER, BY_RECOVERY.encode()[:-67] + b"\x02" + BY_RECOVERY.encode()[-66:]),
        (FIRST, ONE),
    ),
    ("cut off", answer(BY_FORMER, BY_RECOVERY.encode()[:-1]), (FIRST, ONE)),
    ("with a short key", answer(replace(BY_FORMER, account_key=bytes(31)), BY_RECOVERY), (FIRST, ONE)),
    ("with a short signature", answer(replace(BY_FORMER, signature=bytes(63)), BY_RECOVERY), (FIRST, ONE)),
)


def vector() -> dict[str, Any]:
    """All of succession.json."""
    content = recovery_content(USER, FRESH, LEAF.public, SESSION.public, THIRD.public)
    return {
        "source": "made by generate_succession.py after docs/protocol.md, Replacing the account key",
        "now_ms": NOW_MS,
        "user": USER,
        "rows": [_row(*row) for row in ROWS],
        "recovery": {
            "seed": RECOVERY.seed,
            "device": FRESH,
            "signature_key": LEAF.public,
            "session_key": SESSION.public,
            "account_key": THIRD.public,
            "content": content,
            "signature": RECOVERY.sign("NLF1 recovery", content),
        },
    }


if __name__ == "__main__":
    write("succession", vector())
