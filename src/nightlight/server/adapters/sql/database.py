"""One SQLite database: a writer that commits durably, readers beside it, and its failures in our words.

Statements run on the event loop itself, because SQLite answers from memory in microseconds and a hop to a thread
costs more. Only ``COMMIT`` waits for the disk, and only it goes to a thread.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, cast

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from nightlight.errors import UnavailableError
from nightlight.server.faults import crash_point

_READERS = 4
_PAGE_BYTES = 8_192
"""Of a new file. A page of 4,096 bytes holds one message of 1 KiB as padded, and half of what is written is air."""
_RETRY_S = 0.01
_WRITER_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA secure_delete=ON",
    "PRAGMA busy_timeout=0",
    "PRAGMA wal_autocheckpoint=4000",
)
_READER_PRAGMAS = ("PRAGMA query_only=ON", "PRAGMA busy_timeout=0")


class Database:
    """The file, opened. Close it when nothing uses it any more."""

    def __init__(self, path: Path, *, wait_ms: int, page_cache_kib: int = 65_536) -> None:
        """The schema of ``path`` is the newest.

        ``wait_ms``: how long to wait for another process that writes. ``page_cache_kib``: what the writer keeps in
        memory at most; all readers together keep as much again.
        """
        self._wait_s = wait_ms / 1000
        self._migrate(path)
        self._lock = asyncio.Lock()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="commit")
        self._write_engine = _engine(f"sqlite:///{path}", (*_WRITER_PRAGMAS, _cache(page_cache_kib)), size=1)
        self._read_engine = _engine(
            f"sqlite:///file:{path}?mode=ro&uri=true",
            (*_READER_PRAGMAS, _cache(page_cache_kib // _READERS)),
            size=_READERS,
        )
        with _in_our_words():
            self._writer = self._write_engine.connect()

    @property
    def driver(self) -> sqlite3.Connection:
        """The writer itself, for the one statement that cannot afford a layer above it."""
        return cast("sqlite3.Connection", self._writer.connection.driver_connection)

    @asynccontextmanager
    async def transaction(self, label: str) -> AsyncIterator[Connection]:
        """What the block writes is durable when it ends, and undone when it raises; one block at a time.

        ``label`` names the fault points before and after. Raises ``UnavailableError``.
        """
        async with self._lock:
            with _in_our_words():
                await self._begin()
                try:
                    yield self._writer
                    crash_point(f"{label}.before_commit")
                    await self._commit()
                except BaseException:
                    self._rollback()
                    raise
                crash_point(f"{label}.after_commit")

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """What the block reads does not change meanwhile. Raises ``UnavailableError``."""
        with _in_our_words(), self._read_engine.connect() as connection:
            connection.exec_driver_sql("BEGIN")
            yield connection

    async def close(self) -> None:
        """Nothing is open, and the database is one file."""
        async with self._lock:
            self._read_engine.dispose()
            with suppress(sqlite3.OperationalError):  # a disk that is full, or another process: the next start does it
                self.driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._writer.close()
            self._write_engine.dispose()
            self._thread.shutdown()

    def check_usable(self) -> None:
        """The database answers. Raises ``UnavailableError``."""
        with self.snapshot() as connection:
            connection.exec_driver_sql("SELECT 1")

    async def _begin(self) -> None:
        """Another process may be writing: ask again without holding up the loop."""
        deadline = time.monotonic() + self._wait_s
        while True:
            try:
                self.driver.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                await asyncio.sleep(_RETRY_S)
            else:
                return

    async def _commit(self) -> None:
        durable = asyncio.get_running_loop().run_in_executor(self._thread, self.driver.commit)
        try:
            await asyncio.shield(durable)
        except asyncio.CancelledError:
            await durable
            raise

    def _rollback(self) -> None:
        self._writer.rollback()
        self.driver.rollback()

    @staticmethod
    def _migrate(path: Path) -> None:
        """All the way to the newest schema is one transaction: whoever dies on it has changed nothing."""
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
        engine = _engine(f"sqlite:///{path}", (f"PRAGMA page_size={_PAGE_BYTES}",), size=1)
        try:
            with _in_our_words(), engine.begin() as connection:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
                crash_point("migrate.before_commit")
        except CommandError:
            raise UnavailableError("the database was made by a newer version") from None
        finally:
            engine.dispose()
        crash_point("migrate.after_commit")


def _cache(kib: int) -> str:
    return f"PRAGMA cache_size=-{kib}"


def _engine(url: str, pragmas: tuple[str, ...], *, size: int) -> Engine:
    """Transactions are ours to begin: the driver must not begin its own."""
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=size,
        max_overflow=0,
        connect_args={"check_same_thread": False, "isolation_level": None},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        for pragma in pragmas:
            connection.execute(pragma)

    return engine


@contextmanager
def _in_our_words() -> Iterator[None]:
    """A database that is full, locked or gone is unavailable; a broken constraint stays a bug of ours."""
    try:
        yield
    except DBAPIError as error:
        _raise_unavailable(error.orig if error.orig is not None else error)
        raise
    except sqlite3.DatabaseError as error:
        _raise_unavailable(error)
        raise


def _raise_unavailable(error: BaseException) -> None:
    if isinstance(error, sqlite3.DatabaseError) and not isinstance(
        error, sqlite3.IntegrityError | sqlite3.ProgrammingError
    ):
        raise UnavailableError(f"database: {getattr(error, 'sqlite_errorname', 'unknown')}") from error
