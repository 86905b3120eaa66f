"""A real client process that talks without pause, to be killed: ``python -m tests.faults.talker FOLDER USER ROOM``.

It numbers its messages by what its store already holds, and prints ``sent N`` once the hub has acknowledged number N.
"""

import asyncio
import signal
import sys
from pathlib import Path

from nightlight.client.sdk import Client
from nightlight.protocol.ids import MessageId, RoomUri, UserUri
from tests.support.people import conversation, returning

WINDOW = 4


async def report(client: Client, number: int, message_id: MessageId, window: asyncio.Semaphore) -> None:
    """``sent N`` is printed: the hub has the message."""
    await client.wait_sent(message_id)
    sys.stdout.write(f"sent {number}\n")
    sys.stdout.flush()
    window.release()


async def talk(folder: Path, user: UserUri, room: RoomUri) -> None:
    """Messages go out, a few at a time, until SIGTERM."""
    client = await returning(user, folder)
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    number = sum(message.own for message in conversation(client, room))
    window = asyncio.Semaphore(WINDOW)
    async with asyncio.TaskGroup() as reports:
        while not stopped.is_set():
            await window.acquire()
            number += 1
            message_id = await client.send(room, f"{user} {number}")
            reports.create_task(report(client, number, message_id, window))
    await client.close()


if __name__ == "__main__":
    asyncio.run(talk(Path(sys.argv[1]), UserUri(sys.argv[2]), RoomUri(sys.argv[3])))
