"""Backends: what API Management accepts as one, single or pool.

Source: Backend contract, API Management REST 2024-05-01; "Backends in API Management" (at most 30 members, only single
backends as members, one breaker rule). Assumed: the wording of every message.
"""

from __future__ import annotations

import re
from typing import Any

from simulator.apim.references import referring_to_backend, refuse_if_referenced
from simulator.resources.errors import ValidationProblems
from simulator.resources.store import Resource
from simulator.resources.writing import ReadContext, WriteContext

MOST_MEMBERS = 30
MOST_RULES = 1
_DURATION = re.compile(r"^P(?!$)(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?$")
_MEMBER_ID = re.compile(r"/backends/([^/]+)$", re.IGNORECASE)


def prepare_backend(context: WriteContext) -> None:
    """Check a backend and put member ids into their full form."""
    properties, problems = context.properties, context.problems
    _check_lengths(properties, problems)
    kind = properties.get("type") or "Single"
    properties["type"] = kind
    if kind not in ("Single", "Pool"):
        problems.add("type", f"'{kind}' is not a backend type; it must be Single or Pool.")
    elif kind == "Pool":
        for name in ("title", "url", "protocol"):
            properties.setdefault(name, None)
        _check_pool(context)
    else:
        if not properties.get("url"):
            problems.add("url", "Url is required for a backend of type Single.")
        if properties.get("protocol") not in ("http", "soap"):
            problems.add("protocol", "Protocol is required and must be http or soap.")
        if properties.get("pool"):
            problems.add("pool", "A backend of type Single cannot have a pool.")
        _check_membership(context)
    _check_breaker(properties.get("circuitBreaker"), problems)


def _check_lengths(properties: dict[str, Any], problems: ValidationProblems) -> None:
    for name, most in (("title", 300), ("description", 2000), ("resourceId", 2000), ("url", 2000)):
        value = properties.get(name)
        if value is not None and (not isinstance(value, str) or not 1 <= len(value) <= most):
            problems.add(name, f"{name} must be text of 1 to {most} characters.")


def _check_pool(context: WriteContext) -> None:
    problems = context.problems
    pool = context.properties.get("pool")
    services = pool.get("services") if isinstance(pool, dict) else None
    if not isinstance(services, list) or not services:
        problems.add("pool.services", "A pool must have at least one backend.")
        return
    if len(services) > MOST_MEMBERS:
        problems.add("pool.services", f"A pool can have at most {MOST_MEMBERS} backends, {len(services)} were given.")
    seen: set[str] = set()
    for index, member in enumerate(services):
        target = f"pool.services[{index}]"
        if not isinstance(member, dict) or not isinstance(member.get("id"), str):
            problems.add(target, "A pool member must have an id.")
            continue
        for name in ("weight", "priority"):
            value = member.get(name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 100):
                problems.add(f"{target}.{name}", f"{name} must be a whole number from 0 to 100.")
        _check_member(context, member, target, seen)


def _check_member(context: WriteContext, member: dict[str, Any], target: str, seen: set[str]) -> None:
    problems = context.problems
    match = _MEMBER_ID.search(member["id"])
    if match is None:
        problems.add(target, f"'{member['id']}' is not the id of a backend.")
        return
    full_id = f"{context.service_id}/backends/{match[1]}"
    if "/service/" in member["id"].lower() and member["id"].lower() != full_id.lower():
        problems.add(target, f"Backend '{member['id']}' belongs to another service.")
        return
    if full_id.lower() in seen:
        problems.add(target, f"Backend '{match[1]}' is in the pool twice.")
    seen.add(full_id.lower())
    found = context.world.store.get(full_id)
    if found is None:
        problems.add(target, f"Backend with id '{match[1]}' could not be found.")
    elif found.properties.get("type") == "Pool" or full_id.lower() == context.path.path.lower():
        problems.add(target, f"Backend '{match[1]}' is a pool; a pool can only have single backends.")
    member["id"] = found.id if found is not None else full_id


def _check_membership(context: WriteContext) -> None:
    if context.existing is not None and context.existing.properties.get("type") == "Pool":
        context.problems.add("type", "The type of an existing backend cannot be changed.")


def _check_breaker(breaker: Any, problems: ValidationProblems) -> None:
    if breaker is None:
        return
    rules = breaker.get("rules") if isinstance(breaker, dict) else None
    if not isinstance(rules, list):
        problems.add("circuitBreaker.rules", "A circuit breaker must have rules.")
        return
    if len(rules) > MOST_RULES:
        problems.add("circuitBreaker.rules", "Only one rule can be configured for a circuit breaker.")
    for index, rule in enumerate(rules):
        _check_rule(rule, f"circuitBreaker.rules[{index}]", problems)


def _check_rule(rule: Any, target: str, problems: ValidationProblems) -> None:
    if not isinstance(rule, dict):
        problems.add(target, "A rule must be an object.")
        return
    condition = rule.get("failureCondition")
    if not isinstance(condition, dict):
        problems.add(f"{target}.failureCondition", "A rule must have a failure condition.")
        condition = {}
    elif condition.get("count") is None and condition.get("percentage") is None:
        problems.add(f"{target}.failureCondition", "A failure condition must have a count or a percentage.")
    for name, value in (
        ("failureCondition.interval", condition.get("interval")),
        ("tripDuration", rule.get("tripDuration")),
    ):
        if value is not None and (not isinstance(value, str) or not _DURATION.match(value)):
            problems.add(f"{target}.{name}", f"'{value}' is not an ISO 8601 duration.")
    count = condition.get("count")
    if count is not None and (isinstance(count, bool) or not isinstance(count, int) or count < 1):
        problems.add(f"{target}.failureCondition.count", "count must be a whole number of at least 1.")
    percentage = condition.get("percentage")
    if percentage is not None and (not isinstance(percentage, int | float) or not 0 < percentage <= 100):
        problems.add(f"{target}.failureCondition.percentage", "percentage must be more than 0 and at most 100.")
    for index, span in enumerate(condition.get("statusCodeRanges") or ()):
        low, high = (span.get("min"), span.get("max")) if isinstance(span, dict) else (None, None)
        if not isinstance(low, int) or not isinstance(high, int) or not 200 <= low <= high <= 599:
            problems.add(
                f"{target}.failureCondition.statusCodeRanges[{index}]", "A range goes from 200 to 599, min first."
            )
    for name in ("statusCodeRanges", "errorReasons"):
        if len(condition.get(name) or ()) > 10:
            problems.add(f"{target}.failureCondition.{name}", f"At most 10 {name} can be given.")


def render_backend(resource: Resource, read: ReadContext) -> dict[str, Any]:
    """A backend as stored, without its proxy's password."""
    body = {**resource.body, "properties": dict(resource.properties)}
    proxy = body["properties"].get("proxy")
    if isinstance(proxy, dict) and "password" in proxy:
        body["properties"]["proxy"] = {name: value for name, value in proxy.items() if name != "password"}
    return body


def before_backend_delete(world: Any, resource: Resource, query: dict[str, str]) -> None:
    """Refuse while a pool or a policy names the backend."""
    refuse_if_referenced(resource, referring_to_backend(world, resource))
