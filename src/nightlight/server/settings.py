"""What the operator decides, read from one TOML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from nightlight.errors import NightlightError
from nightlight.protocol.messages import MAX_CURSORS

Positive = Annotated[int, Meta(ge=1)]
Port = Annotated[int, Meta(ge=0, le=65_535)]
Host = Annotated[str, Meta(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", max_length=100)]
Origin = Annotated[str, Meta(pattern=r"^https?://[a-z0-9.:\[\]-]+$", max_length=200)]
DEMO = Path(__file__).with_name("demo.toml")


class SettingsError(NightlightError):
    """The settings file cannot be used; the text is one line that names the file and the key."""


class S3(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The bucket in which blobs are; it has no repr that shows a secret.

    ``prefix``: of every object's name. ``endpoint``: the service's URL, empty for Amazon's.
    """

    bucket: Annotated[str, Meta(min_length=1)]
    access_key_id: str
    secret_access_key: str
    prefix: str = ""
    endpoint: Annotated[str, Meta(pattern=r"^(https?://[a-z0-9.:\[\]-]+)?$", max_length=200)] = ""
    region: str = "us-east-1"

    def __repr__(self) -> str:
        """Where, and nothing else."""
        return f"S3(bucket={self.bucket!r})"


class Settings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything that may differ between two servers. Sizes in bytes.

    ``hub``: the URI that stands in every room's group state; it never changes. ``origins``: where clients
    reach this server and sign in, such as ``https://courier.example``; by default, http at the host and port listened
    on, and on loopback at localhost. ``providers``: the apps served here. ``data``: the folder of database and keys.
    ``port`` 0 takes a free one. ``s3``: where blobs are instead of in the folder.
    """

    hub: Annotated[str, Meta(pattern=r"^mimi://[a-z0-9.-]+$", max_length=100)]
    origins: list[Origin] = []
    providers: Annotated[list[Host], Meta(min_length=1)]
    data: Path = Path("nightlight-data")
    host: str = "127.0.0.1"
    port: Port = 8440
    s3: S3 | None = None

    room_members_max: Annotated[int, Meta(ge=2, le=500)] = 100
    rooms_max: Annotated[int, Meta(ge=1, le=MAX_CURSORS)] = 5_000
    contacts_max: Positive = 5_000
    key_packages_max: Positive = 200
    message_bytes_max: Positive = 65_536
    frame_bytes_max: Positive = 1_000_000
    body_bytes_max: Positive = 2_000_000
    blob_bytes_max: Positive = 100_000_016
    """100 MB, sealed."""
    blob_quota_bytes: Positive = 5_000_000_000
    """What one person's blobs and uploads may take."""
    uploads_max: Positive = 100
    """Uploads of one person that have not finished; each goes after a day."""
    requests_per_second: Positive = 50
    requests_burst: Positive = 1_000
    arrivals_per_second: Positive = 20
    """Registrations, challenges and sign-ins from one client address."""
    arrivals_burst: Positive = 5_000
    claims_per_hour: Positive = 60
    """Key packages that one person claims of one other, or of their own devices."""
    claims_burst: Positive = 200
    connections_max: Positive = 20_000
    """TCP connections at once, whoever holds them and whatever for."""
    connections_per_address_max: Positive = 5_000
    """WebSockets at once from one client address."""
    trusted_proxies: Annotated[int, Meta(ge=0, le=10)] = 0
    """How many proxies stand before this server and add to ``X-Forwarded-For``; 0: whoever connects is the client."""
    submissions_per_second: Positive = 500
    submissions_burst: Positive = 1_000
    unanswered_max: Positive = 64
    """Submissions of one connection that wait for their answer; beyond it, the server stops reading."""
    outbox_bytes_max: Positive = 1_000_000
    """What waits in memory for one connection; beyond it, the device continues from the log."""
    batch_max: Positive = 512

    session_minutes: Positive = 720
    challenge_seconds: Positive = 60
    hello_seconds: Positive = 10
    ping_seconds: Positive = 20
    database_wait_ms: Positive = 2_000
    page_cache_kib: Annotated[int, Meta(ge=1_024)] = 65_536
    """What the database's writer keeps in memory; its readers together as much again."""
    disk_free_bytes_min: Positive = 50_000_000
    """With less on the data folder's disk, the server is not ready: its write-ahead log alone may need 33 MB."""
    cursor_flush_ms: Positive = 1_000
    purge_seconds: Positive = 60
    clock_ahead_hours_max: Positive = 24
    """How much further than known the clock may be, since the last purge, for anything to be erased by it."""
    cached_rooms: Positive = 60_000
    cached_groups: Positive = 256
    log_level: Annotated[str, Meta(pattern="^(debug|info|warning|error)$")] = "info"


def load_settings(path: Path, *, data: Path | None = None, port: int | None = None) -> Settings:
    """The settings in ``path``; ``data`` and ``port`` go before what it says. Raises ``SettingsError``."""
    try:
        table: dict[str, Any] = msgspec.toml.decode(path.read_bytes())
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror or 'cannot be read'}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not TOML: {error}") from None
    if data is not None:
        table["data"] = str(data)
    if port is not None:
        table["port"] = port
    try:
        return msgspec.convert(table, Settings, dec_hook=_path)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{path}: {_one_line(error)}") from None


def _path(wanted: type, value: object) -> object:
    if wanted is Path and isinstance(value, str):
        return Path(value).expanduser()
    raise TypeError


def _one_line(error: msgspec.ValidationError) -> str:
    """`Object contains unknown field `x`` becomes ``unknown key `x```; a wrong value names its key."""
    text = str(error)
    if text.startswith("Object contains unknown field "):
        return "unknown key " + text.removeprefix("Object contains unknown field ")
    if text.startswith("Object missing required field "):
        return "missing key " + text.removeprefix("Object missing required field ")
    reason, _, where = text.partition(" - at `$")
    return f"{where.rstrip('`').removeprefix('.') or 'settings'}: {reason}"
