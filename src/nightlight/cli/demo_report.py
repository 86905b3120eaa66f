"""What the demonstration shows: how it went, what the server holds, and how to join."""

from __future__ import annotations

import shlex
import shutil
import sqlite3
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from nightlight.cli.canary import forms_of
from nightlight.cli.demo_script import HOST, PEOPLE, VILLAGE
from nightlight.cli.ledger import Ledger, Outcome
from nightlight.cli.local_server import LocalServer
from nightlight.cli.output import print_line, print_table
from nightlight.cli.search import Evidence, search_server
from nightlight.protocol.ids import ProviderName, provider_of
from nightlight.server.domain.origins import origins_on
from nightlight.server.domain.records import RECORDS

VISITOR = "visitor@courier.example"


@dataclass(frozen=True, slots=True)
class Held:
    """One kind of record at the server."""

    table: str
    rows: int
    purpose: str


@dataclass(frozen=True, slots=True)
class Report:
    """What came of it. ``wire_bytes``: what the loopback carried meanwhile; None where the system does not tell."""

    people: int
    apps: int
    rooms: int
    outcome: Outcome
    faults: Mapping[str, int]
    wire_bytes: int | None
    held: Sequence[Held]
    evidence: Evidence

    @property
    def faultless(self) -> bool:
        """Whether everything came as it should, and no text was found at the server."""
        return self.outcome.faultless and not self.evidence.hits


def loopback_bytes() -> int | None:
    """How many bytes the loopback has carried since the system started, headers included; Linux alone tells."""
    try:
        lines = Path("/proc/net/dev").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split(":")[1].split()[0]) for line in lines if line.lstrip().startswith("lo:")), None)


def make_report(server: LocalServer, ledger: Ledger, *, people: int, rooms: int, wire_bytes: int | None) -> Report:
    """Both ends compared, and the running server searched."""
    evidence = search_server(server.data, server.pid, forms_of(VILLAGE), control=PEOPLE[-1].partition("@")[2])
    apps = len({provider_of(sent.sender) for sent in ledger.sent})
    return Report(people, apps, rooms, ledger.outcome(), ledger.faults, wire_bytes, _held(server), evidence)


def _held(server: LocalServer) -> list[Held]:
    """How many rows each table of the server has, in the order of the page of what it holds."""
    with closing(sqlite3.connect(f"file:{server.database}?mode=ro", uri=True)) as database:
        return [
            Held(record.table, database.execute(f"SELECT count(*) FROM {record.table}").fetchone()[0], record.purpose)  # noqa: S608  our own tables
            for record in RECORDS
        ]


def print_report(report: Report) -> None:
    """The report as tables."""
    outcome, evidence = report.outcome, report.evidence
    print_table(
        ("", ""),
        [
            ("people", f"{report.people} in {report.apps} apps, {report.rooms} rooms"),
            ("messages", f"{outcome.sent} sent, {outcome.delivered} deliveries, {outcome.lost} lost"),
            ("latency", f"p50 {outcome.p50_ms} ms, p99 {outcome.p99_ms} ms, from sending to showing"),
            ("on the wire", _megabytes(report.wire_bytes)),
            *((f"rule {check}", f"broken {count} times") for check, count in report.faults.items()),
        ],
        title="What happened",
    )
    print_table(
        ("table", "rows", "what for"),
        ((h.table, h.rows, h.purpose) for h in report.held),
        title="What the server holds",
    )
    print_table(
        ("searched", "", "texts found"),
        ((place.name, _megabytes(place.searched_bytes), place.hits) for place in evidence.places),
        title=f"Every message names {VILLAGE}: searched for it as UTF-8, UTF-16, hex and base64",
    )
    for place in evidence.unseen:
        print_line(f"Not searched: {place}")


def print_invitation(server: LocalServer, home: Path) -> None:
    """Links of the apps, and commands to paste into another terminal."""
    command = _command()
    print_line(
        "\n".join(
            (
                "\nJoin in from a browser; each link is an app, each browser profile a person:\n",
                *(f"  {link}" for link in _app_links(server.url)),
                f"\nThere, ask {HOST} or one another, and begin a conversation with one or several.",
                "\nJoin in from another terminal:\n",
                f"  export NIGHTLIGHT_HOME={shlex.quote(str(home))} NIGHTLIGHT_SERVER={server.url}",
                f'  {command} register {VISITOR} --key-file "$NIGHTLIGHT_HOME/key"',
                f"  {command} contacts request {HOST}",
                f"  {command} chat {HOST}",
                "\nEverybody here accepts and answers. Ctrl-C ends the demonstration and removes it.",
            )
        )
    )


def _app_links(server_url: str) -> list[str]:
    """Where the three apps run on this machine."""
    host, port = urlsplit(server_url).hostname or "", urlsplit(server_url).port or 0
    apps = dict.fromkeys(ProviderName(person.partition("@")[2]) for person in PEOPLE)
    return [f"{origin}/" for origin in origins_on(host, port, apps) if f".localhost:{port}" in origin]


def _megabytes(size: int | None) -> str:
    return "unknown" if size is None else f"{size / 1e6:.1f} MB"


def _command() -> str:
    """``nightlight``, or the way to it if the shell would not find this one."""
    own = str(Path(sys.executable).with_name("nightlight"))
    return "nightlight" if shutil.which("nightlight") == own else shlex.quote(own)
