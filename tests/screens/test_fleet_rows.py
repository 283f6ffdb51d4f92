"""The fleet's rows: what is shown, grouped, sorted and filtered, at every width."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from console.domain.health import Health, HealthState
from screens.figures import Freshness
from screens.fleet.arrange import SORT_KEYS, group_backends, matches, sort_backends
from screens.fleet.columns import PLANS, fit_columns
from screens.fleet.rows import HEALTH_GLYPHS, backend_cells, fleet_rows
from screens.spans import Tone, fit, text_of, width_of
from tests.screens.made_up import NOW, big_snapshot, demo_snapshot, load

SNAPSHOT = demo_snapshot()
FRESH = Freshness.of(SNAPSHOT, NOW)
ALWAYS = {"backend", "health", "utilization", "model_throttled", "caller_throttled"}


def names(backends: list) -> list[str]:  # type: ignore[type-arg]
    return [status.name for status in backends]


@pytest.mark.parametrize("is_grouped", [True, False])
@pytest.mark.parametrize("width", range(60, 240))
def test_columns_fit_every_terminal_and_the_telling_ones_stay(width: int, is_grouped: bool) -> None:
    layout = fit_columns(width, longest_name=24, is_grouped=is_grouped)
    assert layout.width <= width
    assert {column.key for column in layout.columns} >= ALWAYS


def test_columns_leave_by_importance_and_come_back_when_there_is_room() -> None:
    shown = [{c.key for c in fit_columns(w, longest_name=20, is_grouped=False).columns} for w in range(60, 200)]
    assert all(before <= after for before, after in pairwise(shown))
    assert shown[-1] == {plan.key for plan in PLANS}


def test_eighty_columns_show_kind_priority_and_requests_too() -> None:
    keys = {column.key for column in fit_columns(79, longest_name=20, is_grouped=True).columns}
    assert {*ALWAYS, "kind", "priority", "requests"} <= keys


@pytest.mark.parametrize("width", [79, 119, 159])
def test_no_cell_of_the_demo_is_cut(width: int) -> None:
    layout = fit_columns(width, longest_name=20, is_grouped=True)
    groups = group_backends(SNAPSHOT, SNAPSHOT.backends, None)
    for row in fleet_rows(groups, [], layout, FRESH):
        for column in layout.columns:
            cell = row.cells.get(column.key, ())
            assert width_of(cell) <= column.width, (row.key, column.key, text_of(cell))
            assert "…" not in text_of(fit(cell, column.width))


@pytest.mark.parametrize("width", [39, 40, 59, 79])
@pytest.mark.parametrize("name_width", [20, 82])
def test_a_name_can_be_read_before_anything_else_has_its_room(width: int, name_width: int) -> None:
    layout = fit_columns(width, longest_name=name_width, is_grouped=True)
    assert layout.width_of("backend") >= 14
    assert layout.width <= width + 1
    assert {column.key for column in layout.columns} >= ALWAYS


def test_names_nothing_has_room_for_are_shortened_in_the_middle() -> None:
    layout = fit_columns(240, longest_name=82, is_grouped=False)
    assert layout.width_of("backend") == 28
    first = SNAPSHOT.backends[0]
    status = replace(first, backend=replace(first.backend, name="payg-" + "x" * 70 + "-west"))
    (row,) = fleet_rows(None, [status], layout, FRESH)
    name = text_of(row.cells["backend"])
    assert name.startswith("payg-x")
    assert name.endswith("-west")
    assert "…" in name


def test_a_pool_is_as_old_as_its_oldest_member() -> None:
    layout = fit_columns(159, longest_name=20, is_grouped=True)
    rows = fleet_rows(group_backends(SNAPSHOT, SNAPSHOT.backends, None), [], layout, FRESH)
    ages = [text_of(row.cells["age"]) for row in rows if row.key.startswith("pool:chat-pool")]
    assert ages[0] in ages[1:]
    assert ages[0] != "–"


def test_groups_follow_the_pools_and_then_the_routes() -> None:
    groups = group_backends(SNAPSHOT, SNAPSHOT.backends, None)
    assert [(g.title, names(list(g.backends))) for g in groups] == [
        ("chat-pool", ["ptu-eastus2", "ptu-swedencentral", "payg-swedencentral", "payg-westus"]),
        ("embeddings-pool", ["payg-swedencentral", "payg-westus"]),
        ("fragment old-route", ["payg-legacy"]),
    ]


def test_a_backend_shows_the_priority_it_has_in_the_pool_above_it() -> None:
    layout = fit_columns(159, longest_name=20, is_grouped=True)
    rows = {r.key: r for r in fleet_rows(group_backends(SNAPSHOT, SNAPSHOT.backends, None), [], layout, FRESH)}
    assert text_of(rows["pool:chat-pool\npayg-westus"].cells["priority"]) == "2"
    assert text_of(rows["pool:embeddings-pool\npayg-westus"].cells["priority"]) == "1"


def test_folded_groups_keep_their_heading_and_say_how_many_they_hide() -> None:
    layout = fit_columns(119, longest_name=20, is_grouped=True)
    groups = group_backends(SNAPSHOT, SNAPSHOT.backends, None)
    rows = fleet_rows(groups, [], layout, FRESH, folded={"pool:chat-pool"})
    assert text_of(rows[0].cells["backend"]) == "▸ chat-pool 4"
    assert rows[1].key == "pool:embeddings-pool"


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("", 5),
        ("payg", 3),
        ("PTU swe", 1),
        ("!payg", 2),
        ("payg !westus", 2),
        ("busy", 1),
        ("old-route", 1),
        ("eastus2.openai", 1),
        ("!", 0),
        ("nothing-like-it", 0),
    ],
)
def test_filter_finds_words_and_leaves_out_negated_ones(pattern: str, found: int) -> None:
    assert sum(matches(status, pattern) for status in SNAPSHOT.backends) == found


def test_sorting_puts_the_worst_first_and_the_unknown_last() -> None:
    by_utilization = sort_backends(SNAPSHOT.backends, "utilization")
    assert names(by_utilization)[0] == "ptu-swedencentral"
    by_latency = sort_backends(SNAPSHOT.backends, "latency")
    assert names(by_latency)[-1] == "payg-westus"
    assert names(sort_backends(SNAPSHOT.backends, "latency", True))[-1] == "payg-westus"
    assert names(sort_backends(SNAPSHOT.backends, "health"))[0] == "ptu-swedencentral"


@pytest.mark.parametrize("key", SORT_KEYS, ids=lambda key: key.column)
def test_every_sort_key_orders_a_large_fleet_both_ways(key) -> None:  # type: ignore[no-untyped-def]
    backends = big_snapshot(60).backends
    values = [key.value(b) for b in sort_backends(backends, key.column)]
    assert values == sorted(values, reverse=key.is_descending)
    turned = [key.value(b) for b in sort_backends(backends, key.column, True)]
    assert turned == sorted(values, reverse=not key.is_descending)


def test_every_health_state_has_a_glyph_of_its_own_and_only_failing_is_red() -> None:
    assert set(HEALTH_GLYPHS) == set(HealthState)
    assert len({glyph for glyph, _ in HEALTH_GLYPHS.values()}) == len(HealthState)
    assert [state for state, (_, tone) in HEALTH_GLYPHS.items() if tone is Tone.HARM] == [HealthState.FAILING]


def test_a_backend_without_any_figure_shows_dashes() -> None:
    empty = load(requests=None, model=None, caller=None, errors=None, latency=None, tokens=None)
    status = replace(SNAPSHOT.backends[0], load=empty, health=Health(HealthState.UNKNOWN))
    layout = fit_columns(159, longest_name=20, is_grouped=True)
    cells = backend_cells(status, layout, FRESH, None)
    for key in ("utilization", "requests", "model_throttled", "caller_throttled", "errors", "latency", "trend", "age"):
        assert text_of(cells[key]).strip() == "–", key
