"""The exception tree and the problem table (RFC 9457).

Inside, code raises one of five classes; outside, a person sees one of the problems below. One renderer
(``server/http/problem_json.py``) goes between, and drops every detail that the table does not name.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ProblemName(StrEnum):
    """The last path segment of a problem's ``type`` URI; also the name on the WebSocket."""

    MALFORMED = "malformed"
    UNAUTHENTICATED = "unauthenticated"
    NOT_ALLOWED = "not_allowed"
    NOT_FOUND = "not_found"
    HANDLE_TAKEN = "handle_taken"
    CONFLICT = "conflict"
    WRONG_EPOCH = "wrong_epoch"
    STALE_DEVICE_LIST = "stale_device_list"
    TOO_SOON = "too_soon"
    DEVICE_REMOVED = "device_removed"
    NEW_PERSON = "new_person"
    REMOVAL_OWED = "removal_owed"
    INVALID_COMMIT = "invalid_commit"
    INVALID_KEY_PACKAGE = "invalid_key_package"
    NO_KEY_PACKAGE = "no_key_package"
    INVALID_BLOB = "invalid_blob"
    QUOTA_EXCEEDED = "quota_exceeded"
    RANGE_NOT_SATISFIABLE = "range_not_satisfiable"
    ROOM_FULL = "room_full"
    TOO_LARGE = "too_large"
    TOO_MANY = "too_many"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    UNAVAILABLE = "unavailable"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class Problem:
    """One row of the table: what the outside may know of a failure."""

    status: int
    title: str


PROBLEMS: dict[ProblemName, Problem] = {
    ProblemName.MALFORMED: Problem(400, "The request is malformed."),
    ProblemName.UNAUTHENTICATED: Problem(401, "Sign in first."),
    ProblemName.NOT_ALLOWED: Problem(403, "That is not allowed."),
    ProblemName.NOT_FOUND: Problem(404, "There is nothing here for you."),
    ProblemName.DEVICE_REMOVED: Problem(403, "This device was removed by another of your devices."),
    ProblemName.METHOD_NOT_ALLOWED: Problem(405, "That method is not offered here."),
    ProblemName.HANDLE_TAKEN: Problem(409, "That handle is taken."),
    ProblemName.CONFLICT: Problem(409, "The state has changed; read it and try again."),
    ProblemName.WRONG_EPOCH: Problem(409, "The room has moved to another epoch."),
    ProblemName.STALE_DEVICE_LIST: Problem(409, "A newer device list is known."),
    ProblemName.TOO_SOON: Problem(409, "The wait is not over yet."),
    ProblemName.NEW_PERSON: Problem(409, "Somebody there has another account key than before; accept them anew first."),
    ProblemName.REMOVAL_OWED: Problem(409, "A device has to be removed from the room first."),
    ProblemName.NO_KEY_PACKAGE: Problem(409, "That person cannot be added now."),
    ProblemName.TOO_LARGE: Problem(413, "That is larger than this server takes."),
    ProblemName.RANGE_NOT_SATISFIABLE: Problem(416, "It has no such part."),
    ProblemName.INVALID_BLOB: Problem(422, "What was sent has another hash."),
    ProblemName.QUOTA_EXCEEDED: Problem(422, "You have as much stored here as this server lets you."),
    ProblemName.INVALID_COMMIT: Problem(422, "The commit does not apply to this room."),
    ProblemName.INVALID_KEY_PACKAGE: Problem(422, "A key package is not usable."),
    ProblemName.ROOM_FULL: Problem(422, "The room would have too many members."),
    ProblemName.TOO_MANY: Problem(429, "Too many requests; wait a little."),
    ProblemName.INTERNAL: Problem(500, "Something went wrong on our side."),
    ProblemName.UNAVAILABLE: Problem(503, "Not available now; try again shortly."),
}


class NightlightError(Exception):
    """The root of what this package raises on purpose."""


class LocalProtocolError(NightlightError):
    """We broke a rule ourselves: a bug. Outside: 500, no detail."""


class RemoteProtocolError(NightlightError):
    """The other side sent something that the protocol page forbids. Outside: 400 ``malformed``.

    ``check`` is the number in ``docs/protocol.md``, such as ``"NL-104"``.
    """

    def __init__(self, check: str, reason: str) -> None:
        """``reason`` is for our log and tests; it never quotes the input."""
        super().__init__(f"{check}: {reason}")
        self.check = check
        self.reason = reason


class VerificationError(NightlightError):
    """A signature, frank or proof does not hold; the caller's rule says what that means."""

    def __init__(self, check: str, reason: str) -> None:
        """``reason`` is for our log and tests; it never quotes the input."""
        super().__init__(f"{check}: {reason}")
        self.check = check
        self.reason = reason


class RefusedError(NightlightError):
    """Well-formed, and not allowed. Outside: the problem's status and title, and what is given of the rest."""

    def __init__(self, problem: ProblemName, *, epoch: int | None = None, retry_after_s: int | None = None) -> None:
        """``epoch`` goes with ``wrong_epoch`` alone: the room's current MLS epoch. ``retry_after_s``: with a rate."""
        super().__init__(problem.value)
        self.problem = problem
        self.epoch = epoch
        self.retry_after_s = retry_after_s


class UnavailableError(NightlightError):
    """We cannot answer now. Outside: 503 with ``Retry-After``."""

    def __init__(self, reason: str, *, retry_after_s: int = 1) -> None:
        """``reason`` is for our log; ``retry_after_s`` in whole seconds."""
        super().__init__(reason)
        self.reason = reason
        self.retry_after_s = retry_after_s
