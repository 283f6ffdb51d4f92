"""Expressions bind by C#'s precedence, also where the grammar's own tree says otherwise."""

from __future__ import annotations

import pytest

from apimpolicy.expressions import has_syntax_error
from tests.policy.expressions.requests import run


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('context.Response != null && context.Subscription?.Name == "Team A"', True),
        ('"a" + context.Subscription?.Name + "b"', "aTeam Ab"),
        ("!context.User?.Id.Equals(\"x\") ?? true", True),
        ("(string)context.User?.Id ?? \"none\"", "none"),
        ('(string)context.Request.Body.As<JObject>(true)["model"]', "gpt-4o"),
        ('(int?)context.Request.Body.As<JObject>(true)["n"] ?? 1', 1),
        ("{ int a = 9, b = 2, c = 3; return (a) - b * c; }", 3),
        ("{ int a = 9; return (a) + 1; }", 10),
        ("{ bool a = true, b = false; return (a) && !b || (b); }", True),
        ("{ object o = 1; return o is null || o is int && (int)o == 1; }", True),
        ("{ object o = \"x\"; return o is string s && s.Length == 1 ? s : \"no\"; }", "x"),
        ("{ object o = 3; return o is int ? 1 : 2; }", 1),
        ("{ object o = 3; return o as int? ?? 2; }", 3),
        ("{ int x = 5, y = 3; return x < y ? 1 : x > (y) ? 2 : 3; }", 2),
        ("{ string s = null; return s?.Trim().Length > 0; }", False),
        ("{ string[] a = null; return a?[0]?.Length; }", None),
        ("1 + 2 << 1 == 6 && 7 % 4 * 2 == 6", True),
        ("true ? false ? 1 : 2 : 3", 2),
        ("$\"{(true ? \"a\" : \"b\")}:{1 + 1,3}:{2.5:F1}\"", "a:  2:2.5"),
        ("/* c */ 1 // end", 1),
        ("{ int Fib(int n) { return n < 2 ? n : Fib(n - 1) + Fib(n - 2); } return Fib(12); }", 144),
        ("{ int total = 0; void Add(int n) { total += n; } Add(2); Add(3); return total; }", 5),
        ("{ var (a, b) = (1, \"x\"); (int n, string s) t = (a, b); return t.n + t.s; }", "1x"),
        ("{ switch (5) { case int n when n > 3: return \"big\"; default: return \"small\"; } }", "big"),
    ],
)  # fmt: skip
def test_precedence_is_csharps(text: str, value: object) -> None:
    assert run(text) == value


@pytest.mark.parametrize(
    ("text", "kind", "wrong"),
    [
        ("a == 1", "inline", False), ("(string)x // note", "inline", False), ("return 1;", "block", False),
        ("a +", "inline", True), ("a); (b", "inline", True), ("", "inline", True), ("if (a) return 1", "block", True),
        ("} void x() {", "block", True), ("a &amp;&amp; b", "inline", True),
    ],
)  # fmt: skip
def test_syntax_errors_are_seen_without_compiling(text: str, kind: str, wrong: bool) -> None:
    assert has_syntax_error(text, kind) is wrong


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="inline"):
        has_syntax_error("1", "liquid")
