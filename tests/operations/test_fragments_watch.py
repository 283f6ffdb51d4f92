"""A watch says what broke, against what was before, and never on a handful of requests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from console.azure.policy_traffic import CallerFigures, parse_callers, parse_shape
from console.domain.load import Window
from console.errors import ConsoleError
from console.operations.fragments.watch import Limit, Watched, parse_limits, usual_limits, watch_callers
from tests.operations.fragment_gateway import run

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


class MovingClock:
    """Stands still until somebody waits."""

    def __init__(self) -> None:
        self.at = NOON

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return 0.0

    async def pause(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


def figures(
    window: Window, requests: int, errors: float = 0.0, throttled: float = 0.0, p95: float = 900.0
) -> CallerFigures:
    return CallerFigures(window, requests, throttled, errors, 400.0, p95, window.end_at)


def watch(after: list[CallerFigures | ConsoleError], limits: tuple[Limit, ...] = (), seconds: float = 60.0) -> Watched:
    clock, waiting = MovingClock(), list(after)

    async def fetch(window: Window) -> CallerFigures:
        if window.end_at <= NOON:
            assert window.minutes == 10
            return figures(window, 500, errors=0.001)
        found = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        if isinstance(found, ConsoleError):
            raise found
        return found

    return run(watch_callers(fetch, NOON, seconds, limits, clock, clock.pause))


LATER = Window(NOON + timedelta(seconds=10), NOON + timedelta(seconds=70))


def test_nothing_breaks_when_callers_fare_as_before() -> None:
    watched = watch([figures(LATER, 100)])
    assert watched.breach is None
    assert watched.is_conclusive
    assert "500 requests" in watched.text


@pytest.mark.parametrize(
    ("after", "broken"),
    [
        (figures(LATER, 100, errors=0.05), "errors"),
        (figures(LATER, 100, throttled=0.2), "429s"),
        (figures(LATER, 100, p95=2500.0), "p95"),
    ],
)
def test_clearly_worse_than_before_breaks_without_any_limit_named(after: CallerFigures, broken: str) -> None:
    watched = watch([figures(LATER, 30), after])
    assert watched.broken is not None
    assert watched.broken.figure == broken


def test_a_named_limit_is_the_only_one_that_holds() -> None:
    assert watch([figures(LATER, 100, throttled=0.9)], parse_limits("errors>2%")).breach is None
    assert watch([figures(LATER, 100, errors=0.021)], parse_limits("errors>2%")).breach is not None


def test_a_handful_of_requests_breaks_nothing_and_is_called_too_little() -> None:
    watched = watch([figures(LATER, 5, errors=1.0)])
    assert watched.breach is None
    assert not watched.is_conclusive
    assert "Too little to judge: 5 requests" in watched.text


def test_logs_that_fail_for_a_while_do_not_end_a_watch_but_logs_that_stay_away_do() -> None:
    away = ConsoleError("The logs cannot be queried")
    assert watch([away, figures(LATER, 100)]).breach is None
    with pytest.raises(ConsoleError, match="cannot be queried"):
        watch([away])


def test_no_row_is_no_figure() -> None:
    none = parse_callers([], LATER)
    assert (none.requests, none.error_ratio, none.p95_ms, none.latest_at) == (0, None, None, None)


def test_the_shape_of_traffic_keeps_minutes_and_forgets_keys_in_urls() -> None:
    window = Window(NOON - timedelta(minutes=3), NOON)
    row = {
        "ApiId": "chat", "OperationId": "create", "Caller": "app", "Deployment": "gpt-4o", "Method": "POST",
        "Requests": 7, "Size": 4000.0, "Minute": NOON - timedelta(minutes=2),
        "Example": "https://gateway/chat/deployments/gpt-4o/chat/completions?api-version=1&subscription-key=s3cr3t",
    }  # fmt: skip
    shape = parse_shape([row], [], [{"Backend": "ptu", "Requests": 3}, {"Backend": "", "Requests": 1}], window)
    stream = shape.streams[0]
    assert stream.minutes == (0, 7, 0)
    assert stream.path == "/chat/deployments/gpt-4o/chat/completions"
    assert stream.query == "api-version=1"
    assert (stream.prompt_tokens, stream.tokens_source) == (1000.0, "guessed from request sizes")
    assert shape.shares == {"": 0.25, "ptu": 0.75}


def test_latencies_of_refusals_are_nothing_to_compare_with() -> None:
    failing = figures(LATER, 500, errors=0.9, p95=20.0)
    assert [limit.figure for limit in usual_limits(failing)] == ["errors", "429s"]
    assert [limit.figure for limit in usual_limits(figures(LATER, 500))] == ["errors", "429s", "p95"]
