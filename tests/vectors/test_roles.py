from typing import Any

import pytest

from nightlight.errors import RemoteProtocolError, VerificationError
from nightlight.protocol.roles import Step, decode_roles, encode_roles, follow
from tests.vectors.reading import read

VECTOR = read("roles")


def _step(case: dict[str, Any]) -> Step:
    present, added, removed, revoked = (case[name] for name in ("present", "added", "removed", "revoked"))
    given = decode_roles(bytes.fromhex(case["given"]))
    return Step(case["committer"], frozenset(present), tuple(added), tuple(removed), frozenset(revoked), given)


@pytest.mark.parametrize("case", VECTOR["steps"], ids=lambda case: case["name"])
def test_a_commit_makes_these_roles_of_those_or_is_refused(case: dict[str, Any]) -> None:
    before = decode_roles(bytes.fromhex(case["before"]))
    if case["check"] is None:
        assert encode_roles(follow(before, _step(case))).hex() == case["after"]
    else:
        with pytest.raises(VerificationError) as refusal:
            follow(before, _step(case))
        assert refusal.value.check == case["check"]


@pytest.mark.parametrize("case", VECTOR["refused"], ids=lambda case: case["name"])
def test_what_is_no_list_of_roles_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(RemoteProtocolError) as refusal:
        decode_roles(bytes.fromhex(case["bytes"]))
    assert refusal.value.check == case["check"]
