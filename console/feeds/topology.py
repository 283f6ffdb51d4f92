"""The topology feed: gateway, backends, pools and drains every minute; routes in policies every few minutes."""

from __future__ import annotations

from dataclasses import replace

from console.azure import apim
from console.azure.session import AzureSession
from console.domain.gateway import Gateway, Route
from console.errors import ConsoleError
from console.feeds.drains import read_drains
from console.feeds.feed import FeedContext

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
        drains, problems = read_drains(named_values, gateway, context.clock.now())
        context.apply(lambda o: replace(o, gateway=gateway, drains=drains))
        return problems


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
