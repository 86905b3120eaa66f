"""Whatever happens to network, devices and server, what was promised comes true: see ``operations``."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.simulation.conftest import Friends
from tests.simulation.operations import Operation, operations


@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
    print_blob=True,
)
@given(story=st.lists(operations, max_size=30), receipts=st.booleans())
def test_what_was_promised_comes_true(friends: Friends, story: list[Operation], receipts: bool) -> None:  # noqa: FBT001 - drawn
    friends.play(story, receipts=receipts)
