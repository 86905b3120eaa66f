"""Contact requests, and blocking."""

from __future__ import annotations

from dataclasses import dataclass

from nightlight.errors import ProblemName, RefusedError
from nightlight.protocol.ids import parse_user_uri
from nightlight.protocol.messages import Contact, ContactAction
from nightlight.server.cache import RoomCache
from nightlight.server.domain.contact import Stance, act, connected, severed, visible
from nightlight.server.ports.delivery import Bus, Caller, Clock, DeliveryStore


@dataclass(frozen=True, slots=True)
class ContactService:
    """How people come to reach each other, and stop."""

    store: DeliveryStore
    bus: Bus
    rooms: RoomCache
    clock: Clock
    contacts_max: int

    async def of(self, caller: Caller) -> list[Contact]:
        """Everyone the caller has to do with, as the caller may see them."""
        async with self.store.read() as unit:
            found = await unit.contacts.of(caller.user)
            replaced = await unit.contacts.replacements(caller.user)
        return [
            Contact(user, state, since_ms, replaced.get(user, 0) if connected(pair) else 0)
            for user, pair, since_ms in found
            if (state := visible(pair)) is not None
        ]

    async def act(self, caller: Caller, action: ContactAction, user: str) -> None:
        """The action is done. Whether ``user`` exists, or has blocked the caller, makes no difference to see.

        Raises ``RefusedError``: ``conflict`` NL-470 where the table has no such row, NL-471 for oneself; ``too_many``
        NL-472 where the caller holds a stance about too many.
        """
        other = parse_user_uri(user)
        if other == caller.user:
            raise RefusedError(ProblemName.CONFLICT)  # NL-471
        async with self.store.write("contact") as unit:
            before = await unit.contacts.pair(caller.user, other)
            after = act(before, action)
            # Whether there is one more to hold depends on nothing that the caller cannot see.
            grows = before.mine is Stance.NONE and after.mine is not Stance.NONE and visible(before) is None
            if grows and await unit.contacts.count(caller.user) >= self.contacts_max:
                raise RefusedError(ProblemName.TOO_MANY)  # NL-472
            await unit.contacts.put(caller.user, other, before, after, self.clock())
            turned = severed(before) != severed(after)
            closed = await unit.contacts.rooms_of_two(caller.user, other) if turned else []
        for room in closed:
            self.rooms.forget(room)
        if visible(before) is not visible(after):
            self.bus.wake(caller.user, "contacts")
        if visible(before.turned()) is not visible(after.turned()):
            self.bus.wake(other, "contacts")
