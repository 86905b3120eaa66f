"""Every decoder of the protocol package, with good bytes to start from.

A decoder whose value can be written again has an ``encode``: what it accepts must come out as the same bytes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from nightlight.errors import ProblemName
from nightlight.protocol import attachment, bodies, cbor, codec, content, franking, ids, messages, profile, roles
from nightlight.protocol.codec import u16, u64, write_vector
from nightlight.protocol.contact_code import ContactCode
from nightlight.protocol.content import MessageStatus
from nightlight.protocol.credential import (
    Device,
    LeafCredential,
    SignedDeviceList,
    first_device_list,
    leaf_credential,
    verify_leaf,
)
from nightlight.protocol.franking import Frank, FrankingAgent
from nightlight.protocol.ids import DeviceUri, HubUri, MessageId, RoomUri, TimestampMs, UserUri
from nightlight.protocol.linking import LinkCode, LinkPackage
from nightlight.protocol.part import SinglePart
from nightlight.protocol.succession import Succession
from tests.support.keys import key_from
from tests.vectors.generate_linking import CODE, PACKAGE
from tests.vectors.reading import read

ADA = UserUri("mimi://courier.example/u/ada")
PHONE = Device(DeviceUri("mimi://courier.example/d/ada/phone"), bytes(32))
ROOM = RoomUri("mimi://courier.example/r/harbour")
ONE_ID = MessageId(b"\x01" + bytes(31))
ACCOUNT = key_from(bytes([1]) * 32)
LIST = first_device_list(ADA, ACCOUNT.public, PHONE, TimestampMs(1_900_000_000_000))
LEAF = leaf_credential(LIST, PHONE.uri, ACCOUNT.sign).encode()

CONTENTS = [bytes.fromhex(case["cbor"]) for case in read("mimi-content")["cases"]]
CBOR = [*CONTENTS, *(bytes.fromhex(row["cbor"]) for row in read("cbor")["maps"] + read("cbor")["refused"])]
REPORT = cbor.encode([[ONE_ID, MessageStatus.READ], [ONE_ID, MessageStatus.DELIVERED]])
FRONT = write_vector(ROOM.encode()) + u64(7)
PRIVATE = u16(1) + u16(2) + FRONT + b"\x01" + write_vector(b"\x00") + write_vector(bytes(28)) + write_vector(bytes(99))
CODES = [row["code"].encode() for kind in ("codes", "refused") for row in read("contact-code")[kind]]
URIS = [b"mimi://hub.example", ADA.encode(), PHONE.uri.encode(), ROOM.encode()]

CLIENT_FRAMES = [
    messages.Hello("token", {ROOM: 3}),
    messages.SubmitMessage(bytes(16), ROOM, b"ciphertext"),
    messages.SubmitCommit(bytes(16), ROOM, b"commit", b"welcome"),
    messages.Acknowledge(ROOM, 4),
]
SERVER_FRAMES = [
    messages.Ready(PHONE.uri, {ROOM: 3}),
    messages.Accepted(bytes(16), ROOM, 1, 0, 1_900_000_000_000, bytes(100)),
    messages.Refused(bytes(16), ProblemName.WRONG_EPOCH, epoch=8),
    messages.Delivery(ROOM, 5, messages.EntryKind.APPLICATION, PHONE.uri, 1_900_000_000_000, b"payload", bytes(100)),
    messages.Removed(ROOM, 9),
    messages.Wake("contacts"),
    messages.Goodbye("stopping"),
]


@dataclass(frozen=True, slots=True)
class Decoder:
    """``name``: module and function; ``samples``: bytes that are good, or good in part.

    ``empty``: no bytes at all are a value, such as a list of nothing.
    """

    name: str
    decode: Callable[[bytes], Any]
    samples: list[bytes]
    encode: Callable[[Any], bytes] | None = None
    empty: bool = False


def _of_text(parse: Callable[[str], Any]) -> Callable[[bytes], Any]:
    return lambda data: parse(data.decode("latin-1"))


def _latin(text: str) -> bytes:
    return text.encode("latin-1")


def _status_report(data: bytes) -> tuple[tuple[MessageId, MessageStatus], ...]:
    report = content.read_status_report(SinglePart(content.MESSAGE_STATUS, data))
    assert report is not None
    return report


WAITING = messages.PendingRecovery(PHONE.uri, 1_900_000_000_000, 1_900_000_000_000)
SIGNED = LIST.sign(ACCOUNT.sign).encode()
DEVICES = messages.UserDevices(ADA, ACCOUNT.public, SIGNED, [b"one"], b"credential", WAITING)
A_ROOM = messages.Room(
    ROOM,
    3,
    12,
    [messages.RoomMember(PHONE.uri, 1, revoked=False, lost=False)],
    [messages.RoomParticipant(ADA, "owner")],
)
ANSWERS: list[tuple[Any, Any]] = [
    (messages.BlobUpload, messages.BlobUpload("0" * 32, 99, 0, 2**20, finished=False)),
    (messages.Challenge, messages.Challenge("https://courier.example", bytes(32), 1_900_000_000_000)),
    (messages.ClaimedKeyPackages, messages.ClaimedKeyPackages(DEVICES, [b"one", b""])),
    (messages.Directory, messages.Directory("mimi://hub.example", ["courier.example"], [bytes(32), b"\xff" * 32])),
    (messages.KeyPackageCount, messages.KeyPackageCount(99, has_last_resort=True)),
    (messages.Mailbox, messages.Mailbox(b"sealed")),
    (messages.Recovery, messages.Recovery(DEVICES, 1_900_000_000_000)),
    (messages.Room, A_ROOM),
    (messages.Session, messages.Session("token", 1_900_000_000_000)),
    (messages.UserDevices, DEVICES),
    (list[messages.Contact], [messages.Contact(ADA, messages.ContactState.ASKED, 1_900_000_000_000)] * 2),
    (list[messages.Room], [A_ROOM, A_ROOM]),
    (object, None),
]
PROBLEMS = [
    {"type": "https://nightlight.example/problems/wrong_epoch", "title": "words", "status": 409, "epoch": 8},
    {"type": "/problems/not_found"},
]


def _ignored(data: bytes) -> None:
    bodies.read_body(data, object)


def _body(kind: Any, good: object) -> Decoder:
    """Reads answers of one ``kind``; of an ``object`` only whether it is JSON counts."""
    name = kind.__name__ if isinstance(kind, type) else str(kind).replace(f"{messages.__name__}.", "")
    return Decoder(
        f"bodies.read_body[{name}]",
        _ignored if kind is object else lambda data: bodies.read_body(data, kind),
        [msgspec.json.encode(good)],
        empty=kind is object,
    )


ATTACHMENTS = [bytes.fromhex(row["cbor"]) for row in read("attachment")["messages"]]
PROFILES = [bytes.fromhex(row["message"]) for row in read("profile")["profiles"] + read("profile")["others"]]
ROLES = [bytes.fromhex(row["before"]) for row in read("roles")["steps"]]

DECODERS = [
    Decoder(
        "attachment.read_attachments", lambda data: attachment.read_attachments(content.decode(data).body), ATTACHMENTS
    ),
    *(_body(kind, good) for kind, good in ANSWERS),
    Decoder("bodies.read_problem", bodies.read_problem, [msgspec.json.encode(problem) for problem in PROBLEMS]),
    Decoder("cbor.decode", cbor.decode, CBOR, cbor.encode),
    Decoder("codec.read_private_message", codec.read_private_message, [PRIVATE]),
    Decoder("content.decode", content.decode, CONTENTS, content.encode),
    Decoder("content.message_id", lambda data: content.message_id(ADA, ROOM, data), CONTENTS),
    Decoder("content.read_status_report", _status_report, [REPORT]),
    Decoder("content.salt_of", content.salt_of, CONTENTS),
    Decoder("contact_code.ContactCode.decode", _of_text(ContactCode.decode), CODES),
    Decoder("credential.LeafCredential.decode", LeafCredential.decode, [LEAF], lambda credential: credential.encode()),
    Decoder(
        "credential.SignedDeviceList.decode",
        SignedDeviceList.decode,
        [
            LIST.sign(ACCOUNT.sign).encode(),
            *(bytes.fromhex(row["encoded"]) for row in read("identity")["device_lists"]),
        ],
        lambda signed: signed.encode(),
    ),
    Decoder("credential.verify_leaf", lambda data: verify_leaf(data, PHONE.signature_key, LIST), [LEAF]),
    Decoder(
        "franking.Frank.decode", Frank.decode, [Frank(bytes(32), 1, bytes(64)).encode()], lambda frank: frank.encode()
    ),
    Decoder(
        "franking.FrankingAgent.decode",
        FrankingAgent.decode,
        [FrankingAgent(bytes(32), HubUri("mimi://hub.example")).encode()],
        lambda agent: agent.encode(),
    ),
    Decoder("franking.franking_tag", franking.franking_tag, CONTENTS),
    Decoder("franking.read_safe_aad", franking.read_safe_aad, [franking.safe_aad(bytes(32))], franking.safe_aad),
    Decoder(
        "ids.parse_blob_id", _of_text(ids.parse_blob_id), [bytes([48 + digit]) * 32 for digit in range(10)], _latin
    ),
    Decoder("ids.parse_device_uri", _of_text(ids.parse_device_uri), URIS, _latin),
    Decoder("ids.parse_hub_uri", _of_text(ids.parse_hub_uri), URIS, _latin),
    Decoder("ids.parse_room_uri", _of_text(ids.parse_room_uri), URIS, _latin),
    Decoder("ids.parse_user_uri", _of_text(ids.parse_user_uri), URIS, _latin),
    Decoder(
        "linking.LinkCode.read",
        lambda data: LinkCode.read(data.decode("latin-1")),
        [CODE.text().encode()],
        lambda code: code.text().encode(),
    ),
    Decoder("linking.LinkPackage.decode", LinkPackage.decode, [PACKAGE.encode()], lambda package: package.encode()),
    Decoder("messages.read_client_frame", messages.read_client_frame, [*map(messages.encode_frame, CLIENT_FRAMES)]),
    Decoder("messages.read_server_frame", messages.read_server_frame, [*map(messages.encode_frame, SERVER_FRAMES)]),
    Decoder("profile.read_profile", lambda data: profile.read_profile(content.decode(data).body), PROFILES),
    Decoder("roles.decode_roles", roles.decode_roles, ROLES, roles.encode_roles, empty=True),
    Decoder(
        "succession.Succession.decode",
        Succession.decode,
        [bytes.fromhex(one) for row in read("succession")["rows"] for one in row["successions"]],
        lambda succession: succession.encode(),
    ),
]
