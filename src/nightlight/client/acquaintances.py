"""What this person has made of others' account keys: compared, or not believed yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from nightlight.protocol.ids import UserUri
from nightlight.protocol.messages import UserDevices


class Acquaintances:
    """The marks in the store. Methods that write are called inside its ``transaction``."""

    def __init__(
        self, rows: Callable[[str, Sequence[Any]], list[Any]], write: Callable[[str, Sequence[Any]], int]
    ) -> None:
        """``rows`` reads from the store's database; ``write`` returns how many rows changed."""
        self._rows = rows
        self._write = write

    def compare(self, user: UserUri, account_key: bytes) -> None:
        """The safety number with ``user`` was compared, when their account key was this."""
        self._write("INSERT OR REPLACE INTO compared VALUES (?, ?)", (user, account_key))

    def compared(self, user: UserUri) -> bytes | None:
        """The account key of ``user`` when the safety number was compared last."""
        rows = self._rows("SELECT account_key FROM compared WHERE user = ?", (user,))
        return rows[0][0] if rows else None

    def meet(self, user: UserUri, devices: UserDevices) -> None:
        """Somebody else is ``user`` now, says the server; nothing is sent to them until they are accepted anew."""
        self._write("INSERT OR REPLACE INTO strangers VALUES (?, ?)", (user, msgspec.msgpack.encode(devices)))

    def stranger(self, user: UserUri) -> UserDevices | None:
        """Who is ``user`` now, if that is somebody else and not accepted yet."""
        rows = self._rows("SELECT devices FROM strangers WHERE user = ?", (user,))
        return msgspec.msgpack.decode(rows[0][0], type=UserDevices) if rows else None

    def strangers(self) -> list[UserUri]:
        """Everybody who is somebody else now, and not accepted yet."""
        return [UserUri(row[0]) for row in self._rows("SELECT user FROM strangers ORDER BY user", ())]

    def forget_stranger(self, user: UserUri) -> None:
        """``user`` is who they were, or accepted."""
        self._write("DELETE FROM strangers WHERE user = ?", (user,))
