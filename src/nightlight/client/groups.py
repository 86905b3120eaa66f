"""The MLS groups of one device, loaded from the store and written back with whatever else a transaction changes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from nightlight.client.store import Store
from nightlight.mls.group import Group, Member, scope
from nightlight.protocol.ids import RoomUri

KEPT_LOADED = 32
_MEMBER_SCOPE = scope(b"")


class Groups:
    """Handles are kept loaded while the store agrees with them; after a transaction that failed, all are dropped."""

    def __init__(self, store: Store) -> None:
        """The groups in ``store``, none loaded yet."""
        self._store = store
        self._member: Member | None = None
        self._loaded: dict[RoomUri, Group] = {}
        self._touched: dict[RoomUri, Group] = {}

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A transaction of the store that also writes what changed in the groups. Raises what the store raises."""
        try:
            with self._store.transaction():
                yield
                self._save()
        except BaseException:
            # what is in memory is ahead of what is on disk
            self._member = None
            self._loaded.clear()
            self._touched.clear()
            raise
        self._touched.clear()
        while len(self._loaded) > KEPT_LOADED:
            del self._loaded[next(iter(self._loaded))]

    @property
    def member(self) -> Member:
        """This device. Inside ``transaction``, what is done with it is stored."""
        if self._member is None:
            self._member = Member.load(self._store.mls_entries(_MEMBER_SCOPE))
        return self._member

    def join(self, welcome: bytes) -> Group:
        """The group that ``welcome`` is for: stored once it is ``put``, gone after ``refuse``. Raises ``MlsError``."""
        self._store.write_mls(self.member.take_writes())
        return self.member.join(welcome)

    def refuse(self) -> None:
        """The group just joined, or not joined after all, has not touched this device."""
        self._member = None

    def get(self, room: RoomUri) -> Group:
        """The group of ``room``. Inside ``transaction``, what is done with it is stored."""
        group = self._loaded.pop(room, None)
        if group is None:
            group_id = room.encode()
            group = self.member.open(group_id, self._store.mls_entries(scope(group_id)))
        self._loaded[room] = group
        self._touched[room] = group
        return group

    def put(self, room: RoomUri, group: Group) -> None:
        """``group``, made or joined just now, is the one of ``room``; what was there before is gone."""
        self.delete(room)
        self._loaded[room] = self._touched[room] = group

    def delete(self, room: RoomUri) -> None:
        """There is no group for ``room``."""
        self._loaded.pop(room, None)
        self._touched.pop(room, None)
        self._store.write_mls([(key, None) for key, _ in self._store.mls_entries(scope(room.encode()))])

    def _save(self) -> None:
        if self._member is not None:
            self._store.write_mls(self._member.take_writes())
        for group in self._touched.values():
            self._store.write_mls(group.take_writes())
