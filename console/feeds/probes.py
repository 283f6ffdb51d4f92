"""The probes feed: whether the gateway and the accounts answer from where the console runs. Costs no tokens.

The gateway's `/status-0123456789abcdef`, and an account's list of models. A few hosts a round, longest unseen first, so
that a round costs the same however many backends there are.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from urllib.parse import urlsplit

from console.azure.probing import probe_gateway, probe_models
from console.domain.observations import Observations
from console.errors import ConsoleError
from console.feeds.feed import FeedContext

HOSTS_PER_ROUND = 8


class ProbesFeed:
    """Reachability from here; it never outranks what the logs show."""

    name = "probes"
    interval_seconds = 60.0
    deadline_seconds = 30.0

    async def fetch(self, context: FeedContext) -> tuple[ConsoleError, ...]:
        """Probe the hosts seen longest ago."""
        known = await context.known(lambda o: o.gateway is not None, "topology")
        session = context.session
        gateway_host = _gateway_host(known)
        chosen = choose_hosts(known, HOSTS_PER_ROUND)
        asked = [probe_models(session, host) for host in chosen]
        if gateway_host:
            asked.append(probe_gateway(session, gateway_host))
        probes = await asyncio.gather(*asked)
        found = dict(zip([*chosen, *([gateway_host] if gateway_host else [])], probes, strict=True))
        context.apply(
            lambda o: replace(o, probes={**o.probes, **{h: p.after(o.probes.get(h)) for h, p in found.items()}})
        )
        return ()


def _gateway_host(observations: Observations) -> str:
    return (urlsplit(observations.gateway.gateway_url).hostname or "") if observations.gateway else ""


def choose_hosts(observations: Observations, limit: int) -> list[str]:
    """Hosts of backends to probe now: never probed ones first, then the longest ago; by name among equals."""
    hosts = {b.host for b in observations.gateway.backends if b.host} if observations.gateway else set()
    seen = observations.probes

    def age(host: str) -> tuple[float, str]:
        return (seen[host].at.timestamp() if host in seen else 0.0, host)

    return sorted(hosts, key=age)[:limit]
