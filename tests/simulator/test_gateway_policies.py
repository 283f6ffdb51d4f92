# ruff: noqa: E501 - policies are written as people write them
"""What an operator relies on: a policy that is deployed has its real effect, element by element."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from itertools import pairwise
from typing import Any

import pytest

from simulator.gateway import unmodelled
from simulator.gateway.compiler import REGISTRY
from simulator.names import SERVICE, account_host
from simulator.network import HostFault, HttpRequest, HttpResponse
from tests.simulator.gateway_bench import API_ROUTE, IDENTITY, NOW, Bench, chat, json_of, text_of

ROUTE = IDENTITY + API_ROUTE
STOP = "<return-response><set-status code='{code}' reason='here' />{more}</return-response>"


@pytest.fixture
def bench() -> Bench:
    return Bench()


class Echo:
    """A host that keeps what it was sent and answers as told."""

    def __init__(self, bench: Bench, host: str = "echo.contoso.example", seconds: float = 0.1) -> None:
        self.requests: list[HttpRequest] = []
        self.answers: list[HttpResponse] = []
        self.seconds = seconds
        bench.world.network.hosts[host] = self.handle

    def handle(self, request: HttpRequest) -> Any:
        self.requests.append(request)
        yield self.seconds
        return self.answers.pop(0) if self.answers else HttpResponse(200, {"x-echo": "yes"}, b'{"said": "echo"}', "OK")


TO_ECHO = '<set-backend-service base-url="https://echo.contoso.example/base" />'


def returned(bench: Bench, inbound: str, **options: Any) -> HttpResponse:
    """The answer of a policy whose inbound section ends by itself."""
    bench.set_policy(inbound)
    return bench.call(**options)


def value_of(bench: Bench, statements: str, expression: str, **options: Any) -> str:
    """What an expression gives after some statements, as text."""
    body = f"<set-body>@({expression})</set-body>"
    return text_of(returned(bench, statements + STOP.format(code=200, more=body), **options))


# -- scopes, sections, errors ---------------------------------------------------------------------------------


def test_base_decides_where_the_outer_scopes_run(bench: Bench) -> None:
    def add(letter: str) -> str:
        return (
            f'<set-variable name=\'o\' value=\'@((string)context.Variables.GetValueOrDefault("o","") + "{letter}")\' />'
        )

    everything = "<backend><base /></backend><outbound><base /></outbound><on-error><base /></on-error></policies>"
    bench.deploy(f"<policies><inbound>{add('g')}</inbound><backend /><outbound /><on-error /></policies>", SERVICE)
    bench.deploy(f"<policies><inbound>{add('p')}<base /></inbound>{everything}", f"{SERVICE}/products/genai")
    bench.deploy(f"<policies><inbound><base />{add('a')}</inbound>{everything}")
    operation = f"{SERVICE}/apis/azure-openai/operations/ChatCompletions_Create"
    answer = STOP.format(code=200, more='<set-body>@((string)context.Variables["o"])</set-body>')
    bench.deploy(f"<policies><inbound>{add('o')}<base />{answer}</inbound>{everything}", operation)
    assert text_of(bench.call()) == "opga"
    bench.deploy(f"<policies><inbound>{add('a')}</inbound>{everything}")
    assert text_of(bench.call()) == "oa", "without base the outer scopes are skipped"


def test_without_forward_request_nothing_is_forwarded_and_outbound_runs(bench: Bench) -> None:
    bench.set_policy(ROUTE, backend="", outbound='<set-header name="x-out"><value>ran</value></set-header>')
    answer = bench.call()
    assert (answer.status, answer.headers["x-out"], bench.model_calls) == (200, "ran", [])


def test_a_failing_expression_is_500_and_last_error_says_where(bench: Bench) -> None:
    fail = '<choose><when condition="@(true)"><set-variable id="here" name="v" value="@(int.Parse(&quot;x&quot;))" /></when></choose>'
    shown = "+ &quot;|&quot; + ".join(
        f"context.LastError.{name}" for name in ("Source", "Reason", "Scope", "Section", "Path", "PolicyId")
    )
    bench.set_policy(
        fail, on_error=f'<set-header name="x-error"><value>@({shown.replace("&quot;", chr(34))})</value></set-header>'
    )
    answer = bench.call()
    assert answer.status == 500
    assert json_of(answer) == {"statusCode": 500, "message": "Internal server error"}
    expected = "set-variable|ExpressionValueEvaluationFailure|api|inbound|choose[1]/when[1]/set-variable[1]|here"
    assert answer.headers["x-error"] == expected
    told = bench.calls[-1].last_error
    assert told is not None
    assert (told.reason, told.section, told.scope) == ("ExpressionValueEvaluationFailure", "inbound", "api")


def test_on_error_may_answer_in_its_own_way(bench: Bench) -> None:
    error = STOP.format(code=418, more="<set-body>@(context.LastError.Reason)</set-body>")
    bench.set_policy(ROUTE, "<forward-request timeout='1' />", on_error=error)
    for account in ("aoai-contoso-swc-ptu", "aoai-contoso-eus2-ptu"):
        bench.world.network.faults[account_host(account)] = HostFault(failure="timeout")
    answer = bench.call()
    assert (answer.status, text_of(answer)) == (418, "Timeout")


def test_an_element_nobody_models_is_skipped_and_named_with_its_line(bench: Bench) -> None:
    bench.set_policy(f"{ROUTE}\n\n<set-graphql-resolver parent-type='Query' />")
    assert bench.call().status == 200
    assert any("set-graphql-resolver" in text and "line 3" in text for _, text in bench.world.log)


def test_an_expression_that_cannot_be_compiled_is_named_and_fails_when_it_runs(bench: Bench) -> None:
    answer = returned(bench, '<set-variable name="x" value="@(System.IO.File.ReadAllText(&quot;/etc/passwd&quot;))" />')
    assert answer.status == 500
    assert any("line 1" in text for _, text in bench.world.log)


def test_a_fragment_is_inlined_and_named_values_are_put_in_first(bench: Bench) -> None:
    fragment = "<fragment><set-variable name='who' value='{{who}}' /></fragment>"
    store = bench.world.store
    store.put(f"{SERVICE}/policyFragments/f", f"{SERVICE}", {"properties": {"value": fragment, "format": "rawxml"}})
    store.put(f"{SERVICE}/namedValues/x", "n", {"properties": {"displayName": "who", "value": "me"}})
    assert value_of(bench, "<include-fragment fragment-id='f' />", '(string)context.Variables["who"]') == "me"


def test_a_consumed_body_is_gone_and_a_preserved_one_is_not(bench: Bench) -> None:
    echo = Echo(bench)
    for preserve, expected in (("true", True), ("", False)):
        read = f'<set-variable name="b" value="@(context.Request.Body.As&lt;string&gt;({preserve}).Length)" />'
        bench.set_policy(read + TO_ECHO)
        bench.call()
        assert bool(echo.requests[-1].body) is expected


# -- messages -------------------------------------------------------------------------------------------------


def test_requests_are_edited_on_their_way(bench: Bench) -> None:
    echo = Echo(bench)
    bench.set_policy(
        """
        <set-header name="X-One"><value>a</value></set-header>
        <set-header name="x-one" exists-action="append"><value>b</value></set-header>
        <set-header name="x-one" exists-action="skip"><value>c</value></set-header>
        <set-header name="Content-Type" exists-action="delete" />
        <set-query-parameter name="api-version"><value>2025-01-01</value></set-query-parameter>
        <set-query-parameter name="extra" exists-action="append"><value>a b</value></set-query-parameter>
        <set-method>PUT</set-method>
        <rewrite-uri template="/to/{deployment-id}" />
        <set-body>@("was " + context.Request.Body.As<string>(true).Length)</set-body>
        """
        + TO_ECHO
    )
    request = bench.request()
    bench.world.run(bench.world.network.send(request))
    sent = echo.requests[-1]
    assert (sent.method, sent.path, sent.query) == ("PUT", "/base/to/gpt-4o", "api-version=2025-01-01&extra=a+b")
    assert sent.headers["x-one"] == "a,b"
    assert "content-type" not in sent.headers
    assert sent.body == f"was {len(request.body)}".encode()


def test_responses_are_edited_on_their_way_back(bench: Bench) -> None:
    Echo(bench)
    bench.set_policy(
        TO_ECHO,
        outbound="""
        <find-and-replace from="echo" to="answer" />
        <set-status code="202" reason="Taken" />
        <set-header name="x-status"><value>@(context.Response.StatusCode + " " + context.Response.StatusReason)</value></set-header>
        """,
    )
    answer = bench.call()
    assert (answer.status, answer.reason, json_of(answer)) == (202, "Taken", {"said": "answer"})
    assert answer.headers["x-status"] == "202 Taken"


def test_return_response_ends_the_pipeline(bench: Bench) -> None:
    bench.set_policy(
        STOP.format(
            code=403, more='<set-header name="x-why"><value>because</value></set-header><set-body>no</set-body>'
        )
        + "<set-variable name='never' value='@(int.Parse(\"x\"))' />",
        outbound='<set-header name="x-out"><value>ran</value></set-header>',
    )
    answer = bench.call()
    assert (answer.status, answer.reason, text_of(answer)) == (403, "here", "no")
    assert answer.headers == {"x-why": "because"}


def test_a_mocked_response_has_its_status(bench: Bench) -> None:
    answer = returned(bench, "<mock-response status-code='204' content-type='application/json' />")
    assert (answer.status, answer.headers["content-type"]) == (204, "application/json")


def test_json_becomes_xml_and_back(bench: Bench) -> None:
    Echo(bench)
    bench.set_policy(TO_ECHO, outbound="<json-to-xml apply='always' />")
    assert text_of(bench.call()) == "<Document><said>echo</said></Document>"
    bench.set_policy(TO_ECHO, outbound="<json-to-xml apply='always' /><xml-to-json kind='direct' apply='always' />")
    assert json_of(bench.call()) == {"Document": {"said": "echo"}}


# -- forwarding, retrying, calling out ------------------------------------------------------------------------


def seconds_of_retries(bench: Bench, attributes: str, refusals: int) -> list[float]:
    echo = Echo(bench, seconds=0.0)
    echo.answers = [HttpResponse(429, {}, b"", "") for _ in range(refusals)]
    moments: list[float] = []
    handle = echo.handle

    def timed(request: HttpRequest) -> Any:
        moments.append(bench.world.now)
        return handle(request)

    bench.world.network.hosts["echo.contoso.example"] = timed
    condition = 'condition="@(context.Response.StatusCode == 429)"'
    bench.set_policy(TO_ECHO, f"<retry {condition} {attributes}><forward-request /></retry>")
    bench.call()
    return [round(later - earlier, 3) for earlier, later in pairwise(moments)]


def test_a_fixed_retry_waits_the_same_every_time_and_stops_at_its_count(bench: Bench) -> None:
    assert seconds_of_retries(bench, "count='3' interval='5'", 9) == [5, 5, 5]
    assert seconds_of_retries(bench, "count='3' interval='5'", 1) == [5]


def test_a_fast_first_retry_does_not_wait(bench: Bench) -> None:
    assert seconds_of_retries(bench, "count='2' interval='5' first-fast-retry='true'", 9) == [0, 5]


def test_a_linear_retry_waits_longer_each_time(bench: Bench) -> None:
    assert seconds_of_retries(bench, "count='3' interval='2' delta='3'", 9) == [2, 5, 8]


def test_an_exponential_retry_doubles_up_to_its_maximum(bench: Bench) -> None:
    waits = seconds_of_retries(bench, "count='5' interval='1' delta='2' max-interval='20'", 9)
    for number, wait in enumerate(waits, 1):
        low, high = 1 + (2**number - 1) * 1.6, 1 + (2**number - 1) * 2.4
        assert min(low, 20) <= wait <= min(high, 20)


def test_a_retry_sees_the_503_of_a_pool_without_members_and_gives_it_to_on_error_in_the_end(bench: Bench) -> None:
    bench.one_unit()
    for backend in ("ptu-swedencentral", "ptu-eastus2", "payg-swedencentral", "payg-westus"):
        for _ in range(3):
            bench.service.units[0].record(backend, 429, None, "60")
    retry = (
        '<retry condition="@(context.Response.StatusCode == 503)" count="{}" interval="30"><forward-request /></retry>'
    )
    seen = '<set-header name="x-seen"><value>@(context.Response.StatusCode + context.LastError.Reason)</value></set-header>'
    bench.set_policy(ROUTE, retry.format(1), on_error=seen)
    answer = bench.call()
    assert (answer.status, answer.headers["x-seen"]) == (503, "503BackendPoolUnavailable")
    bench.set_policy(ROUTE, retry.format(3))
    assert bench.call().status == 200, "a breaker closes while the retry waits"


def test_fail_on_error_status_code_goes_to_on_error(bench: Bench) -> None:
    Echo(bench).answers = [HttpResponse(503, {}, b"", "")]
    bench.set_policy(
        TO_ECHO, "<forward-request fail-on-error-status-code='true' />", on_error=STOP.format(code=599, more="")
    )
    assert bench.call().status == 599


def test_a_backend_id_may_be_an_expression_and_an_unknown_one_is_500(bench: Bench) -> None:
    bench.set_policy(IDENTITY + '<set-backend-service backend-id="@(&quot;payg-&quot; + &quot;legacy&quot;)" />')
    assert bench.call().status == 200
    assert bench.calls[-1].backend_id == "payg-legacy"
    bench.set_policy(IDENTITY + '<set-backend-service backend-id="@(&quot;no&quot; + &quot;where&quot;)" />')
    assert bench.call().status == 500


def test_send_request_puts_the_answer_into_a_variable(bench: Bench) -> None:
    echo = Echo(bench)
    ask = """<send-request mode="new" response-variable-name="r" timeout="5" ignore-error="false">
        <set-url>https://echo.contoso.example/ask?x=1</set-url><set-method>POST</set-method>
        <set-header name="x-a"><value>1</value></set-header><set-body>hello</set-body></send-request>"""
    read = '((IResponse)context.Variables["r"]).Body.As<JObject>()["said"].ToString()'
    assert value_of(bench, ask, read) == "echo"
    sent = echo.requests[-1]
    assert (sent.method, sent.path, sent.query, sent.body) == ("POST", "/ask", "x=1", b"hello")


def test_send_request_that_fails_is_null_when_ignored_and_an_error_when_not(bench: Bench) -> None:
    ask = "<send-request mode='new' response-variable-name='r' timeout='5' ignore-error='{}'><set-url>https://nowhere.contoso.example/</set-url></send-request>"
    assert value_of(bench, ask.format("true"), 'context.Variables["r"] == null') == "True"
    assert returned(bench, ask.format("false")).status == 500


def test_a_one_way_request_is_sent_and_not_waited_for(bench: Bench) -> None:
    echo = Echo(bench, seconds=50.0)
    ask = "<send-one-way-request mode='new'><set-url>https://echo.contoso.example/log</set-url></send-one-way-request>"
    before = bench.world.now
    assert returned(bench, ask + STOP.format(code=200, more="")).status == 200
    assert bench.world.now - before <= 10.0
    assert len(echo.requests) == 1


def test_wait_runs_its_children_side_by_side(bench: Bench) -> None:
    Echo(bench, "slow.contoso.example", 8.0)
    Echo(bench, "fast.contoso.example", 3.0)
    asks = "".join(
        f"<send-request mode='new' response-variable-name='{name}'><set-url>https://{name}.contoso.example/</set-url></send-request>"
        for name in ("slow", "fast")
    )
    for kind, seconds in (("all", 8.0), ("any", 3.0)):
        bench.set_policy(f"<wait for='{kind}'>{asks}</wait>" + STOP.format(code=200, more=""))
        bench.call()
        assert bench.calls[-1].total_ms == pytest.approx(seconds * 1000)


# -- cache ----------------------------------------------------------------------------------------------------


def test_a_cached_value_lives_as_long_as_it_was_told_to(bench: Bench) -> None:
    bench.set_policy(
        """<cache-lookup-value key="k" variable-name="v" default-value="none" />
        <cache-store-value key="k" value="kept" duration="60" />"""
        + STOP.format(code=200, more='<set-body>@((string)context.Variables["v"])</set-body>')
    )
    assert [text_of(bench.call()), text_of(bench.call())] == ["none", "kept"]
    bench.world.advance(61)
    assert text_of(bench.call()) == "none"


def test_a_removed_value_is_gone(bench: Bench) -> None:
    statements = "<cache-store-value key='k' value='x' duration='60' /><cache-remove-value key='k' /><cache-lookup-value key='k' variable-name='v' />"
    assert value_of(bench, statements, 'context.Variables.ContainsKey("v")') == "False"


def test_an_equal_prompt_is_answered_from_the_semantic_cache(bench: Bench) -> None:
    lookup = "<llm-semantic-cache-lookup score-threshold='0.05' embeddings-backend-id='e'><vary-by>@(context.Subscription.Id)</vary-by></llm-semantic-cache-lookup>"
    bench.set_policy(ROUTE + lookup, outbound="<llm-semantic-cache-store duration='60' />")
    first, second = bench.call(), bench.call()
    assert first.body == second.body
    assert [call.cache for call in bench.calls] == ["miss", "hit"]
    assert len(bench.model_calls) == 1
    bench.call(key=bench.key("app-search"))
    assert len(bench.model_calls) == 2


# -- limits ---------------------------------------------------------------------------------------------------


def test_a_rate_limit_refuses_with_the_seconds_to_wait(bench: Bench) -> None:
    limit = '<rate-limit-by-key calls="2" renewal-period="30" counter-key="@(context.Subscription.Id)" remaining-calls-header-name="x-left" />'
    bench.set_policy(limit + STOP.format(code=200, more=""))
    assert [bench.call().headers["x-left"] for _ in range(2)] == ["1", "0"]
    refused = bench.call()
    assert (refused.status, refused.headers["retry-after"]) == (429, "30")
    assert json_of(refused) == {"statusCode": 429, "message": "Rate limit is exceeded. Try again in 30 seconds."}
    assert bench.calls[-1].last_error is not None
    assert bench.calls[-1].last_error.reason == "RateLimitExceeded"
    assert bench.call(key=bench.key("app-search")).status == 200, "another key has a counter of its own"
    bench.world.advance(31)
    assert bench.call().status == 200


def test_a_rate_limit_may_count_only_what_a_condition_says(bench: Bench) -> None:
    limit = '<rate-limit-by-key calls="1" renewal-period="30" counter-key="k" increment-condition="@(context.Response.StatusCode == 500)" />'
    bench.set_policy(limit + STOP.format(code=200, more=""))
    assert [bench.call().status for _ in range(3)] == [200, 200, 200]


def test_a_quota_is_403_until_its_period_ends(bench: Bench) -> None:
    bench.set_policy('<quota-by-key calls="1" renewal-period="300" counter-key="k" />' + STOP.format(code=200, more=""))
    assert [bench.call().status for _ in range(2)] == [200, 403]
    assert json_of(bench.call())["message"].startswith("Out of call volume quota. Quota will be replenished in 00:0")
    bench.world.advance(300)
    assert bench.call().status == 200


def test_tokens_beyond_the_rate_are_429_and_the_answer_says_what_is_left(bench: Bench) -> None:
    limit = '<azure-openai-token-limit counter-key="@(context.Subscription.Id)" tokens-per-minute="60" estimate-prompt-tokens="false" remaining-tokens-variable-name="left" tokens-consumed-header-name="x-used" />'
    header = '<set-header name="x-left"><value>@(context.Variables.GetValueOrDefault<int>("left").ToString())</value></set-header>'
    bench.set_policy(ROUTE + limit, outbound=header)
    first = bench.call()
    used = json_of(first)["usage"]["total_tokens"]
    assert first.headers["x-used"] == str(used)
    assert first.headers["x-left"] == str(max(60 - used, 0))
    while bench.call().status == 200:
        pass
    refused = bench.call()
    assert refused.status == 429
    assert json_of(refused)["message"].startswith("Token limit is exceeded. Try again in ")
    assert 0 < int(refused.headers["retry-after"]) <= 60
    bench.world.advance(61)
    assert bench.call().status == 200


def test_an_estimate_refuses_a_prompt_that_does_not_fit_before_it_is_sent(bench: Bench) -> None:
    limit = '<llm-token-limit counter-key="k" tokens-per-minute="500" estimate-prompt-tokens="true" />'
    bench.set_policy(ROUTE + limit)
    assert bench.call(body=chat("x" * 4000)).status == 429
    assert bench.model_calls == []
    assert bench.call().status == 200


def test_a_token_quota_is_403(bench: Bench) -> None:
    limit = (
        '<llm-token-limit counter-key="k" token-quota="40" token-quota-period="Daily" estimate-prompt-tokens="false" />'
    )
    bench.set_policy(ROUTE + limit)
    while bench.call().status == 200:
        pass
    refused = bench.call()
    assert refused.status == 403
    assert json_of(refused)["message"].startswith("Token quota is exceeded.")
    bench.world.advance(86_400)
    assert bench.call().status == 200


def test_concurrency_is_limited_while_calls_are_inside(bench: Bench) -> None:
    bench.one_unit()
    bench.set_policy(ROUTE, '<limit-concurrency key="k" max-count="2"><forward-request /></limit-concurrency>')
    outcomes = [bench.start(bench.request()) for _ in range(3)]
    assert [bool(outcome) for outcome in outcomes] == [False, False, True]
    assert outcomes[2][0].status == 429
    bench.world.advance(60)
    assert outcomes[0][0].status == 200
    assert bench.call().status == 200


# -- telemetry ------------------------------------------------------------------------------------------------


def test_token_metrics_carry_their_dimensions(bench: Bench) -> None:
    metric = '<llm-emit-token-metric namespace="genai"><dimension name="Subscription ID" /><dimension name="Team" value="@(&quot;a&quot; + &quot;b&quot;)" /></llm-emit-token-metric>'
    bench.set_policy(ROUTE + metric)
    usage = json_of(bench.call())["usage"]
    told = {metric.name: metric for metric in bench.metrics}
    assert told["Total Tokens"].value == usage["total_tokens"]
    assert told["Prompt Tokens"].dimensions == {"Subscription ID": "app-support-bot", "Team": "ab"}
    assert told["Completion Tokens"].namespace == "genai"


def test_metrics_traces_and_events_are_told(bench: Bench) -> None:
    store = bench.world.store
    store.put(f"{SERVICE}/loggers/hub", "l", {"properties": {"loggerType": "azureEventHub"}})
    statements = """<emit-metric name="refusals" value="2" namespace="n"><dimension name="d" value="v" /></emit-metric>
        <trace source="mine" severity="error"><message>@("hit " + 1)</message><metadata name="a" value="b" /></trace>
        <log-to-eventhub logger-id="hub">@(new JObject(new JProperty("who", context.Subscription.Id)).ToString(Newtonsoft.Json.Formatting.None))</log-to-eventhub>"""
    assert returned(bench, statements + STOP.format(code=200, more="")).status == 200
    assert [(m.name, m.value, m.dimensions) for m in bench.metrics] == [("refusals", 2.0, {"d": "v"})]
    assert json.loads(bench.events[0].message) == {"who": "app-support-bot"}
    (record,) = bench.calls[-1].trace_records
    assert (record["source"], record["message"], record["properties"]) == ("mine", "hit 1", {"a": "b"})


# -- access ---------------------------------------------------------------------------------------------------

KEY = base64.b64encode(b"a key for tests of thirty bytes").decode()


def token(key: str = KEY, **claims: Any) -> str:
    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    body = {
        "aud": "api://genai",
        "iss": "https://issuer.contoso.example",
        "exp": NOW + 3600,
        "roles": ["chat"],
        **claims,
    }
    unsigned = f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part({k: v for k, v in body.items() if v is not None})}"
    signature = hmac.new(base64.b64decode(key), unsigned.encode(), hashlib.sha256).digest()
    return f"{unsigned}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


VALIDATE = f"""<validate-jwt header-name="Authorization" output-token-variable-name="jwt" failed-validation-error-message="Unauthorized.">
    <issuer-signing-keys><key>{KEY}</key></issuer-signing-keys><audiences><audience>api://genai</audience></audiences>
    <issuers><issuer>https://issuer.contoso.example</issuer></issuers>
    <required-claims><claim name="roles" match="any"><value>chat</value><value>admin</value></claim></required-claims></validate-jwt>"""


@pytest.mark.parametrize(
    ("authorization", "reason"),
    [
        ("", "TokenNotPresent"),
        ("Bearer nonsense", "JwtInvalid"),
        (f"Bearer {token(exp=NOW - 10)}", "TokenExpired"),
        (f"Bearer {token(exp=None)}", "TokenExpired"),
        (f"Bearer {token(aud='other')}", "TokenAudienceNotAllowed"),
        (f"Bearer {token(iss='other')}", "TokenIssuerNotAllowed"),
        (f"Bearer {token(roles=['none'])}", "TokenClaimValueNotAllowed"),
        (f"Bearer {token(roles=None)}", "TokenClaimNotFound"),
        (f"Bearer {token(key=base64.b64encode(b'another').decode())}", "TokenSignatureInvalid"),
    ],
)
def test_a_token_that_will_not_do_is_401_with_its_reason(bench: Bench, authorization: str, reason: str) -> None:
    answer = returned(bench, VALIDATE, headers={"authorization": authorization} if authorization else {})
    assert (answer.status, json_of(answer)["message"]) == (401, "Unauthorized.")
    assert bench.calls[-1].last_error is not None
    assert bench.calls[-1].last_error.reason == reason


def test_a_good_token_passes_and_its_claims_can_be_read(bench: Bench) -> None:
    claim = '((Jwt)context.Variables["jwt"]).Claims.GetValueOrDefault("roles", "none")'
    assert value_of(bench, VALIDATE, claim, headers={"authorization": f"Bearer {token()}"}) == "chat"


def test_an_entra_token_is_held_to_tenant_and_application(bench: Bench) -> None:
    policy = "<validate-azure-ad-token tenant-id='t1'><client-application-ids><application-id>app-1</application-id></client-application-ids></validate-azure-ad-token>"
    bench.set_policy(policy + STOP.format(code=200, more=""))
    for claims, status in (
        ({"tid": "t1", "appid": "app-1"}, 200),
        ({"tid": "t2", "appid": "app-1"}, 401),
        ({"tid": "t1"}, 401),
    ):
        assert bench.call(headers={"authorization": f"Bearer {token(**claims)}"}).status == status


def test_headers_and_addresses_are_checked(bench: Bench) -> None:
    check = "<check-header name='x-team' failed-check-httpcode='403' failed-check-error-message='no team' ignore-case='true'><value>Search</value></check-header>"
    bench.set_policy(check + STOP.format(code=200, more=""))
    assert json_of(bench.call()) == {"statusCode": 403, "message": "no team"}
    assert bench.call(headers={"x-team": "search"}).status == 200
    allow = "<ip-filter action='{}'><address-range from='10.1.2.0' to='10.1.2.9' /><address>10.9.0.0/16</address></ip-filter>"
    for action, address, status in (
        ("allow", "10.1.2.3", 200),
        ("allow", "10.1.3.3", 403),
        ("allow", "10.9.8.7", 200),
        ("forbid", "10.1.2.3", 403),
    ):
        bench.set_policy(allow.format(action) + STOP.format(code=200, more=""))
        assert bench.call(headers={"x-forwarded-for": address}).status == status


def test_cors_answers_preflights_and_marks_answers(bench: Bench) -> None:
    cors = """<cors allow-credentials="true"><allowed-origins><origin>https://chat.contoso.example</origin></allowed-origins>
        <allowed-methods preflight-result-max-age="300"><method>POST</method></allowed-methods>
        <allowed-headers><header>content-type</header></allowed-headers></cors>"""
    bench.set_policy(cors + ROUTE)
    origin = {"origin": "https://chat.contoso.example"}
    preflight = bench.call(method="OPTIONS", key=None, headers={**origin, "access-control-request-method": "POST"})
    assert preflight.headers["access-control-allow-methods"] == "POST"
    assert preflight.headers["access-control-max-age"] == "300"
    assert bench.call(headers=origin).headers["access-control-allow-origin"] == origin["origin"]
    assert "access-control-allow-origin" not in bench.call(headers={"origin": "https://evil.example"}).headers


def test_content_safety_refuses_only_what_is_made_for_it(bench: Bench) -> None:
    bench.set_policy("<llm-content-safety backend-id='safety' />" + ROUTE)
    assert bench.call().status == 200
    assert bench.call(body=chat("this is simulated-harmful-content")).status == 403


def test_every_element_people_use_with_language_models_is_executed() -> None:
    used = [
        "authentication-managed-identity",
        "azure-openai-emit-token-metric",
        "azure-openai-semantic-cache-lookup",
        "azure-openai-semantic-cache-store",
        "azure-openai-token-limit",
        "cache-lookup",
        "cache-lookup-value",
        "cache-remove-value",
        "cache-store",
        "cache-store-value",
        "check-header",
        "choose",
        "cors",
        "emit-metric",
        "find-and-replace",
        "forward-request",
        "ip-filter",
        "json-to-xml",
        "jsonp",
        "limit-concurrency",
        "llm-content-safety",
        "llm-emit-token-metric",
        "llm-semantic-cache-lookup",
        "llm-semantic-cache-store",
        "llm-token-limit",
        "log-to-eventhub",
        "mock-response",
        "quota",
        "quota-by-key",
        "rate-limit",
        "rate-limit-by-key",
        "retry",
        "return-response",
        "rewrite-uri",
        "send-one-way-request",
        "send-request",
        "set-backend-service",
        "set-body",
        "set-header",
        "set-method",
        "set-query-parameter",
        "set-status",
        "set-variable",
        "trace",
        "validate-azure-ad-token",
        "validate-jwt",
        "wait",
        "xml-to-json",
    ]
    assert set(used) <= set(REGISTRY)


def test_what_a_document_would_lose_is_known_before_it_is_deployed() -> None:
    text = """<policies><inbound><base />
    <choose><when condition="@(true)"><xsl-transform /></when></choose>
    <set-body template="liquid">{% include 'x' %}</set-body></inbound></policies>"""
    assert unmodelled(text) == [("xsl-transform", 2), ("set-body", 3)]
    assert unmodelled("<fragment><trace source='a'><message>m</message></trace></fragment>") == []


# -- named values, connections, values made once ----------------------------------------------------------------


def test_a_named_value_is_a_value_and_never_markup(bench: Bench) -> None:
    store = bench.world.store
    for name, value in (("table", '[{"name": "a & b", "below": "<1>"}]'), ("whole", '@(context.Request.Method + "!")')):
        store.put(f"{SERVICE}/namedValues/{name}", "n", {"properties": {"displayName": name, "value": value}})
    statements = '<set-variable name="t" value="{{table}}" /><set-variable name="w" value="{{whole}}" />'
    assert value_of(bench, statements, '(string)JArray.Parse((string)context.Variables["t"])[0]["name"]') == "a & b"
    assert value_of(bench, statements, '(string)context.Variables["w"]') == "POST!"
    body = "<return-response><set-body>{{table}}</set-body></return-response>"
    assert json_of(returned(bench, body)) == [{"name": "a & b", "below": "<1>"}]


def test_a_connection_gives_its_own_token(bench: Bench) -> None:
    ask = "<get-authorization-context provider-id='crm' authorization-id='{}' context-variable-name='{}' />"
    token = '((Authorization)context.Variables["{}"])?.AccessToken'
    text = value_of(
        bench, ask.format("one", "a") + ask.format("two", "b"), token.format("a") + ' + "," + ' + token.format("b")
    )
    first, second = text.split(",")
    assert first != second
    assert first.startswith("mi.")


def test_a_cached_value_is_made_once_until_it_is_due_for_renewal(bench: Bench) -> None:
    count = '@((context.Variables.GetValueOrDefault("made", 0)) + 1)'
    make = (
        "<cache-lookup-value key='n' variable-name='made' />"
        f"<cache-value key='k' variable-name='v' expires-after='100' refresh-after='40'><value>"
        f"<set-variable name='v' value='{count}' />"
        "<cache-store-value key='n' value='@((int)context.Variables[\"v\"])' duration='900' /></value></cache-value>"
    )
    assert value_of(bench, make, '(int)context.Variables["v"]') == "1"
    assert text_of(bench.call()) == "1"
    bench.world.advance(41)
    assert text_of(bench.call()) == "2"


def test_a_page_written_as_markup_is_the_body(bench: Bench) -> None:
    page = '<html><head><title>a</title></head><body class="x"><p>one&amp;two</p></body></html>'
    assert text_of(returned(bench, f"<return-response><set-body>{page}</set-body></return-response>")) == page
