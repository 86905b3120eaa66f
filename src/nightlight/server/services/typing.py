"""Who is writing: told to whoever is connected, kept nowhere."""

from __future__ import annotations

from dataclasses import dataclass

from nightlight.protocol.ids import RoomUri
from nightlight.server.cache import RoomCache
from nightlight.server.domain.room import check_may_tell_typing
from nightlight.server.ports.delivery import Bus, Caller, DeliveryStore


@dataclass(frozen=True, slots=True)
class TypingService:
    """Telling the others in a room."""

    store: DeliveryStore
    bus: Bus
    rooms: RoomCache

    async def tell(self, caller: Caller, room: RoomUri) -> None:
        """The devices of the others in ``room`` that are connected and not behind hear that the caller is writing.

        Raises ``RefusedError`` as ``check_may_tell_typing``; ``UnavailableError``.
        """
        state = self.rooms.known(room)
        if state is None:
            async with self.store.read() as unit:
                state = await unit.rooms.load(room)  # for this once: what is cached is what the next batch builds on
        state = check_may_tell_typing(state, caller.device)
        self.bus.typing(room, caller.user, [device for device, m in state.members.items() if m.user != caller.user])
