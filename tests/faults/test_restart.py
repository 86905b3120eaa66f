"""The server goes away and comes back: clients do not need to be told."""

from tests.faults.conftest import Friends
from tests.support.people import MIRA, returning, settled, texts


async def test_clients_come_back_after_a_restart(friends: Friends) -> None:
    await friends.mira.wait_sent(await friends.mira.send(friends.room, "before"))
    assert await friends.server.stop() == 0
    await friends.server.start()
    await friends.tomas.wait_sent(await friends.tomas.send(friends.room, "after"))
    await settled(friends.room, friends.mira, friends.tomas)
    assert texts(friends.mira, friends.room) == ["before", "after"]


async def test_what_is_written_offline_is_sent_later(friends: Friends) -> None:
    await friends.server.stop()
    await friends.mira.send(friends.room, "written while the server was away")
    await friends.mira.close()
    friends.mira = await returning(MIRA, friends.folder, through=friends.relay.url)
    await friends.mira.send(friends.room, "and after the client was started again")
    await friends.server.start()
    await settled(friends.room, friends.mira, friends.tomas)
    assert texts(friends.tomas, friends.room) == [
        "written while the server was away",
        "and after the client was started again",
    ]
