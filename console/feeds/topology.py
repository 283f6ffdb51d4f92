"""The topology feed: gateway, backends, pools and drains every minute; routes in policies every few minutes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from console.azure import apim
from console.azure.session import AzureSession
from console.domain.gateway import Gateway, Route
from console.domain.snapshot import Drain
from console.errors import ConsoleError, UnreadableAnswer
from console.feeds.feed import FeedContext
from console.operations.drain.record import RECORD_PREFIX, RecordState, decode_record

ROUTES_FOR_SECONDS = 300.0
"""Policy documents are read this often: there may be hundreds, one request each."""


class TopologyFeed:
    """What is configured on the gateway."""

    name = "topology"
    interval_seconds = 60.0
    deadline_seconds = 45.0

    async def fetch(self, context: FeedContext) -> tuple[ConsoleError, ...]:
        """Fetch gateway, backends, pools, named values and recorded drains."""
        gateway, named_values = await apim.fetch_gateway(context.session)
        drains, problems = read_drains(named_values)
        context.apply(lambda o: replace(o, gateway=gateway, drains=drains))
        return problems


def read_drains(named_values: Iterable[apim.NamedValue]) -> tuple[tuple[Drain, ...], tuple[ConsoleError, ...]]:
    """The drains recorded on the gateway, and records that cannot be read."""
    drains: list[Drain] = []
    problems: list[ConsoleError] = []
    for named_value in named_values:
        if not named_value.display_name.startswith(RECORD_PREFIX) or named_value.value is None:
            continue
        try:
            record = decode_record(named_value.value, where=f"named value {named_value.display_name}")
        except UnreadableAnswer as error:
            problems.append(error)
            continue
        if record.state is not RecordState.CLAIMING:
            drains.append(
                Drain(
                    record.backend_name,
                    record.owner,
                    record.reason,
                    record.started_at,
                    record.expires_at,
                    record.state.value,
                )
            )
    return tuple(sorted(drains, key=lambda d: d.backend_name)), tuple(problems)


class RoutesFeed:
    """Which policies and fragments lead where."""

    name = "routes"
    interval_seconds = ROUTES_FOR_SECONDS
    deadline_seconds = 90.0

    async def fetch(self, context: FeedContext) -> tuple[ConsoleError, ...]:
        """Read every policy document and fragment, and find what they route to."""
        known = await context.known(lambda o: o.gateway is not None, "topology")
        if known.gateway is None:
            return ()
        routes, problems = await _read_routes(context.session, known.gateway)
        context.apply(lambda o: replace(o, routes=routes))
        return problems


async def _read_routes(session: AzureSession, gateway: Gateway) -> tuple[tuple[Route, ...], tuple[ConsoleError, ...]]:
    from console.azure.routes import find_routes

    texts, left_out = await apim.fetch_policies(session)
    reading = find_routes(texts, gateway.backends, gateway.pools)
    problems = [
        ConsoleError(
            f"The policy text cannot be read for routes: {reason}", where=scope, remedy="Check it in the portal."
        )
        for scope, reason in reading.unreadable
    ]
    if left_out:
        problems.append(
            ConsoleError(
                f"{left_out} policy documents were not read for routes",
                where=gateway.resource_id,
                remedy="Routes in them are missing here; look there before draining.",
            )
        )
    return reading.routes, tuple(problems)
