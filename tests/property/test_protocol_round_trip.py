"""What we write, we read as the same; and what two of us write of the same thing is the same bytes."""

from hypothesis import given, settings
from hypothesis import strategies as st

from nightlight.protocol import cbor, codec, content, franking, messages
from nightlight.protocol.codec import Reader, u16, u64, write_vector
from nightlight.protocol.content import MessageStatus, MimiContent
from nightlight.protocol.credential import DeviceList, LeafCredential, SignedDeviceList
from nightlight.protocol.franking import Frank, FrankingAgent
from nightlight.protocol.ids import (
    MessageId,
    RoomUri,
    UserUri,
    parse_device_uri,
    parse_hub_uri,
    parse_room_uri,
    parse_user_uri,
    user_of,
)
from tests.property import strategies
from tests.support.keys import key_from

settings.register_profile("protocol", deadline=None, derandomize=True, print_blob=False)
settings.load_profile("protocol")

ACCOUNT = key_from(bytes(32))


@given(st.binary(max_size=70) | st.integers(0, 70_000).map(bytes))
def test_a_vector(data: bytes) -> None:
    reader = Reader(write_vector(data) + b"rest")
    assert reader.vector() == data
    assert reader.take(4) == b"rest"
    reader.finish()


@given(st.binary(max_size=99), strategies.u64s, *[st.binary(max_size=99)] * 3)
def test_a_private_message(group: bytes, epoch: int, aad: bytes, sender: bytes, ciphertext: bytes) -> None:
    vectors = [write_vector(part) for part in (aad, sender, ciphertext)]
    message = u16(1) + u16(2) + write_vector(group) + u64(epoch) + b"\x01" + b"".join(vectors)
    header = codec.read_private_message(message)
    assert (header.group_id, header.epoch, header.authenticated_data) == (group, epoch, aad)


@given(strategies.cbor_values())
def test_a_cbor_value(value: object) -> None:
    data = cbor.encode(value)
    assert cbor.decode(data) == value
    assert cbor.encode(cbor.decode(data)) == data


@given(st.dictionaries(strategies.keys, st.integers(0, 9), min_size=2), st.randoms(use_true_random=False))
def test_a_map_has_one_encoding_in_whatever_order_it_is_filled(value: dict[cbor.Key, int], random: object) -> None:
    entries = list(value.items())
    assert hasattr(random, "shuffle")
    random.shuffle(entries)
    assert cbor.encode(dict(entries)) == cbor.encode(value)


@given(strategies.contents)
def test_a_message(message: MimiContent) -> None:
    data = content.encode(message)
    assert content.decode(data) == message
    assert content.salt_of(data) == message.salt
    assert len(content.message_id(message.sender, message.room, data)) == content.MESSAGE_ID_BYTES


@given(strategies.bytes_16, strategies.users, strategies.rooms, strategies.statuses)
def test_a_status_report(
    salt: bytes, sender: UserUri, room: RoomUri, statuses: tuple[tuple[MessageId, MessageStatus], ...]
) -> None:
    data = content.encode(content.status_report(salt, sender, room, statuses))
    assert content.read_status_report(content.decode(data).body) == statuses


@given(strategies.bytes_32)
def test_a_tag_in_authenticated_data(tag: bytes) -> None:
    assert franking.read_safe_aad(franking.safe_aad(tag)) == tag


@given(strategies.franks)
def test_a_frank(frank: Frank) -> None:
    assert Frank.decode(frank.encode()) == frank


@given(strategies.franking_agents)
def test_a_franking_agent(agent: FrankingAgent) -> None:
    assert FrankingAgent.decode(agent.encode()) == agent


@given(strategies.signed_device_lists)
def test_a_signed_device_list(signed: SignedDeviceList) -> None:
    assert SignedDeviceList.decode(signed.encode()) == signed


@given(strategies.device_lists)
def test_a_verified_device_list_says_what_was_signed(device_list: DeviceList) -> None:
    user = user_of(device_list.devices[0].uri)
    mine = [device for device in device_list.devices if user_of(device.uri) == user]
    known = DeviceList(user, ACCOUNT.public, 1, bytes(32), device_list.expires_at_ms, tuple(mine))
    now_ms = type(known.expires_at_ms)(known.expires_at_ms - 1)
    assert known.sign(ACCOUNT.sign).verify(user, ACCOUNT.public, now_ms) == known


@given(strategies.leaf_credentials)
def test_a_leaf_credential(leaf: LeafCredential) -> None:
    assert LeafCredential.decode(leaf.encode()) == leaf


@given(strategies.client_frames)
def test_a_client_s_frame(frame: messages.ClientFrame) -> None:
    assert messages.read_client_frame(messages.encode_frame(frame)) == frame


@given(strategies.server_frames)
def test_a_server_s_frame(frame: messages.ServerFrame) -> None:
    assert messages.read_server_frame(messages.encode_frame(frame)) == frame


@given(strategies.users, strategies.devices, strategies.rooms, strategies.hubs)
def test_a_uri(user: str, device: str, room: str, hub: str) -> None:
    assert parse_user_uri(user) == user
    assert parse_device_uri(device) == device
    assert parse_room_uri(room) == room
    assert parse_hub_uri(hub) == hub
