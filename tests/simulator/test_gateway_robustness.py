"""What an operator relies on: whatever policy is deployed, the gateway answers; nothing a policy says can stop it."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator.gateway.compiler import REGISTRY
from tests.simulator.gateway_bench import API_ROUTE, IDENTITY, Bench, chat

# fmt: off
NAMES = (
    "name", "condition", "count", "interval", "delta", "max-interval", "first-fast-retry", "backend-id",
    "base-url", "exists-action", "code", "reason", "value", "key", "variable-name", "default-value", "duration",
    "calls", "renewal-period", "counter-key", "tokens-per-minute", "token-quota", "token-quota-period",
    "estimate-prompt-tokens", "resource", "timeout", "mode", "response-variable-name", "ignore-error",
    "template", "from", "to", "status-code", "failed-check-httpcode", "max-count", "action", "header-name",
    "bandwidth", "increment-count", "increment-condition", "namespace", "logger-id",
)
# fmt: on
VALUES = (
    "",
    "0",
    "-1",
    "1",
    "600",
    "1e400",
    "x",
    "true",
    "a b",
    "chat-pool",
    "payg-legacy",
    "Daily",
    "https://[broken",
    "https://nowhere.contoso.example/x?y=z",
    "10.0.0.0/99",
    "https://apim-contoso-prod.azure-api.net/openai",
    "ключ",
    "@(context.Response.StatusCode)",
    "@(context.Variables[&quot;missing&quot;])",
    "@(1/0)",
    "@(context.Request.Body.As&lt;JObject&gt;())",
    "@(new JObject())",
    "@(DateTime.UtcNow)",
    "@(-1)",
    "@(null)",
    "@(no.such.thing)",
    "{{nobody}}",
)
CHILDREN = (
    "value",
    "address",
    "address-range",
    "dimension",
    "message",
    "metadata",
    "audiences",
    "required-claims",
    "set-url",
)


@st.composite
def statements(draw: st.DrawFn, depth: int = 2) -> str:
    name = draw(st.sampled_from(sorted(REGISTRY)))
    chosen = draw(st.dictionaries(st.sampled_from(NAMES), st.sampled_from(VALUES), max_size=6))
    attributes = "".join(f' {key}="{value}"' for key, value in chosen.items())
    inner = draw(st.sampled_from(VALUES))
    parts = [inner]
    if draw(st.booleans()):
        child = draw(st.sampled_from(CHILDREN))
        parts.append(f'<{child} name="n" from="10.0.0.1" to="y">{draw(st.sampled_from(VALUES))}</{child}>')
    if depth and draw(st.booleans()):
        nested = draw(statements(depth=depth - 1))
        parts.append(f'<when condition="@(true)">{nested}</when>' if name == "choose" else nested)
    return f"<{name}{attributes}>{''.join(parts)}</{name}>"


@pytest.mark.parametrize("section", ["inbound", "backend", "outbound", "on-error"])
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_policy_gets_an_answer(section: str, data: st.DataObject) -> None:
    bench = Bench()
    some = "".join(data.draw(st.lists(statements(), min_size=1, max_size=3)))
    inbound = IDENTITY + API_ROUTE
    if section == "inbound":
        bench.set_policy(inbound + some)
    elif section == "backend":
        bench.set_policy(inbound, backend=some)
    elif section == "outbound":
        bench.set_policy(inbound, outbound=some)
    else:
        bench.set_policy('<set-variable name="x" value="@(int.Parse(&quot;x&quot;))" />', on_error=some)
    answer = bench.call(
        body=chat(max_tokens=20), headers={"origin": "https://a.example", "authorization": "Bearer a.b.c"}
    )
    assert 100 <= answer.status <= 599
    bench.world.advance(600)
    assert len(bench.calls) >= 1


@pytest.mark.parametrize("text", [" ", "<policies>", "<policies><inbound></policies>", "nonsense"])
def test_a_document_that_cannot_be_read_fails_its_requests_and_is_named(text: str) -> None:
    bench = Bench()
    bench.deploy(text)
    assert bench.call().status == 500
    assert any("policy of API azure-openai" in line for _, line in bench.world.log)


def test_a_gateway_that_forwards_to_itself_stops_after_a_few_rounds() -> None:
    bench = Bench()
    bench.set_policy('<set-backend-service base-url="https://apim-contoso-prod.azure-api.net/openai" />')
    assert bench.call().status == 500
    assert 2 <= len(bench.calls) <= 20
