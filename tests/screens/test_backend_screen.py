"""The backend screen: one backend whole, with source and age of every figure."""

from __future__ import annotations

from dataclasses import replace

import pytest

from console.domain.gateway import BackendKind, CircuitBreakerRule, ModelDeployment
from console.domain.load import Series
from screens.backend.sections import breaker_sentence, capacity_words, charts, deployments_section, limits_words
from screens.figures import format_count
from screens.spans import text_of, width_of
from screens.widgets.chart import Chart, draw_chart, nice_top
from tests.screens.looking import LARGE, SMALL, console_on, press, text_on
from tests.screens.made_up import START, demo_backends, demo_snapshot


async def test_everything_about_a_backend_on_one_large_screen() -> None:
    async with console_on(demo_snapshot(), LARGE) as (app, _, pilot):
        await press(pilot, "down", "enter")
        text = text_on(app)
        for words in (
            "ptu-swedencentral · PTU",
            "◐ Busy since 09:41 · observed, metrics",
            "34.1 % of its requests were refused with 429",
            "Requests /min",
            "Utilization of capacity",
            "gateway logs",
            "pool chat-pool",
            "priority 1, weight 50",
            "api azure-openai line 14",
            "ProvisionedManaged",
            "100 PTU",
            "Succeeded",
            "trips on 1 failure (status 429) within",
            "BackendThrottled",
            "state can only be inferred",
        ):
            assert words in text, words
        assert "…" not in text.replace("sub 0a1b2c3d…", "")


async def test_a_small_terminal_reads_it_all_by_scrolling() -> None:
    async with console_on(demo_snapshot(), SMALL) as (app, _, pilot):
        await press(pilot, "down", "enter")
        seen = text_on(app)
        assert "Requests /min" in seen
        assert "429 to callers" in seen
        for _ in range(12):
            await press(pilot, "pagedown")
            seen += text_on(app)
        for words in ("FIGURES", "CIRCUIT BREAKER", "ROUTES", "100 PTU", "BackendConnectionFailure"):
            assert words in seen, words
        assert "…" not in seen


async def test_escape_returns_to_the_row_one_came_from() -> None:
    async with console_on(demo_snapshot()) as (app, _, pilot):
        await press(pilot, "down", "down", "enter")
        assert "payg-swedencentral · PAYG" in text_on(app)
        await press(pilot, "escape")
        assert "› " in next(line for line in text_on(app).splitlines() if "payg-swedencentral" in line)


async def test_neighbours_are_one_key_away() -> None:
    async with console_on(demo_snapshot()) as (app, _, pilot):
        await press(pilot, "enter", "b")
        assert "ptu-swedencentral · PTU" in text_on(app)
        await press(pilot, "b")
        assert "payg-legacy · PAYG" in text_on(app)
        await press(pilot, "n", "n")
        assert "ptu-eastus2 · PTU" in text_on(app)


async def test_a_backend_named_by_a_fragment_says_that_pools_are_bypassed() -> None:
    async with console_on(demo_snapshot(), LARGE) as (app, _, pilot):
        await press(pilot, "end", "enter")
        assert "fragment old-route line 6" in text_on(app)
        assert "pools are bypassed" in text_on(app)
        assert "legacy-chat" in text_on(app)


async def test_a_backend_that_disappears_is_said_to_be_gone() -> None:
    async with console_on(demo_snapshot()) as (app, engine, pilot):
        await press(pilot, "enter")
        engine.store.apply(demo_snapshot(backends=demo_backends()[2:]))
        await pilot.pause()
        await pilot.pause()
        assert "ptu-eastus2 is not on this gateway (any more)" in text_on(app)


async def test_new_figures_appear_while_one_looks() -> None:
    async with console_on(demo_snapshot(), LARGE) as (app, engine, pilot):
        await press(pilot, "enter")
        status = demo_backends()[1]
        figures = replace(status.load, requests_per_minute=replace(status.load.requests_per_minute, value=7777.0))
        engine.store.apply(demo_snapshot(backends=(replace(status, load=figures),)))
        await pilot.pause()
        await pilot.pause()
        assert "7,777" in text_on(app)


