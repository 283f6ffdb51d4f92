"""The fleet screen under an operator's hands, at the smallest and at a large terminal."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from console.domain.snapshot import Budget, FeedStatus, Level, Problem, Verdict
from screens.commands import check
from screens.fleet.screen import FleetScreen
from screens.headline import budget_cell
from screens.spans import Tone
from tests.screens.looking import LARGE, SMALL, console_on, line_with, lines_of, press, text_on
from tests.screens.made_up import NOW, backend_status, big_snapshot, demo_backends, demo_snapshot, load, snapshot_of

SIZES = pytest.mark.parametrize("size", [SMALL, (120, 36), LARGE], ids=["80x24", "120x36", "160x48"])


@SIZES
async def test_the_first_screen_answers_first(size: tuple[int, int]) -> None:
    async with console_on(demo_snapshot(), size) as (app, _, _):
        assert "apim-contoso-prod" in lines_of(app)[0]
        assert "SIMULATED" in lines_of(app)[0]
        assert "PTU swedencentral saturated since 09:41" in lines_of(app)[1]
        assert all(name in text_on(app) for name in (b.name for b in demo_backends()))
        busy = line_with(app, "ptu-swedencentral")
        assert "◐ Busy" in busy
        assert "104%" in busy
        assert "34.1%" in busy
        assert "? help" in lines_of(app)[-1]


@SIZES
async def test_nothing_is_cut_off(size: tuple[int, int]) -> None:
    async with console_on(demo_snapshot(), size) as (app, _, _):
        shown = "\n".join(line for line in lines_of(app) if "sub 0a1b" not in line)
        assert "…" not in shown
        assert all(len(line) == size[0] for line in lines_of(app))


async def test_the_engine_starts_after_the_first_paint_and_stops_at_the_end() -> None:
    async with console_on(demo_snapshot()) as (_, engine, pilot):
        await pilot.pause()
        assert engine.asked == ["start"]
    assert engine.asked == ["start", "stop"]


async def test_only_cells_that_changed_are_drawn_again_and_the_cursor_stays() -> None:
    async with console_on(demo_snapshot(), LARGE) as (app, engine, pilot):
        await press(pilot, "down", "down")
        screen = app.screen
        assert isinstance(screen, FleetScreen)
        before, cursor = screen.grid.cell_updates, screen.grid.cursor_key
        changed = demo_backends()
        status = changed[4]
        figures = replace(status.load, requests_per_minute=replace(status.load.requests_per_minute, value=77.0))
        engine.store.apply(replace(demo_snapshot(), backends=(*changed[:4], replace(status, load=figures))))
        await pilot.pause()
        await pilot.pause()
        assert screen.grid.cell_updates - before == 1
        assert screen.grid.cursor_key == cursor
        assert " 77 " in line_with(app, "payg-legacy")


async def test_a_burst_of_snapshots_is_drawn_once() -> None:
    async with console_on(demo_snapshot()) as (app, engine, pilot):
        seen = []
        app.snapshot_changed.subscribe(app, seen.append, immediate=True)
        for remaining in range(200, 150, -1):
            engine.store.apply(demo_snapshot(budget=Budget(remaining, 100, NOW)))
        await pilot.pause()
        assert len(seen) == 1
        assert seen[0].current.budget.arm_reads_remaining == 151


async def test_scroll_and_cursor_stay_put_when_the_order_changes() -> None:
    async with console_on(big_snapshot(300)) as (app, engine, pilot):
        screen = app.screen
        assert isinstance(screen, FleetScreen)
        await press(pilot, "g", "U")
        await press(pilot, *["pagedown"] * 4)
        key, line = screen.grid.cursor_key, screen.grid.rows.index
        position = [row.key for row in screen.grid.rows].index(key or "")
        on_screen = position - round(screen.grid.scroll_y)
        shuffled = big_snapshot(300)
        moved = tuple(
            replace(
                b, load=replace(b.load, utilization_ratio=replace(b.load.utilization_ratio, value=(i * 7 % 100) / 90))
            )
            for i, b in enumerate(shuffled.backends)
        )
        engine.store.apply(replace(shuffled, backends=moved))
        await pilot.pause()
        await pilot.pause()
        assert line is not None
        assert screen.grid.cursor_key == key
        after = [row.key for row in screen.grid.rows].index(key or "")
        top = round(screen.grid.scroll_y)
        assert after != position
        assert after - top == min(on_screen, after) or top == screen.grid.max_scroll_y


async def test_filter_narrows_while_typing_and_escape_clears() -> None:
    async with console_on(demo_snapshot()) as (app, _, pilot):
        await press(pilot, "slash", "=payg")
        assert "3 of 5" in text_on(app)
        assert "ptu-eastus2" not in text_on(app)
        await press(pilot, "enter", "down")
        assert "filter “payg”" in text_on(app)
        await press(pilot, "escape")
        assert "ptu-eastus2" in text_on(app)
        await press(pilot, "slash", "exclamation_mark", "=payg")
        assert "payg-legacy" not in text_on(app)
        await press(pilot, "escape")
        assert "payg-legacy" in text_on(app)


async def test_a_filter_without_a_match_says_so() -> None:
    async with console_on(demo_snapshot()) as (app, _, pilot):
        await press(pilot, "slash", "=zzz")
        assert "no backend matches" in text_on(app)


async def test_shift_letters_sort_turn_round_and_let_go() -> None:
    async with console_on(demo_snapshot()) as (app, _, pilot):

        def order() -> list[str]:
            return [name for line in lines_of(app) for name in (b.name for b in demo_backends()) if name in line]

        await press(pilot, "g", "R")
        assert order() == ["ptu-swedencentral", "ptu-eastus2", "payg-swedencentral", "payg-legacy", "payg-westus"]
        assert "REQ▼" in text_on(app)
        await press(pilot, "R")
        assert order()[0] == "payg-westus"
        assert "REQ▲" in text_on(app)
        await press(pilot, "R")
        assert "REQ▼" not in text_on(app)
        assert "REQ▲" not in text_on(app)


async def test_enter_on_a_pool_folds_it() -> None:
    async with console_on(demo_snapshot()) as (app, _, pilot):
        await press(pilot, "home", "enter")
        assert "▸ chat-pool 4" in text_on(app)
        assert "ptu-eastus2" not in text_on(app)
        await press(pilot, "enter")
        assert "ptu-eastus2" in text_on(app)


async def test_marks_are_copied_together_and_escape_drops_them() -> None:
    async with console_on(demo_snapshot()) as (app, _, pilot):
        await press(pilot, "space", "space")
        assert "2 marked" in text_on(app)
        await press(pilot, "y")
        assert app.clipboard == "ptu-eastus2\nptu-swedencentral"
        await press(pilot, "escape", "y")
        assert app.clipboard == "payg-swedencentral"


async def test_pause_and_refresh_reach_the_engine_and_the_pause_is_seen() -> None:
    async with console_on(demo_snapshot()) as (app, engine, pilot):
        await press(pilot, "p")
        assert engine.is_paused
        assert "PAUSED" in lines_of(app)[0]
        await press(pilot, "p", "ctrl+r")
        assert not engine.is_paused
        assert "PAUSED" not in lines_of(app)[0]
        assert "refresh all" in engine.asked


async def test_every_room_has_its_key() -> None:
    async with console_on(demo_snapshot()) as (app, _, _):
        assert {"t", "a", "f", "D", "d", "r"} <= set(app.screen.active_bindings)


async def test_a_command_that_writes_says_why_it_is_not_there() -> None:
    async with console_on(demo_snapshot(is_read_only=True)) as (app, _, _):
        assert check(app, "drain payg-westus") == "this console is read-only"
        assert (check(app, "drian x") or "").startswith("no command “drian”")


async def test_a_long_name_hides_nothing_of_the_verdict() -> None:
    name = "ptu-" + "x" * 76
    base = demo_snapshot()
    long = replace(base.backends[0], backend=replace(base.backends[0].backend, name=name))
    verdict = Verdict(Level.CRITICAL, f"{name} saturated since 09:41; callers refused 3.1%")
    async with console_on(replace(base, backends=(long,), verdict=verdict)) as (app, _, _):
        assert "callers refused 3.1%" in text_on(app)


async def test_a_budget_of_long_ago_is_dim() -> None:
    budget = Budget(arm_reads_remaining=900, observed_at=NOW - timedelta(minutes=3))
    old = budget_cell(replace(demo_snapshot(), budget=budget), NOW)
    new = budget_cell(replace(demo_snapshot(), budget=replace(budget, observed_at=NOW)), NOW)
    assert {span.tone for span in old} == {Tone.STALE}
    assert Tone.STALE not in {span.tone for span in new}


@SIZES
async def test_production_and_read_only_are_words(size: tuple[int, int]) -> None:
    snapshot = demo_snapshot(is_production=True, is_read_only=True, simulated=False, cloud_name="AzureUSGovernment")
    async with console_on(snapshot, size) as (app, _, _):
        header = lines_of(app)[0]
        assert "PRODUCTION" in header
        assert "READ-ONLY" in header
        assert "AzureUSGovernment" in header
        assert "SIMULATED" not in header


async def test_before_the_first_answer_nothing_is_claimed() -> None:
    snapshot = replace(demo_snapshot(), gateway=None, backends=(), pools=(), simulated=None, budget=Budget(),
                       verdict=Verdict(Level.UNKNOWN, "Connecting to apim-contoso-prod"))  # fmt: skip
    async with console_on(snapshot, LARGE) as (app, _, _):
        assert "? Connecting to apim-contoso-prod" in text_on(app)
        assert "Waiting for the first answer" in text_on(app)
        assert "ARM –" in lines_of(app)[0]
        assert "AzureCloud" not in lines_of(app)[0]


async def test_an_empty_gateway_says_that_it_is_empty() -> None:
    async with console_on(snapshot_of(())) as (app, _, _):
        assert "apim-contoso-prod has no backends yet" in text_on(app)


async def test_problems_say_what_where_and_what_to_do_while_the_rest_goes_on() -> None:
    problems = (
        Problem("metrics of westus are denied", "aoai-contoso-westus", "grant Monitoring Reader", NOW),
        Problem("no workspace", "apim-contoso-prod", "add diagnostic settings", NOW),
    )
    async with console_on(demo_snapshot(problems=problems)) as (app, _, pilot):
        assert "metrics of westus are denied" in text_on(app)
        assert "+1 more" in text_on(app)
        assert "◐ Busy" in text_on(app)
        await press(pilot, "colon", "=problems", "enter")
        assert "add diagnostic settings" in text_on(app)


async def test_a_lost_source_is_a_word_in_the_row() -> None:
    lost = load(utilization=0.5, caller=None, errors=None, latency=None)
    status = replace(demo_backends()[1], load=lost)
    feeds = (FeedStatus("traffic", 30, None, "403: no access to the workspace"),)
    async with console_on(demo_snapshot(backends=(status,), feeds=feeds)) as (app, _, _):
        assert "lost" in line_with(app, "ptu-eastus2")


async def test_old_figures_show_their_age_as_time_passes() -> None:
    async with console_on(demo_snapshot(), LARGE) as (app, _, pilot):
        clock = app.clock
        clock.advance(1500)  # type: ignore[attr-defined]
        app.ticked.publish(clock.now())
        await pilot.pause()
        await pilot.pause()
        assert "64% 26m" in line_with(app, "ptu-eastus2")


async def test_an_engine_that_cannot_start_is_a_problem_not_a_crash() -> None:
    async with console_on(demo_snapshot()) as (app, engine, pilot):

        async def refuse() -> None:
            raise RuntimeError("the login expired [bold]")

        engine.start = refuse  # type: ignore[method-assign]
        app._start()
        await pilot.pause()
        await pilot.pause()
        assert "could not start its feeds: the login expired [bold]" in " ".join(text_on(app).split())


async def test_what_an_older_engine_still_says_is_dropped() -> None:
    from tests.screens.made_up import StoreEngine

    async with console_on(demo_snapshot()) as (app, old, pilot):
        await app.attach(StoreEngine(demo_snapshot(verdict=Verdict(Level.OK, "the new gateway is fine"))))
        await pilot.pause()
        old.store.apply(demo_snapshot(verdict=Verdict(Level.CRITICAL, "from the past")))
        await pilot.pause()
        await pilot.pause()
        assert "the new gateway is fine" in text_on(app)
        assert "from the past" not in text_on(app)
        assert "stop" in old.asked


async def test_a_terminal_that_shrinks_keeps_health_and_429s() -> None:
    async with console_on(demo_snapshot(), LARGE) as (app, _, pilot):
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        await pilot.pause()
        busy = line_with(app, "ptu-swedencentral")
        assert "◐ Busy" in busy
        assert "34.1%" in busy
        assert "TREND" not in text_on(app)


async def test_saving_tells_both_paths(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    async with console_on(demo_snapshot(), LARGE) as (app, _, pilot):
        await press(pilot, "ctrl+s")
        folder = tmp_path / "genaigw-console" / "saved"
        stem = "fleet-20250304T095812Z"
        assert sorted(path.name for path in folder.iterdir()) == [f"{stem}.csv", f"{stem}.txt"]
        assert "ptu-swedencentral" in (folder / f"{stem}.txt").read_text()
        assert "34.1%" in (folder / f"{stem}.csv").read_text()
        assert all(path.stat().st_mode & 0o077 == 0 for path in folder.iterdir())
        assert "saved" in "\n".join(n.message for n in app._notifications)


async def test_a_thousand_backends_can_be_walked() -> None:
    async with console_on(big_snapshot(1000), LARGE) as (app, _, pilot):
        await press(pilot, "end")
        assert "backend-0999" in text_on(app)
        await press(pilot, "slash", "=backend-0500")
        assert "1 of 1000" in text_on(app)


async def test_many_names_in_one_pool_do_not_hide_each_other() -> None:
    one = demo_backends()[0]
    twin = backend_status("PTU-swedencentral", one.kind, "swedencentral", one.health, one.load, [("chat-pool", 1, 50)])
    async with console_on(snapshot_of((one, twin), demo_snapshot().pools[:1])) as (app, _, _):
        assert "ptu-swedencentral" in text_on(app)
        assert "PTU-swedencentral" in text_on(app)
