"""What the console could not do, in the order in which it matters, each cause once. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from console.domain.gateway import Account, Backend, Gateway
from console.domain.observations import Observations
from console.domain.snapshot import Problem

_RANKS = {"topology": 0, "traffic": 2, "metrics": 3, "consumers": 5, "activity": 5}
"""Gateway, sign-in (1), logs, metrics, others; last the feeds that repeat what another one met."""
_WHOEVER_ASKS = frozenset({"SignInError", "Throttled"})
"""Kinds that concern the principal: the same cause wherever it is met."""


def ranked(problems: Mapping[str, tuple[Problem, ...]]) -> tuple[Problem, ...]:
    """All problems, what hides most first, identical causes folded into the first that tells them."""
    told = [(_rank(feed, problem), feed, problem) for feed in problems for problem in problems[feed]]
    told.sort(key=lambda one: one[:2])
    kept: dict[tuple[str, ...], Problem] = {}
    also: dict[tuple[str, ...], list[str]] = {}
    for _, _, problem in told:
        cause = _cause(problem)
        first = kept.setdefault(cause, problem)
        if problem.what == first.what:
            continue
        if problem.feed != first.feed and problem.feed:
            also.setdefault(cause, []).append(problem.feed)
        else:  # one feed that names two things met two problems
            kept.setdefault((*cause, problem.what), problem)
    return tuple(
        replace(problem, what=f"{problem.what} (also: {', '.join(dict.fromkeys(also[cause]))})")
        if cause in also
        else problem
        for cause, problem in kept.items()
    )


def _rank(feed: str, problem: Problem) -> tuple[int, int]:
    own = _RANKS.get(feed, 4)
    return (min(own, 1) if problem.kind == "SignInError" else own, own)


def _cause(problem: Problem) -> tuple[str, ...]:
    """What makes two problems one: the same trouble after "what could not be done", at the same place."""
    _, colon, trouble = problem.what.partition(": ")
    if problem.kind in _WHOEVER_ASKS and colon:
        return (problem.kind, trouble, problem.remedy)
    if problem.kind and colon:
        return (problem.kind, trouble, problem.where, problem.remedy)
    return (problem.what, problem.where)


def why_not_found(backend: Backend, account: Account | None, *, are_accounts_known: bool) -> str:
    """Why nothing is known of the model behind a backend; "" when its account is known or not read yet."""
    if not backend.host:
        return f"its URL has no host: {backend.url or 'empty'}"
    if are_accounts_known and account is None:
        return f"no Azure OpenAI account of the subscription answers on {backend.host}"
    return ""


def lost_backends(observations: Observations, gateway: Gateway, now: datetime) -> tuple[Problem, ...]:
    """One problem for each backend whose URL leads nowhere, unless the profile says what it is."""
    found = []
    for backend in gateway.backends:
        account = observations.account_of(backend.host)
        why = why_not_found(backend, account, are_accounts_known=observations.accounts is not None)
        if why and backend.name not in observations.kind_overrides:
            found.append((backend, why))
    return tuple(
        Problem(
            f"Backend {backend.name} cannot be judged: {why}",
            backend.resource_id,
            f"Correct its URL, or set [profiles.{observations.profile_name}.backends.{backend.name}] kind = "
            '"ptu" or "payg".',
            now,
        )
        for backend, why in found
    )
