"""Who may reach whom: how one user stands to another, and what each action changes.

Each of two users holds a stance towards the other. Every action of one of them is a row of ``TRANSITIONS``; a missing
row is the refusal. What one person sees (``visible``) never tells what the other has declined or blocked.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from nightlight.errors import ProblemName, RefusedError
from nightlight.protocol.messages import ContactAction, ContactState


class Stance(StrEnum):
    """What one user has made of another."""

    NONE = "none"
    REQUESTED = "requested"
    DECLINED = "declined"
    """Has turned the other's request down; it is not shown again."""
    CONNECTED = "connected"
    BLOCKED = "blocked"
    """Blocks somebody they were not connected with."""
    PARTED = "parted"
    """Blocks somebody they were connected with: unblocking brings that back, whatever the other has done since."""


class Pair(NamedTuple):
    """The acting user's stance, and the other's."""

    mine: Stance
    theirs: Stance

    def turned(self) -> Pair:
        """The same two, seen by the other."""
        return Pair(self.theirs, self.mine)


_N, _R, _D = Stance.NONE, Stance.REQUESTED, Stance.DECLINED
_C, _B, _P = Stance.CONNECTED, Stance.BLOCKED, Stance.PARTED
_REQUEST, _ACCEPT, _DECLINE = ContactAction.REQUEST, ContactAction.ACCEPT, ContactAction.DECLINE
_CANCEL, _BLOCK, _UNBLOCK = ContactAction.CANCEL, ContactAction.BLOCK, ContactAction.UNBLOCK

TRANSITIONS: dict[tuple[Stance, Stance, ContactAction], Pair] = {
    # A request waits for the other, or meets theirs half way. Repeated, it reaches nobody again.
    (_N, _N, _REQUEST): Pair(_R, _N),
    (_N, _R, _REQUEST): Pair(_C, _C),
    (_N, _D, _REQUEST): Pair(_R, _D),
    (_N, _B, _REQUEST): Pair(_R, _B),
    (_R, _N, _REQUEST): Pair(_R, _N),
    (_R, _D, _REQUEST): Pair(_R, _D),
    (_R, _B, _REQUEST): Pair(_R, _B),
    (_D, _N, _REQUEST): Pair(_R, _N),
    (_D, _R, _REQUEST): Pair(_C, _C),
    (_D, _B, _REQUEST): Pair(_R, _B),
    (_C, _C, _REQUEST): Pair(_C, _C),
    (_C, _P, _REQUEST): Pair(_C, _P),
    # Accepting and declining answer a request that is there; a repeat changes nothing.
    (_N, _R, _ACCEPT): Pair(_C, _C),
    (_C, _C, _ACCEPT): Pair(_C, _C),
    (_C, _P, _ACCEPT): Pair(_C, _P),
    (_N, _R, _DECLINE): Pair(_D, _R),
    (_D, _R, _DECLINE): Pair(_D, _R),
    (_D, _N, _DECLINE): Pair(_D, _N),
    (_D, _B, _DECLINE): Pair(_D, _B),
    # Cancelling takes one's own request back. What the other made of it stays: asking again does not ask twice.
    (_R, _N, _CANCEL): Pair(_N, _N),
    (_R, _D, _CANCEL): Pair(_N, _D),
    (_R, _B, _CANCEL): Pair(_N, _B),
    (_N, _N, _CANCEL): Pair(_N, _N),
    (_N, _D, _CANCEL): Pair(_N, _D),
    (_N, _B, _CANCEL): Pair(_N, _B),
    # Anyone may block anyone, at any time; the other sees no change.
    (_N, _N, _BLOCK): Pair(_B, _N),
    (_N, _R, _BLOCK): Pair(_B, _R),
    (_N, _D, _BLOCK): Pair(_B, _D),
    (_N, _B, _BLOCK): Pair(_B, _B),
    (_R, _N, _BLOCK): Pair(_B, _N),
    (_R, _D, _BLOCK): Pair(_B, _D),
    (_R, _B, _BLOCK): Pair(_B, _B),
    (_D, _N, _BLOCK): Pair(_B, _N),
    (_D, _R, _BLOCK): Pair(_B, _R),
    (_D, _B, _BLOCK): Pair(_B, _B),
    (_C, _C, _BLOCK): Pair(_P, _C),
    (_C, _P, _BLOCK): Pair(_P, _P),
    (_B, _N, _BLOCK): Pair(_B, _N),
    (_B, _R, _BLOCK): Pair(_B, _R),
    (_B, _D, _BLOCK): Pair(_B, _D),
    (_B, _B, _BLOCK): Pair(_B, _B),
    (_P, _C, _BLOCK): Pair(_P, _C),
    (_P, _P, _BLOCK): Pair(_P, _P),
    # Unblocking brings back a connection that only the block interrupted; a request from before stays turned down.
    (_B, _N, _UNBLOCK): Pair(_N, _N),
    (_B, _R, _UNBLOCK): Pair(_D, _R),
    (_B, _D, _UNBLOCK): Pair(_N, _D),
    (_B, _B, _UNBLOCK): Pair(_N, _B),
    (_P, _C, _UNBLOCK): Pair(_C, _C),
    (_P, _P, _UNBLOCK): Pair(_C, _P),
    (_N, _N, _UNBLOCK): Pair(_N, _N),
    (_N, _D, _UNBLOCK): Pair(_N, _D),
    (_N, _B, _UNBLOCK): Pair(_N, _B),
    (_D, _R, _UNBLOCK): Pair(_D, _R),
    (_D, _N, _UNBLOCK): Pair(_D, _N),
    (_D, _B, _UNBLOCK): Pair(_D, _B),
    (_C, _C, _UNBLOCK): Pair(_C, _C),
    (_C, _P, _UNBLOCK): Pair(_C, _P),
}

NOBODY = Pair(_N, _N)
BLOCKING = frozenset({_B, _P})

_SHOWN: dict[Stance, ContactState] = {
    _R: ContactState.REQUESTED,
    _C: ContactState.CONNECTED,
    _B: ContactState.BLOCKED,
    _P: ContactState.BLOCKED,
}


def act(pair: Pair, action: ContactAction) -> Pair:
    """The pair after ``action``. Raises ``RefusedError`` ``conflict``, NL-470: not from where the two stand."""
    after = TRANSITIONS.get((pair.mine, pair.theirs, action))
    if after is None:
        raise RefusedError(ProblemName.CONFLICT)  # NL-470
    return after


def connected(pair: Pair) -> bool:
    """Both have agreed, and neither blocks the other."""
    return pair.mine is Stance.CONNECTED and pair.theirs is Stance.CONNECTED


def severed(pair: Pair) -> bool:
    """One of the two blocks the other."""
    return not BLOCKING.isdisjoint(pair)


def visible(pair: Pair) -> ContactState | None:
    """What the owner of ``pair.mine`` sees in their list, or None: nothing."""
    if pair == (Stance.NONE, Stance.REQUESTED):
        return ContactState.ASKED
    return _SHOWN.get(pair.mine)
