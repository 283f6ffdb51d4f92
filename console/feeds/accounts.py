"""The accounts feed: which Azure OpenAI accounts stand behind the backends, and what is deployed there. Slow to
change.
"""

from __future__ import annotations

from dataclasses import replace

from console.azure import openai
from console.domain.gateway import Account
from console.domain.observations import Observations
from console.errors import ConsoleError
from console.feeds.feed import FeedContext


class AccountsFeed:
    """Accounts of the subscription that a backend's host leads to."""

    name = "accounts"
    interval_seconds = 600.0
    deadline_seconds = 60.0

    async def fetch(self, context: FeedContext) -> tuple[ConsoleError, ...]:
        """List the accounts, publish them, then read the deployments of those behind backends."""
        accounts, refusal = await openai.fetch_accounts(context.session)
        context.apply(lambda o: replace(o, accounts=_with_known_deployments(accounts, o)))
        known = await context.known(lambda o: o.gateway is not None, "topology")
        hosts = {b.host for b in known.gateway.backends} if known.gateway else set()
        behind = [a for a in accounts if hosts & set(a.hosts)]
        deployments, errors = await openai.fetch_deployments(context.session, behind)
        context.apply(
            lambda o: replace(
                o,
                accounts=tuple(
                    replace(a, deployments=deployments.get(a.resource_id, a.deployments)) for a in o.accounts or ()
                ),
            )
        )
        return (*([refusal] if refusal else []), *errors)


def _with_known_deployments(accounts: list[Account], observations: Observations) -> tuple[Account, ...]:
    """Keep showing what is known of the deployments while they are read again."""
    known = {a.resource_id: a.deployments for a in observations.accounts or ()}
    return tuple(replace(a, deployments=known.get(a.resource_id, ())) for a in accounts)
