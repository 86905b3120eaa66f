"""A device before it is anybody's: it shows a link code, and waits to be taken in."""

from __future__ import annotations

import asyncio
from pathlib import Path

from nightlight.client.faults import crash_point
from nightlight.client.identity import open_or_create
from nightlight.client.linking import join, show
from nightlight.client.store import Store
from nightlight.client.surroundings import Surroundings
from nightlight.client.transport import NetworkTransport, Transport
from nightlight.errors import ProblemName, RefusedError
from nightlight.protocol.ids import UserUri
from nightlight.protocol.messages import Mailbox

POLL_S = 1.0


class NewDevice:
    """``code``: what it shows, as QR code or text. Opened again before that has expired, it shows the same."""

    def __init__(
        self, store: Store, transport: Transport, surroundings: Surroundings, server_url: str, user: UserUri
    ) -> None:
        """The code is durable; the device is for ``user`` alone. Raises ``StoreError``, having closed the store."""
        self.store = store
        self.transport = transport
        self.surroundings = surroundings
        try:
            self._pending, self.code = show(store, server_url, user, surroundings)
        except BaseException:
            store.close()
            raise

    @staticmethod
    def at(server_url: str, user: UserUri, store_path: Path, *, store_key: bytes, receipts: bool = True) -> NewDevice:
        """A device for ``user`` in a new store at ``store_path``. Raises ``StoreError``: there is another one."""
        surroundings = Surroundings(receipts=receipts)
        server_url = server_url.rstrip("/")
        store = open_or_create(store_path, store_key, surroundings)
        return NewDevice(store, NetworkTransport(server_url), surroundings, server_url, user)

    async def taken_in(self) -> None:
        """The store is that of one of its person's devices.

        Raises ``VerificationError``: NL-352 when the code has expired, and as ``linking.join``;
        ``RemoteProtocolError``; ``UnavailableError``, after which it may be called again.
        """
        while (package := await self._fetch()) is None:
            self.code.check_time(self.surroundings.clock())
            await asyncio.sleep(POLL_S)
        join(self.store, self._pending, package, self.surroundings.clock())
        crash_point("link.after_join")

    async def _fetch(self) -> bytes | None:
        """What was left for us, if anything was."""
        try:
            mailbox = await self.transport.call("GET", f"/v1/link?mailbox={self.code.mailbox.hex()}", Mailbox)
        except RefusedError as error:
            if error.problem not in {ProblemName.NOT_FOUND, ProblemName.TOO_MANY}:
                raise
            return None
        return mailbox.package

    async def close(self) -> None:
        """Nothing is open."""
        await self.transport.close()
        self.store.close()
