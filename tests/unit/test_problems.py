"""What could not be done comes in order of what it hides, each cause once; what leads nowhere has a remedy."""

from __future__ import annotations

from dataclasses import replace

from console.domain.compose import compose
from console.domain.gateway import BackendKind
from console.domain.health import HealthState
from console.domain.problems import ranked
from console.domain.snapshot import Drain, Level, Problem
from console.status_text import status_text
from tests.unit.gateways import NOW, backend, constant, model_load, spilling


def problem(feed: str, what: str, kind: str = "ConsoleError", where: str = "") -> Problem:
    return Problem(what, where or feed, "Do it.", NOW, kind, feed)


def test_gateway_sign_in_logs_metrics_others() -> None:
    met = {
        feed: (problem(feed, feed),) for feed in ("accounts", "activity", "metrics", "probes", "traffic", "topology")
    } | {"routes": (problem("routes", "routes: expired", "SignInError"),)}
    order = [p.feed for p in ranked(met)]
    assert order == ["topology", "routes", "traffic", "metrics", "accounts", "probes", "activity"]


def test_a_missing_sign_in_is_told_once_and_names_whom_else_it_stops() -> None:
    met = {
        name: (problem(name, f"{name} cannot be read: the sign-in has expired", "SignInError"),)
        for name in ("metrics", "topology", "traffic")
    }
    (only,) = ranked(met)
    assert only.what == "topology cannot be read: the sign-in has expired (also: traffic, metrics)"


def test_different_places_and_two_troubles_of_one_feed_stay_apart() -> None:
    gone = "x cannot be read: no connection"
    apart = {"metrics": (problem("metrics", gone, "Unreachable", "a"), problem("metrics", gone, "Unreachable", "b"))}
    assert len(ranked(apart)) == 2
    two = {"topology": (problem("topology", "a: no", "NotFound", "w"), problem("topology", "b: no", "NotFound", "w"))}
    assert [p.what for p in ranked(two)] == ["a: no", "b: no"]


def test_a_backend_that_leads_nowhere_is_a_problem_with_a_remedy_and_says_so_before_its_silence() -> None:
    whole = spilling()
    assert whole.gateway is not None
    odd = (backend("odd"), replace(backend("bare"), url="/openai"))
    gateway = replace(whole.gateway, backends=(*whole.gateway.backends, *odd))
    snapshot = compose(replace(whole, gateway=gateway), NOW)
    told = {p.where: p for p in snapshot.problems}
    assert set(told) == {"/backends/odd", "/backends/bare"}
    assert "no Azure OpenAI account" in told["/backends/odd"].what
    assert "its URL has no host: /openai" in told["/backends/bare"].what
    assert "[profiles.prod.backends.odd] kind = " in told["/backends/odd"].remedy
    for name in ("odd", "bare"):
        status = snapshot.backend(name)
        assert status is not None
        assert status.health.reasons[0] in told[f"/backends/{name}"].what
        assert status.health.reasons[-1].startswith("no requests")
    kinds = {"odd": BackendKind.PAYG, "bare": BackendKind.PTU}
    assert compose(replace(whole, gateway=gateway, kind_overrides=kinds), NOW).problems == ()
    assert (
        compose(replace(whole, gateway=replace(gateway, backends=gateway.backends[:3]), accounts=None), NOW).problems
        == ()
    )


def test_refused_sources_are_named_and_unknown_is_never_observed() -> None:
    met = {name: (problem(name, f"{name}: not allowed", "NotAllowed"),) for name in ("metrics", "traffic")}
    snapshot = compose(replace(spilling(with_metrics=False, with_logs=False), problems=met), NOW)
    assert [b.health.state for b in snapshot.backends] == [HealthState.UNKNOWN] * 2
    text = status_text(snapshot, NOW)
    assert "ptu: Unknown: metrics and logs refused: see problems" in text
    assert "Unknown (" not in text


def test_right_after_a_drain_the_verdict_does_not_calm_down() -> None:
    loads = (model_load("ptu", constant(100.0)), model_load("payg", constant(10.0)))
    draining = replace(
        spilling(refused=0.0),
        model_loads=loads,
        drains=(Drain("ptu", "ada", "upgrade", NOW, None, "drained", "in place", applied_at=NOW),),
    )
    verdict = compose(draining, NOW).verdict
    assert verdict.level is Level.WARNING
    assert verdict.text.startswith("ptu draining, effect not visible yet")
