"""Random operations of a few people with mixed clients, and what everyone must agree on after them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from nightlight.protocol.ids import RoomUri
from tests.web.fellows import BrowserFellow, Fellow, agreed

MAX_ROOMS = 5
MAX_AWAY = 2
MOST_KEPT_AWAY = 8
"""Operations."""


@dataclass
class Text:
    """One message: who must see it in the end, and who may."""

    text: str
    author: Fellow
    must: set[str]
    may: set[str]
    certain: bool = True
    """Whether its author was told that it is in the outbox."""
    on_its_way: bool = False
    """Whether its author was killed before it was known to be sent."""


@dataclass
class Room:
    """A room as it should be; the first member made it, and stays."""

    uri: RoomUri
    members: list[Fellow]
    texts: list[Text] = field(default_factory=list)


class Community:
    """What has been done, and by whom. ``told`` is the list of operations, for whoever must repeat them."""

    def __init__(self, fellows: Sequence[Fellow], seed: int) -> None:
        self.fellows = list(fellows)
        self.rooms: list[Room] = []
        self.told: list[str] = []
        self._away: dict[Fellow, int] = {}
        self._random = Random(seed)  # noqa: S311 - repeatable
        self._said = 0

    async def live(self, operations: int) -> None:
        """So many operations are done."""
        choices: list[tuple[int, Callable[[], Coroutine[Any, Any, None]]]] = [
            (20, self._send),
            (10, self._talk_over_each_other),
            (6, self._add),
            (4, self._remove),
            (4, self._leave),
            (5, self._update),
            (5, self._commit_at_once),
            (2, self._create),
            (3, self._kill),
            (3, self._kill_while_sending),
            (2, self._end_leader),
            (2, self._end_worker),
            (3, self._come_back),
        ]
        weights = [weight for weight, _ in choices]
        await self._create()
        while len(self.told) < operations:
            for fellow, since in list(self._away.items()):
                if len(self.told) - since > MOST_KEPT_AWAY:
                    await self._return(fellow)
            ((_, operation),) = self._random.choices(choices, weights)
            await operation()

    def _tell(self, what: str) -> None:
        self.told.append(what)

    # --- who and where

    def _here(self, fellows: Sequence[Fellow]) -> list[Fellow]:
        return [fellow for fellow in fellows if fellow not in self._away]

    def _place(self, at_least: int = 1) -> tuple[Room, list[Fellow]] | None:
        """A room in which so many are here, and who."""
        places = [(room, here) for room in self.rooms if len(here := self._here(room.members)) >= at_least]
        return self._random.choice(places) if places else None

    def _browser(self) -> BrowserFellow | None:
        browsers = [fellow for fellow in self._here(self.fellows) if isinstance(fellow, BrowserFellow)]
        return self._random.choice(browsers) if browsers else None

    def _text(self, room: Room, author: Fellow, *, certain: bool = True, on_its_way: bool = False) -> Text:
        self._said += 1
        names = {fellow.name for fellow in room.members}
        text = Text(f"{self._said}: hello from {author.name}", author, set(names), set(names), certain, on_its_way)
        room.texts.append(text)
        return text

    # --- what they do

    async def _send(self) -> None:
        if (place := self._place()) is not None:
            room, here = place
            author = self._random.choice(here)
            await self._say(room, author)
            await author.told_everything(room.uri)

    async def _say(self, room: Room, author: Fellow) -> None:
        text = self._text(room, author)
        self._tell(f"{author.name} sends {text.text!r} in {room.uri}")
        await author.joined(room.uri)
        await author.send(room.uri, text.text)

    async def _talk_over_each_other(self) -> None:
        if (place := self._place(2)) is not None:
            room, here = place
            authors = self._random.choices(here, k=self._random.randint(2, 6))
            await asyncio.gather(*(self._say(room, author) for author in authors))
            await asyncio.gather(*(author.told_everything(room.uri) for author in set(authors)))

    async def _add(self) -> None:
        if (place := self._place()) is not None:
            room, here = place
            outside = [fellow for fellow in self.fellows if fellow not in room.members]
            if outside:
                await self._do_add(room, self._random.choice(here), self._random.choice(outside))

    async def _do_add(self, room: Room, member: Fellow, newcomer: Fellow) -> None:
        self._tell(f"{member.name} adds {newcomer.name} to {room.uri}")
        await member.sees(room.uri, room.members)  # who is thought to be there is not added
        for text in room.texts:
            if text.on_its_way:
                text.may.add(newcomer.name)
            if newcomer in self._away:
                text.must.discard(
                    newcomer.name
                )  # its log begins anew: what it had not read before it was removed is gone
        if newcomer not in self._away:
            await newcomer.left(room.uri)
        await member.add(room.uri, [newcomer.user])
        room.members.append(newcomer)

    async def _remove(self) -> None:
        places = [room for room in self.rooms if room.members[0] not in self._away and len(room.members) > 1]
        if places:
            room = self._random.choice(places)
            maker, fellow = room.members[0], self._random.choice(room.members[1:])
            self._tell(f"{maker.name} removes {fellow.name} from {room.uri}")
            await maker.sees(room.uri, room.members)  # who is not known to be there is not removed
            self._may_miss_what_is_on_its_way(room, fellow)
            await maker.remove(room.uri, [fellow.user])
            room.members.remove(fellow)

    @staticmethod
    def _may_miss_what_is_on_its_way(room: Room, fellow: Fellow) -> None:
        for text in room.texts:
            if text.on_its_way:
                text.must.discard(fellow.name)
                if text.author is fellow:
                    text.must.clear()

    async def _leave(self) -> None:
        """Whoever leaves has read what is there; nobody waits until the others know."""
        if (place := self._place()) is not None:
            room, here = place
            leavers = [fellow for fellow in here if fellow is not room.members[0]]
            if leavers:
                fellow = self._random.choice(leavers)
                self._tell(f"{fellow.name} leaves {room.uri}")
                await fellow.joined(room.uri)
                self._may_miss_what_is_on_its_way(room, fellow)
                await self._sees_the_right_messages(fellow, room)
                await fellow.leave(room.uri)
                room.members.remove(fellow)

    async def _update(self) -> None:
        if (place := self._place()) is not None:
            room, here = place
            await self._do_update(room, self._random.choice(here))

    async def _do_update(self, room: Room, member: Fellow) -> None:
        self._tell(f"{member.name} updates in {room.uri}")
        await member.joined(room.uri)
        await member.update(room.uri)

    async def _commit_at_once(self) -> None:
        """Several members commit in one epoch while one more talks: all of it takes effect."""
        if (place := self._place(2)) is not None:
            room, here = place
            outside = [fellow for fellow in self.fellows if fellow not in room.members]
            committers = self._random.sample(here, k=min(len(here), 3))
            work = [self._do_update(room, member) for member in committers[1:]]
            if outside:
                work.append(self._do_add(room, committers[0], self._random.choice(outside)))
            else:
                work.append(self._do_update(room, committers[0]))
            author = self._random.choice(here)
            text = self._text(room, author, on_its_way=True)  # who is added meanwhile may see it or not
            self._tell(f"{author.name} sends {text.text!r} in {room.uri} meanwhile")
            await author.joined(room.uri)
            await asyncio.gather(author.send(room.uri, text.text), *work)
            await author.told_everything(room.uri)
            text.on_its_way = False

    async def _create(self) -> None:
        if len(self.rooms) < MAX_ROOMS:
            maker, *others = self._random.sample(self.fellows, k=self._random.randint(2, 4))
            if maker not in self._away:
                self._tell(f"{maker.name} makes a room with {[other.name for other in others]}")
                uri = await maker.create([other.user for other in others])
                self.rooms.append(Room(uri, [maker, *others]))

    # --- what befalls them

    def _victim(self) -> Fellow | None:
        here = self._here(self.fellows)
        return self._random.choice(here) if len(self._away) < MAX_AWAY else None

    async def _kill(self) -> None:
        if (fellow := self._victim()) is not None:
            self._tell(f"{fellow.name} is killed")
            await fellow.kill()
            self._away[fellow] = len(self.told)

    async def _kill_while_sending(self) -> None:
        fellow = self._victim()
        rooms = [room for room in self.rooms if fellow in room.members]
        if fellow is not None and rooms:
            room = self._random.choice(rooms)
            await fellow.joined(room.uri)
            sure = [self._text(room, fellow, on_its_way=True) for _ in range(self._random.randint(0, 2))]
            doubtful = self._text(room, fellow, certain=False, on_its_way=True)
            self._tell(
                f"{fellow.name} is killed after {[text.text for text in sure]} in {doubtful.text!r} in {room.uri}"
            )
            for text in sure:
                await fellow.send(room.uri, text.text)
            await fellow.kill(while_sending=(room.uri, doubtful.text))
            self._away[fellow] = len(self.told)

    async def _end_leader(self) -> None:
        if (fellow := self._browser()) is not None:
            self._tell(f"{fellow.name}'s leading tab is killed")
            await self._while_saying(fellow, fellow.lose_leader)

    async def _end_worker(self) -> None:
        if (fellow := self._browser()) is not None:
            self._tell(f"{fellow.name}'s worker ends")
            await self._while_saying(fellow, fellow.end_worker)

    async def _while_saying(self, fellow: BrowserFellow, befall: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Another tab is in the middle of sending meanwhile: it goes out once."""
        rooms = [room for room in self.rooms if fellow in room.members]
        if not rooms:
            await befall()
            return
        room = self._random.choice(rooms)
        text = self._text(room, fellow)
        self._tell(f"{fellow.name} sends {text.text!r} in {room.uri} from the other tab meanwhile")
        await fellow.joined(room.uri)
        await asyncio.gather(fellow.person.call("send", room.uri, text.text, tab=fellow.last_tab), befall())
        await fellow.told_everything(room.uri)

    async def _come_back(self) -> None:
        if self._away:
            await self._return(self._random.choice(list(self._away)))

    async def _return(self, fellow: Fellow) -> None:
        self._tell(f"{fellow.name} comes back")
        await fellow.come_back()
        del self._away[fellow]
        for room in self.rooms:
            if fellow in room.members:
                await fellow.joined(room.uri)
            await fellow.told_everything(room.uri)
            for text in room.texts:
                text.on_its_way &= text.author is not fellow

    # --- what must be true

    async def agree(self) -> None:
        """Everyone is back and agrees on everything; nothing is lost, doubled, out of order, or seen by an outsider."""
        for fellow in list(self._away):
            await self._return(fellow)
        for room in self.rooms:
            for member in room.members:
                await member.joined(room.uri)
            agreement = await agreed(room.uri, room.members)
            assert agreement.users == sorted(member.user for member in room.members), room.uri
            for fellow in self.fellows:
                await self._sees_the_right_messages(fellow, room)
        for fellow in self.fellows:
            assert await fellow.faults() == [], fellow.name

    async def _sees_the_right_messages(self, fellow: Fellow, room: Room) -> None:
        must = {text.text for text in room.texts if fellow.name in text.must and text.certain}
        may = {text.text for text in room.texts if fellow.name in text.may or text.author is fellow}

        async def missing() -> set[str]:
            return must - {said.text for said in await fellow.conversation(room.uri)}

        async def nothing_is_missing() -> bool:
            return not await missing()

        try:
            await fellow.until(nothing_is_missing, "")
        except AssertionError:
            raise AssertionError(f"{fellow.name} does not see {await missing()} in {room.uri}") from None
        seen = [said.text for said in await fellow.conversation(room.uri)]
        assert len(seen) == len(set(seen)), (fellow.name, room.uri, seen)
        assert set(seen) <= may, (fellow.name, room.uri, set(seen) - may)
        order, mine = [
            [said.message_id for said in await someone.conversation(room.uri) if said.state != "failed"]
            for someone in (room.members[0], fellow)
        ]
        assert mine == [message_id for message_id in order if message_id in mine], (fellow.name, room.uri)
