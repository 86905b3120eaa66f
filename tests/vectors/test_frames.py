import json
from typing import Any

import msgspec
import pytest

from nightlight.errors import RemoteProtocolError
from nightlight.protocol import messages
from tests.vectors.reading import read
from tests.vectors.writing import text

FRAMES = read("frames")


def fields(frame: messages.ClientFrame | messages.ServerFrame) -> Any:
    """As frames.json writes them: bytes as hexadecimal."""
    return json.loads(text(msgspec.structs.asdict(frame)))


@pytest.mark.parametrize("row", FRAMES["client"], ids=lambda row: row["frame"])
def test_a_client_s_frame_has_one_encoding(row: dict[str, Any]) -> None:
    data = bytes.fromhex(row["bytes"])
    frame = messages.read_client_frame(data)
    assert fields(frame) == row["fields"]
    assert messages.encode_frame(frame) == data


@pytest.mark.parametrize("row", FRAMES["server"], ids=lambda row: row["frame"])
def test_a_server_s_frame_has_one_encoding(row: dict[str, Any]) -> None:
    data = bytes.fromhex(row["bytes"])
    frame = messages.read_server_frame(data)
    assert fields(frame) == row["fields"]
    assert messages.encode_frame(frame) == data


@pytest.mark.parametrize("row", FRAMES["read_alike"], ids=lambda row: row["name"])
def test_a_client_reads_more_than_a_server_writes(row: dict[str, str]) -> None:
    read_frame = messages.read_server_frame(bytes.fromhex(row["bytes"]))
    assert read_frame == messages.read_server_frame(bytes.fromhex(row["as"]))


@pytest.mark.parametrize("row", FRAMES["refused"], ids=lambda row: row["name"])
def test_what_is_no_frame_of_a_server_is_refused(row: dict[str, str]) -> None:
    with pytest.raises(RemoteProtocolError) as refused:
        messages.read_server_frame(bytes.fromhex(row["bytes"]))
    assert refused.value.check == row["check"]
