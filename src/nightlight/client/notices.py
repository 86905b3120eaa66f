"""What a person has to be told about keys and devices, kept until they have seen it. Nothing switches it off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from nightlight.client.events import Notice, NoticeKind


class Notices:
    """The notices in the store. Methods that write are called inside its ``transaction``."""

    def __init__(
        self, rows: Callable[[str, Sequence[Any]], list[Any]], write: Callable[[str, Sequence[Any]], int]
    ) -> None:
        """``rows`` reads from the store's database; ``write`` returns how many rows changed."""
        self._rows = rows
        self._write = write

    def add(self, notice: Notice) -> bool:
        """The notice is kept, unseen; False where there is the same already, whenever that was."""
        same = self._rows(
            "SELECT 1 FROM notices WHERE kind = ? AND user = ? AND about = ?",
            (notice.kind.value, notice.user, notice.about),
        )
        if not same:
            self._write(
                "INSERT INTO notices (kind, user, about, at_ms, until_ms) VALUES (?, ?, ?, ?, ?)",
                (notice.kind.value, notice.user, notice.about, notice.at_ms, notice.until_ms),
            )
        return not same

    def all(self) -> list[Notice]:
        """Every notice, oldest first."""
        return self._read("")

    def unseen(self) -> list[Notice]:
        """Those that the person has not seen yet, oldest first."""
        return self._read("WHERE NOT seen")

    def see(self) -> None:
        """The person has seen all there are."""
        self._write("UPDATE notices SET seen = 1", ())

    def _read(self, which: str) -> list[Notice]:
        rows = self._rows(f"SELECT kind, user, about, at_ms, until_ms FROM notices {which} ORDER BY position", ())  # noqa: S608 - ours
        return [Notice(NoticeKind(kind), *rest) for kind, *rest in rows]
