# ruff: noqa: E501 - expressions are written as people write them
"""Members that policies of the last years use: forms, keys set later, the deployment of a call."""

from __future__ import annotations

import pytest

from apimpolicy.expressions import ExpressionError
from apimpolicy.expressions.context import Authorization, Body
from tests.policy.expressions.requests import make_context, run

FORM = Body(b"grant=a+b&scope=x&scope=y")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{ var h = new HMACSHA256(); h.Key = new byte[] {1}; return h.Key.Length + h.ComputeHash(new byte[0]).Length; }', 33),
        ("new HMACSHA512().Key.Length", 128),
        ('Convert.ToDateTime("2026-01-02").AddDays(1).Day', 3),
        ("Convert.ToDateTime((string)null) == DateTime.MinValue", True),
        ("context.Request.Foundry.Deployment", "gpt-4o"),
        ("context.Request.PrivateEndpointConnection?.Name", None),
        ('{ try { throw new ArgumentException("bad", "alg"); } catch (ArgumentException e) { return e.Message; } }', "bad\nParameter name: alg"),
        ('{ return new JObject(new JProperty("n", 2))?\n  .Value<int>("n") ?? 1; }', 2),
        ("true ? .5 : 1", 0.5),
        ('context.Request.Headers.GetValueOrDefault("none", new[] {"a", "b"})[1]', "b"),
        ('context.Request.Url.Query.GetValueOrDefault("x", new string[0]).Length', 2),
        ('"eyJhbGciOiJub25lIn0.eyJvaWQiOiJ4In0.".AsJwt().Claims.GetValueOrDefault("oid", new[] {""})[0]', "x"),
        ('"eyJhbGciOiJub25lIn0.eyJvaWQiOiJ4In0.".AsJwt().Claims.GetValueOrDefault("name", new[] {"-"})[0]', "-"),
        ("JsonConvert.SerializeObject(context.Request.Url.Query)", '{"api-version":["2024-10-21"],"x":["a","b"]}'),
        ("{ int i = 64; i >>= 1; i = i >> 2; i <<= 1; return i; }", 16),
        ("{ var l = new List<List<int>>(); return 5 >= 2 && (16 >> 1) > l.Count; }", True),
    ],
)  # fmt: skip
def test_a_member_gives_what_dotnet_gives(text: str, value: object) -> None:
    assert run(text) == value


def test_a_form_that_was_changed_is_sent_as_a_form() -> None:
    context = make_context()
    context.request.body = FORM
    text = (
        "{ var form = context.Request.Body.AsFormUrlEncodedContent(preserveContent: true); "
        'form["scope"].Add("z&"); form["new"] = new List<string> { "1" }; return form.ToFormUrlEncodedContent(); }'
    )
    assert run(text, request=context.request) == "grant=a+b&scope=x&scope=y&scope=z%26&new=1"


def test_a_connections_token_is_read_from_its_variable() -> None:
    variables = {"auth": Authorization("token-1", {"scope": "all"})}
    assert run('((Authorization)context.Variables["auth"]).AccessToken', variables=variables) == "token-1"
    text = 'context.Variables.GetValueOrDefault<Authorization>("auth")?.Claims["scope"].ToString()'
    assert run(text, variables=variables) == "all"
    assert run('((Authorization)context.Variables.GetValueOrDefault("none"))?.AccessToken', variables=variables) is None


@pytest.mark.parametrize("text", ["nameof()", "{ Predicate<> p = null; return p; }"])
def test_what_lacks_its_parts_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(ExpressionError) as raised:
        run(text)
    assert raised.value.position is not None
