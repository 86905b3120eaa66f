"""The database: full, locked, in the way; and what may no longer be kept."""

import resource
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event, inspect

from nightlight.errors import UnavailableError
from nightlight.protocol.ids import RoomUri, TimestampMs, UserUri
from nightlight.protocol.messages import Accepted, ContactAction, Delivery, Refused, SubmitMessage
from nightlight.server.adapters.sql import migrations
from nightlight.server.adapters.sql.database import Database
from nightlight.server.adapters.sql.tables import metadata
from nightlight.server.domain.records import DAY_MS, RECORDS
from nightlight.server.http.metrics import Metrics
from nightlight.server.main import DATABASE
from nightlight.server.ports.delivery import Clock
from nightlight.server.services.retention import RetentionService
from tests.contract.conftest import Hub
from tests.contract.device import Line, befriend, room_of_two, submission_id
from tests.contract.test_accounts import problem

HANNA = UserUri("mimi://ring.example/u/hanna")


@pytest.fixture
async def lake(mira: Line, tomas: Line) -> RoomUri:
    """A room of Mira and Tomas, whose log has one entry."""
    await befriend(mira, tomas)
    return await room_of_two(mira, tomas)


@contextmanager
def full_disk(hub: Hub) -> Iterator[None]:
    """No file can grow, as on a disk without space: the next commit fails when it is written."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    log = hub.settings.data / f"{DATABASE}-wal"
    resource.setrlimit(resource.RLIMIT_FSIZE, (log.stat().st_size, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@contextmanager
def locked(hub: Hub) -> Iterator[None]:
    """Another process is writing, and does not end."""
    other = sqlite3.connect(hub.settings.data / DATABASE, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.execute("ROLLBACK")
    other.close()


@pytest.fixture
def settings() -> dict[str, Any]:
    """Patient with a lock for no longer than a test wants to wait."""
    return {"database_wait_ms": 50}


@pytest.mark.parametrize("trouble", [full_disk, locked])
async def test_while_nothing_can_be_stored_submissions_are_postponed_and_then_all_is_well(
    hub: Hub, mira: Line, tomas: Line, lake: RoomUri, trouble: Any
) -> None:
    async with mira.stream({lake: 1}) as sending, tomas.stream({lake: 1}) as receiving:
        first = await sending.submit(mira.device.message(lake))
        messages = [mira.device.message(lake, bytes(4_000)) for _ in range(5)]
        with trouble(hub):
            for message in messages:
                refusal = await sending.refused(message)
                assert refusal.problem == "unavailable"
                assert refusal.retry_after_ms
        answers = [await sending.submit(message) for message in messages]
        delivered = [await receiving.expect(Delivery) for _ in range(6)]
    assert [answer.seq for answer in answers] == [3, 4, 5, 6, 7]
    assert [delivery.seq for delivery in delivered] == [first.seq, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("trouble", [full_disk, locked])
async def test_a_commit_that_could_not_be_stored_did_not_happen(
    hub: Hub, mira: Line, tomas: Line, lake: RoomUri, trouble: Any
) -> None:
    commit = mira.device.commit(lake)
    async with mira.stream({lake: 1}) as frames, tomas.stream({lake: 1}) as other:
        with trouble(hub):
            assert (await frames.refused(commit)).problem == "unavailable"
        assert (await other.submit(tomas.device.message(lake))).epoch == 1
        assert (await frames.submit(commit)).seq == 3


@pytest.mark.parametrize("trouble", [full_disk, locked])
async def test_requests_are_told_to_come_back_and_nothing_is_half_written(hub: Hub, mira: Line, trouble: Any) -> None:
    hanna = hub.line(HANNA)
    registration = hanna.device.registration()
    with trouble(hub):
        response = await hanna.raw("POST", "/v1/accounts", registration)
        assert (response.status_code, problem(response)) == (503, "unavailable")
        assert int(response.headers["retry-after"]) >= 1
        assert (await mira.raw("GET", "/v1/contacts")).is_success
    assert (await hanna.raw("POST", "/v1/accounts", registration)).is_success


async def test_cursors_that_could_not_be_stored_are_kept(hub: Hub, mira: Line, tomas: Line, lake: RoomUri) -> None:
    async with tomas.stream({lake: 1}) as frames, mira.stream({lake: 1}) as other:
        await other.submit(mira.device.message(lake))
        await frames.acknowledge(lake, 2)
        await frames.expect(Delivery)
        await frames.nothing_more()
        with locked(hub), pytest.raises(UnavailableError):
            await hub.flush()
        await hub.flush()
    with hub.database.snapshot() as connection:
        assert connection.exec_driver_sql("SELECT max(cursor) FROM members").scalar_one() == 2


async def test_a_bug_in_one_submission_fails_it_alone(
    hub: Hub, mira: Line, tomas: Line, lake: RoomUri, monkeypatch: pytest.MonkeyPatch
) -> None:
    handshakes = hub.application.delivery.handshakes

    async def stumble(*_: object) -> None:
        raise ZeroDivisionError

    async with mira.stream({lake: 1}) as one, tomas.stream({lake: 1}) as other:
        commit = tomas.device.commit(lake)
        monkeypatch.setattr(type(handshakes), "append", stumble)
        await other.send(commit)
        for _ in range(5):
            await one.send(mira.device.message(lake))
        assert [(await one.expect(Accepted)).seq for _ in range(5)] == [2, 3, 4, 5, 6]
        while not isinstance(answer := await other.receive(), Refused):
            pass
    assert (answer.submission_id, answer.problem) == (commit.submission_id, "internal")


# --- what is kept, and how long ---------------------------------------------------------------------------


async def purge_in(hub: Hub, days: float) -> dict[str, int]:
    """What the purge erases so many days from now."""

    def later() -> TimestampMs:
        return TimestampMs(hub.clock() + int(days * DAY_MS))

    return await retention(hub, later, ahead_days_max=1_000).purge()


def retention(
    hub: Hub, clock: Clock, monotonic: Callable[[], float] = time.monotonic, *, ahead_days_max: int = 1
) -> RetentionService:
    """The purge of ``hub``, by another clock than its own."""
    store = hub.application.delivery.store
    return RetentionService(store, clock, monotonic, Metrics(lambda: 0), ahead_days_max * DAY_MS)


def count(hub: Hub, table: str) -> int:
    """Rows of ``table``."""
    with hub.database.snapshot() as connection:
        return int(connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one())  # noqa: S608


async def test_ciphertext_that_nobody_fetches_goes_after_thirty_days(
    hub: Hub, mira: Line, tomas: Line, lake: RoomUri
) -> None:
    async with mira.stream({lake: 1}) as frames:
        await frames.submit(mira.device.message(lake))
    assert (await purge_in(hub, 29.9))["payloads"] == 0
    assert (await purge_in(hub, 30.1))["payloads"] == 2
    assert count(hub, "entries") == 2
    await tomas.sign_in()
    async with tomas.stream({lake: 1}) as frames:
        delivery = await frames.expect(Delivery)
    assert (delivery.seq, delivery.payload) == (2, b"")


async def test_a_room_goes_on_where_it_was_after_its_log_is_erased(hub: Hub, mira: Line, lake: RoomUri) -> None:
    async with mira.stream({lake: 1}) as frames:
        before = await frames.submit(mira.device.message(lake))
    assert (await purge_in(hub, 399))["entries"] == 0
    erased = await purge_in(hub, 401)
    assert (erased["entries"], erased["day_keys"]) == (2, 1)
    await hub.restart()
    hub.clock.ahead_ms = -DAY_MS
    await mira.sign_in()
    async with mira.stream({lake: 2}) as frames:
        after = await frames.submit(mira.device.message(lake))
    assert after.seq == before.seq + 1
    assert after.accepted_at_ms > before.accepted_at_ms


async def test_who_left_is_forgotten_after_four_hundred_days(hub: Hub, lake: RoomUri) -> None:
    assert lake
    async with hub.database.transaction("purge") as connection:
        left = "UPDATE members SET left_seq = joined_seq + 1, left_at_ms = ? WHERE joined_seq = 1 AND cursor = 0"
        assert connection.exec_driver_sql(left, (hub.clock(),)).rowcount >= 1
    before = count(hub, "members")
    assert (await purge_in(hub, 399))["members"] == 0
    gone = (await purge_in(hub, 401))["members"]
    assert (gone >= 1, count(hub, "members")) == (True, before - gone)


async def test_sessions_nonces_and_key_packages_go_when_they_end(hub: Hub, mira: Line) -> None:
    assert mira.token
    erased = await purge_in(hub, 0.4)
    assert (erased["sessions"], erased["used_nonces"], erased["key_packages"]) == (0, 1, 0)
    erased = await purge_in(hub, 60)
    assert (erased["sessions"], erased["key_packages"]) == (1, 4)


@pytest.mark.parametrize("table", sorted(record.table for record in RECORDS if record.retention_ms is not None))
async def test_a_purge_with_nothing_to_erase_reads_no_table_from_end_to_end(hub: Hub, table: str) -> None:
    statements: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        statements.append((statement, parameters))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        async with hub.application.delivery.store.write("purge") as unit:
            await unit.housekeeping.purge(table, hub.clock(), hub.clock(), 7)
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    (statement, parameters), *_ = (sent for sent in statements if table in sent[0])
    assert "LIMIT" in statement or table in {"recoveries", "day_keys"}
    with hub.database.snapshot() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
    scans = [step.detail for step in plan if step.detail.startswith("SCAN") and "INDEX" not in step.detail]
    in_order = {"payloads", "entries"}  # their rows lie in the order in which they came
    assert scans == [] or table in in_order | {"day_keys"}, plan


async def test_a_clock_that_is_far_ahead_erases_nothing(hub: Hub, lake: RoomUri) -> None:
    assert lake
    ran_s = 0.0
    purge = retention(hub, hub.clock, lambda: ran_s)
    gauge = "nightlight_purge_held"

    def held() -> float | None:
        assert isinstance(purge.meter, Metrics)
        return purge.meter.registry.get_sample_value(gauge)

    assert await purge.purge()
    hub.clock.ahead_ms = 31 * DAY_MS
    assert await purge.purge() == {}
    assert (held(), count(hub, "payloads")) == (1, 1)
    assert await retention(hub, hub.clock).purge() == {}  # nor after a restart
    hub.clock.ahead_ms = 0
    assert (await purge.purge())["payloads"] == 0
    assert held() == 0
    hub.clock.ahead_ms, ran_s = 31 * DAY_MS, 31 * 86_400.0  # so much time has passed
    assert (await purge.purge())["payloads"] == 1


async def test_after_a_long_stop_nothing_is_erased_until_the_operator_says_so(hub: Hub, lake: RoomUri) -> None:
    assert lake
    assert await retention(hub, hub.clock).purge()
    hub.clock.ahead_ms = 31 * DAY_MS
    assert await retention(hub, hub.clock).purge() == {}
    confirmed = await retention(hub, hub.clock, ahead_days_max=32).purge()
    assert confirmed["payloads"] == 1
    assert await retention(hub, hub.clock).purge() == dict.fromkeys(confirmed, 0)


async def test_every_retention_has_a_purge(hub: Hub) -> None:
    assert set(await purge_in(hub, 0)) == {record.table for record in RECORDS if record.retention_ms is not None}


async def test_erased_ciphertext_is_not_left_in_the_file(hub: Hub, mira: Line, lake: RoomUri) -> None:
    message = mira.device.message(lake)
    async with mira.stream({lake: 1}) as frames:
        await frames.submit(message)
    await purge_in(hub, 31)
    await hub.stop()
    files = {file.name: file.read_bytes() for file in hub.settings.data.iterdir()}
    assert set(files) == {DATABASE, "franking.key"}
    assert all(message.message[60:120] not in content for content in files.values())


def test_the_migrations_make_the_schema_that_the_tables_describe(hub: Hub) -> None:
    with hub.database.snapshot() as connection:
        found = inspect(connection)
        for table in metadata.sorted_tables:
            columns = {column["name"]: column["nullable"] for column in found.get_columns(table.name)}
            assert columns == {column.name: column.nullable for column in table.columns}
            indexed = {tuple(index["column_names"]) for index in found.get_indexes(table.name)}
            assert indexed >= {tuple(column.name for column in index.columns) for index in table.indexes}


def made_by(path: Path, revision: str) -> None:
    """``path`` is a database that an older server has left, with a person in it."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        connection.exec_driver_sql(
            "INSERT INTO accounts (user, account_key, list_version, device_list, listed_at_ms, created_at_ms)"
            " VALUES (?, x'00', 1, x'00', 1, 1)",
            (HANNA,),
        )
    engine.dispose()


