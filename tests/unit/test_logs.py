"""The gateway's logs: how far they are complete, and how rows become loads."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from console import queries
from console.azure.logs import LATEST_ARRIVAL_MINUTES, known_until_at, parse_traffic
from console.domain.history import last_minutes
from console.domain.load import Window

NOW = datetime(2026, 11, 22, 10, 0, 30, tzinfo=UTC)
END = NOW.replace(second=0)
WINDOW = Window(END - timedelta(minutes=10), END)


def row(
    minute: int, host: str, requests: int, throttled: int = 0, failed: int = 0, backend: str = ""
) -> dict[str, Any]:
    at = WINDOW.start_at + timedelta(minutes=minute)
    return {
        "Minute": at,
        "Host": host,
        "Backend": backend,
        "Requests": requests,
        "Throttled": throttled,
        "Failed": failed,
        "LatestAt": at + timedelta(seconds=59),
    }


def test_logs_that_hold_nothing_are_not_known_at_all() -> None:
    assert known_until_at(None, NOW) is None


def test_the_later_the_quickest_rows_the_further_back_minutes_are_trusted() -> None:
    brisk = known_until_at(NOW - timedelta(seconds=6), NOW)
    real = known_until_at(NOW - timedelta(seconds=61), NOW)
    assert brisk == END - timedelta(minutes=1)
    assert real == END - timedelta(minutes=4)


@given(st.floats(0, 7200))
def test_a_minute_is_never_trusted_before_it_is_over_and_always_in_the_end(gap: float) -> None:
    known = known_until_at(NOW - timedelta(seconds=gap), NOW)
    assert known is not None
    assert NOW - timedelta(minutes=LATEST_ARRIVAL_MINUTES + 1) <= known <= NOW - timedelta(seconds=30)


def test_a_minute_without_a_row_inside_the_known_window_had_no_request() -> None:
    loads = parse_traffic([row(0, "a", 5, 1), row(2, "a", 7)], [], [], WINDOW, last_minutes(END))
    assert loads[("a", "")].requests.values[:4] == (5.0, 0.0, 7.0, 0.0)
    assert loads[("a", "")].latency_p95_ms is None


def test_rows_that_are_not_complete_yet_are_left_out() -> None:
    loads = parse_traffic([row(0, "a", 5), row(10, "a", 99)], [], [], WINDOW, last_minutes(END))
    assert sum(loads[("a", "")].requests.values) == 5.0  # type: ignore[arg-type]


def test_latency_and_errors_go_to_their_own_backend() -> None:
    latency = [
        {"Host": "a", "Backend": "one", "P95": 900, "P50": 300},
        {"Host": "a", "Backend": "two", "P95": float("nan")},
    ]
    errors = [
        {"ResponseCode": 500, "Reason": "Timeout", "Message": "x", "Count": 3, "Host": "a", "Backend": "two"},
    ]
    rows = [row(1, "a", 4, backend="one"), row(1, "a", 4, failed=3, backend="two")]
    loads = parse_traffic(rows, latency, errors, WINDOW, last_minutes(END))
    assert loads[("a", "one")].latency_p95_ms == 900.0
    assert loads[("a", "one")].errors == ()
    assert loads[("a", "two")].latency_p95_ms is None
    assert loads[("a", "two")].errors[0].reason == "Timeout"


def test_named_queries_take_their_parameters_as_literals_that_cannot_break_out() -> None:
    query = queries.load("traffic_by_backend", {"service_id": 'x" | drop', "start_at": NOW, "end_at": NOW})
    assert 'let service_id = "x\\" | drop";' in query
    assert "let start_at = datetime(2026-11-22T10:00:30.000000Z);" in query
    assert not any(line.lstrip().startswith("//") for line in query.splitlines())


def test_every_named_query_bounds_time_first() -> None:
    for name in queries.names():
        lines = queries.text(name).splitlines()
        assert lines[1].startswith("| where TimeGenerated"), name
