"""What the linter says, and of which place: one refused and one accepted document for every rule."""

from __future__ import annotations

import re

import pytest

from apimpolicy.lint import RULES, BackendFacts, LintFinding, NamedValueFacts, Surroundings, lint
from apimpolicy.position import Position

AROUND = Surroundings(
    fragments={
        "shared": "<fragment><set-method>GET</set-method></fragment>",
        "limits": '<fragment><jsonp callback-parameter-name="c" /></fragment>',
    },
    backends={
        "pool": BackendFacts("Pool", members=("ptu", "payg")),
        "bare-pool": BackendFacts("Pool", members=("bare",)),
        "ptu": BackendFacts("Single", has_breaker=True),
        "payg": BackendFacts("Single", has_breaker=True),
        "bare": BackendFacts("Single"),
        "alone": BackendFacts("Single"),
    },
    named_values={"key": NamedValueFacts(secret=True), "open-key": NamedValueFacts()},
    unmodelled=frozenset({"xsl-transform"}),
)


def policy(inner: str, section: str = "inbound") -> str:
    return f"<policies><{section}>{inner}</{section}></policies>"


def fragment(inner: str) -> str:
    return f"<fragment>{inner}</fragment>"


def rules(text: str, kind: str = "policy", scope: str | None = None, around: Surroundings | None = AROUND) -> list[str]:
    return [finding.rule_id for finding in check(text, kind, scope, around)]


def check(
    text: str, kind: str = "policy", scope: str | None = None, around: Surroundings | None = AROUND
) -> list[LintFinding]:
    assert kind in ("policy", "fragment")
    return lint(text, kind=kind, scope=scope, surroundings=around)  # type: ignore[arg-type]


VARIABLE = '<set-variable name="{name}" value="{value}" />'


def variable(value: str, name: str = "v") -> str:
    return VARIABLE.format(name=name, value=value)


RETRY = '<retry condition="@(context.Response.StatusCode == {code})" count="{count}" interval="1">{inner}</retry>'


def retry(inner: str, code: int = 503, count: int = 2) -> str:
    return RETRY.format(inner=inner, code=code, count=count)


BUFFERED = '<forward-request buffer-request-body="true" />'

