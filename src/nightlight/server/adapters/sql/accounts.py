"""Users, their devices, sessions and key packages, in SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from nightlight.protocol.ids import DeviceUri, TimestampMs, UserUri
from nightlight.protocol.signature import PUBLIC_KEY_BYTES
from nightlight.server.adapters.sql.tables import (
    accounts,
    devices,
    key_packages,
    links,
    recoveries,
    sessions,
    successions,
    used_nonces,
)
from nightlight.server.ports.delivery import Account, Caller, Device, StoredKeyPackage, WaitingRecovery

_ACCOUNT = (
    accounts.c.user,
    accounts.c.user_id,
    accounts.c.account_key,
    accounts.c.list_version,
    accounts.c.device_list,
    accounts.c.listed_at_ms,
    accounts.c.former_keys,
)
_RECOVERY = (
    recoveries.c.device,
    recoveries.c.signature_key,
    recoveries.c.session_key,
    recoveries.c.account_key,
    recoveries.c.begun_at_ms,
    recoveries.c.ready_at_ms,
)
_DEVICE = (devices.c.device, devices.c.device_id, devices.c.session_key, devices.c.revoked_at_ms)


class SqlAccounts:
    """``ports.delivery.Accounts`` on one connection."""

    def __init__(self, connection: Connection) -> None:
        """Works within the connection's transaction."""
        self._connection = connection

    async def add(self, account: Account, device: DeviceUri, session_key: bytes) -> None:
        """As the port says."""
        user_id = self._connection.execute(
            insert(accounts)
            .values(
                user=account.user,
                account_key=account.account_key,
                list_version=account.list_version,
                device_list=account.device_list,
                listed_at_ms=account.listed_at_ms,
                created_at_ms=account.listed_at_ms,
            )
            .returning(accounts.c.user_id)
        ).scalar_one()
        await self.add_device(user_id, device, session_key, account.listed_at_ms)

    async def of(self, user: UserUri) -> Account | None:
        """As the port says."""
        row = self._connection.execute(select(*_ACCOUNT).where(accounts.c.user == user)).one_or_none()
        return None if row is None else _account(*row)

    async def devices(self, user_id: int) -> list[Device]:
        """As the port says."""
        mine = devices.c.user_id == user_id, devices.c.revoked_at_ms.is_(None)
        found = select(*_DEVICE).where(*mine).order_by(devices.c.device_id)
        return [_device(*row) for row in self._connection.execute(found)]

    async def device(self, device: DeviceUri) -> Device | None:
        """As the port says."""
        row = self._connection.execute(select(*_DEVICE).where(devices.c.device == device)).one_or_none()
        return None if row is None else _device(*row)

    async def add_device(self, user_id: int, device: DeviceUri, session_key: bytes, now_ms: TimestampMs) -> bool:
        """As the port says."""
        added = (
            upsert(devices)
            .values(device=device, user_id=user_id, session_key=session_key, added_at_ms=now_ms)
            .on_conflict_do_nothing()
        )
        return self._connection.execute(added).rowcount == 1

    async def add_link(self, mailbox: bytes, package: bytes, expires_at_ms: TimestampMs) -> bool:
        """As the port says."""
        added = upsert(links).values(mailbox=mailbox, package=package, expires_at_ms=expires_at_ms)
        return self._connection.execute(added.on_conflict_do_nothing()).rowcount == 1

    async def link(self, mailbox: bytes, now_ms: TimestampMs) -> bytes | None:
        """As the port says."""
        found = select(links.c.package).where(links.c.mailbox == mailbox, links.c.expires_at_ms > now_ms)
        return self._connection.execute(found).scalar_one_or_none()

    async def replace_list(self, account: Account, revoked: Sequence[int]) -> None:
        """As the port says."""
        self._connection.execute(
            update(accounts)
            .where(accounts.c.user_id == account.user_id)
            .values(
                list_version=account.list_version,
                device_list=account.device_list,
                listed_at_ms=account.listed_at_ms,
            )
        )
        gone = devices.c.device_id.in_(revoked)
        self._connection.execute(update(devices).where(gone).values(revoked_at_ms=account.listed_at_ms))
        self._connection.execute(delete(sessions).where(sessions.c.device_id.in_(revoked)))
        self._connection.execute(delete(key_packages).where(key_packages.c.device_id.in_(revoked)))

    async def replace_key(self, account: Account, succession: bytes, credentials: Mapping[DeviceUri, bytes]) -> None:
        """As the port says."""
        user_id = account.user_id
        self._connection.execute(
            update(accounts)
            .where(accounts.c.user_id == user_id)
            .values(account_key=account.account_key, former_keys=b"".join(account.former_keys))
        )
        number = len(account.former_keys) - 1
        self._connection.execute(insert(successions).values(user_id=user_id, number=number, succession=succession))
        theirs = select(devices.c.device_id).where(devices.c.user_id == user_id)
        self._connection.execute(delete(key_packages).where(key_packages.c.device_id.in_(theirs)))
        self._connection.execute(update(devices).where(devices.c.user_id == user_id).values(credential=None))
        for device, credential in credentials.items():
            self._connection.execute(update(devices).where(devices.c.device == device).values(credential=credential))

    async def successions(self, user_id: int) -> list[bytes]:
        """As the port says."""
        found = select(successions.c.succession).where(successions.c.user_id == user_id)
        return list(self._connection.execute(found.order_by(successions.c.number)).scalars())

    async def credential(self, device_id: int) -> bytes | None:
        """As the port says."""
        found = select(devices.c.credential).where(devices.c.device_id == device_id)
        return self._connection.execute(found).scalar_one_or_none()

    async def put_recovery(self, user_id: int, recovery: WaitingRecovery | None) -> None:
        """As the port says."""
        self._connection.execute(delete(recoveries).where(recoveries.c.user_id == user_id))
        if recovery is not None:
            values: dict[str, Any] = {
                "device": recovery.device,
                "signature_key": recovery.signature_key,
                "session_key": recovery.session_key,
                "account_key": recovery.account_key,
                "begun_at_ms": recovery.begun_at_ms,
                "ready_at_ms": recovery.ready_at_ms,
            }
            self._connection.execute(insert(recoveries).values(user_id=user_id, **values))

    async def recovery(self, user_id: int) -> WaitingRecovery | None:
        """As the port says."""
        row = self._connection.execute(select(*_RECOVERY).where(recoveries.c.user_id == user_id)).one_or_none()
        return None if row is None else WaitingRecovery(*row)

    async def recovering(self, device: DeviceUri) -> tuple[Account, WaitingRecovery] | None:
        """As the port says."""
        both = select(*_ACCOUNT, *_RECOVERY).select_from(recoveries.join(accounts)).where(recoveries.c.device == device)
        row = self._connection.execute(both).one_or_none()
        if row is None:
            return None
        return _account(*row[: len(_ACCOUNT)]), WaitingRecovery(*row[len(_ACCOUNT) :])

    async def spend_nonce(self, nonce: bytes, expires_at_ms: TimestampMs) -> bool:
        """As the port says."""
        spent = upsert(used_nonces).values(nonce=nonce, expires_at_ms=expires_at_ms).on_conflict_do_nothing()
        return self._connection.execute(spent).rowcount == 1

    async def add_session(self, token_hash: bytes, device_id: int, expires_at_ms: TimestampMs, kept: int) -> None:
        """As the port says."""
        self._connection.execute(
            insert(sessions).values(token_hash=token_hash, device_id=device_id, expires_at_ms=expires_at_ms)
        )
        mine, this = sessions.c.device_id == device_id, sessions.c.token_hash == token_hash
        newest = select(sessions.c.token_hash).where(mine).order_by(this.desc(), sessions.c.expires_at_ms.desc())
        self._connection.execute(delete(sessions).where(mine, sessions.c.token_hash.not_in(newest.limit(kept))))

    async def caller(self, token_hash: bytes, now_ms: TimestampMs) -> Caller | None:
        """As the port says."""
        row = self._connection.execute(
            select(devices.c.device, devices.c.device_id, accounts.c.user, accounts.c.user_id)
            .select_from(sessions.join(devices).join(accounts))
            .where(
                sessions.c.token_hash == token_hash,
                sessions.c.expires_at_ms > now_ms,
                devices.c.revoked_at_ms.is_(None),
            )
        ).one_or_none()
        return None if row is None else Caller(*row)

    async def add_key_packages(self, device_id: int, packages: Sequence[StoredKeyPackage]) -> None:
        """As the port says."""
        if any(package.last_resort for package in packages):
            self._connection.execute(
                delete(key_packages).where(key_packages.c.device_id == device_id, key_packages.c.last_resort)
            )
        if packages:
            self._connection.execute(
                upsert(key_packages).on_conflict_do_nothing(),
                [
                    {
                        "device_id": device_id,
                        "last_resort": package.last_resort,
                        "reference": package.reference,
                        "message": package.message,
                        "expires_at_ms": package.expires_at_ms,
                    }
                    for package in packages
                ],
            )

    async def key_package_count(self, device_id: int, now_ms: TimestampMs) -> tuple[int, bool]:
        """As the port says."""
        rows = self._connection.execute(
            select(key_packages.c.last_resort, func.count())
            .where(_usable(device_id, now_ms))
            .group_by(key_packages.c.last_resort)
        )
        counts = {bool(last_resort): int(count) for last_resort, count in rows}
        return counts.get(False, 0), counts.get(True, 0) > 0

    async def claim_key_package(self, device_id: int, now_ms: TimestampMs) -> bytes | None:
        """As the port says."""
        row = self._connection.execute(
            select(key_packages.c.key_package_id, key_packages.c.message, key_packages.c.last_resort)
            .where(_usable(device_id, now_ms))
            .order_by(key_packages.c.last_resort, key_packages.c.key_package_id)
            .limit(1)
        ).one_or_none()
        if row is None:
            return None
        if not row.last_resort:
            taken = key_packages.c.key_package_id == row.key_package_id
            self._connection.execute(update(key_packages).where(taken).values(claimed=True, message=b""))
        return bytes(row.message)


def _usable(device_id: int, now_ms: TimestampMs) -> ColumnElement[bool]:
    """A key package of the device that may be claimed."""
    mine = key_packages.c.device_id == device_id, ~key_packages.c.claimed
    return and_(*mine, key_packages.c.expires_at_ms > now_ms)


def _account(user: UserUri, user_id: int, account_key: bytes, version: int, *rest: Any) -> Account:
    device_list, listed_at_ms, keys = rest
    former = tuple(keys[at : at + PUBLIC_KEY_BYTES] for at in range(0, len(keys), PUBLIC_KEY_BYTES))
    return Account(user, user_id, account_key, version, device_list, listed_at_ms, former)


def _device(device: str, device_id: int, session_key: bytes, revoked_at_ms: int | None) -> Device:
    return Device(DeviceUri(device), device_id, session_key, revoked_at_ms is not None)
