"""Who is calling: signing in by a signed challenge, and the tokens that come of it."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field

from nightlight.errors import ProblemName, RefusedError, VerificationError
from nightlight.protocol.base64url import encode_base64url
from nightlight.protocol.codec import u64, write_vector
from nightlight.protocol.credential import session_content, verify_session
from nightlight.protocol.ids import DeviceUri, TimestampMs, parse_device_uri
from nightlight.protocol.messages import Challenge, Session, SignIn
from nightlight.server.domain.origins import Origins
from nightlight.server.ports.delivery import Caller, Clock, DeliveryStore, Random

_RANDOM_BYTES = 16
_MAC_BYTES = 16
_TOKEN_BYTES = 32
_SESSIONS = 10
"""Tokens of one device that hold at once; whoever signs in again and again has the newest."""


@dataclass(frozen=True, slots=True)
class Authentication:
    """Signing in to an origin of this server. A challenge is not stored: its nonce carries our own MAC."""

    store: DeliveryStore
    clock: Clock
    random: Random
    origins: Origins
    challenge_ms: int
    session_ms: int
    challenge_key: bytes = field(repr=False)

    def challenge(self, device: str, host: str) -> Challenge:
        """What ``device`` has to sign in order to sign in at ``host``; the same for one that does not exist.

        Raises ``RemoteProtocolError``.
        """
        uri = parse_device_uri(device)
        expires_at_ms = TimestampMs(self.clock() + self.challenge_ms)
        random = self.random(_RANDOM_BYTES)
        return Challenge(self.origins.of(host), random + self._mac(random, uri, expires_at_ms), expires_at_ms)

    async def sign_in(self, answer: SignIn, host: str) -> Session:
        """The device's token, fresh, beside at most nine older ones; it signed in at ``host``.

        Every failure looks the same, but to a device itself. Raises ``RefusedError`` ``unauthenticated``: not our
        challenge or an expired one (NL-450), a signature that does not hold (NL-451), an answer given before (NL-452);
        ``device_removed`` NL-489: this device is on its user's list no longer; ``RemoteProtocolError``.
        """
        device = parse_device_uri(answer.device)
        now_ms = self.clock()
        expires_at_ms = TimestampMs(answer.expires_at_ms)
        random, mac = answer.nonce[:_RANDOM_BYTES], answer.nonce[_RANDOM_BYTES:]
        if expires_at_ms <= now_ms or not hmac.compare_digest(mac, self._mac(random, device, expires_at_ms)):
            raise RefusedError(ProblemName.UNAUTHENTICATED)  # NL-450
        token = self.random(_TOKEN_BYTES)
        session_expires_at_ms = TimestampMs(now_ms + self.session_ms)
        async with self.store.write("sign_in") as unit:
            known = await unit.accounts.device(device)
            if known is None:
                raise RefusedError(ProblemName.UNAUTHENTICATED)  # NL-451
            try:
                content = session_content(self.origins.of(host), device, answer.nonce, expires_at_ms)
                verify_session(known.session_key, content, answer.signature)
            except VerificationError:
                raise RefusedError(ProblemName.UNAUTHENTICATED) from None  # NL-451
            if known.revoked:
                raise RefusedError(ProblemName.DEVICE_REMOVED)  # NL-489
            if not await unit.accounts.spend_nonce(answer.nonce, expires_at_ms):
                raise RefusedError(ProblemName.UNAUTHENTICATED)  # NL-452
            text = encode_base64url(token)
            await unit.accounts.add_session(_hash(text), known.device_id, session_expires_at_ms, _SESSIONS)
        return Session(text, session_expires_at_ms)

    async def authenticate(self, token: str) -> Caller:
        """The device that ``token`` signs in. Raises ``RefusedError`` ``unauthenticated`` NL-453."""
        async with self.store.read() as unit:
            caller = await unit.accounts.caller(_hash(token), self.clock())
        if caller is None:
            raise RefusedError(ProblemName.UNAUTHENTICATED)  # NL-453
        return caller

    def _mac(self, random: bytes, device: DeviceUri, expires_at_ms: TimestampMs) -> bytes:
        content = random + write_vector(device.encode()) + u64(expires_at_ms)
        return hmac.digest(self.challenge_key, content, "sha256")[:_MAC_BYTES]


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()