REFUSED = [
    ("APIM001", "<policies><inbound></policies>"),
    ("APIM002", policy(variable("@(1 // one)"))),
    ("APIM003", "<fragment />"),
    ("APIM004", policy("<set-headr name='x' />")),
    ("APIM004", "<policies><inbounds /></policies>"),
    ("APIM005", policy('<when condition="true" />')),
    ("APIM005", policy("<outbound />")),
    ("APIM006", "<policies><inbound /><inbound /></policies>"),
    ("APIM007", policy(variable("1").replace("value=", "values='2' value="))),
    ("APIM008", policy("<include-fragment />")),
    ("APIM009", policy(retry(BUFFERED).replace('count="2"', 'count="many"'), "backend")),
    ("APIM009", policy('<forward-request buffer-response="yes" />', "backend")),
    ("APIM009", policy('<set-header name="x" exists-action="replace"><value>y</value></set-header>')),
    ("APIM010", policy('<jsonp callback-parameter-name="c" />')),
    ("APIM010", policy('<include-fragment fragment-id="limits" />')),
    ("APIM011", policy('<include-fragment fragment-id="@("shared")" />')),
    ("APIM012", policy(variable("@(1 +)"))),
    ("APIM012", policy(variable("@{ return 1 }"))),
    ("APIM013", policy(variable('@{ var c = new HttpClient(); return "x"; }'))),
    ("APIM013", policy(variable('@(System.IO.File.ReadAllText("x"))'))),
    ("APIM018", policy('<include-fragment fragment-id="share" />')),
    ("APIM019", policy('<set-backend-service backend-id="poool" />')),
    ("APIM020", policy(variable("{{keys}}"))),
    ("APIM021", policy("<choose><otherwise><base /></otherwise></choose>")),
    ("APIM022", policy("<set-backend-service />")),
    (
        "APIM101",
        policy('<llm-token-limit counter-key="k" tokens-per-minute="1" estimate-prompt-tokens="true" news="1" />'),
    ),
    ("APIM102", policy('<llm-token-limit counter-key="k" tokens-per-minute="1" />')),
    ("APIM103", policy("<set-method>GET</set-method>", "outbound")),
    (
        "APIM104",
        policy('<send-request response-variable-name="r"><set-url>u</set-url><set-status code="1" /></send-request>'),
    ),
    ("APIM106", policy("hello")),
    ("APIM107", policy('<cache-store duration="1" /><cache-store duration="2" />', "outbound")),
    ("APIM108", policy(variable('@("a") and @("b")'))),
    ("APIM109", policy(variable("@(context.NoSuchMember)"))),
    ("APIM110", policy("<xsl-transform />")),
    ("APIM111", policy(retry(BUFFERED, count=60), "backend")),
    ("APIM112", policy('<trace source="s" severity="loud"><message>m</message></trace>')),
    ("APIM201", policy(retry("<forward-request />"), "backend")),
    ("APIM201", policy(retry('<choose><when condition="true"><forward-request /></when></choose>'), "backend")),
    (
        "APIM202",
        "<policies><inbound>"
        + variable('@(context.Variables["stream"])')
        + "</inbound><backend><forward-request /></backend></policies>",
    ),
    ("APIM203", policy('<set-backend-service backend-id="bare-pool" />')),
    ("APIM204", policy('<set-backend-service backend-id="ptu" />')),
    ("APIM205", policy(variable('@(context.Response.StatusReason.Contains("pool"))'), "on-error")),
    ("APIM205", policy(variable('@(context.LastError.Message == "x")'), "on-error")),
    ("APIM206", policy('<llm-token-limit counter-key="k" tokens-per-minute="1" estimate-prompt-token="true" />')),
    ("APIM207", policy(retry(BUFFERED, code=429), "backend")),
    ("APIM208", policy('<set-header name="api-key"><value>0123456789abcdef</value></set-header>')),
    ("APIM208", policy('<authentication-basic username="u" password="correct-horse" />')),
    ("APIM208", policy(variable('@("AccountKey=0123456789abcdef0123456789")'))),
    ("APIM208", policy(variable("correct-horse", "client-secret"))),
    ("APIM209", policy('<set-header name="api-key"><value>{{open-key}}</value></set-header>')),
    ("APIM210", policy(variable("@{ // one\n return 1; }"))),
    ("APIM211", policy(variable("@(context.Request.Body.As<string>())"))),
    ("APIM213", policy("<set-variable name='a' value='b' />", "backend")),
    (
        "APIM214",
        policy("<llm-emit-token-metric>" + '<dimension name="d" value="1" />' * 6 + "</llm-emit-token-metric>"),
    ),
    ("APIM215", policy('<forward-request timeout="300" />', "backend")),
    (
        "APIM216",
        policy(
            '<llm-semantic-cache-lookup score-threshold="0.1" embeddings-backend-id="alone" '
            'embeddings-backend-auth="system-assigned" />'
        ),
    ),
    ("APIM217", policy('<set-backend-service base-url="https://contoso.openai.azure.com/openai" />')),
]

ACCEPTED = [
    ("APIM009", policy('<rate-limit-by-key calls="{{calls}}" renewal-period="@(60)" counter-key="k" />')),
    ("APIM009", policy('<forward-request buffer-response="True" timeout="{timeout}" />', "backend")),
    ("APIM012", policy(variable('@(context.Request.Method == "GET" && {{key}})'))),
    ("APIM013", policy(variable('@("new HttpClient()")'))),
    ("APIM020", policy("<!-- {{gone}} -->" + variable("{{key}}"))),
    ("APIM020", policy('<set-body template="liquid">{{body.name}}</set-body>')),
    (
        "APIM103",
        policy(
            '<send-request response-variable-name="r"><set-url>u</set-url><set-method>GET</set-method></send-request>',
            "outbound",
        ),
    ),
    ("APIM106", policy("{{whole-policy}}")),
    ("APIM201", policy(retry(BUFFERED), "backend")),
    ("APIM203", policy('<set-backend-service backend-id="pool" />')),
    ("APIM204", policy('<set-backend-service backend-id="alone" />')),
    ("APIM205", policy(variable("@(context.Response.StatusReason)"), "on-error")),
    ("APIM205", policy(variable('@(context.LastError.Reason == "Timeout")'), "on-error")),
    ("APIM207", policy(retry('<set-backend-service backend-id="pool" />' + BUFFERED, code=429), "backend")),
    ("APIM208", policy('<set-header name="api-key"><value>{{key}}</value></set-header>')),
    (
        "APIM208",
        policy('<set-header name="Authorization"><value>@("Bearer " + context.Variables["t"])</value></set-header>'),
    ),
    (
        "APIM208",
        policy(
            '<set-header name="WWW-Authenticate"><value>Bearer authorization_uri=https://login.contoso.example/x</value>'
            "</set-header>"
        ),
    ),
    ("APIM209", policy('<set-header name="api-key"><value>{{key}}</value></set-header>')),
    ("APIM210", policy("<set-body>@{ // one\n return 1; }</set-body>")),
    ("APIM211", policy(variable("@(context.Request.Body.As<string>(preserveContent: true))"))),
    ("APIM211", policy("<set-body>@(context.Request.Body.As<string>())</set-body>")),
    ("APIM213", policy("<base />", "backend")),
]


