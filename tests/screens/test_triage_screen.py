"""Triage, activity and query under an operator's hands, on made-up findings and on a gateway in trouble."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from console.domain.compose import compose
from console.domain.finding import Action, ActionKind, Fact, Finding, Severity
from console.domain.health import Evidence
from console.domain.snapshot import GatewaySnapshot
from console.triage.find import find_all
from screens.activity.screen import ActivityScreen
from screens.app import ConsoleApp
from screens.backend.screen import BackendScreen
from screens.query.screen import QueryScreen
from screens.triage.screen import TriageScreen
from tests.screens.looking import LARGE, SMALL, console_on, line_with, press, text_on
from tests.screens.made_up import NOW
from tests.simulated_gateway import engine_on, make_world
from tests.unit.observed_fleet import BEGIN, Fleet

SIZES = pytest.mark.parametrize("size", [SMALL, (120, 36), LARGE], ids=["80x24", "120x36", "160x48"])


def in_trouble() -> GatewaySnapshot:
    snapshot = compose(Fleet(6, sick=2).at(90), BEGIN + timedelta(minutes=91, seconds=30))
    return replace(snapshot, findings=find_all(snapshot))


@SIZES
async def test_t_opens_findings_with_evidence_and_what_to_press(size: tuple[int, int]) -> None:
    async with console_on(in_trouble(), size) as (app, _, pilot):
        await press(pilot, "t")
        assert isinstance(app.screen, TriageScreen)
        assert "FINDINGS" in text_on(app)
        assert "backend-1: quota" in line_with(app, "›")
        assert "[1]" in text_on(app)
        await press(pilot, "escape")
        assert not isinstance(app.screen, TriageScreen)


async def test_evidence_follows_the_cursor() -> None:
    async with console_on(in_trouble(), LARGE) as (app, _, pilot):
        await press(pilot, "t", "down")
        assert isinstance(app.screen, TriageScreen)
        assert app.screen.finding is not None
        assert app.screen.finding.subject == "backend-0"
        assert "PTU backend-0 saturated" in text_on(app)


async def test_an_action_opens_what_carries_it_out() -> None:
    action = Action(ActionKind.BACKEND, "Look at backend-3", "backend-3")
    made = Finding("slow", "backend-3", "backend-3 is slow", Severity.WARNING, NOW, Evidence.INFERRED, (action,))
    async with console_on(replace(in_trouble(), findings=(made,))) as (app, _, pilot):
        await press(pilot, "t", "1")
        assert isinstance(app.screen, BackendScreen)
        assert app.screen.backend_name == "backend-3"


async def test_hostile_text_in_findings_is_shown_not_obeyed() -> None:
    made = Finding(
        "failing", "[red]b[/red]", "[bold]x\x1b[2J", Severity.CRITICAL, NOW, Evidence.OBSERVED,
        (Action(ActionKind.ADVICE, "[link=x]do[/link]"),), evidence=(Fact("[on red]e", "logs", NOW),),
    )  # fmt: skip
    async with console_on(replace(in_trouble(), findings=(made,)), LARGE) as (app, _, pilot):
        await press(pilot, "t", "1")
        assert "[bold]x" in text_on(app)
        assert "\x1b" not in text_on(app)
        assert "[on red]e" in text_on(app)


async def test_nothing_wrong_is_said() -> None:
    async with console_on(replace(in_trouble(), findings=())) as (app, _, pilot):
        await press(pilot, "t", "1", "y")
        assert "Nothing is found wrong" in text_on(app)


def found_reports(folder: Path) -> tuple[str, list[Path]]:
    """The only draft below a folder, and its charts."""
    (draft,) = folder.rglob("report-*.md")
    return draft.read_text("utf-8"), list(draft.parent.glob("report-*.svg"))


async def test_a_report_is_written_where_things_are_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    async with console_on(in_trouble(), LARGE) as (_, _, pilot):
        await press(pilot, "t", "R")
    text, charts = found_reports(tmp_path)
    assert "PTU backend-0 saturated" in text
    assert charts


async def test_activity_says_when_it_does_not_know_yet() -> None:
    async with console_on(replace(in_trouble(), changes=None)) as (app, _, pilot):
        await press(pilot, "a")
        assert isinstance(app.screen, ActivityScreen)
        assert "has not answered yet" in text_on(app)


async def test_query_without_a_workspace_is_said() -> None:
    async with console_on(in_trouble()) as (app, _, pilot):
        app.open_query("print 1")
        await press(pilot, "f5")
        assert isinstance(app.screen, QueryScreen)
        assert "no workspace" in text_on(app)


async def test_a_replay_is_unmistakable() -> None:
    async with console_on(replace(in_trouble(), replayed_from="night.rec"), LARGE) as (app, _, _):
        assert "REPLAY night.rec" in text_on(app)


async def test_queries_run_fail_at_their_place_and_sort(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    world = make_world("bad-fragment", minutes=14, traffic=True)
    async with engine_on(world) as (engine, _):
        await engine.fetch_once(60)
        app = ConsoleApp(engine, clock=engine.clock)

        async def rest() -> None:
            """The feeds stay as they are."""

        monkeypatch.setattr(engine, "start", rest)
        async with app.run_test(size=LARGE) as pilot:
            await pilot.pause()
            await press(pilot, "t")
            assert "Roll back authenticate-to-models" in text_on(app)
            assert "WHAT CHANGED" in text_on(app)
            assert line_with(app, " a 15:51:30", "fragment authenticate-to-models")
            app.open_query("ApiManagementGatewayLogs\n| where Nonsense == 1")
            await press(pilot, "f5")
            await app.workers.wait_for_complete()
            await pilot.pause()
            assert "line 2" in text_on(app)
            screen = app.screen
            assert isinstance(screen, QueryScreen)
            assert screen.editor.cursor_location[0] == 1
            screen.editor.load_text("ApiManagementGatewayLogs | summarize Count = count() by ResponseCode")
            await press(pilot, "f5")
            await app.workers.wait_for_complete()
            await pilot.pause()
            assert "rows in" in text_on(app)
            assert "500" in text_on(app)
