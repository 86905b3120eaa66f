"""Everything that this package can put on the wire, drawn at random."""

from typing import Any

from hypothesis import strategies as st

from nightlight.errors import ProblemName
from nightlight.protocol import messages
from nightlight.protocol.cbor import MAX_DEPTH
from nightlight.protocol.content import Expiry, MessageStatus, MimiContent
from nightlight.protocol.credential import Device, DeviceList, LeafCredential, SignedDeviceList
from nightlight.protocol.franking import CIPHERSUITE, Frank, FrankingAgent
from nightlight.protocol.ids import DeviceUri, HubUri, MessageId, RoomUri, TimestampMs, UserUri
from nightlight.protocol.part import (
    TEXT_PLAIN,
    ExternalPart,
    MultiPart,
    NullPart,
    Part,
    PartSemantics,
    SinglePart,
)

u64s = st.integers(0, 2**64 - 1)
double_u64s = st.integers(0, 2**53 - 1)
bytes_16 = st.binary(min_size=16, max_size=16)
bytes_32 = st.binary(min_size=32, max_size=32)
bytes_64 = st.binary(min_size=64, max_size=64)

_names = st.from_regex(r"[a-z0-9]([a-z0-9._-]{0,10}[a-z0-9])?", fullmatch=True)
_providers = st.sampled_from(["courier.example", "gallery.example", "ring.example", "a"])
users = st.builds(lambda provider, name: UserUri(f"mimi://{provider}/u/{name}"), _providers, _names)
devices = st.builds(
    lambda user, device: DeviceUri(user.replace("/u/", "/d/") + f"/{device}"),
    users,
    st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True),
)
rooms = st.builds(
    lambda provider, room: RoomUri(f"mimi://{provider}/r/{room}"),
    _providers,
    st.from_regex(r"[a-z0-9_-]{1,12}", fullmatch=True),
)
hubs = st.builds(lambda provider: HubUri(f"mimi://{provider}"), _providers)
times = st.builds(TimestampMs, u64s)
message_ids = st.builds(lambda rest: MessageId(b"\x01" + rest), st.binary(min_size=31, max_size=31))

# --- CBOR and content ---

texts = st.text(st.characters(codec="utf-8"), max_size=20)
numbers = st.integers(-(2**64), 2**64 - 1)
keys = numbers | texts | st.binary(max_size=8)
leaves = st.none() | st.booleans() | numbers | st.binary(max_size=20) | texts


def cbor_values(depth: int = MAX_DEPTH - 1) -> st.SearchStrategy[Any]:
    """Values of the profile, no deeper than ``depth``."""
    if depth == 0:
        return leaves
    inner = st.deferred(lambda: cbor_values(depth - 1))
    return leaves | st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3)


_dispositions = st.integers(0, 255)
_languages = st.sampled_from(["", "en", "de-CH,fr"])
_single_parts = st.builds(
    lambda text, disposition, language: SinglePart(TEXT_PLAIN, text.encode(), disposition, language),
    texts,
    _dispositions,
    _languages,
) | st.builds(SinglePart, st.just("image/png"), st.binary(max_size=30), _dispositions, _languages)
_external_parts = st.builds(
    ExternalPart,
    content_type=texts,
    url=texts,
    expires_s=st.integers(0, 2**32 - 1),
    size=u64s,
    encryption_algorithm=st.integers(0, 2**16 - 1),
    key=st.binary(max_size=32),
    nonce=st.binary(max_size=12),
    aad=st.binary(max_size=5),
    hash_algorithm=st.integers(0, 255),
    content_hash=st.binary(max_size=32),
    description=texts,
    filename=texts,
    disposition=_dispositions,
    language=_languages,
)
_flat_parts = st.builds(NullPart, _dispositions, _languages) | _single_parts | _external_parts


def parts(depth: int = 4) -> st.SearchStrategy[Part]:
    """Parts nested no deeper than ``depth``."""
    if depth == 1:
        return _flat_parts
    inner = st.deferred(lambda: parts(depth - 1))
    several = st.lists(inner, min_size=2, max_size=3).map(tuple)
    return _flat_parts | st.builds(MultiPart, st.sampled_from(PartSemantics), several, _dispositions, _languages)


_extension_keys = st.integers(3, 2**53 - 1) | st.integers(-(2**53) + 1, -1) | st.text(min_size=1, max_size=20)
_extension_values = leaves | st.lists(leaves | st.lists(leaves, max_size=2), max_size=2)
contents = st.builds(
    MimiContent,
    salt=bytes_16,
    extensions=st.builds(
        lambda others, sender, room: others | {1: sender, 2: room},
        st.dictionaries(_extension_keys, _extension_values, max_size=3),
        users,
        rooms,
    ),
    body=parts(),
    replaces=st.none() | message_ids,
    topic_id=st.binary(max_size=20),
    expires=st.none() | st.builds(Expiry, relative=st.booleans(), seconds=st.integers(0, 2**32 - 1)),
    in_reply_to=st.none() | message_ids,
)
statuses = st.lists(st.tuples(message_ids, st.sampled_from(MessageStatus)), max_size=5).map(tuple)

# --- franking and credentials ---

franks = st.builds(Frank, bytes_32, st.just(CIPHERSUITE), bytes_64)
franking_agents = st.builds(FrankingAgent, bytes_32, hubs)
leaf_credentials = st.builds(LeafCredential, devices, bytes_32, u64s, bytes_64)
_listed = st.lists(
    st.builds(Device, devices, bytes_32, st.booleans()),
    min_size=1,
    max_size=4,
    unique_by=(lambda device: device.uri, lambda device: device.signature_key),
).map(lambda listed: tuple(sorted(listed, key=lambda device: device.uri)))
_previous = bytes_32.filter(any)
_recovery_key = st.just(b"") | bytes_32
device_lists = st.builds(
    DeviceList, users, bytes_32, st.just(1), st.just(bytes(32)), times, _listed, _recovery_key
) | st.builds(DeviceList, users, bytes_32, st.integers(2, 2**64 - 1), _previous, times, _listed, _recovery_key)
signed_device_lists = st.builds(
    lambda device_list, signature: SignedDeviceList(device_list.encode(), signature), device_lists, bytes_64
)

# --- frames ---

_uris = st.text(max_size=255)
client_frames = (
    st.builds(messages.Hello, st.text(max_size=128), st.dictionaries(_uris, double_u64s, max_size=4))
    | st.builds(messages.SubmitMessage, bytes_16, _uris, st.binary(max_size=99))
    | st.builds(messages.SubmitCommit, bytes_16, _uris, st.binary(max_size=99), st.none() | st.binary(max_size=99))
    | st.builds(messages.Acknowledge, _uris, double_u64s)
)
server_frames = (
    st.builds(messages.Ready, _uris, st.dictionaries(_uris, double_u64s, max_size=4))
    | st.builds(messages.Accepted, bytes_16, _uris, double_u64s, double_u64s, double_u64s, st.binary(max_size=100))
    | st.builds(
        messages.Refused,
        st.none() | bytes_16,
        st.sampled_from(ProblemName),
        st.none() | double_u64s,
        st.none() | double_u64s,
    )
    | st.builds(
        messages.Delivery,
        _uris,
        double_u64s,
        st.sampled_from(messages.EntryKind),
        _uris,
        double_u64s,
        st.binary(max_size=99),
        st.binary(max_size=100),
    )
    | st.builds(messages.Removed, _uris, double_u64s)
    | st.builds(messages.Wake, st.text())
    | st.builds(messages.Goodbye, st.text())
)