@pytest.mark.parametrize(("rule", "text"), REFUSED)
def test_a_rule_speaks(rule: str, text: str) -> None:
    assert rule in rules(text)


@pytest.mark.parametrize(("rule", "text"), ACCEPTED)
def test_a_rule_stays_silent(rule: str, text: str) -> None:
    assert rule not in rules(text)


def test_every_rule_is_tried_here() -> None:
    tried = {rule for rule, _ in REFUSED} | {"APIM014", "APIM015", "APIM016", "APIM017", "APIM105", "APIM212"}
    assert tried == set(RULES)


@pytest.mark.parametrize(
    ("rule", "inner"),
    [
        ("APIM014", "<inbound />"),
        ("APIM015", "<base />"),
        ("APIM015", '<choose><when condition="@(true)"><base /></when></choose>'),
        ("APIM016", '<include-fragment fragment-id="shared" />'),
        (
            "APIM016",
            '<retry condition="@(true)" count="1" interval="1"><include-fragment fragment-id="shared" /></retry>',
        ),
    ],
)
def test_a_fragment_refuses_what_belongs_to_policies(rule: str, inner: str) -> None:
    assert rule in rules(fragment(inner), "fragment")


@pytest.mark.parametrize(("kind", "limit"), [("fragment", 32 * 1024), ("policy", 256 * 1024)])
def test_size_is_counted_in_bytes(kind: str, limit: int) -> None:
    start, end = ("<fragment><!--", "--></fragment>") if kind == "fragment" else ("<policies><!--", "--></policies>")
    fits = start + "x" * (limit - len(start) - len(end)) + end
    assert "APIM017" not in rules(fits, kind)
    assert "APIM017" in rules(fits.replace("xx", "é" + "x", 1), kind)


def test_scopes_matter_only_when_known() -> None:
    text = policy('<rate-limit calls="1" renewal-period="1" />')
    assert "APIM105" in rules(text, scope="global")
    assert {"APIM105", "APIM212"}.isdisjoint(rules(text))
    assert "APIM212" in rules(text, scope="api")
    assert "APIM212" not in rules(policy("<base /><set-method>GET</set-method>"), scope="api")


def test_what_is_unknown_keeps_its_rules_silent() -> None:
    text = policy('<include-fragment fragment-id="x" /><set-backend-service backend-id="y" />' + variable("{{z}}"))
    assert rules(text, around=None) == []
    assert rules(text) == ["APIM018", "APIM019", "APIM020"]


def test_a_finding_says_what_where_and_what_to_do() -> None:
    text = "<policies>\n  <inbound>\n    <set-headr name='x' />\n  </inbound>\n</policies>"
    (finding,) = check(text)
    assert finding.position == Position(3, 5)
    assert finding.severity == "error"
    assert finding.name == "unknown-element"
    assert "did you mean <set-header>?" in finding.message
    assert str(finding) == f"line 3, column 5: error: {finding.message} [APIM004 unknown-element]"


def test_a_syntax_error_in_csharp_stands_at_its_line() -> None:
    (finding,) = check(policy(variable("@{\n  var a = 1;\n  return a +;\n}")))
    assert finding.rule_id == "APIM012"
    assert finding.position.line == 3


def test_a_message_never_repeats_a_secret() -> None:
    secret = "hunter2hunter2hunter2"
    text = policy(
        f'<set-header name="api-key"><value>{secret}</value></set-header>'
        f'<authentication-basic username="u" password="{secret}" />' + variable(f"Bearer {secret}", "password")
    )
    findings = check(text)
    assert [finding.rule_id for finding in findings].count("APIM208") >= 3
    assert all(secret not in finding.message for finding in findings)


def test_findings_come_in_the_order_of_the_text() -> None:
    places = [
        (f.position.line, f.position.column)
        for f in check(policy("\n<nope />\n<set-backend-service />\n<also-nope />"))
    ]
    assert places == sorted(places)


def test_the_rule_table_is_fit_to_print() -> None:
    names = [rule.name for rule in RULES.values()]
    assert len(set(names)) == len(names)
    for rule_id, rule in RULES.items():
        assert re.fullmatch(r"APIM\d{3}", rule_id)
        assert rule.sentence.endswith(".")
        assert rule.severity == "error" if rule_id < "APIM1" else rule.severity != "error"
