"""Two sessions, Python's and the browser's: whatever happens, in whatever order, both want the same done."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from random import Random
from typing import Any, get_args

import pytest

from nightlight.client import session as ours
from nightlight.client.events import ConnectionState
from nightlight.client.session import Outgoing, Session
from nightlight.errors import LocalProtocolError, ProblemName
from nightlight.protocol import messages
from nightlight.protocol.ids import RoomUri, SubmissionId
from tests.web.node import answers

STORIES = int(os.environ.get("NIGHTLIGHT_FUZZ_ROUNDS", "10000")) // 25
EVENTS = 60
EFFECTS = {
    "connect",
    "disconnect",
    "ack",
    "submit",
    "build",
    "process",
    "fail",
    "refresh",
    "tell_state",
    "tell_fault",
    "see_typing",
}
SEED = 20_261_123
ROOMS = [RoomUri("mimi://courier.example/r/lake"), RoomUri("mimi://courier.example/r/hill")]
SUBMISSIONS = [SubmissionId(bytes([number]) * 16) for number in range(1, 7)]
KINDS: dict[object, type[messages.ServerFrame]] = {
    kind.__struct_config__.tag: kind for kind in get_args(messages.ServerFrame)
}
PROBLEMS = ["wrong_epoch", "wrong_epoch", "too_many", "unavailable", "not_allowed", "too_large", "unauthenticated"]


class Story:
    """Events that nearly make sense, and what our session makes of them."""

    def __init__(self, random: Random) -> None:
        self.events: list[dict[str, Any]] = []
        self.answers: list[Any] = []
        self._random = random
        self._session = Session()
        self._now_ms = 0
        self._seqs = dict.fromkeys(ROOMS, 4)
        self._happens("new")
        for room in ROOMS[: random.randint(0, 2)]:
            queue = [self._item(built) for built in random.choices([True, False], k=random.randint(0, 2))]
            self._happens("open_room", room=room, seq=4, epoch=1, queue=queue)
        self._happens("start")
        for _ in range(EVENTS):
            self._step()

    # --- what happens

    def _step(self) -> None:
        random = self._random
        self._now_ms += random.choice([0, 1, 200, 600, 5_001])
        room = random.choice([room for room in ROOMS if self._session.knows(room)] or ROOMS)
        match random.choice(["frames"] * 8 + ["queue", "queue", "tick", "tick", "lost", "greeted", "other"]):
            case "frames":
                frames = [self._frame() for _ in range(random.randint(1, 3))]
                self._follow(self._happens("receive", frames=frames))
            case "queue" if self._session.knows(room):
                self._follow(self._happens("queue", room=room, queue=[self._item(random.random() < 0.5)]))
            case "tick":
                self._happens("next_timer_ms")
                self._follow(self._happens("tick"))
            case "lost":
                self._happens("lost", random=random.getrandbits(32))
                self._happens("next_timer_ms")
            case "greeted":
                self._happens("opened")
                heads = {room: self._seqs[room] for room in random.choices(ROOMS, k=random.randint(0, 2))}
                ready = {"frame": "ready", "device": "mimi://courier.example/d/mira/a1", "heads": heads}
                self._follow(self._happens("receive", frames=[ready]))
            case "other":
                self._follow(self._happens(random.choice(["hurry", "hurry", "stop", "start"])))
            case _:
                self._happens("dropped", room=room, gone=[random.choice(SUBMISSIONS).hex()])

    def _follow(self, effects: Any) -> None:
        """What the device would do next, unless it is too slow."""
        if effects == "bug" or effects is None:
            return
        for effect in effects:
            if self._random.random() < 0.1:
                continue
            match effect:
                case ["process", entries]:
                    for room, run in entries.items():
                        gone = [submission for name, _, submission in run if name == "accepted"]
                        epoch = self._random.choice([1, 1, 1, 2, 3])
                        self._follow(self._happens("stored", room=room, seq=run[-1][1], epoch=epoch, gone=gone))
                case ["build", room, submission]:
                    item = {"submissionId": submission, "epoch": self._random.choice([1, 1, 2, 3])}
                    self._happens("built", room=room, queue=[item])
                case ["fail", room, submission, _]:
                    self._follow(self._happens("dropped", room=room, gone=[submission]))

    def _item(self, built: bool) -> dict[str, Any]:  # noqa: FBT001 - one of two kinds
        return {"submissionId": self._random.choice(SUBMISSIONS).hex(), "epoch": 1 if built else None}

    def _frame(self) -> dict[str, Any]:
        random = self._random
        room = random.choice(ROOMS)
        seq = self._seqs[room] = max(1, self._seqs[room] + random.choice([1, 1, 1, 1, 2, 0, -1]))
        submission = random.choice(SUBMISSIONS).hex()
        place = {"room": room, "seq": seq}
        entry = {**place, "acceptedAtMs": 1_000 + seq, "frank": ""}
        sender = {"sender": "mimi://gallery.example/d/tomas/b2", "payload": ""}
        refused = {"submissionId": random.choice([submission, None]), "problem": random.choice(PROBLEMS)}
        frames: list[dict[str, Any]] = [
            *[{"frame": "deliver", **entry, **sender, "kind": "application"}] * 4,
            {"frame": "deliver", **entry, **sender, "kind": "commit"},
            {"frame": "deliver", **entry, **sender, "kind": "welcome"},
            *[{"frame": "accepted", **entry, "submissionId": submission, "epoch": 1}] * 4,
            {"frame": "removed", **place},
            *[{"frame": "refused", **refused, "epoch": epoch, "retryAfterMs": None} for epoch in (None, 1, 2)],
            {"frame": "refused", **refused, "epoch": None, "retryAfterMs": random.choice([0, 700])},
            {"frame": "wake", "what": "contacts"},
            {"frame": "goodbye", "reason": "stopping"},
            {"frame": "typing", "room": room, "user": "mimi://gallery.example/u/tomas"},
        ]
        return random.choice(frames)

    # --- ours

    def _happens(self, do: str, **arguments: Any) -> Any:
        event = {"do": do, "now": self._now_ms, "gone": [], "queue": [], "random": 0, **arguments}
        try:
            effects = self._ours(event)
            answer = [plain(effect) for effect in effects] if isinstance(effects, list) else effects
        except LocalProtocolError:
            answer = "bug"
        self.events.append({**event, "random": event["random"] / 2**32})
        self.answers.append(answer)
        return answer

    def _ours(self, event: dict[str, Any]) -> Any:
        method, room, now_ms = event["do"], event.get("room"), event["now"]
        queue = [Outgoing(SubmissionId(bytes.fromhex(item["submissionId"])), item["epoch"]) for item in event["queue"]]
        gone = [SubmissionId(bytes.fromhex(submission)) for submission in event["gone"]]
        arguments: dict[str, tuple[Any, ...]] = {
            "open_room": (room, event.get("seq"), event.get("epoch"), queue),
            "queue": (room, *queue),
            "built": (room, *queue),
            "dropped": (room, gone),
            "stored": (room, event.get("seq"), event.get("epoch"), gone),
            "start": (),
            "stop": (),
            "lost": (now_ms, "lost", event["random"]),
            "receive": ([frame(fields) for fields in event.get("frames", [])], now_ms),
        }
        if method == "new":
            return []
        answer = getattr(self._session, method)(*arguments.get(method, (now_ms,)))
        return [] if method in {"opened", "hurry"} else answer


def frame(fields: dict[str, Any]) -> messages.ServerFrame:
    """The frame whose fields are named as in TypeScript, with bytes in hexadecimal."""
    named = {"".join(f"_{c.lower()}" if c.isupper() else c for c in name): field for name, field in fields.items()}
    kind = KINDS[named.pop("frame")]
    for name in {"submission_id", "payload", "frank"} & set(named):
        named[name] = None if named[name] is None else bytes.fromhex(named[name])
    if "problem" in named:
        named["problem"] = ProblemName(named["problem"])
    if "kind" in named:
        named["kind"] = messages.EntryKind(named["kind"])
    return kind(**named)


WRITERS: dict[type, Callable[[Any], list[Any]]] = {
    ours.Connect: lambda effect: ["connect", effect.cursors],
    ours.Disconnect: lambda effect: ["disconnect", effect.reason, effect.forget_token],
    ours.SendFrame: lambda effect: ["ack", effect.frame.room, effect.frame.seq],
    ours.Submit: lambda effect: ["submit", effect.room, effect.submission_id.hex()],
    ours.Build: lambda effect: ["build", effect.room, effect.submission_id.hex()],
    ours.Process: lambda effect: ["process", {room: list(map(place, run)) for room, run in effect.entries.items()}],
    ours.Fail: lambda effect: ["fail", effect.room, effect.submission_id.hex(), effect.problem.value],
    ours.Refresh: lambda effect: ["refresh", effect.what],
    ours.TellState: lambda effect: ["tell_state", effect.state.value, effect.reason],
    ours.SeeTyping: lambda effect: ["see_typing", effect.room, effect.user],
    ours.TellFault: lambda effect: ["tell_fault", effect.room, effect.check],
}


def plain(effect: ours.Effect) -> list[Any]:
    """``effect`` as web/tests/session.ts writes it."""
    return WRITERS[type(effect)](effect)


def place(entry: ours.Entry) -> list[Any]:
    """Which entry it is."""
    submission = entry.submission_id.hex() if isinstance(entry, messages.Accepted) else None
    return [entry.__struct_config__.tag, entry.seq, submission]


@pytest.fixture(scope="module")
def stories() -> list[Story]:
    return [Story(Random(f"{SEED} {number}")) for number in range(STORIES)]  # noqa: S311 - repeatable


def test_both_sessions_want_the_same(stories: list[Story]) -> None:
    theirs = iter(answers("session.ts", [json.dumps(event) for story in stories for event in story.events]))
    for story in stories:
        for number, (answer, other) in enumerate(zip(story.answers, theirs, strict=False)):
            assert other == answer, story.events[: number + 1]
    assert next(theirs, None) is None


def test_the_stories_go_everywhere(stories: list[Story]) -> None:
    lists = [answer for story in stories for answer in story.answers if isinstance(answer, list)]
    effects = [effect for answer in lists for effect in answer]
    assert {effect[0] for effect in effects} == EFFECTS
    assert {effect[1] for effect in effects if effect[0] == "tell_state"} == set(ConnectionState)
