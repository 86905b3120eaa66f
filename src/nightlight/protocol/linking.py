"""How an old device takes a new one in: the code that the new one shows, and what the old one hands over.

The new device shows a ``LinkCode``: keys that it has just made, and a secret. Only who has seen the code can leave a
package that opens under it, and only the new device can open one; the server, between them, learns neither.

Source: ``docs/protocol.md``, Linking.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from nightlight.errors import RemoteProtocolError, VerificationError
from nightlight.protocol.base64url import decode_base64url, encode_base64url
from nightlight.protocol.codec import Reader, u64, write_vector
from nightlight.protocol.comparison import compared_digits
from nightlight.protocol.credential import DeviceList, Leaf, SignedDeviceList, verify_leaf
from nightlight.protocol.ids import DeviceUri, TimestampMs, UserUri, device_uri, parse_user_uri, user_of
from nightlight.protocol.signature import PUBLIC_KEY_BYTES

PREFIX = "nightlight-link:"
CODE_LIFETIME_MS = 10 * 60_000
CLOCK_SKEW_MS = 5 * 60_000
"""How far the clocks of a person's own two devices may be apart."""
SECRET_BYTES = 16
SEED_BYTES = 32
PACKAGE_BYTES_MAX = 32_768
_VERSION = 1
_MAILBOX_LABEL = b"NLF1 link mailbox"
_NUMBER_LABEL = b"NLF1 link number"
_SEAL_LABEL = b"NLF1 link package"


@dataclass(frozen=True, slots=True)
class LinkCode:
    """What a new device shows, for one use. Keys have 32 bytes, ``secret`` 16.

    ``sealing_key``: X25519, for HPKE. ``signature_key`` and ``session_key``: the new device's, Ed25519. ``name``: the
    last part of the URI that it will have.
    """

    sealing_key: bytes
    secret: bytes = field(repr=False)
    name: str
    signature_key: bytes
    session_key: bytes
    expires_at_ms: TimestampMs

    def encode(self) -> bytes:
        """``u8 1 ‖ sealing key ‖ secret ‖ V(name) ‖ signature key ‖ session key ‖ u64 expires_at_ms``."""
        front = bytes([_VERSION]) + self.sealing_key + self.secret + write_vector(self.name.encode())
        return front + self.signature_key + self.session_key + u64(self.expires_at_ms)

    def text(self) -> str:
        """The code as it is shown and pasted: ``nightlight-link:`` and base64url without padding."""
        return PREFIX + encode_base64url(self.encode())

    @staticmethod
    def read(text: str) -> LinkCode:
        """The code in ``text``. Raises ``RemoteProtocolError`` NL-351; NL-002 for a name that no device may have."""
        try:
            reader = Reader(decode_base64url(text.removeprefix(PREFIX)))
            version, sealing_key, secret = reader.u8(), reader.take(PUBLIC_KEY_BYTES), reader.take(SECRET_BYTES)
            name, signature_key = reader.text(), reader.take(PUBLIC_KEY_BYTES)
            code = LinkCode(
                sealing_key, secret, name, signature_key, reader.take(PUBLIC_KEY_BYTES), TimestampMs(reader.u64())
            )
            reader.finish()
        except (RemoteProtocolError, ValueError):
            raise RemoteProtocolError("NL-351", "not a link code") from None
        if version != _VERSION or code.text() != text:
            raise RemoteProtocolError("NL-351", "not a link code")
        device_uri(UserUri("mimi://a.example/u/a"), name)
        return code

    def check_time(self, now_ms: TimestampMs) -> None:
        """The code has not expired. Raises ``VerificationError`` NL-352."""
        if now_ms >= self.expires_at_ms + CLOCK_SKEW_MS:
            raise VerificationError("NL-352", "a link code that has expired")

    @property
    def mailbox(self) -> bytes:
        """Where the package is left: 32 bytes that nobody guesses and that say nothing of the code."""
        return hashlib.sha256(_MAILBOX_LABEL + self.encode()).digest()

    @property
    def number(self) -> str:
        """12 digits that both devices show; a code with the number of another costs 10¹² times 5,200 hashes."""
        encoded = self.encode()
        return compared_digits(_NUMBER_LABEL + encoded, encoded, groups=3, digits=4)

    @property
    def info(self) -> bytes:
        """HPKE's ``info`` for the package: who seals it has seen the whole code, secret included."""
        return _SEAL_LABEL + self.encode()


@dataclass(frozen=True, slots=True)
class LinkPackage:
    """What the old device hands over, as it came: nothing in it is believed yet.

    ``device_list``: signed, naming the new device. ``credential``: of the new device's leaves. ``account_seed``: of the
    account key, 32 bytes, where the new device may sign lists too; empty otherwise. ``history_key``: 32 bytes under
    which history is sealed, empty when there is none to come.
    """

    user: UserUri
    account_key: bytes
    device_list: bytes = field(repr=False)
    credential: bytes = field(repr=False)
    account_seed: bytes = field(repr=False)
    history_key: bytes = field(repr=False)

    def encode(self) -> bytes:
        """Six vectors, in this order."""
        parts = (self.user.encode(), self.account_key, self.device_list, self.credential)
        return b"".join(map(write_vector, (*parts, self.account_seed, self.history_key)))

    @staticmethod
    def decode(data: bytes) -> LinkPackage:
        """The package's parts. Raises ``RemoteProtocolError`` NL-101 to NL-104, NL-001; NL-353 for their lengths."""
        reader = Reader(data)
        user = parse_user_uri(reader.text())
        package = LinkPackage(user, *(reader.vector() for _ in range(5)))
        reader.finish()
        keys_fit = all(len(seed) in {0, SEED_BYTES} for seed in (package.account_seed, package.history_key))
        if len(package.account_key) != PUBLIC_KEY_BYTES or not keys_fit:
            raise RemoteProtocolError("NL-353", "a key that is not 32 bytes")
        return package

    def verify(self, device: DeviceUri, signature_key: bytes, now_ms: TimestampMs) -> tuple[DeviceList, Leaf]:
        """The device list, which names ``device`` with this key, and its leaf.

        Raises as ``SignedDeviceList.verify`` and ``verify_leaf``; ``VerificationError`` NL-354 when it is for another
        device or person.
        """
        if self.user != user_of(device):
            raise VerificationError("NL-354", "a link to another person")
        listed = SignedDeviceList.decode(self.device_list).verify(self.user, self.account_key, now_ms)
        leaf = verify_leaf(self.credential, signature_key, listed)
        if leaf.device != device or not leaf.listed:
            raise VerificationError("NL-354", "a link for another device")
        return listed, leaf
