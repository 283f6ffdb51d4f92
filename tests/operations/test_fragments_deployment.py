"""Deploying and going back: order, guards, what a refusal says, and what a killed console leaves behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.errors import Conflict, GuardRefusal, NotAllowed, NotFound, UsageError
from console.operations.fragments.documents import FRAGMENT_LIMIT_BYTES, Kind, Place, same_text
from console.operations.fragments.local import bundled_folder, read_folder
from console.operations.fragments.plan import wanted_from
from console.operations.fragments.rollback import plan_folder, version_before
from console.operations.fragments.watch import parse_duration, parse_limits
from simulator.topology_policies import API_POLICY, OLD_ROUTE_FRAGMENT, SPILL_FRAGMENT
from tests.operations.fragment_gateway import Bench, demo_gateway, fragment, named_value, policy
from tests.operations.in_process import Killed, Lost

SPILL = Place(Kind.FRAGMENT, "spill-to-payg")
NEW_SPILL = SPILL_FRAGMENT.replace('count="2"', 'count="4"')
USES_ALL = """<fragment>
    <set-header name="x-region"><value>{{region}}</value></set-header>
</fragment>"""
WITH_ALL = API_POLICY.replace("<base />", '<base /><include-fragment fragment-id="add-region" />', 1)
FOUR = (
    policy("api azure-openai", WITH_ALL),
    fragment("add-region", USES_ALL),
    fragment("spill-to-payg", NEW_SPILL),
    named_value("region", "north"),
)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(demo_gateway(), tmp_path)


def test_what_is_needed_is_written_before_what_needs_it(bench: Bench) -> None:
    plan = bench.plan(*FOUR)
    assert [w.place.handle for w in plan.writes] == [
        "named-value/region", "add-region", "spill-to-payg", "api/azure-openai",
    ]  # fmt: skip
    assert plan.refusals == ()
    assert set(plan.concerns) == {"api azure-openai"}
    outcome = bench.carry_out(plan)
    assert outcome.error is None
    assert len(outcome.live) == 4
    assert bench.plan(*FOUR).writes == ()


def test_going_back_restores_everything_and_deletes_what_was_new(bench: Bench) -> None:
    before = bench.texts()
    bench.deploy(*FOUR)
    assert bench.texts() != before
    plan = bench.plan_back()
    assert [(w.action, w.place.handle) for w in plan.writes] == [
        ("change", "spill-to-payg"),
        ("change", "api/azure-openai"),
        ("delete", "add-region"),
        ("delete", "named-value/region"),
    ]
    assert bench.carry_out(plan).error is None
    assert bench.texts() == before
    with pytest.raises(NotFound, match="no deployment that stands"):
        bench.plan_back()


def test_a_second_console_that_edits_in_between_is_not_overwritten(bench: Bench) -> None:
    plan = bench.plan(fragment("spill-to-payg", NEW_SPILL))
    theirs = SPILL_FRAGMENT.replace('count="2"', 'count="7"')
    other = bench.entities._call("PUT", SPILL.path, {"properties": {"format": "rawxml", "value": theirs}}, "*")
    assert other[0] == 200
    outcome = bench.carry_out(plan)
    assert isinstance(outcome.error, Conflict)
    assert "somebody else" in outcome.error.line
    assert same_text(bench.text(SPILL), theirs, Kind.FRAGMENT)


def test_going_back_over_somebody_elses_newer_edit_needs_force(bench: Bench) -> None:
    bench.deploy(fragment("spill-to-payg", NEW_SPILL))
    theirs = SPILL_FRAGMENT.replace('count="2"', 'count="7"')
    bench.entities._call("PUT", SPILL.path, {"properties": {"format": "rawxml", "value": theirs}}, "*")
    plan = bench.plan_back()
    with pytest.raises(GuardRefusal, match="changed by somebody else since"):
        plan.require_permission(force_reason=None)
    plan.require_permission(force_reason="it must go back")
    assert bench.carry_out(plan).error is None
    assert same_text(bench.text(SPILL), SPILL_FRAGMENT, Kind.FRAGMENT)


def test_drift_since_the_pull_is_not_overwritten_unasked(bench: Bench) -> None:
    bench.pull()
    theirs = SPILL_FRAGMENT.replace('count="2"', 'count="7"')
    bench.entities._call("PUT", SPILL.path, {"properties": {"format": "rawxml", "value": theirs}}, "*")
    plan = bench.plan(fragment("spill-to-payg", NEW_SPILL))
    with pytest.raises(GuardRefusal, match="changed on the gateway since"):
        plan.require_permission(force_reason=None)


@pytest.mark.parametrize(
    ("text", "words", "forceable"),
    [
        ("<fragment>\n<retry\n</fragment>", "APIM001", False),
        (f"<fragment>{'<!-- long -->' * 3000}</fragment>", f"at most {FRAGMENT_LIMIT_BYTES}", False),
        ('<fragment><set-backend-service backend-id="payg-pol" /></fragment>', "there is 'payg-pool'", True),
        ("<fragment><base /></fragment>", "APIM015", True),
    ],
)
def test_bad_texts_are_refused_before_anything_is_sent(bench: Bench, text: str, words: str, forceable: bool) -> None:
    plan = bench.plan(fragment("spill-to-payg", text))
    with pytest.raises(GuardRefusal) as refusal:
        plan.require_permission(force_reason=None)
    assert words in refusal.value.line
    assert plan.can_be_forced is forceable
    assert bench.entities.writes == 0


def test_a_fragment_that_is_held_cannot_go_and_its_holder_is_named(bench: Bench) -> None:
    plan = bench.plan(fragment("spill-to-payg", None))
    assert not plan.can_be_forced
    with pytest.raises(GuardRefusal, match="held by the policy of api azure-openai"):
        plan.require_permission(force_reason="whatever I say")


def test_read_only_refuses_everything(bench: Bench) -> None:
    plan = bench.plan(fragment("spill-to-payg", NEW_SPILL), read_only=True)
    with pytest.raises(GuardRefusal, match="read-only"):
        plan.require_permission(force_reason="whatever I say")


def test_what_api_management_refuses_is_brought_back_to_the_line(bench: Bench) -> None:
    text = '<fragment>\n\n    <set-backend-service backend-id="nobody" />\n</fragment>'
    outcome = bench.deploy(named_value("region", "north"), fragment("spill-to-payg", text, "spill.xml"))
    assert outcome.is_partial
    assert [w.place.handle for w in outcome.live] == ["named-value/region"]
    refusal = outcome.refusals[0]
    assert (refusal.file, refusal.line) == ("spill.xml", 3)
    assert "nobody" in refusal.message
    assert "nobody" in refusal.source
    assert "Not live: fragment spill-to-payg" in outcome.text
    found = bench.unfinished()
    assert [f.live for f in found] == [("namedValues/region",)]
    assert bench.carry_out(bench.plan_back()).error is None
    assert bench.text(Place(Kind.NAMED_VALUE, "region")) is None
    assert bench.unfinished() == ()


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("nth", range(1, 5))
def test_a_console_killed_around_any_write_leaves_what_list_explains_and_rollback_undoes(
    bench: Bench, moment: str, nth: int
) -> None:
    before = bench.texts()
    plan = bench.plan(*FOUR)
    count = 0

    def kill(method: str, path: str) -> None:
        nonlocal count
        count += method in ("PUT", "DELETE")
        if method in ("PUT", "DELETE") and count == nth:
            raise Killed

    setattr(bench.entities, moment, kill)
    with pytest.raises(Killed):
        bench.carry_out(plan)
    bench.entities.before = bench.entities.after = lambda method, path: None
    arrived = nth if moment == "after" else nth - 1
    found = bench.unfinished()
    assert len(found) == 1
    assert len(found[0].live) == arrived
    assert len(found[0].not_live) == 4 - arrived
    assert "was interrupted" in found[0].text
    assert found[0].needs_attention is (arrived > 0)
    outcome = bench.carry_out(bench.plan_back())
    assert outcome.error is None
    assert bench.texts() == before
    assert bench.unfinished() == ()


@pytest.mark.parametrize("nth", range(1, 3))
def test_a_rollback_killed_half_way_can_be_done_again(bench: Bench, nth: int) -> None:
    before = bench.texts()
    bench.deploy(*FOUR)
    count = 0

    def kill(method: str, path: str) -> None:
        nonlocal count
        count += method in ("PUT", "DELETE")
        if method in ("PUT", "DELETE") and count == nth:
            raise Killed

    plan = bench.plan_back()
    bench.entities.after = kill
    with pytest.raises(Killed):
        bench.carry_out(plan)
    bench.entities.after = lambda method, path: None
    assert bench.carry_out(bench.plan_back()).error is None
    assert bench.texts() == before


def test_a_lost_answer_is_looked_up_and_not_repeated(bench: Bench) -> None:
    def lose(method: str, path: str) -> None:
        if method == "PUT":
            bench.entities.after = lambda method, path: None
            raise Lost("the answer was lost")

    bench.entities.after = lose
    outcome = bench.deploy(fragment("spill-to-payg", NEW_SPILL))
    assert outcome.error is None
    assert same_text(bench.text(SPILL), NEW_SPILL, Kind.FRAGMENT)
    assert bench.entities.writes == 1


def test_versions_of_the_journal_and_a_folder_both_lead_back(bench: Bench) -> None:
    bench.pull()
    for count in (3, 4, 5):
        bench.deploy(fragment("spill-to-payg", SPILL_FRAGMENT.replace('count="2"', f'count="{count}"')))
    versions = bench.history().versions(SPILL)
    counts = [next(c for c in "2345" if f'count="{c}"' in (v.text or "")) for v in versions]
    assert counts == ["5", "4", "3", "2"]
    assert 'count="4"' in (version_before(bench.history(), SPILL, bench.text(SPILL)).text or "")
    wanted = wanted_from(bench.local(), ["spill-to-payg"])
    plan = plan_folder(wanted, bench.deployed(), bench.history())
    assert plan.refusals == ()
    assert plan.writes[0].summary == ("retry count 5 -> 2",)
    assert bench.carry_out(plan).error is None
    assert same_text(bench.text(SPILL), SPILL_FRAGMENT, Kind.FRAGMENT)


def test_properties_nobody_edits_survive_a_deployment(bench: Bench) -> None:
    before = bench.entities._call("GET", SPILL.path)[2]["properties"]["description"]
    bench.deploy(fragment("spill-to-payg", NEW_SPILL))
    assert bench.entities._call("GET", SPILL.path)[2]["properties"]["description"] == before != ""


def test_what_is_written_is_checked_against_what_an_unchanged_fragment_means(bench: Bench) -> None:
    reformatted = OLD_ROUTE_FRAGMENT.replace("    ", "\t").replace("\n", "\r\n").replace('"', "'")
    plan = bench.plan(fragment("old-route", reformatted))
    assert plan.writes == ()
    assert [p.handle for p in plan.unchanged] == ["old-route"]


def test_limits_and_durations_are_read_or_refused() -> None:
    limits = parse_limits("errors>2%, 429s > 5% , p95>3s, p50>900ms")
    assert [(limit.figure, round(limit.value, 4)) for limit in limits] == [
        ("errors", 0.02), ("429s", 0.05), ("p95", 3000.0), ("p50", 900.0),
    ]  # fmt: skip
    assert parse_duration("5m") == 300.0
    for wrong in ("errors>2s", "p95>3%", "errors<2%", "latency>2s"):
        with pytest.raises(UsageError, match="no limit"):
            parse_limits(wrong)
    with pytest.raises(UsageError, match="no duration"):
        parse_duration("5 minutes")


def test_no_permission_ends_the_run_with_its_own_exit_code(bench: Bench) -> None:
    plan = bench.plan(fragment("spill-to-payg", NEW_SPILL))

    def refuse(method: str, path: str) -> None:
        if method == "PUT":
            raise NotAllowed("policyFragments/spill-to-payg cannot be written: not allowed", remedy="Ask for the role.")

    bench.entities.before = refuse
    outcome = bench.carry_out(plan)
    bench.entities.before = lambda method, path: None
    assert outcome.error is not None
    assert outcome.error.exit_code == 4
    assert outcome.live == ()
    assert bench.entities.writes == 0
    assert [found.needs_attention for found in bench.unfinished()] == [False]


def test_the_accelerators_own_policies_deploy_from_the_bundle(bench: Bench) -> None:
    local = read_folder(bundled_folder())
    wanted = wanted_from(local, ["resilient-pool", "managed-identity"], templates=[("azure-openai", "resilient-pool")])
    plan = bench.plan(*wanted)
    assert plan.refusals == ()
    assert [w.action for w in plan.writes] == ["create", "create", "change"]
    assert bench.carry_out(plan).error is None
    assert bench.plan(*wanted).writes == ()
    with pytest.raises(NotFound, match="Did you mean resilient-pool"):
        wanted_from(local, [], templates=[("azure-openai", "resilient-pol")])


def test_what_an_earlier_gateway_of_the_same_name_got_is_not_taken_back_here(bench: Bench) -> None:
    bench.deploy(fragment("spill-to-payg", NEW_SPILL))
    fresh = Bench(demo_gateway(), bench.folder.parent)
    with pytest.raises(NotFound, match="no deployment that stands"):
        fresh.plan_back()
    assert fresh.unfinished() == ()


def test_a_pull_that_could_not_read_everything_removes_nothing(bench: Bench) -> None:
    bench.pull()

    def refuse(method: str, path: str) -> None:
        if path == "allPolicies":
            raise NotAllowed("allPolicies cannot be listed: not allowed")

    bench.entities.before = refuse
    pulled = bench.pull()
    assert pulled.removed == ()
    assert any("allPolicies" in text for text in pulled.left_out)
    assert (bench.folder / "policies" / "global.policy.xml").is_file()
    bench.entities.before = lambda method, path: None
    bench.deploy(policy("api legacy-chat", API_POLICY), fragment("old-route", None))
    pulled = bench.pull()
    assert pulled.removed == ("fragments/old-route.fragment.xml",)
    assert pulled.written == ("gateway.toml", "policies/apis/legacy-chat.policy.xml")
