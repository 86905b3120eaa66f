"""The load in XMPP: registers, signs in and sends over plain sockets on the loopback.

Source: RFC 6120 (streams, SASL, binding), RFC 6121 (presence, messages), XEP-0077 (in-band registration).
"""

from __future__ import annotations

import asyncio
import base64
from typing import cast

from bench.load import CONTENT_BYTES, Pair

_HOST = "localhost"
_STREAM = (
    f"<stream:stream to='{_HOST}' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
)
_ANSWER_S = 30
_END = b"</message>"


class XmppConnection(asyncio.Protocol):
    """One signed-in stream. Afterwards it only counts the messages that arrive, and tells ``pair``."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        """Nothing has arrived yet."""
        self.pair: Pair | None = None
        self.arrived = 0
        self._tail = b""
        self._awaited: tuple[tuple[bytes, ...], asyncio.Future[None]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is open."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Whole messages in ``data`` are counted."""
        seen = self._tail + data
        if self._awaited is not None:
            self._tail = seen
            self._check_awaited()
            return
        # Only an end that starts in the kept tail or later is new: the tail is too short to hold one.
        self.arrived += seen.count(_END)
        self._tail = seen[-(len(_END) - 1) :]
        if self.pair is not None:
            self.pair.completed(self.arrived)

    async def ask(self, stanza: str, *answers: bytes) -> None:
        """``stanza`` is sent and one of ``answers`` has come. Raises ``ConnectionError`` with what came instead."""
        self._tail = b""
        self._awaited = (answers, asyncio.get_running_loop().create_future())
        self.transport.write(stanza.encode())
        try:
            await asyncio.wait_for(self._awaited[1], _ANSWER_S)
        except TimeoutError:
            raise ConnectionError(f"no {answers!r} in {self._tail!r}") from None
        finally:
            self._awaited = None
            self._tail = b""

    def _check_awaited(self) -> None:
        if self._awaited is not None and not self._awaited[1].done():
            answers, arrived = self._awaited
            if any(answer in self._tail for answer in answers):
                arrived.set_result(None)


class XmppPair(Pair):
    """Two accounts; the sender writes ready-made stanzas, the recipient counts."""

    def __init__(self, sender: XmppConnection, recipient: XmppConnection, to: str) -> None:
        """``to`` is the recipient's full address."""
        super().__init__()
        self._sender = sender
        self._stanza = f"<message to='{to}' type='chat'><body>{'x' * CONTENT_BYTES}</body></message>".encode()
        recipient.pair = self

    def put(self, count: int) -> None:
        """``count`` stanzas are written at once."""
        self._sender.transport.write(self._stanza * count)


async def connect_xmpp_pairs(port: int, count: int) -> list[XmppPair]:
    """``count`` pairs of new accounts are signed in and available at the server on ``port``."""
    pairs = []
    for number in range(count):
        sender = await _sign_in(port, f"anna{number}")
        recipient = await _sign_in(port, f"ben{number}")
        pairs.append(XmppPair(sender, recipient, f"ben{number}@{_HOST}/bench"))
    return pairs


async def _sign_in(port: int, name: str) -> XmppConnection:
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(XmppConnection, "127.0.0.1", port)
    await connection.ask(_STREAM, b"</stream:features>")
    await connection.ask(
        "<iq type='set' id='register'><query xmlns='jabber:iq:register'>"
        f"<username>{name}</username><password>{name}</password></query></iq>",
        b"type='result'",
        b'type="result"',
    )
    plain = base64.b64encode(f"\0{name}\0{name}".encode()).decode()
    await connection.ask(
        f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{plain}</auth>", b"<success"
    )
    await connection.ask(_STREAM, b"</stream:features>")
    await connection.ask(
        "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
        "<resource>bench</resource></bind></iq>",
        b"</jid>",
    )
    await connection.ask("<presence/>", b"<presence")
    return connection
