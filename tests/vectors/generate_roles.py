"""Writes roles.json: lists of roles, and what each commit makes of them, or which check refuses it."""

from typing import Any

from nightlight.errors import VerificationError
from nightlight.protocol.ids import DeviceUri, UserUri, device_uri
from nightlight.protocol.roles import Role, Roles, Step, encode_roles, follow
from tests.vectors.writing import write

ADA, BEN, CLEO, DAN, EVA = (
    UserUri(f"mimi://{provider}.example/u/{name}")
    for provider, name in zip(
        ("courier", "gallery", "ring", "courier", "gallery"), ("ada", "ben", "cleo", "dan", "eva"), strict=True
    )
)
THREE: Roles = {ADA: Role.OWNER, BEN: Role.ADMIN, CLEO: Role.MEMBER}
LEAVING: Roles = {DAN: Role.LEFT, **THREE}
BANNED: Roles = {**THREE, DAN: Role.BANNED}
TWO_OWNERS: Roles = {**THREE, CLEO: Role.OWNER}


def phone(user: UserUri) -> DeviceUri:
    """The device that everyone in the room has."""
    return device_uri(user, "phone")


def tablet(user: UserUri) -> DeviceUri:
    """A second one."""
    return device_uri(user, "tablet")


def _step(  # noqa: PLR0913 - all that a commit may do
    roles: Roles,
    committer: UserUri,
    *,
    added: tuple[DeviceUri, ...] = (),
    removed: tuple[DeviceUri, ...] = (),
    revoked: tuple[DeviceUri, ...] = (),
    given: Roles | None = None,
) -> tuple[Roles, Step]:
    present = frozenset(phone(user) for user, role in roles.items() if role is not Role.BANNED)
    return roles, Step(committer, present, added, removed, frozenset(revoked), given or {})


