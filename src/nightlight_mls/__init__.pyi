# ruff: noqa: PYI021 - a Rust module has its docstrings here
"""MLS groups over OpenMLS (RFC 9420), for ``nightlight.mls`` alone.

Everything runs without the interpreter's lock, and a handle may be used from any thread. State is key → bytes:
``take_writes`` hands over what changed since its last call, and the caller commits that with whatever else must
become true at the same moment. A call that raises has changed nothing. When a transaction that held writes is
rolled back, memory has run ahead: drop the handle, and open it again from the stored entries.

Sizes in bytes, times in Unix seconds. Every exception carries the number of the check that failed.
"""

from collections.abc import Iterable, Sequence
from typing import TypeAlias, final

Entry: TypeAlias = tuple[bytes, bytes]
Write: TypeAlias = tuple[bytes, bytes | None]
"""A key and its new bytes; None means that the entry is gone."""

CHECKS: list[tuple[str, str]]
"""Every check of this module: its number, and the sentence that must hold."""

class MlsError(Exception):
    check: str
    reason: str

class MalformedError(MlsError):
    """The bytes are not what they claim to be."""

class WrongEpochError(MlsError):
    """A message of another epoch: NL-204 past, NL-205 future, NL-206 before this device joined."""

class DuplicateError(MlsError):
    """Read, sent or merged before."""

class TooDistantError(MlsError):
    """A generation outside the window of 50 back and 1000 forward."""

class ForbiddenHandshakeError(MlsError):
    """A handshake that does not exist in Nightlight."""

class InvalidError(MlsError):
    """A signature, tag, key or rule that does not hold."""

class UnknownGroupError(MlsError):
    """Another group's message, or no stored state."""

class DesyncError(MlsError):
    """The hub is past this member, who must be added anew."""

class OrphanWelcomeError(MlsError):
    """A Welcome for a key package that this device does not hold."""

class StateError(MlsError):
    """The caller asked for something in the wrong state: our bug."""

class FatalError(MlsError):
    """A library error or a caught panic: the handle is dead; open it again from the stored entries."""

def scope(group_id: bytes) -> bytes:
    """``V(group_id)``, the prefix of all that group's keys; ``scope(b"")`` is that of the member's own."""

@final
class SigningKey:
    """An Ed25519 key; its private half is wiped when it is dropped."""

    @staticmethod
    def generate() -> SigningKey: ...
    @staticmethod
    def from_seed(seed: bytes) -> SigningKey:
        """``seed``: 32 bytes."""

    def seed(self) -> bytes: ...
    @property
    def public_key(self) -> bytes:
        """32 bytes."""

    def sign_with_label(self, label: str, content: bytes) -> bytes:
        """64 bytes. Source: RFC 9420, "Signing"."""

    def sign_many_with_label(self, label: str, contents: Sequence[bytes]) -> list[bytes]:
        """One signature for each of ``contents``, in one call."""

@final
class Leaf:
    """A device in a group."""

    @property
    def index(self) -> int: ...
    @property
    def credential(self) -> bytes:
        """The identity in its basic credential."""

    @property
    def signature_key(self) -> bytes: ...

@final
class Change:
    """What a commit does: from one membership to the next."""

    @property
    def epoch(self) -> int:
        """The epoch after it."""

    @property
    def committer(self) -> Leaf:
        """The committer's leaf after it; that before it is in ``Group.members``."""

    @property
    def added(self) -> list[Leaf]: ...
    @property
    def references(self) -> list[bytes]:
        """KeyPackageRefs of the key packages of ``added``, in the same order."""

    @property
    def removed(self) -> list[Leaf]: ...
    @property
    def members(self) -> list[Leaf]:
        """The resulting membership, by leaf index."""

    @property
    def roles(self) -> bytes:
        """The item 0x8001 of its authenticated data, or nothing."""

@final
class KeyPackage:
    """A key package whose signatures hold."""

    @property
    def reference(self) -> bytes:
        """KeyPackageRef, 32 bytes."""

    @property
    def credential(self) -> bytes: ...
    @property
    def signature_key(self) -> bytes: ...
    @property
    def not_before_s(self) -> int:
        """The first second at which it may be added; on the wire its leaf is valid from 31 days earlier."""

    @property
    def not_after_s(self) -> int:
        """The last second at which it may be added; on the wire its leaf is valid for 31 days longer."""

    @property
    def last_resort(self) -> bool: ...

def read_key_package(message: bytes) -> KeyPackage: ...
def read_welcome(message: bytes) -> list[bytes]:
    """The references of the key packages that a Welcome is for."""

@final
class PublicGroup:
    """The hub's view of a group: no secret."""

    @staticmethod
    def from_group_info(group_info: bytes) -> PublicGroup:
        """``group_info``: an MLSMessage with a GroupInfo that carries the ratchet tree."""

    @staticmethod
    def load(group_id: bytes, entries: Iterable[Entry]) -> PublicGroup: ...
    @property
    def group_id(self) -> bytes: ...
    @property
    def epoch(self) -> int: ...
    @property
    def members(self) -> list[Leaf]: ...
    @property
    def franking_agent(self) -> bytes:
        """The bytes of component 0x0021 in the GroupContext."""

    def process(self, commit: bytes, now_s: int) -> Change:
        """Stages a member's commit; nothing is merged. Whom it adds must be addable at ``now_s``."""

    def accept(self) -> None:
        """The staged commit is merged."""

    def discard(self) -> None:
        """The staged commit, if there was one, is dropped."""

    def take_writes(self) -> list[Write]: ...

