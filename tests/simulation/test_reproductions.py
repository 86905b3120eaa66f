"""Every bug that a simulation has found, as the shortest story that showed it."""

from collections.abc import Sequence

import pytest

from tests.simulation.conftest import Friends
from tests.simulation.network import Deed
from tests.simulation.operations import (
    ClockJump,
    CrashClient,
    Disconnect,
    Operation,
    Send,
    Trouble,
    Update,
    Wait,
)

DAY_MS = 86_400_000

STORIES: dict[str, Sequence[Operation]] = {
    "a_doubled_answer_was_taken_for_a_message_never_sent": [
        Wait(1_000),
        Trouble("mira", to_server=False, deeds=(Deed.DOUBLE,)),
        Send("mira", 1),
    ],
    "a_token_that_ended_early_was_never_replaced": [ClockJump("server", DAY_MS), Disconnect("mira")],
    "a_doubled_greeting_ended_the_client_s_loop": [
        Trouble("mira", to_server=False, deeds=(Deed.DOUBLE,)),
        Send("mira", 1),
    ],
    "a_frame_that_came_while_others_were_taken_was_lost": [Send("mira", 4), Send("tomas", 4), Wait(0), Send("juno", 4)],
    "a_commit_that_was_built_before_a_crash_goes_out_after_it": [
        CrashClient("mira", "commit.after_store"),
        Update(("mira", "tomas")),
        Wait(1_000),
    ],
}


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES.keys())
def test_it_does_not_happen_again(friends: Friends, story: Sequence[Operation]) -> None:
    friends.play(story, receipts=True)
