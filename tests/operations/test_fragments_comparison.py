"""What counts as a difference, and how it is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.errors import NotFound, UsageError
from console.operations.fragments.compare import (
    SyncState,
    diff_rows,
    digest,
    laid_out,
    summarize,
    sync_state,
    unified_text,
)
from console.operations.fragments.desk import catalogue_rows
from console.operations.fragments.documents import Kind, Place, meaning, place_of_handle, place_of_path, same_text
from console.operations.fragments.inspect import inspect
from console.operations.fragments.local import bundled_folder, file_of, place_of_file, read_folder
from console.operations.fragments.plan import find_local
from console.operations.fragments.references import affected, names_in
from simulator.apim.policy_text import serialise
from simulator.embedded import build_world
from simulator.resources.settings import arm_settings
from simulator.scenarios import load_scenario, scenario_names
from tests.operations.fragment_gateway import Bench, demo_gateway

RETRY = """<fragment>
    <!-- why -->
    <retry condition="@(context.Response.StatusCode == 429)" count="3" interval="0">
        <forward-request buffer-request-body="true" />
    </retry>
</fragment>
"""
BUNDLED = sorted(Path(bundled_folder()).rglob("*.xml"))


@pytest.mark.parametrize("path", BUNDLED, ids=lambda path: path.stem)
def test_what_api_management_gives_back_is_no_drift(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    given_back = serialise(text, "rawxml")
    assert given_back != text
    assert sync_state(text, given_back, None, Kind.POLICY) is SyncState.IN_SYNC
    assert unified_text(text, given_back, "a", "b") == ""
    assert all(row.mark == " " for row in diff_rows(text, given_back))
    assert summarize(text, given_back, Kind.POLICY) == ()


@pytest.mark.parametrize("name", [n for n in scenario_names() if load_scenario(n).world.topology == "demo"])
def test_pull_then_diff_shows_nothing_on_every_simulated_gateway(name: str, tmp_path: Path) -> None:
    world = build_world(name, now=1_795_363_230.0, history_seconds=0.0, traffic=False)
    arm_settings(world).throttling = False
    bench = Bench(world, tmp_path)
    first = bench.pull()
    rows = catalogue_rows(bench.local(), bench.deployed(), bench.history(), {})
    assert len(rows) >= 7
    assert {row.state for row in rows} == {SyncState.IN_SYNC}
    again = bench.pull()
    assert (again.written, again.removed, again.unchanged) == ((), (), len(first.written))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (('count="3"', 'count="5"'), "retry count 3 -> 5"),
        (("== 429", "== 503"), "retry condition @(context.Response.StatusCode == 429) -> "),
        (('interval="0"', 'interval="0" delta="2"'), "retry delta added: 2"),
        ((' interval="0"', ""), "retry interval removed (was 0)"),
        (("<forward-request", '<set-variable name="a" value="b" /><forward-request'), "set-variable a added to retry"),
        (("why", "because"), "only comments changed"),
    ],
)
def test_changes_are_told_in_sentences(change: tuple[str, str], sentence: str) -> None:
    told = summarize(RETRY, RETRY.replace(*change), Kind.FRAGMENT)
    assert len(told) == 1
    assert told[0].startswith(sentence)


def test_a_change_inside_a_long_expression_names_what_changed_in_it() -> None:
    long = RETRY.replace("== 429)", "== 429 || context.Response.StatusCode >= 500 || false)")
    assert summarize(long, long.replace("500", "502"), Kind.FRAGMENT) == ("retry condition 500 -> 502",)


def test_created_and_deleted_are_said() -> None:
    assert summarize(None, RETRY, Kind.FRAGMENT) == ("created",)
    assert summarize(RETRY, None, Kind.FRAGMENT) == ("deleted",)
    assert summarize("1", "2", Kind.NAMED_VALUE) == ("value 1 -> 2",)


def test_which_side_moved_follows_from_what_both_last_had_in_common() -> None:
    other, third = RETRY.replace("3", "5"), RETRY.replace("3", "7")
    base = digest(RETRY, Kind.FRAGMENT)
    assert sync_state(other, RETRY, base, Kind.FRAGMENT) is SyncState.CHANGED_HERE
    assert sync_state(RETRY, other, base, Kind.FRAGMENT) is SyncState.CHANGED_THERE
    assert sync_state(other, third, base, Kind.FRAGMENT) is SyncState.CHANGED_BOTH
    assert sync_state(other, RETRY, None, Kind.FRAGMENT) is SyncState.DIFFERS
    assert sync_state(None, RETRY, base, Kind.FRAGMENT) is SyncState.ONLY_THERE
    assert sync_state(RETRY, None, base, Kind.FRAGMENT) is SyncState.ONLY_HERE


def test_a_diff_points_at_lines_of_the_file() -> None:
    changed = RETRY.replace('count="3"', 'count="5"')
    rows = [row for row in diff_rows(RETRY, changed) if row.mark != " "]
    assert [(row.mark, row.after.number if row.after else None) for row in rows] == [("~", 3)]
    assert "-    <retry" in unified_text(RETRY, changed, "gateway", "local")
    assert "+    <retry" in unified_text(RETRY, changed, "gateway", "local")


def test_a_text_that_does_not_parse_is_still_shown() -> None:
    broken = "<fragment>\n<retry\n</fragment>"
    assert [line.text for line in laid_out(broken)] == broken.splitlines()
    assert summarize(RETRY, broken, Kind.FRAGMENT) == ("the text changed; one side cannot be read as a policy",)


@settings(max_examples=40, deadline=None)
@given(text=st.text(max_size=200))
def test_any_text_can_be_compared(text: str) -> None:
    assert same_text(text, text, Kind.FRAGMENT)
    assert unified_text(text, text, "a", "b") == ""
    assert isinstance(meaning(text), str)
    assert isinstance(summarize(RETRY, text, Kind.FRAGMENT), tuple)


@pytest.mark.parametrize(
    "place",
    [
        Place(Kind.FRAGMENT, "spill-to-payg"),
        Place(Kind.POLICY, "global"),
        Place(Kind.POLICY, "api azure-openai"),
        Place(Kind.POLICY, "operation azure-openai/Chat_Create"),
        Place(Kind.POLICY, "product genai"),
        Place(Kind.NAMED_VALUE, "region"),
    ],
    ids=lambda place: place.handle,
)
def test_path_handle_and_file_lead_back_to_the_place(place: Place) -> None:
    assert place_of_path(place.path) == place
    assert place_of_handle(place.handle) == place
    if place.kind is Kind.POLICY:
        assert place_of_file(file_of(place)) == place


def test_what_a_text_names_and_whom_it_concerns(tmp_path: Path) -> None:
    text = """<fragment><set-backend-service backend-id="@(context.Variables.ContainsKey("x") ? "ptu-a" : "ptu-b")" />
    <set-header name="{{who}}"><value>x</value></set-header></fragment>"""
    names = names_in(text, ["ptu-a", "ptu-b", "ptu-c"])
    assert names.backends == ("ptu-a", "ptu-b")
    assert names.named_values == ("who",)
    bench = Bench(demo_gateway(), tmp_path)
    texts = {p: d.text for p, d in bench.deployed().documents.items() if d.text is not None}
    both = affected(Place(Kind.FRAGMENT, "authenticate-to-models"), texts)
    assert set(both) == {"api azure-openai", "api legacy-chat"}
    assert affected(Place(Kind.POLICY, "global"), texts) == ("every API",)


def test_the_linter_knows_what_the_gateway_has(tmp_path: Path) -> None:
    bench = Bench(demo_gateway(), tmp_path)
    bench.pull()
    file = bench.folder / "fragments" / "old-route.fragment.xml"
    file.write_text(file.read_text().replace("payg-legacy", "payg-legasy"))
    local = bench.local()
    found = inspect([find_local(local, "old-route")], bench.deployed())
    assert [f.finding.rule_id for f in found if f.is_error] == ["APIM019"]
    assert "payg-legacy" in found[0].finding.message
    assert found[0].line.startswith("fragments/old-route.fragment.xml:3:")
    assert found[0].pointer().endswith("^")


def test_an_unknown_name_gets_the_closest_one_and_a_wrong_folder_is_told(tmp_path: Path) -> None:
    bench = Bench(demo_gateway(), tmp_path)
    bench.pull()
    with pytest.raises(NotFound, match="Did you mean spill-to-payg"):
        find_local(bench.local(), "spil-to-payg")
    with pytest.raises(UsageError, match="no such folder"):
        read_folder(tmp_path / "nowhere")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    bench.folder = tmp_path / "other"
    with pytest.raises(UsageError, match="holds other files"):
        bench.pull()


def test_two_files_of_one_fragment_are_refused(tmp_path: Path) -> None:
    for folder, name in (("a", "same"), ("b", "Same")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{name}.fragment.xml").write_text("<fragment />")
    with pytest.raises(UsageError, match="stands in two files"):
        read_folder(tmp_path)


def test_a_pull_brings_no_secret_and_no_drain_state(tmp_path: Path) -> None:
    bench = Bench(demo_gateway(), tmp_path)
    for name, value, secret in (("region", "north", False), ("model-key", "s3cr3t-value", True)):
        body = {"properties": {"displayName": name, "value": value, "secret": secret}}
        bench.entities._call("PUT", f"namedValues/{name}", body)
    pulled = bench.pull()
    assert any("model-key" in text for text in pulled.left_out)
    everything = "".join(path.read_text() for path in bench.folder.rglob("*") if path.is_file())
    assert "region" in everything
    assert "s3cr3t-value" not in everything
    assert "drained-backends" not in everything
    assert "s3cr3t-value" not in bench.journal_file.read_text()
