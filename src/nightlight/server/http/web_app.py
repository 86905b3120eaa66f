"""Hands out the web app: files that ``web/`` was built to, from memory, under a strict policy.

The app may load code, style and data from its own origin alone, and make none from text. It runs only where browsers
have what it needs: on https or localhost.

A browser waits for every byte of it, so the files come as small as they can: compressed when they were built, and,
where a file is neither document nor worker, without the headers that mean something on those alone.

Source: W3C Content Security Policy Level 3; W3C Trusted Types; RFC 9111 "HTTP Caching", RFC 8246 "immutable".
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from litestar import MediaType, Request, Response, Router, get

from nightlight.server.domain.origins import Origins, is_secure

BUILT = Path(__file__).parents[1] / "web"
"""Where Vite puts what it builds."""

_INDEX = "index.html"
_HASHED = "assets/"
"""Vite names these files by their content, so that they never change."""
_MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types svelte-trusted-html nightlight-worker"
)
_ALWAYS = {
    "cross-origin-resource-policy": "same-origin",
    "vary": "accept-encoding",
    "x-content-type-options": "nosniff",
}
_DOCUMENTS_AND_WORKERS = {
    "content-security-policy": _POLICY,
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(self), geolocation=(), microphone=()",
    "referrer-policy": "no-referrer",
}
_PARTS = "assets/parts/"
"""What pages and workers are made of, and neither of them themselves."""
_BROTLI = ".br"
"""Vite's build puts a file's Brotli beside it, under its name and this. Source: RFC 7932."""
_HTTPS_ONLY = {"strict-transport-security": "max-age=31536000"}
_NOT_HERE = "The app runs on https or localhost only. Open it at one of:\n{}\n"


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is sent. ``encoded``: by content coding, the best first."""

    plain: bytes
    encoded: dict[str, bytes]
    headers: dict[str, str]


def web_app(origins: Origins, built: Path = BUILT) -> Router | None:
    """The built files under ``/``; None if nothing was built."""
    assets = {f"/{path.relative_to(built).as_posix()}": _asset(path, built) for path in _files(built)}
    if f"/{_INDEX}" not in assets:
        return None
    assets["/"] = assets.pop(f"/{_INDEX}")
    doors = [origin for origin in origins.names if is_secure(origin)]
    not_here = _NOT_HERE.format("\n".join(doors)).encode()

    @get(list(assets), include_in_schema=False, sync_to_thread=False)
    def asset(request: Request[Any, Any, Any]) -> Response[bytes]:
        found = assets[request.scope["path"]]
        origin = origins.find(request.headers.get("host", ""))
        if origin is None or origin not in doors:
            return Response(not_here, status_code=421, media_type=MediaType.TEXT, headers={"cache-control": "no-store"})
        headers = found.headers | (_HTTPS_ONLY if origin.startswith("https:") else {})
        media_type = headers["content-type"]
        if request.headers.get("if-none-match") == found.headers.get("etag", ""):
            return Response(b"", status_code=304, headers=headers, media_type=media_type)
        accepted = _codings(request.headers.get("accept-encoding", ""))
        for coding, content in found.encoded.items():
            if coding in accepted:
                return Response(content, headers=headers | {"content-encoding": coding}, media_type=media_type)
        return Response(found.plain, headers=headers, media_type=media_type)

    return Router("/", route_handlers=[asset])


def _files(built: Path) -> list[Path]:
    files = sorted(path for path in built.rglob("*") if path.is_file()) if built.is_dir() else []
    return [path for path in files if path.suffix != _BROTLI]


def _codings(accept_encoding: str) -> set[str]:
    """Those that the client takes; of its preferences only a refusal counts. Source: RFC 9110 section 12.5.3."""
    items = [item.replace(" ", "").lower().partition(";") for item in accept_encoding.split(",")]
    return {coding for coding, _, weight in items if weight not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}}


def _asset(path: Path, built: Path) -> Asset:
    plain = path.read_bytes()
    name = path.relative_to(built).as_posix()
    hashed = name.startswith(_HASHED)
    brotli = path.with_name(f"{path.name}{_BROTLI}")
    encoded = {"br": brotli.read_bytes()} if brotli.is_file() else {}
    headers = {
        **_ALWAYS,
        **({} if name.startswith(_PARTS) else _DOCUMENTS_AND_WORKERS),
        **({} if hashed else {"etag": f'"{hashlib.sha256(plain).hexdigest()[:32]}"'}),
        "cache-control": "public, max-age=31536000, immutable" if hashed else "no-cache",
        "content-type": _MEDIA_TYPES.get(path.suffix, "application/octet-stream"),
    }
    return Asset(plain, encoded | {"gzip": gzip.compress(plain, mtime=0)}, headers)
