"""Whom this person has made sure of, and who is somebody else now."""

from __future__ import annotations

from collections.abc import Callable

from nightlight.client.device import Device
from nightlight.client.events import Notice
from nightlight.client.housekeeping import Housekeeping
from nightlight.client.store import Store
from nightlight.errors import ProblemName, RefusedError
from nightlight.protocol.ids import UserUri


class People:
    """Only ``refresh`` asks the server."""

    def __init__(self, store: Store, device: Callable[[], Device], housekeeping: Housekeeping) -> None:
        """``device``: the one that is connected now."""
        self._store = store
        self._device = device
        self._housekeeping = housekeeping

    async def refresh(self) -> None:
        """What the hub knows of this person's devices, and of their contacts' account keys, is known here.

        A client that is connected does so by itself. Raises as ``Hub`` does.
        """
        for chore in ("contacts", "devices"):
            await self._housekeeping.do(chore, self._device())

    def compare(self, user: UserUri) -> None:
        """The safety number with ``user`` was compared, and is the same. Raises ``RefusedError`` ``not_found``."""
        known = self._device().trust.device_list(user)
        if known is None:
            raise RefusedError(ProblemName.NOT_FOUND)
        with self._store.transaction():
            self._store.acquaintances.compare(user, known.account_key)

    def is_compared(self, user: UserUri) -> bool:
        """Whether the safety number with ``user`` was compared, and is still the same."""
        known = self._device().trust.device_list(user)
        return known is not None and self._store.acquaintances.compared(user) == known.account_key

    def strangers(self) -> list[UserUri]:
        """Users who have an account key that nobody vouches for: nothing is sent to where they are."""
        return self._store.acquaintances.strangers()

    def accept_anew(self, user: UserUri) -> None:
        """Whoever is ``user`` now is believed from now on; that they were compared before counts for nothing.

        Raises ``RefusedError`` ``not_found``: they are who they were; ``VerificationError`` NL-313: ask again later.
        """
        if self._device().trust.accept_anew(user) is None:
            raise RefusedError(ProblemName.NOT_FOUND)

    def notices(self, *, unseen: bool = False) -> list[Notice]:
        """What this person has to be told about keys and devices, oldest first; only what they have not seen."""
        return self._store.notices.unseen() if unseen else self._store.notices.all()

    def see_notices(self) -> None:
        """This person has seen all notices there are."""
        with self._store.transaction():
            self._store.notices.see()
