"""What a bench says of itself: goals, absent peers, and the rows of build/bench.json."""

import json
from pathlib import Path

from bench.figure import GOALS, Figure, absent, write

KEYS = ["name", "value", "unit", "peer", "peer_value", "ratio", "goal", "meets"]


def test_a_figure_is_judged_by_its_ratio_to_the_peer() -> None:
    fast = Figure("delivery.vs_limit", 9_000, "messages/s", peer="bare limit", peer_value=14_000, ratio=0.64)
    slow = Figure("delivery.vs_limit", 8_000, "messages/s", peer="bare limit", peer_value=14_000, ratio=0.57)
    assert fast.meets is True
    assert slow.meets is False


def test_a_figure_without_a_peer_is_judged_by_its_value() -> None:
    assert Figure("idle.kb_per_connection", 31.0, "KB").meets is True
    assert Figure("idle.kb_per_connection", 41.0, "KB").meets is False


def test_a_cost_may_be_at_most_its_goal() -> None:
    assert Figure("receive.vs_verify", 90.0, "µs", peer="bare", peer_value=70.0, ratio=1.29).meets is True
    assert Figure("receive.vs_verify", 95.0, "µs", peer="bare", peer_value=70.0, ratio=1.36).meets is False


def test_a_figure_that_is_only_reported_meets_nothing() -> None:
    figure = Figure(
        "delivery.vs_ejabberd_no_archive", 9_000, "messages/s", peer="ejabberd", peer_value=24_000, ratio=0.4
    )
    assert figure.goal is None
    assert figure.meets is None


def test_an_absent_peer_is_a_row_with_a_reason_and_no_value() -> None:
    row = absent("delivery.vs_prosody_archive", "messages/s", "prosody is not installed", peer="Prosody").row()
    assert row["value"] is None
    assert row["meets"] is None
    assert row["reason"] == "prosody is not installed"


def test_the_file_has_one_object_a_figure_with_the_eight_keys(tmp_path: Path) -> None:
    path = tmp_path / "build" / "bench.json"
    write([Figure("franking.client_us", 2.2, "µs"), Figure("catchup.10000", 2_000, "messages/s")], path)
    rows = json.loads(path.read_text())
    assert [list(row) for row in rows] == [KEYS, KEYS]
    assert rows[0] | {} == dict(zip(KEYS, ["franking.client_us", 2.2, "µs", None, None, None, 10, True], strict=True))


def test_measuring_some_figures_leaves_the_others_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    write([Figure("franking.client_us", 2.2, "µs"), Figure("catchup.10000", 2_000, "messages/s")], path)
    write([Figure("web.first_load_kb", 90, "KB"), Figure("franking.client_us", 2.4, "µs")], path)
    rows = json.loads(path.read_text())
    assert [(row["name"], row["value"]) for row in rows] == [
        ("franking.client_us", 2.4),
        ("catchup.10000", 2_000),
        ("web.first_load_kb", 90),
    ]


def test_every_figure_of_the_issue_is_in_the_table_of_goals() -> None:
    assert set(GOALS) == {
        "delivery.vs_limit",
        "delivery.vs_ejabberd_archive",
        "delivery.vs_prosody_archive",
        "delivery.vs_ejabberd_no_archive",
        "crypto.vs_bare",
        "crypto.with_store",
        "franking.client_us",
        "receive.vs_verify",
        "append.million_vs_empty",
        "idle.kb_per_connection",
        "catchup.10000",
        "group.hub_flat",
        "group.wire_flat",
        "group.client_us",
        "group.stored_bytes",
        "group.add_100",
        "group.join_500",
        "web.first_load_kb",
        "web.interactive_ms",
        "web.send_to_shown_ms",
        "web.longest_task_ms",
        "web.longest_task_worker_ms",
    }
