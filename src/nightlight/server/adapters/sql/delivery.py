"""Units of work of the delivery services, on SQLite."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import Connection

from nightlight.server.adapters.sql.accounts import SqlAccounts
from nightlight.server.adapters.sql.blobs import SqlBlobs
from nightlight.server.adapters.sql.contacts import SqlContacts
from nightlight.server.adapters.sql.database import Database
from nightlight.server.adapters.sql.housekeeping import SqlHousekeeping
from nightlight.server.adapters.sql.log import SqlLog
from nightlight.server.adapters.sql.rooms import SqlRooms
from nightlight.server.ports.blobs import BlobRecords
from nightlight.server.ports.delivery import Accounts, Contacts, Housekeeping, Log, Rooms


class SqlDeliveryUnit:
    """``ports.delivery.DeliveryUnit``: six views of one transaction."""

    def __init__(self, connection: Connection) -> None:
        """Works within the connection's transaction."""
        self.accounts: Accounts = SqlAccounts(connection)
        self.contacts: Contacts = SqlContacts(connection)
        self.rooms: Rooms = SqlRooms(connection)
        self.log: Log = SqlLog(connection)
        self.blobs: BlobRecords = SqlBlobs(connection)
        self.housekeeping: Housekeeping = SqlHousekeeping(connection)


class SqlDeliveryStore:
    """``ports.delivery.DeliveryStore`` over one database."""

    def __init__(self, database: Database) -> None:
        """``database`` stays whoever's it is to close."""
        self._database = database

    @asynccontextmanager
    async def write(self, label: str) -> AsyncIterator[SqlDeliveryUnit]:
        """As the port says."""
        async with self._database.transaction(label) as connection:
            yield SqlDeliveryUnit(connection)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[SqlDeliveryUnit]:
        """As the port says."""
        with self._database.snapshot() as connection:
            yield SqlDeliveryUnit(connection)
