"""What the hub keeps at hand of its rooms. The database is the truth: anything here may be forgotten at any time."""

from __future__ import annotations

from collections import OrderedDict

from nightlight.mls.public_group import PublicGroup
from nightlight.protocol.ids import RoomUri
from nightlight.server.domain.room import RoomState
from nightlight.server.ports.delivery import DeliveryUnit


class RoomCache:
    """Room states and MLS groups, the least recently used forgotten first."""

    def __init__(self, *, rooms_max: int, groups_max: int) -> None:
        """Holds at most so many of each."""
        self._rooms_max = rooms_max
        self._groups_max = groups_max
        self._states: OrderedDict[RoomUri, RoomState] = OrderedDict()
        self._groups: OrderedDict[RoomUri, PublicGroup] = OrderedDict()

    def known(self, room: RoomUri) -> RoomState | None:
        """The room's state, if it is at hand."""
        state = self._states.get(room)
        if state is not None:
            self._states.move_to_end(room)
        return state

    async def state(self, unit: DeliveryUnit, room: RoomUri) -> RoomState | None:
        """The room's state, read if need be; None where there is no such room."""
        return self.known(room) or await self.reload(unit, room)

    async def reload(self, unit: DeliveryUnit, room: RoomUri) -> RoomState | None:
        """The room's state, read anew."""
        state = await unit.rooms.load(room)
        if state is not None:
            self._states[room] = state
            if len(self._states) > self._rooms_max:
                self._states.popitem(last=False)
        return state

    async def group(self, unit: DeliveryUnit, state: RoomState) -> PublicGroup:
        """The hub's view of the room's MLS group, read if need be."""
        group = self._groups.get(state.room)
        if group is None:
            group = PublicGroup.load(state.group_id, await unit.rooms.group_entries(state.room_id))
            self._groups[state.room] = group
            if len(self._groups) > self._groups_max:
                self._groups.popitem(last=False)
        self._groups.move_to_end(state.room)
        return group

    def forget(self, room: RoomUri) -> None:
        """``room`` is read anew before the next entry."""
        self._states.pop(room, None)
        self._groups.pop(room, None)
