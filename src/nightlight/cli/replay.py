"""A real message trace, played through the whole product."""

from __future__ import annotations

import asyncio
import resource
import secrets
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import uvloop
from cyclopts import App, Parameter
from cyclopts.validators import Number

from nightlight.cli.arguments import Json, examples
from nightlight.cli.canary import Canaries
from nightlight.cli.community import Community, folder_for_stores
from nightlight.cli.faults import NOT_DONE, InputError
from nightlight.cli.ledger import Ledger, Outcome
from nightlight.cli.local_server import local_server, providers_of
from nightlight.cli.output import counting, print_json, print_table, say
from nightlight.cli.replay_run import Replay, people_of
from nightlight.cli.search import Evidence, search_server
from nightlight.cli.trace import TraceLine, generate_trace, read_trace

FILES_A_PERSON = 6
"""A stream, a kept HTTP connection, and the store with its write-ahead log and index; one to spare."""
OTHER_FILES = 200
GENERATED_MESSAGES = 1_500
Count = Annotated[int, Parameter(validator=Number(gte=1))]
app = App(
    name="replay",
    help_epilogue=examples(
        "nightlight replay trace.txt --messages 1500",
        "nightlight replay --generate 1 --messages 500 --json",
        "nightlight replay trace.txt --server http://127.0.0.1:8440",
    ),
)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Target:
    """The server to play against."""

    server: Annotated[str | None, Parameter(help="A running server; without it, one is started for the run.")] = None
    server_data: Annotated[Path | None, Parameter(help="That server's data folder, to search.")] = None
    server_pid: Annotated[int | None, Parameter(help="That server's process id, to search its memory.")] = None


@app.default
def replay(  # noqa: PLR0913  a command has as many options as it has
    trace: Annotated[Path | None, Parameter(help="Lines of 'sender recipient unix_seconds', in time order.")] = None,
    /,
    *,
    messages: Annotated[Count | None, Parameter(help="How many lines; all, without it.")] = None,
    generate: Annotated[int | None, Parameter(help="Make up a trace from this seed instead.")] = None,
    in_flight: Annotated[Count, Parameter(help="How many messages are under way at a time.")] = 16,
    seed: Annotated[int, Parameter(help="Of the texts.")] = 1,
    target: Target = Target(),
    json: Json = False,
) -> int:
    """Every line is a message between two real clients; then the server is searched for the texts."""
    lines = _lines(trace, generate, messages)
    _allow_open_files(len(people_of(lines)) * FILES_A_PERSON + OTHER_FILES)
    result = uvloop.run(_run(lines, Canaries.seeded(seed), target, in_flight))
    for place in result.evidence.unseen:
        say(f"Not searched: {place}")
    if not result.evidence.control_seen:
        say("The search did not find what it must find, so that it proves nothing about the texts.")
    for check, count in sorted(result.faults.items()):
        say(f"Rule {check} was broken {count} times.")
    for problem, count in sorted(result.refusals.items()):
        say(f"{count} messages were refused: {problem}.")
    if not json:
        print_table(
            ("searched", "MB", "texts found"),
            ((place.name, f"{place.searched_bytes / 1e6:.1f}", place.hits) for place in result.evidence.places),
        )
    print_json(result.summary)
    return 0 if result.faultless else NOT_DONE


@dataclass(frozen=True, slots=True)
class Result:
    """How a run ended."""

    people: int
    rooms: int
    outcome: Outcome
    evidence: Evidence
    faults: Mapping[str, int]
    refusals: Mapping[str, int]

    @property
    def plaintext_found(self) -> int | None:
        """How often a text was seen at the server; None when nothing of it could be searched."""
        return self.evidence.hits if self.evidence.control_seen else None

    @property
    def faultless(self) -> bool:
        """Whether there is a zero wherever a zero belongs."""
        return self.outcome.faultless and self.plaintext_found == 0

    @property
    def summary(self) -> dict[str, Any]:
        """The run in one line of JSON."""
        counts = asdict(self.outcome)
        speed = {name: counts.pop(name) for name in ("p50_ms", "p99_ms", "messages_per_s")}
        return {"people": self.people, "rooms": self.rooms, **counts, "plaintext_found": self.plaintext_found, **speed}


async def _run(lines: Sequence[TraceLine], canaries: Canaries, target: Target, in_flight: int) -> Result:
    ledger, run, people = Ledger(), f"r{secrets.token_hex(4)}", len(people_of(lines))
    with tempfile.TemporaryDirectory(prefix="nightlight-replay-") as folder, folder_for_stores(people) as stores:
        async with _server(target, Path(folder) / "server") as (url, data, pid):
            with counting(("people", people), ("messages", len(lines))) as (joined, done):
                async with Community(url, stores, ledger, receipts=False) as community:
                    replay = Replay(community, lines, canaries, in_flight=in_flight)
                    await replay.register(await providers_of(url), run, joined)
                    rooms = await replay.play(done)
                    evidence = await asyncio.to_thread(search_server, data, pid, canaries.forms(), run)
    return Result(people, rooms, ledger.outcome(), evidence, ledger.faults, ledger.refusals)


@asynccontextmanager
async def _server(target: Target, data: Path) -> AsyncIterator[tuple[str, Path | None, int | None]]:
    """The server to play against: its URL, and its folder and process id if they are known."""
    if target.server:
        yield target.server.rstrip("/"), target.server_data, target.server_pid
    else:
        async with local_server(data) as server:
            yield server.url, server.data, server.pid


def _lines(trace: Path | None, generate: int | None, messages: int | None) -> list[TraceLine]:
    match trace, generate:
        case Path(), None:
            return read_trace(trace, messages)
        case None, int():
            return generate_trace(generate, messages or GENERATED_MESSAGES)
        case _:
            raise InputError("name a trace, or make one up with --generate SEED")


def _allow_open_files(needed: int) -> None:
    """So many files can be open. Raises ``InputError``."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= needed:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, max(hard, needed)))
    except (ValueError, OSError):
        raise InputError(f"{needed:,} files have to be open, the system allows {hard:,}; see ulimit -n") from None