def test_breaker_rules_read_as_sentences() -> None:
    rule = CircuitBreakerRule("slow", 300, 90, False, None, 50, ((429, 429), (500, 599)), ("timeout",))
    assert breaker_sentence(rule) == (
        "slow: trips on 50 % failures (status 429, 500–599 or timeout) within 5 min; stays open for 1 min 30 s"
    )
    rule = CircuitBreakerRule("r", 10, 60, True, failure_count=3, status_code_ranges=((429, 429),))
    assert "3 failures" in breaker_sentence(rule)
    assert "Retry-After" in breaker_sentence(rule)


def test_a_backend_without_breaker_is_warned_about() -> None:
    status = demo_backends()[0]
    bare = replace(status, backend=replace(status.backend, breaker=()))
    from screens.backend.sections import breaker_section

    assert "never skips" in "\n".join(text_of(line) for line in breaker_section(bare, 80))


def test_capacity_has_its_unit() -> None:
    ptu = ModelDeployment("a", "gpt-4o", "1", "GlobalProvisionedManaged", 100, "Succeeded")
    standard = ModelDeployment("b", "gpt-4o", "1", "Standard", 150, "Succeeded", None, 150_000, 900)
    assert capacity_words(ptu) == "100 PTU"
    assert capacity_words(standard) == "150k tokens/min"
    assert capacity_words(replace(ptu, capacity=None)) == "–"
    assert limits_words(standard) == "150k tokens · 900 req/min"
    assert limits_words(ptu) == "–"


@pytest.mark.parametrize("width", [40, 60, 80, 106, 160])
def test_tables_lose_nothing_at_any_width(width: int) -> None:
    lines = deployments_section(demo_backends()[2], width)
    text = " ".join(" ".join(text_of(line) for line in lines).split())
    assert all(width_of(line) <= width for line in lines)
    for words in ("text-embedding-3-large", "2024-08-06", "Standard", "150k tokens/min", "900 req/min", "Succeeded"):
        assert words in text, words


def test_a_chart_leaves_gaps_where_nothing_is_known() -> None:
    series = Series(START, tuple([4.0] * 20 + [None] * 20 + [0.0] * 20))
    lines = draw_chart(Chart("Requests", "/min", series, format_count), 63, 6)
    ground = text_of(lines[-2])[2:]
    assert ground.count("█") == 20
    assert ground.count("▁") == 20
    assert " " * 20 in ground
    assert "last 0" in text_of(lines[0])


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (BackendKind.PAYG, "not measured for pay-as-you-go"),
        (BackendKind.UNKNOWN, "kind unknown"),
        (BackendKind.PTU, "no data"),
    ],
)
def test_a_chart_without_data_says_so(kind: BackendKind, words: str) -> None:
    status = demo_backends()[1]
    empty = replace(status, kind=kind, load=replace(status.load, utilization=None))
    lines = draw_chart(charts(empty)[1], 40, 6)
    assert "–" in text_of(lines[0])
    assert any(words in text_of(line) for line in lines)


@pytest.mark.parametrize("width", [20, 39, 52, 120])
@pytest.mark.parametrize("height", [5, 6, 9, 14])
def test_charts_fit_and_name_times_and_limits(width: int, height: int) -> None:
    for chart in charts(demo_backends()[0]):
        lines = draw_chart(chart, width, height)
        assert len(lines) <= height
        assert all(width_of(line) <= width for line in lines)
    lines = draw_chart(charts(demo_backends()[0])[1], 60, 9)
    assert any("╌" in text_of(line) for line in lines)
    assert "09:30" in text_of(lines[-1])


def test_axis_tops_are_round_and_hold_the_value() -> None:
    assert [nice_top(v) for v in (0, 0.7, 1.04, 84, 251, 179_000)] == [1.0, 0.8, 1.2, 100, 300, 200_000]