STEPS: dict[str, tuple[Roles, Step]] = {
    "fresh keys": _step(THREE, CLEO),
    "a commit by somebody who left": _step(LEAVING, DAN),
    "a commit by somebody who is banned": _step(BANNED, DAN),
    "a member adds somebody": _step(THREE, CLEO, added=(phone(DAN), tablet(DAN))),
    "own devices, and those of others": _step(THREE, CLEO, added=(tablet(CLEO), tablet(ADA))),
    "somebody banned is added": _step(BANNED, ADA, added=(phone(DAN),)),
    "somebody is added whose leaf is still to go": _step(LEAVING, ADA, added=(tablet(DAN),)),
    "somebody comes back as their leaf goes": _step(LEAVING, CLEO, added=(phone(DAN),), removed=(phone(DAN),)),
    "a leaf that is still to go is removed by a member": _step(LEAVING, CLEO, removed=(phone(DAN),)),
    "an admin removes a member": _step(THREE, BEN, removed=(phone(CLEO),)),
    "a member removes a member": _step({**THREE, DAN: Role.MEMBER}, CLEO, removed=(phone(DAN),)),
    "a member replaces an admin's leaf": _step(THREE, CLEO, added=(phone(BEN),), removed=(phone(BEN),)),
    "a member removes an owner's phone and adds a tablet": _step(
        THREE, CLEO, added=(tablet(ADA),), removed=(phone(ADA),)
    ),
    "a member removes an admin": _step(THREE, CLEO, removed=(phone(BEN),)),
    "an admin removes an admin": _step({**THREE, CLEO: Role.ADMIN}, BEN, removed=(phone(CLEO),)),
    "an owner removes an owner": _step(TWO_OWNERS, ADA, removed=(phone(CLEO),)),
    "a member removes a revoked device": _step(THREE, CLEO, removed=(phone(ADA),), revoked=(phone(ADA),)),
    "an owner makes an admin": _step(THREE, ADA, given={CLEO: Role.ADMIN}),
    "an owner makes an owner": _step(THREE, ADA, given={CLEO: Role.OWNER}),
    "an admin makes an admin": _step(THREE, BEN, given={CLEO: Role.ADMIN}),
    "a member makes themselves an admin": _step(THREE, CLEO, given={CLEO: Role.ADMIN}),
    "an admin steps down": _step(THREE, BEN, given={BEN: Role.MEMBER}),
    "an owner lowers an owner": _step(TWO_OWNERS, ADA, given={CLEO: Role.MEMBER}),
    "an admin is added as such": _step(THREE, ADA, added=(phone(DAN),), given={DAN: Role.ADMIN}),
    "a role for somebody who is not there": _step(THREE, ADA, given={DAN: Role.ADMIN}),
    "a role for somebody who left": _step(LEAVING, ADA, given={DAN: Role.MEMBER}),
    "somebody is said to have left": _step(THREE, ADA, given={CLEO: Role.LEFT}),
    "an admin bans": _step(THREE, BEN, removed=(phone(CLEO),), given={CLEO: Role.BANNED}),
    "an admin bans somebody who is not there": _step(THREE, BEN, given={EVA: Role.BANNED}),
    "somebody is banned and stays": _step(THREE, BEN, given={CLEO: Role.BANNED}),
    "an admin bans an owner": _step(TWO_OWNERS, BEN, given={CLEO: Role.BANNED}),
    "a member bans": _step(THREE, CLEO, given={EVA: Role.BANNED}),
    "a ban is lifted": _step(BANNED, BEN, given={DAN: Role.LEFT}),
    "a member lifts a ban": _step(BANNED, CLEO, given={DAN: Role.LEFT}),
    "a banned user is made a member": _step(BANNED, ADA, given={DAN: Role.MEMBER}),
    "somebody bans themselves": _step(THREE, BEN, given={BEN: Role.BANNED}),
    "a member leaves": _step(THREE, CLEO, given={CLEO: Role.LEFT}),
    "the owner leaves, and the admin follows": _step(THREE, ADA, given={ADA: Role.LEFT}),
    "the owner leaves, and whoever came first follows": _step(
        {CLEO: Role.MEMBER, ADA: Role.OWNER, DAN: Role.MEMBER}, ADA, given={ADA: Role.LEFT}
    ),
    "the owner hands over and leaves": _step(THREE, ADA, given={CLEO: Role.OWNER, ADA: Role.LEFT}),
    "the only owner steps down, and stays it": _step({ADA: Role.OWNER}, ADA, given={ADA: Role.MEMBER}),
    "the last one leaves": _step({ADA: Role.OWNER}, ADA, given={ADA: Role.LEFT}),
}

REFUSED: dict[str, tuple[bytes, str]] = {
    "a user twice": (encode_roles({ADA: Role.OWNER}) + encode_roles({ADA: Role.MEMBER}), "NL-170"),
    "a role that there is not": (encode_roles({ADA: Role.OWNER})[:-1] + b"\x05", "NL-170"),
    "no role": (encode_roles({ADA: Role.OWNER})[:-1], "NL-101"),
    "no user": (b"\x05hello\x02", "NL-001"),
}


def vector() -> dict[str, Any]:
    """All of roles.json."""
    return {
        "source": "made by generate_roles.py after docs/protocol.md, Roles",
        "steps": [{"name": name, **_row(roles, step)} for name, (roles, step) in STEPS.items()],
        "refused": [{"name": name, "bytes": data, "check": check} for name, (data, check) in REFUSED.items()],
    }


def _row(roles: Roles, step: Step) -> dict[str, Any]:
    try:
        after, check = encode_roles(follow(roles, step)), None
    except VerificationError as error:
        after, check = None, error.check
    return {
        "before": encode_roles(roles),
        "committer": step.committer,
        "present": sorted(step.present),
        "added": step.added,
        "removed": step.removed,
        "revoked": sorted(step.revoked),
        "given": encode_roles(step.given),
        "after": after,
        "check": check,
    }


if __name__ == "__main__":
    write("roles", vector())