@pytest.mark.parametrize("revision", ["", "0001", "0006"])
async def test_whoever_dies_after_any_statement_of_an_upgrade_starts_again(tmp_path: Path, revision: str) -> None:
    path = tmp_path / DATABASE
    if revision:
        made_by(path, revision)
    moments: list[Path] = []

    def power_fails(connection: Connection, *_: object) -> None:
        """What is on the disk after this statement is all that there is."""
        if connection.engine.url.database == str(path):
            moments.append(tmp_path / str(len(moments)))
            moments[-1].mkdir()
            subprocess.run(["cp", *map(str, tmp_path.glob(f"{DATABASE}*")), str(moments[-1])], check=True)

    event.listen(Engine, "after_cursor_execute", power_fails)
    try:
        await Database(path, wait_ms=0).close()
    finally:
        event.remove(Engine, "after_cursor_execute", power_fails)
    assert len(moments) > len(metadata.sorted_tables) or revision
    for moment in moments:
        database = Database(moment / DATABASE, wait_ms=0)
        with database.snapshot() as connection:
            assert set(inspect(connection).get_table_names()) == {*metadata.tables, "alembic_version"}
            people = connection.exec_driver_sql("SELECT user FROM accounts").scalars().all()
            assert people == ([HANNA] if revision else [])
        await database.close()


