"""What an expression sees of a request: APIM's members, bodies that can be consumed, one seed, one clock."""

from __future__ import annotations

import pytest

from apimpolicy.expressions import EvaluationError, ExpressionError, compile_expression, to_bool, to_policy_string
from apimpolicy.expressions.context import Body, Headers, Response
from tests.policy.expressions.requests import make_context, run


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("context.Response != null && context.Response.StatusCode == 429", True),
        ('context.Request.Headers.GetValueOrDefault("X-CALLER", "none")', "billing,second"),
        ('context.Request.Headers.GetValueOrDefault("absent", "none")', "none"),
        ('context.Request.Headers.GetValueOrDefault("absent")', None),
        ('context.Request.Headers["X-Caller"].Last()', "second"),
        ('context.Request.Headers.ContainsKey("authorization")', True),
        ("context.Request.Headers.Count()", 2),
        ("context.Request.Url.Path", "/openai/deployments/gpt-4o/chat/completions"),
        ("context.Request.Url.Host + context.Request.Url.Port", "gateway.contoso.com443"),
        ('context.Request.Url.Query.GetValueOrDefault("x")', "a,b"),
        ("context.Request.Url.QueryString", "?api-version=2024-10-21&x=a&x=b"),
        ("context.Request.OriginalUrl.Scheme", "https"),
        ('context.Request.MatchedParameters["deployment-id"]', "gpt-4o"),
        ('context.Request.MatchedParameters.GetValueOrDefault("zz", "d")', "d"),
        ("context.Request.IpAddress + context.Request.Method", "10.0.0.9POST"),
        ("context.Subscription?.Name ?? \"none\"", "Team A"),
        ("context.User?.Id ?? \"anonymous\"", "anonymous"),
        ("context.Product.Name + context.Api.Id + context.Api.Revision", "Goldopenai1"),
        ("context.Deployment.Region + context.Deployment.ServiceName", "Sweden Centralcontoso-apim"),
        ("context.Deployment.Gateway.Id", "managed"),
        ("context.LastError.Reason", "RateLimitExceeded"),
        ("context.RequestId.ToString()", "6f9619ff-8b86-4011-b42d-00cf4fc964ff"),
        ("context.Timestamp.ToString(\"s\")", "2026-01-02T03:04:05"),
        ("context.Elapsed.TotalMilliseconds", 12.0),
        ("DateTime.UtcNow.AddSeconds(5).ToString(\"HH:mm:ss\")", "03:04:10"),
        ("DateTimeOffset.UtcNow.ToUnixTimeSeconds()", 1767323045),
        ('(int)context.Variables["retries"] + 1', 3),
        ('context.Variables.GetValueOrDefault<int>("retries") + 1', 3),
        ('context.Variables.GetValueOrDefault<int>("absent", 9)', 9),
        ('context.Variables.GetValueOrDefault("absent", "d")', "d"),
        ('context.Variables.GetValueOrDefault<bool>("absent")', False),
        ('context.Variables.ContainsKey("nothing") && context.Variables["nothing"] == null', True),
        ('(string)context.Response.Body.As<JObject>(true)["error"]["code"]', "429"),
        ('context.Request.Body.As<JObject>(preserveContent: true)["stream"]?.Value<bool>() ?? false', True),
    ],
)  # fmt: skip
def test_members_read_as_documented(text: str, value: object) -> None:
    assert run(text) == value


def test_a_body_read_without_preserving_is_gone() -> None:
    assert run("{ var first = context.Request.Body.As<string>(); return context.Request.Body.As<string>(); }") == ""
    assert run("{ context.Request.Body.As<JObject>(); return context.Request.Body.As<JObject>() == null; }") is True
    kept = "{ context.Request.Body.As<JObject>(true); return context.Request.Body.As<string>(true).Length; }"
    assert run(kept) == 95


def test_a_request_without_a_body_has_none() -> None:
    context = make_context()
    context.request.body = None
    compiled = compile_expression('context.Request.Body?.As<string>(true) ?? "empty"', kind="inline")
    assert compiled.evaluate(context) == "empty"


def test_a_response_of_send_request_is_a_variable() -> None:
    response = Response(200, "OK", Headers(), Body(b'{"token":"t"}'))
    text = '((IResponse)context.Variables["answer"]).Body.As<JObject>()["token"].ToString()'
    assert run(text, variables={"answer": response}) == "t"


