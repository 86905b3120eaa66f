from typing import Any

import pytest

from nightlight.errors import RemoteProtocolError, VerificationError
from nightlight.protocol.franking import FrankedMessage
from tests.vectors.reading import read

RECEIVED = read("received")


@pytest.mark.parametrize("row", RECEIVED["messages"], ids=lambda row: row["name"])
def test_a_receiver_shows_what_tag_frank_sender_and_room_agree_on(row: dict[str, Any]) -> None:
    data, tag, frank = (bytes.fromhex(row[name]) for name in ("application_data", "tag", "frank"))
    message = FrankedMessage(data, tag, frank, row["sender"], row["room"], row["accepted_at_ms"])
    key = bytes.fromhex(RECEIVED["franking_key"])
    if row["check"] is None:
        assert message.verify(key).sender == row["sender"]
        return
    with pytest.raises((RemoteProtocolError, VerificationError), match=f"^{row['check']}:"):
        message.verify(key)