async def test_an_upgrade_counts_what_people_have_stored(tmp_path: Path) -> None:
    path = tmp_path / DATABASE
    made_by(path, "0010")
    with sqlite3.connect(path) as connection:
        for table, more, values in (("uploads", "received", "0"), ("blobs", "sha256", "x'00'")):
            columns = f"blob, user_id, size, chunk_bytes, {more}, created_at_ms"
            for number, size in enumerate((1, 5_000)):
                row = f"('{table}{number}', 1, {size}, 1, {values}, 1)"
                connection.execute(f"INSERT INTO {table} ({columns}) VALUES {row}")  # noqa: S608
    connection.close()
    database = Database(path, wait_ms=0)
    with database.snapshot() as stored:
        assert stored.exec_driver_sql("SELECT stored_bytes FROM accounts").scalars().all() == [2 * (4_096 + 5_000)]
    await database.close()


async def test_a_database_from_a_newer_server_is_left_alone(hub: Hub) -> None:
    await hub.stop()
    path = hub.settings.data / DATABASE
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(UnavailableError, match="newer"):
        Database(path, wait_ms=0)


async def test_the_files_are_the_server_s_alone(hub: Hub) -> None:
    assert {file.stat().st_mode & 0o077 for file in hub.settings.data.iterdir()} == {0}


async def test_a_rejected_batch_and_contacts_share_the_writer_in_turn(mira: Line, tomas: Line, lake: RoomUri) -> None:
    async with mira.stream({lake: 1}) as frames:
        for number in range(20):
            await frames.send(mira.device.message(lake))
            user = UserUri(f"mimi://ring.example/u/person{number}")
            assert (await tomas.contact(ContactAction.REQUEST, user)).is_success
            await frames.send(SubmitMessage(submission_id(), lake, b""))
        answers = [await frames.receive() for _ in range(40)]
    assert [frame.seq for frame in answers if isinstance(frame, Accepted)] == list(range(2, 22))