def test_a_variable_of_another_type_is_an_invalid_cast() -> None:
    with pytest.raises(EvaluationError) as caught:
        run('(int)context.Variables["backend"]')
    assert caught.value.exception_type == "System.InvalidCastException"
    with pytest.raises(EvaluationError) as caught:
        run('context.Variables["absent"]')
    assert caught.value.exception_type == "System.Collections.Generic.KeyNotFoundException"


def test_evaluations_share_nothing() -> None:
    text = '{ JToken t = 5; var o = new JObject { { "a", "x" } }; ((JValue)t).Value = 6; o["b"] = t; return o; }'
    first, second = run(text), run(text)
    assert to_policy_string(first) == to_policy_string(second)
    assert first.get("a") is not second.get("a")
    assert run("{ JToken t = 5; return t.ToString(); }") == "5"


def test_one_seed_gives_one_sequence() -> None:
    text = '{ var r = new Random(); return r.Next(1000) + ":" + Guid.NewGuid(); }'
    assert run(text) == run(text)


def test_a_jwt_is_read_and_anything_else_is_null() -> None:
    token = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJtZSIsImF1ZCI6WyJhIiwiYiJdLCJleHAiOjE3MDAwMDAwMDB9.c2ln"
    context = make_context()
    context.request.headers = Headers([("Authorization", f"Bearer {token}")])
    read = 'context.Request.Headers.GetValueOrDefault("Authorization", "").AsJwt()'

    def value(text: str) -> object:
        return compile_expression(text, kind="inline").evaluate(context)

    assert value(f"{read}?.Subject") == "me"
    assert value(f'{read}.Claims.GetValueOrDefault("aud", "none")') == "a,b"
    assert value(f'{read}.Claims["aud"].Contains("b")') is True
    assert value(f"{read}.ExpirationTime < DateTime.UtcNow") is True
    assert value('"no token".AsJwt()?.Subject ?? "none"') == "none"


@pytest.mark.parametrize(
    ("text", "kind", "named"),
    [
        ("context.Foo", "inline", "Foo"),
        ("context.Request.Nope", "inline", "Nope"),
        ('System.IO.File.ReadAllText("x")', "inline", "File is not modelled"),
        ("RSA.Create()", "inline", "RSA is not modelled"),
        ("new HttpClient()", "inline", "HttpClient is not modelled"),
        ("typeof(string).Assembly", "inline", "typeof is not modelled"),
        ('"x".__class__', "inline", "__class__"),
        ("context.__init__", "inline", "__init__"),
        ("context.Request.Body.As<Guid>()", "inline", "read as 'Guid' is not modelled"),
        ("(from x in new[] { 1 } select x).Count()", "inline", "query expression"),
        ("a switch { _ => 1 }", "inline", "C# 8"),
        ("dynamic d = 1; return d;", "block", "dynamic is not modelled"),
        ('var s = "a"; if (s == "a") { return 1; }', "block", "not all code paths"),
        ('int i = "x"; return i;', "block", "cannot convert 'string' to 'int'"),
        ("return undefinedName;", "block", "undefinedName"),
        ("1 +", "inline", "operand is missing"),
        ("return 1 +;", "block", "missing"),
        ("a); (b", "inline", "is not expected here"),
    ],
)
def test_what_is_not_there_is_refused_by_name(text: str, kind: str, named: str) -> None:
    with pytest.raises(ExpressionError, match=named.replace("(", r"\(")):
        compile_expression(text, kind=kind)


def test_an_error_names_its_place_in_the_document() -> None:
    from apimpolicy.position import Position

    with pytest.raises(ExpressionError) as caught:
        compile_expression("\n  var a = 1;\n  return a.Nope;\n", kind="block", position=Position(10, 5))
    assert caught.value.position == Position(12, 12)


def test_values_become_policy_text() -> None:
    values = [True, None, 1.5, 1e20, 7, run("DateTime.UtcNow"), run("new JArray(1, 2)"), run("new { A = 1 }")]
    assert [to_policy_string(value) for value in values] == [
        "True", "", "1.5", "1E+20", "7", "01/02/2026 03:04:05", "[\n  1,\n  2\n]", "{ A = 1 }"
    ]  # fmt: skip
    assert to_bool(True) is True
    assert to_bool("False") is False
    with pytest.raises(EvaluationError):
        to_bool("maybe")


def test_compiled_expressions_are_kept() -> None:
    assert compile_expression("1 + 1", kind="inline") is compile_expression("1 + 1", kind="inline")
    assert compile_expression("1 + 1", kind="inline").is_constant
    assert not compile_expression("context.Tracing", kind="inline").is_constant
