"""What the console sends is what Microsoft describes, in reads and writes: nothing unknown, nothing missing."""

from __future__ import annotations

import re

import pytest

from tests.contract.descriptions import needs_descriptions
from tests.contract.recording import Exchange

pytestmark = [needs_descriptions, pytest.mark.xdist_group("contract")]

NOT_DESCRIBED_HERE = {
    r"GET management\.azure\.com/msi/token": "managed identity endpoint: App Service documentation",
    r"GET management\.azure\.com/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.ApiManagement/service/"
    r"[^/]+/tenant/operationResults/.+": "where an operation is polled is the service's own affair",
    r"GET management\.azure\.com/.+/providers/Microsoft\.Authorization/permissions": (
        "what the operator may do: Authorization REST 2022-04-01"
    ),
    r"GET [\w.-]+\.azure-api\.net/status-0123456789abcdef": "the gateway's health page: API Management documentation",
    r"GET [\w.-]+\.openai\.azure\.com/openai/models": "the models list: the authoring description",
    r"GET management\.azure\.com/subscriptions/[^/]+/providers/Microsoft\.Insights/eventtypes/management/values": (
        "the activity log: Monitor REST 2015-04-01"
    ),
}
"""What the console asks that the collection of descriptions has nothing about, and where it is documented."""


def is_link(exchange: Exchange) -> bool:
    """A link that an answer gave: its query belongs to the service."""
    return "asyncId=" in exchange.incoming.query


def test_every_request_of_the_console_is_described(console_exchanges: list[Exchange]) -> None:
    unknown = {f"{e.incoming.method} {e.host}{e.path}" for e in console_exchanges if e.operation is None}
    unexplained = [
        line for line in sorted(unknown) if not any(re.fullmatch(pattern, line) for pattern in NOT_DESCRIBED_HERE)
    ]
    assert unexplained == []


def test_every_request_of_the_console_obeys_its_description(console_exchanges: list[Exchange]) -> None:
    known = [e for e in console_exchanges if e.operation is not None and not is_link(e)]
    assert {e.incoming.method for e in known} >= {"GET", "PUT", "POST", "DELETE"}
    assert [problem for e in known for problem in e.request_problems()] == []


def test_every_answer_to_the_console_obeys_its_description(console_exchanges: list[Exchange]) -> None:
    known = [e for e in console_exchanges if e.operation is not None and not is_link(e)]
    assert [problem for e in known for problem in e.response_problems()] == []


def test_the_session_touches_what_it_should(console_exchanges: list[Exchange]) -> None:
    """The session proves nothing about an operation it never used."""
    used = {e.operation.id for e in console_exchanges if e.operation is not None}
    assert used >= {
        "ApiManagementService_Get",
        "Backend_ListByService",
        "Backend_CreateOrUpdate",
        "NamedValue_CreateOrUpdate",
        "NamedValue_Delete",
        "PolicyFragment_Get",
        "PolicyFragment_CreateOrUpdate",
        "PolicyFragment_Delete",
        "Accounts_List",
        "Deployments_List",
        "MetricsBatch_Batch",
        "Query_Execute",
    }
