"""What `status` prints: the documented keys, nothing made up, and no control characters from anywhere."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

from console.domain.compose import compose
from console.domain.snapshot import Problem
from console.status_json import FIGURES, status_document
from console.status_text import printable, status_text
from tests.unit.gateways import NOW, spilling


def test_the_document_has_the_documented_shape() -> None:
    document = json.loads(json.dumps(status_document(compose(spilling(), NOW), NOW)))
    assert set(document) >= {"gateway", "observed_at", "verdict", "backends", "drains", "budget"}
    assert set(document["gateway"]) >= {"name", "resource_id", "region", "simulated"}
    assert document["verdict"]["level"] == "warning"
    backend = document["backends"][1]
    assert set(backend) >= {"name", "kind", "region", "url", "pools", "health", "freshness", *FIGURES}
    assert FIGURES == (
        "utilization_ratio",
        "requests_per_minute",
        "model_throttled_ratio",
        "caller_throttled_ratio",
        "error_ratio",
        "latency_p95_ms",
        "tokens_per_minute",
    )
    assert backend["pools"] == [{"name": "chat-pool", "priority": 1, "weight": 50}]
    assert set(backend["health"]) >= {"state", "reasons", "evidence"}
    assert set(backend["freshness"]) == set(FIGURES)
    assert set(backend["freshness"]["error_ratio"]) >= {"source", "observed_at", "age_seconds"}
    assert document["budget"] == {"arm_reads_remaining": None, "arm_writes_remaining": None}


def test_what_is_not_known_is_null_in_json_and_a_dash_in_text() -> None:
    snapshot = compose(spilling(with_logs=False), NOW)
    backend = status_document(snapshot, NOW)["backends"][0]
    assert backend["caller_throttled_ratio"] is None
    assert backend["freshness"]["caller_throttled_ratio"]["age_seconds"] is None
    line = next(line for line in status_text(snapshot, NOW).splitlines() if line.startswith("payg "))
    assert "–" in line


def test_ages_count_from_the_datas_own_time() -> None:
    document = status_document(compose(spilling(), NOW), NOW + timedelta(seconds=60))
    assert document["backends"][0]["freshness"]["requests_per_minute"]["age_seconds"] == 90.0


def test_text_from_azure_cannot_steer_the_terminal() -> None:
    observations = spilling()
    assert observations.gateway is not None
    evil = replace(observations.gateway.backends[0], name="x\x1b[2J\x07\u202eevil")
    gateway = replace(observations.gateway, backends=(evil,), pools=())
    problem = Problem("bad \x1b]0;t\x07", "here", "Do.", NOW)
    shown = replace(observations, gateway=gateway, problems={"traffic": (problem,)})
    text = status_text(compose(shown, NOW), NOW)
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "⟨U+202E⟩evil" in text
    assert "\u202e" not in text
    assert "␛[2J␇" in text


def test_ordinary_text_is_left_as_it_is() -> None:
    assert printable("größe [red]x[/red] 数据 🎉") == "größe [red]x[/red] 数据 🎉"


def test_problems_are_listed_with_what_where_and_what_to_do() -> None:
    problem = Problem("The logs cannot be queried", "workspace x", "Ask for a role.", NOW)
    text = status_text(compose(replace(spilling(), problems={"traffic": (problem,)}), NOW), NOW)
    assert "! The logs cannot be queried (workspace x). Ask for a role." in text
