"""Feeds: each keeps one part of the observations fresh, and none makes a screen wait. One file per feed.

A feed fetches and says what to replace; the poller decides when, how long, and what a failure means.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from console.azure.session import AzureSession
    from console.clock import Clock
    from console.domain.observations import Observations
    from console.feeds.feed import Known, Update
    from console.feeds.poller import Poller, Report


def make_pollers(
    session: AzureSession,
    clock: Clock,
    observations: Callable[[], Observations],
    apply: Callable[[Update], None],
    known: Known,
    report: Report,
) -> dict[str, Poller]:
    """All feeds by name, most urgent first."""
    from console.azure.metrics import MetricsReader
    from console.feeds.accounts import AccountsFeed
    from console.feeds.activity import ActivityFeed
    from console.feeds.consumers import ConsumersFeed
    from console.feeds.feed import Feed, FeedContext
    from console.feeds.metrics import MetricsFeed
    from console.feeds.poller import Poller
    from console.feeds.probes import ProbesFeed
    from console.feeds.topology import RoutesFeed, TopologyFeed
    from console.feeds.traffic import TrafficFeed

    context = FeedContext(session, clock, observations, apply, known)
    feeds: tuple[Feed, ...] = (
        TopologyFeed(),
        AccountsFeed(),
        MetricsFeed(MetricsReader(session)),
        TrafficFeed(),
        ProbesFeed(),
        RoutesFeed(),
        ConsumersFeed(),
        ActivityFeed(),
    )
    return {feed.name: Poller(feed, context, clock, report) for feed in feeds}
