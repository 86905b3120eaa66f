"""The server, put together: the one place that knows both settings and adapters."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator, MutableMapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import structlog
import uvicorn
import uvloop
from litestar import Litestar

from nightlight.errors import ProblemName, UnavailableError
from nightlight.mls.signing import SigningKey
from nightlight.protocol.franking import FrankingAgent
from nightlight.protocol.ids import ProviderName, TimestampMs, parse_hub_uri
from nightlight.server.adapters.blobs import FolderBlobs, in_bucket
from nightlight.server.adapters.sql.database import Database
from nightlight.server.adapters.sql.delivery import SqlDeliveryStore
from nightlight.server.cache import RoomCache
from nightlight.server.domain.franker import Franker
from nightlight.server.domain.origins import Origins, origins_on
from nightlight.server.http.admission import Admission
from nightlight.server.http.allowance import Allowances
from nightlight.server.http.blob_api import blob_api
from nightlight.server.http.caller import require_caller
from nightlight.server.http.client_address import limit_arrivals
from nightlight.server.http.connection import Connections
from nightlight.server.http.interface import interface
from nightlight.server.http.metrics import Metrics
from nightlight.server.http.problem_json import render
from nightlight.server.http.public_api import public_api
from nightlight.server.http.stream import Receive, Send, Stream, StreamLimits, StreamServices, refuse
from nightlight.server.http.unparsed import at_most
from nightlight.server.http.user_api import user_api
from nightlight.server.http.web_app import web_app
from nightlight.server.http.websocket import WebSocketProtocol
from nightlight.server.ports.blobs import BlobStore
from nightlight.server.ports.delivery import Clock, Random
from nightlight.server.services.authentication import Authentication
from nightlight.server.services.blobs import CHUNK_BYTES, BlobService
from nightlight.server.services.contacts import ContactService
from nightlight.server.services.delivery import DeliveryService
from nightlight.server.services.device_lists import DeviceListService
from nightlight.server.services.directory import DirectoryService
from nightlight.server.services.handshakes import HandshakeService
from nightlight.server.services.log import LogService
from nightlight.server.services.retention import RetentionService
from nightlight.server.services.rooms import RoomService
from nightlight.server.services.typing import TypingService
from nightlight.server.settings import DEMO, Settings, SettingsError, load_settings
from nightlight.server.worker import every

DATABASE = "nightlight.db"
DEMO_SETTINGS = DEMO
FRANKING_KEY = "franking.key"
STREAM_PATH = "/v1/stream"
_KEY_BYTES = 32
_S = 1_000
_MINUTE_MS = 60_000
_HOUR_S = 3_600
_WEBSOCKET_SLACK = 4
"""A frame this many times too large is still read, so that it can be refused in words."""
_BACKLOG = 2_048
_GOODBYE_SECONDS = 5
_STOP_SECONDS = 5
_KEEP_ALIVE_SECONDS = 60
"""A client that uses a connection for its next request while we close it hears nothing but a reset."""
_COLLECT_AFTER = 100_000
_STDIN_BYTES = 65_536
_ERASE_SECONDS = 0.5

_log = structlog.get_logger()


def system_clock() -> TimestampMs:
    """Now."""
    return TimestampMs(time.time_ns() // 1_000_000)


class Application:
    """The ASGI application: WebSockets to the stream, everything else to Litestar."""

    def __init__(
        self,
        http: Litestar,
        stream: Stream,
        delivery: DeliveryService,
        blobs: BlobService,
        connections: Connections,
    ) -> None:
        """Serves once its lifespan has begun."""
        self.http = http
        self.stream = stream
        self.delivery = delivery
        self.blobs = blobs
        self.connections = connections

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """One request, connection or lifespan."""
        if scope["type"] != "websocket":
            await self.http(scope, receive, send)  # type: ignore[arg-type]  # a scope by any other name
        elif scope["path"] == STREAM_PATH:
            await self.stream(scope, receive, send)
        else:
            await receive()
            await refuse(send, ProblemName.NOT_FOUND)

    async def say_goodbye(self) -> None:
        """Connected devices have been told, and what they submitted is answered."""
        self.stream.stop()
        await self.delivery.drain()
        for _ in range(_GOODBYE_SECONDS * 100):
            if not len(self.connections):
                return
            await asyncio.sleep(0.01)


def compose(
    settings: Settings, *, origins: Sequence[str], clock: Clock = system_clock, random: Random = os.urandom
) -> Application:
    """The application on ``settings``, with its database migrated. ``origins``: where clients reach it.

    Raises ``UnavailableError`` if the database cannot be opened, ``SettingsError`` if the franking key is none.
    """
    os.umask(0o077)
    settings.data.mkdir(parents=True, exist_ok=True)
    database = Database(
        settings.data / DATABASE, wait_ms=settings.database_wait_ms, page_cache_kib=settings.page_cache_kib
    )
    store = SqlDeliveryStore(database)
    franking_key = SigningKey.from_seed(_key_file(settings.data / FRANKING_KEY, random))
    hub = parse_hub_uri(settings.hub)
    providers = tuple(ProviderName(provider) for provider in settings.providers)

    connections = Connections()
    metrics = Metrics(lambda: len(connections))
    rooms = RoomCache(rooms_max=settings.cached_rooms, groups_max=settings.cached_groups)
    entrances = Origins(tuple(origins))
    authentication = Authentication(
        store,
        clock,
        random,
        entrances,
        challenge_ms=settings.challenge_seconds * _S,
        session_ms=settings.session_minutes * _MINUTE_MS,
        challenge_key=random(_KEY_BYTES),
    )
    directory = DirectoryService(
        store, connections, clock, hub, providers, franking_key.public_key, settings.key_packages_max
    )
    device_lists = DeviceListService(store, connections, rooms, clock)
    contacts = ContactService(store, connections, rooms, clock, settings.contacts_max)
    room_service = RoomService(
        store, connections, rooms, clock, FrankingAgent(franking_key.public_key, hub).encode(), settings.rooms_max
    )
    log = LogService(store, rooms)
    delivery = DeliveryService(
        store,
        connections,
        metrics,
        rooms,
        HandshakeService(rooms, settings.room_members_max, settings.rooms_max),
        Franker(franking_key.sign_many_with_label),
        clock,
        random,
        message_bytes_max=settings.message_bytes_max,
        batch_max=settings.batch_max,
    )
    allowances = Allowances[int](time.monotonic, settings.requests_per_second, settings.requests_burst)
    arrivals = Allowances[str](time.monotonic, settings.arrivals_per_second, settings.arrivals_burst)
    claims = Allowances[tuple[int, str]](time.monotonic, settings.claims_per_hour / _HOUR_S, settings.claims_burst)
    check_arrival = limit_arrivals(arrivals, settings.trusted_proxies)
    check_caller = require_caller(authentication, allowances)
    admission = Admission(arrivals, settings.trusted_proxies, settings.connections_per_address_max)
    blobs = BlobService(
        store,
        _blob_store(settings),
        clock,
        random,
        blob_bytes_max=settings.blob_bytes_max,
        quota_bytes=settings.blob_quota_bytes,
        uploads_max=settings.uploads_max,
        chunk_bytes=min(CHUNK_BYTES, settings.body_bytes_max),
    )
    retention = RetentionService(store, clock, time.monotonic, metrics, settings.clock_ahead_hours_max * _HOUR_S * _S)
    services = StreamServices(authentication, delivery, log, TypingService(store, connections, rooms))
    stream = Stream(services, connections, admission, _stream_limits(settings))

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        await log.find_received()
        chores = [
            asyncio.create_task(every(settings.cursor_flush_ms / _S, "cursors", log.flush_cursors)),
            asyncio.create_task(every(_ERASE_SECONDS, "erasing what was received", log.erase_received)),
            asyncio.create_task(every(settings.purge_seconds, "purge", retention.purge)),
            asyncio.create_task(every(settings.purge_seconds, "erasing blobs", blobs.erase)),
        ]
        try:
            yield
        finally:
            for chore in chores:
                chore.cancel()
            await asyncio.gather(*chores, return_exceptions=True)
            await delivery.drain()
            with suppress(UnavailableError):  # cursors come again with the next Hello
                await log.flush_cursors()
            await database.close()

    def check_ready() -> None:
        database.check_usable()
        if shutil.disk_usage(settings.data).free < settings.disk_free_bytes_min:
            raise UnavailableError("the disk is nearly full")

    app = web_app(entrances)
    if app is None:
        _log.warning("no web app", reason="it has not been built")
    http = Litestar(
        route_handlers=[
            user_api(
                authentication, directory, device_lists, contacts, room_service, claims, check_caller, check_arrival
            ),
            blob_api(blobs, check_caller),
            public_api(directory, metrics, check_ready),
            *([] if app is None else [app]),
        ],
        exception_handlers={Exception: render},
        openapi_config=interface(),
        request_max_body_size=settings.body_bytes_max,
        logging_config=None,
        lifespan=[lifespan],
        before_send=[metrics.count_request],
    )
    return Application(http, stream, delivery, blobs, connections)


def serve(settings_file: Path, *, data: Path | None = None, port: int | None = None, while_stdin: bool = False) -> None:
    """Serves until SIGTERM or SIGINT, or if ``while_stdin`` until standard input ends.

    Raises ``SettingsError``, ``UnavailableError``.
    """
    settings = load_settings(settings_file, data=data, port=port)
    _log_as_json(settings.log_level)
    with _listener(settings) as listener:
        host, taken_port = listener.getsockname()[:2]
        providers = [ProviderName(provider) for provider in settings.providers]
        origins = settings.origins or origins_on(host, taken_port, providers)
        application = compose(settings, origins=origins)
        server = _Server(_uvicorn_config(application, settings), application)
        _log.info("listening", url=f"http://{host}:{taken_port}", origins=origins)
        _collect_rarely()
        if while_stdin:
            threading.Thread(target=_end_with_stdin, daemon=True).start()
        uvloop.run(server.serve(sockets=[listener]))
    _log.info("stopped")


def _end_with_stdin() -> None:
    """This process has been told to end: standard input did, or there was none."""
    with suppress(OSError):
        while os.read(0, _STDIN_BYTES):
            pass
    os.kill(os.getpid(), signal.SIGTERM)


def _listener(settings: Settings) -> socket.socket:
    try:
        return socket.create_server((settings.host, settings.port), backlog=_BACKLOG)
    except OSError as error:
        raise SettingsError(f"{settings.host}:{settings.port}: {error.strerror}") from None


class _Server(uvicorn.Server):
    """uvicorn, which says goodbye first, and ends with status 0 when it was asked to end."""

    def __init__(self, config: uvicorn.Config, application: Application) -> None:
        super().__init__(config)
        self._application = application

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, self.handle_exit, name, None)
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        await self._application.say_goodbye()
        await super().shutdown(sockets)


def _uvicorn_config(application: Application, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        loop="uvloop",
        http=at_most(settings.connections_max),
        ws=WebSocketProtocol,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        ws_max_size=_WEBSOCKET_SLACK * settings.frame_bytes_max,
        ws_ping_interval=settings.ping_seconds,
        ws_ping_timeout=settings.ping_seconds,
        ws_per_message_deflate=False,
        access_log=False,
        proxy_headers=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=_STOP_SECONDS,
        lifespan="on",
    )


def _collect_rarely() -> None:
    """Cached rooms live long and hold no cycles: walking them again and again costs every message its share."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER)


