"""A fresh device whose person has no other, but their recovery key: it asks, waits a day, and is theirs then.

The words are used once, when it asks, and kept nowhere.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import msgspec

from nightlight.client.faults import crash_point
from nightlight.client.identity import DEVICE_NAME_BYTES, LIST_LIFETIME_MS, open_or_create
from nightlight.client.records import Identity, RecoveringDevice
from nightlight.client.recovery_words import recovery_key
from nightlight.client.store import Store, StoreError
from nightlight.client.surroundings import Surroundings
from nightlight.client.transport import NetworkTransport, Transport
from nightlight.errors import ProblemName, RefusedError, VerificationError
from nightlight.mls.group import Member, scope
from nightlight.mls.signing import SigningKey
from nightlight.protocol.credential import Device, DeviceList, SignedDeviceList, leaf_credential
from nightlight.protocol.ids import TimestampMs, UserUri, device_uri
from nightlight.protocol.linking import SEED_BYTES
from nightlight.protocol.messages import Recovery, RecoveryEnd, RecoveryRequest, UserDevices
from nightlight.protocol.succession import (
    RECOVERY_LABEL,
    SUCCESSION_LABEL,
    Succession,
    recovery_content,
    succession_content,
)

_TRIES = 5
"""A device of the same person that is still somewhere may renew the list at the same moment, and again."""
_RECOVERING = "recovering"


class Recovering:
    """The device before it is its person's. Opened again, it goes on where it was."""

    def __init__(
        self, store: Store, transport: Transport, surroundings: Surroundings, server_url: str, user: UserUri
    ) -> None:
        """Its keys are durable. Raises ``StoreError``, having closed the store: there is a device in it."""
        self.store = store
        self.transport = transport
        self.surroundings = surroundings
        try:
            self._record = _begun(store, server_url, user, surroundings)
        except BaseException:
            store.close()
            raise

    @staticmethod
    def at(server_url: str, user: UserUri, store_path: Path, *, store_key: bytes, receipts: bool = True) -> Recovering:
        """A device for ``user`` in a new store at ``store_path``. Raises ``StoreError``: there is another one."""
        surroundings = Surroundings(receipts=receipts)
        server_url = server_url.rstrip("/")
        store = open_or_create(store_path, store_key, surroundings)
        return Recovering(store, NetworkTransport(server_url), surroundings, server_url, user)

    @property
    def ready_at_ms(self) -> TimestampMs | None:
        """When the wait is over, by the hub's clock, as last heard; None before it has begun."""
        return self._record.ready_at_ms if self._record.signature else None

    async def begin(self, words: str) -> TimestampMs:
        """The hub lets the recovery wait, and tells the person's other devices. Returns when the wait is over.

        Raises ``VerificationError``: NL-134 for other words than a recovery key's, NL-561; ``RefusedError``:
        ``not_found``, where the words are not those of that person; ``UnavailableError``.
        """
        recovery, record = recovery_key(words), self._record
        account, session = SigningKey.from_seed(record.account_seed), SigningKey.from_seed(record.session_seed)
        keys = (self._member().signature_key, session.public_key, account.public_key)
        content = recovery_content(record.user, record.device, *keys)
        signature = recovery.sign_with_label(RECOVERY_LABEL, content)
        request = RecoveryRequest(record.user, record.device, *keys, signature)
        answer = await self.transport.call("POST", "/v1/recovery", Recovery, body=request)
        crash_point("recovery.after_begin")
        former = _list_of(record.user, answer.devices)
        if former.recovery_key != recovery.public_key:
            raise VerificationError("NL-561", "an account that names another recovery key")
        follows = succession_content(record.user, former.account_key, account.public_key, recovered=True)
        self._put(
            msgspec.structs.replace(
                record,
                former_key=former.account_key,
                signature=recovery.sign_with_label(SUCCESSION_LABEL, follows),
                ready_at_ms=TimestampMs(answer.ready_at_ms),
                end=None,
            )
        )
        return self._record.ready_at_ms

    async def finish(self) -> None:
        """The store is that of its person's one device.

        Raises ``RefusedError``: ``too_soon``; ``not_found``, where another device has ended it, or it was never begun;
        ``UnavailableError``, after which it may be called again.
        """
        for _ in range(_TRIES):
            end = self._record.end or await self._build_end()
            try:
                devices = await self.transport.call("POST", "/v1/recovery/end", UserDevices, body=end)
            except RefusedError as error:
                if error.problem is not ProblemName.STALE_DEVICE_LIST:
                    raise
                self._put(msgspec.structs.replace(self._record, end=None))
            else:
                self._become(devices, end)
                return
        raise RefusedError(ProblemName.STALE_DEVICE_LIST)

    def forget(self) -> None:
        """Nothing of this attempt is kept; the next begins with the words again."""
        with self.store.transaction():
            self.store.delete_value(_RECOVERING)

    async def _build_end(self) -> RecoveryEnd:
        """What ends the recovery, after the newest list that the hub has, is durable."""
        record = self._record
        if not record.signature:
            raise RefusedError(ProblemName.NOT_FOUND)
        where = f"/v1/recovery?device={quote(record.device, safe='')}"
        waiting = await self.transport.call("GET", where, Recovery)
        former = _list_of(record.user, waiting.devices)
        if former.account_key != record.former_key:
            raise RefusedError(ProblemName.NOT_FOUND)
        account = SigningKey.from_seed(record.account_seed)
        own = Device(record.device, self._member().signature_key, may_sign=True)
        expires_at_ms = TimestampMs(self.surroundings.clock() + LIST_LIFETIME_MS)
        following = replace(former.next([own], expires_at_ms), account_key=account.public_key)
        follows = Succession(
            former.account_key,
            waiting.devices.device_list,
            account.public_key,
            recovered=True,
            signature=record.signature,
        )
        end = RecoveryEnd(record.device, following.sign(account.sign_with_label).encode(), follows.encode())
        self._put(msgspec.structs.replace(record, end=end, ready_at_ms=TimestampMs(waiting.ready_at_ms)))
        return end

    def _become(self, devices: UserDevices, end: RecoveryEnd) -> None:
        record = self._record
        account = SigningKey.from_seed(record.account_seed)
        former_keys = tuple(Succession.decode(succession).former_key for succession in devices.successions)
        signed = SignedDeviceList.decode(end.device_list)
        listed = replace(signed.verify(record.user, account.public_key, None), former_keys=former_keys)
        member = self._member()
        member.set_credential(leaf_credential(listed, record.device, account.sign_with_label).encode())
        identity = Identity(
            record.server_url, record.user, record.device, record.account_seed, record.session_seed, registered=True
        )
        with self.store.transaction():
            self.store.write_mls(member.take_writes())
            self.store.put_pin(listed)
            self.store.put_identity(identity)
            self.store.delete_value(_RECOVERING)

    def _member(self) -> Member:
        return Member.load(self.store.mls_entries(scope(b"")))

    def _put(self, record: RecoveringDevice) -> None:
        with self.store.transaction():
            self.store.put(_RECOVERING, msgspec.msgpack.encode(record))
        self._record = record

    async def close(self) -> None:
        """Nothing is open."""
        await self.transport.close()
        self.store.close()


def _begun(store: Store, server_url: str, user: UserUri, surroundings: Surroundings) -> RecoveringDevice:
    """The device of an earlier attempt, or a new one, durable."""
    if store.has_identity():
        raise StoreError("there is a store here already")
    stored = store.get(_RECOVERING)
    if stored is not None:
        record = msgspec.msgpack.decode(stored, type=RecoveringDevice)
        if (record.server_url, record.user) == (server_url, user):
            return record
    random = surroundings.random
    device = device_uri(user, random(DEVICE_NAME_BYTES).hex())
    record = RecoveringDevice(server_url, user, device, random(SEED_BYTES), random(SEED_BYTES))
    member = Member.create()
    with store.transaction():
        store.write_mls([(key, None) for key, _ in store.mls_entries(scope(b""))])
        store.write_mls(member.take_writes())
        store.put(_RECOVERING, msgspec.msgpack.encode(record))
    crash_point("recovery.after_store")
    return record


def _list_of(user: UserUri, devices: UserDevices) -> DeviceList:
    """The newest list, which may have expired since the last device was lost."""
    return SignedDeviceList.decode(devices.device_list).verify(user, devices.account_key, None)