@final
class Member:
    """One device: its signature key, credential and key packages. Only with the crate's feature ``member``."""

    @staticmethod
    def create() -> Member:
        """A device with a fresh signature key, and no credential yet."""

    @staticmethod
    def load(entries: Iterable[Entry]) -> Member:
        """``entries``: those in ``scope(b"")``; others are passed over."""

    @property
    def signature_key(self) -> bytes: ...
    def set_credential(self, credential: bytes) -> None:
        """Key packages and groups made from now on carry it; older groups need a commit."""

    def key_packages(self, count: int, *, lifetime_s: int, now_s: int, last_resort: bool = False) -> list[bytes]:
        """Fresh ones, as MLSMessages. ``lifetime_s``: how long one may be added, at most 90 days."""

    def forget_key_packages(self, references: Sequence[bytes]) -> None:
        """Their private halves are gone; those not held are passed over."""

    def create_group(self, group_id: bytes, franking_agent: bytes) -> Group:
        """This device is alone in a new group at epoch 0."""

    def join(self, welcome: bytes) -> Group:
        """The group of a Welcome; its key package is used up, unless it is the last resort.

        A device that joins a group anew drops the entries of its older state first.
        """

    def open(self, group_id: bytes, entries: Iterable[Entry]) -> Group:
        """``entries``: those in ``scope(group_id)``; others are passed over."""

    def take_writes(self) -> list[Write]:
        """Writes in the member's own scope."""

@final
class Group:
    """A member's view of a group. Only with the crate's feature ``member``."""

    @property
    def group_id(self) -> bytes: ...
    @property
    def epoch(self) -> int: ...
    @property
    def members(self) -> list[Leaf]: ...
    @property
    def own_index(self) -> int: ...
    @property
    def is_active(self) -> bool:
        """False once a merged commit has removed this device, or after ``delete``."""

    @property
    def has_pending(self) -> bool:
        """A commit of this device waits for the hub's answer."""

    @property
    def franking_agent(self) -> bytes: ...
    @property
    def epoch_authenticator(self) -> bytes:
        """32 bytes, equal for all members of one epoch of one history."""

    @property
    def confirmed_transcript_hash(self) -> bytes: ...
    def group_info(self) -> bytes:
        """A signed GroupInfo with the ratchet tree, for the hub."""

    def encrypt(self, data: bytes, tag: bytes) -> bytes:
        """A padded PrivateMessage. ``tag``: 32 bytes, in the authenticated data as ``SafeAAD{0x0020: tag}``."""

    def commit(
        self,
        *,
        add: Sequence[bytes] = (),
        remove: Sequence[int] = (),
        roles: bytes = b"",
        credential: bytes | None = None,
        now_s: int,
    ) -> Staged:
        """A pending commit with a fresh path: adds key packages, removes leaves, replaces the own credential.

        ``roles``, if it is anything, goes into the authenticated data as ``SafeAAD{0x8001: roles}``.
        """

    def accept(self) -> None:
        """The pending commit is merged: the hub took it."""

    def discard(self) -> None:
        """The pending commit, if there was one, is dropped: the hub did not take it."""

    def receive(self, message: bytes) -> Application | Commit:
        """A decrypted message, or somebody's commit, staged and not merged."""

    def apply(self) -> None:
        """The commit that ``receive`` staged is merged; a pending one of our own is dropped."""

    def reject(self) -> None:
        """The commit that ``receive`` staged, if there was one, is dropped."""

    def export(self, label: str, context: bytes, length: int) -> bytes: ...
    def delete(self) -> None:
        """All entries of the group are deleted, in the next writes."""

    def take_writes(self) -> list[Write]:
        """Writes in the group's scope."""

@final
class Staged:
    """A commit of this device, pending until the hub has answered."""

    @property
    def commit(self) -> bytes: ...
    @property
    def welcome(self) -> bytes | None:
        """For those it adds, if any."""

    @property
    def epoch(self) -> int:
        """The epoch it leads to."""

    @property
    def confirmation_tag(self) -> bytes:
        """What its echo is matched by; 32 bytes."""

@final
class Application:
    """A decrypted message."""

    @property
    def data(self) -> bytes: ...
    @property
    def tag(self) -> bytes: ...
    @property
    def sender(self) -> Leaf: ...
    @property
    def epoch(self) -> int: ...

@final
class Commit:
    """A commit that waits to be merged."""

    @property
    def change(self) -> Change: ...
    @property
    def own(self) -> bool:
        """The echo of this device's pending commit: ``accept`` merges it, not ``apply``."""

    @property
    def removes_me(self) -> bool: ...