def _stream_limits(settings: Settings) -> StreamLimits:
    return StreamLimits(
        frame_bytes_max=settings.frame_bytes_max,
        outbox_bytes_max=settings.outbox_bytes_max,
        unanswered_max=settings.unanswered_max,
        submissions_per_second=settings.submissions_per_second,
        submissions_burst=settings.submissions_burst,
        hello_seconds=settings.hello_seconds,
    )


def _blob_store(settings: Settings) -> BlobStore:
    if settings.s3 is None:
        return FolderBlobs(settings.data)
    return in_bucket(
        settings.s3.bucket,
        prefix=settings.s3.prefix,
        endpoint=settings.s3.endpoint,
        region=settings.s3.region,
        access_key_id=settings.s3.access_key_id,
        secret_access_key=settings.s3.secret_access_key,
    )


def _key_file(path: Path, random: Random) -> bytes:
    """The 32 bytes in ``path``, which only we may read; made at the first start, whole or not at all.

    Durable before anybody is told of it: rooms name its public half for ever. Raises ``SettingsError``.
    """
    if not path.exists():
        unfinished = path.with_suffix(".new")
        with unfinished.open("wb") as file:
            file.write(random(_KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    key = path.read_bytes()
    if len(key) != _KEY_BYTES:
        raise SettingsError(f"{path}: not a key of {_KEY_BYTES} bytes; put it back from a backup")
    return key


def _log_as_json(level: str) -> None:
    """One JSON object a line on standard error. uvicorn is silent: it would write tracebacks and peers' addresses."""
    logging.getLogger("uvicorn").setLevel(logging.CRITICAL + 1)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )
