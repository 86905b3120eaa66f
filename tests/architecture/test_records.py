"""``domain/records.py`` lists everything the server stores, and nothing else."""

import re
import sqlite3

from nightlight.server.adapters.sql.tables import metadata
from nightlight.server.domain.records import RECORDS
from tests.support.server import ServerProcess

OF_THE_TOOLS = re.compile(r"sqlite_.*|alembic_version")


def test_every_table_has_its_row_and_every_row_its_table() -> None:
    assert sorted(record.table for record in RECORDS) == sorted(metadata.tables)


def test_a_retention_is_counted_from_a_column_of_its_table_or_of_the_one_it_belongs_to() -> None:
    for record in RECORDS:
        if record.counted_from.endswith("_ms"):
            table = metadata.tables[record.table]
            belongs_to = [key.column.table for key in table.foreign_keys]
            assert any(record.counted_from in candidate.c for candidate in [table, *belongs_to]), record.table


async def test_the_database_of_a_running_server_holds_these_tables_alone(server_process: ServerProcess) -> None:
    await server_process.start()
    databases = [file for file in server_process.data.iterdir() if file.read_bytes()[:15] == b"SQLite format 3"]
    tables = {
        name
        for database in databases
        for (name,) in sqlite3.connect(f"file:{database}?mode=ro", uri=True).execute(
            "SELECT name FROM sqlite_master WHERE type = 'table'"
        )
        if not OF_THE_TOOLS.fullmatch(name)
    }
    assert tables == {record.table for record in RECORDS}
