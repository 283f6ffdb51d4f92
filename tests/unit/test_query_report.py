"""Answers as tables, and the draft of a post-mortem: no secret, no markup, nothing invented."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from console.commands.querying import (
    QueryTable,
    as_csv,
    as_json,
    as_text,
    named_queries,
    query_text,
    read_history,
    remember,
    sorted_rows,
)
from console.domain.change import Change, ChangeKind
from console.domain.compose import compose
from console.journal import JournalEntry
from console.report.journalled import journal_changes
from console.report.markdown import make_report
from console.triage.find import find_all
from tests.drills.triage_drill import DRILLS
from tests.drills.triage_table import DOCUMENT, HEAD, table_in
from tests.unit.observed_fleet import BEGIN, SERVICE, Fleet

AT = datetime(2026, 11, 22, 9, 58, tzinfo=UTC)
TABLE = QueryTable(("Minute", "Api", "Count"), ((AT, "=cmd()", 3), (None, "b", 12), (AT, "a", None)))


def test_sorting_is_by_value_and_what_is_missing_comes_last() -> None:
    assert [row[2] for row in sorted_rows(TABLE, 2, descending=True).rows] == [12, 3, None]
    assert [row[1] for row in sorted_rows(TABLE, 1, descending=False).rows] == ["=cmd()", "a", "b"]
    assert sorted_rows(TABLE, 0, descending=True).rows[-1][0] is None


def test_exports_start_no_formula_and_keep_types() -> None:
    assert "'=cmd()" in as_csv(TABLE)
    assert json.loads(as_json(TABLE))[0] == {"Minute": "2026-11-22T09:58:00Z", "Api": "=cmd()", "Count": 3}
    assert "–" in as_text(TABLE)
    assert as_text(QueryTable((), ())) == "\n"


def test_named_queries_get_their_parameters_and_own_text_none() -> None:
    assert "consumers_by_minute" in named_queries()
    assert "who_sends" not in named_queries(), "it needs a backend"
    filled = query_text("consumers_by_minute", "/SUB/Svc", AT, AT + timedelta(hours=1))
    assert 'let service_id = "/sub/svc";' in filled
    assert query_text("print 1", "x", AT, AT) == "print 1"


def test_history_keeps_each_query_once_and_survives_damage(tmp_path: Path) -> None:
    path = tmp_path / "state" / "queries.json"
    for text in ("a", "b", "a"):
        remember(path, text)
    assert read_history(path) == ["b", "a"]
    path.write_text("{broken")
    assert read_history(path) == []


def report_of(changes: tuple[Change, ...] = ()) -> str:
    now = BEGIN + timedelta(minutes=91)
    snapshot = compose(Fleet(4, sick=2).at(90), now)
    return make_report(snapshot, find_all(snapshot), changes, now, timedelta(hours=1)).text


def test_a_report_says_verdict_timeline_figures_and_who_was_hit() -> None:
    text = report_of()
    for heading in ("## Timeline", "## Findings", "## Figures", "## Who was hit", "## Actions", "## To be written"):
        assert heading in text
    assert "PTU backend-0 saturated" in text
    assert "| backend-0 | PTU |" in text


def test_a_report_holds_no_secret_and_no_markup_of_others() -> None:
    token = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.payload"
    change = Change(
        BEGIN + timedelta(minutes=80), ChangeKind.FRAGMENT, f"<img src=x>|{token}", "written", "id", "ops", "Succeeded"
    )
    text = report_of((change,))
    assert token not in text
    assert "<img" not in text.replace("\\<img", "")


def test_charts_are_svg_with_the_marks_of_what_changed() -> None:
    now = BEGIN + timedelta(minutes=91)
    snapshot = compose(Fleet(4, sick=2).at(90), now)
    change = Change(now - timedelta(minutes=20), ChangeKind.BACKEND, "backend-0", "written", "id", "ops", "Succeeded")
    draft = make_report(snapshot, find_all(snapshot), (change,), now, timedelta(hours=1), chart_prefix="x")
    assert [name for name, _ in draft.charts] == [f"x-{i}.svg" for i in range(1, len(draft.charts) + 1)]
    assert all(svg.startswith("<svg") and ">a</text>" in svg for _, svg in draft.charts)


def test_a_journalled_run_is_one_change_with_its_outcome() -> None:
    def entry(phase: str, sequence: int, target: str) -> JournalEntry:
        return JournalEntry(
            "2026-11-22T09:31:10.000Z",
            "run1",
            sequence,
            phase,
            "drain",
            "ops@here",
            "INC-1",
            SERVICE,
            target,  # type: ignore[arg-type]
        )

    run = [entry("intent", 1, "chat-pool"), entry("done", 2, "chat-pool"), entry("failed", 3, "other-pool")]
    (change,) = journal_changes(run, SERVICE)
    assert change.status == "Failed"
    assert change.source == "journal"
    assert "chat-pool, other-pool" in change.text
    assert journal_changes(run, "/another/gateway") == ()
    assert journal_changes([replace(run[0], phase="intent")], SERVICE)[0].status == "begun"


def test_the_documented_table_has_every_drill_found_in_time() -> None:
    rows = table_in(DOCUMENT.read_text("utf-8"))
    assert tuple(rows[0]) == HEAD
    told = {row[0]: row for row in rows[2:]}
    assert set(told) == {d.scenario for d in DRILLS}
    for drill in DRILLS:
        row = told[drill.scenario]
        assert row[1] == f"{drill.subject}: {drill.symptom}"
        assert float(row[3]) <= 2.0
        assert float(row[4].removesuffix(" s")) <= 60
