"""An expression cannot outrun its budget, reach Python, open a file or open a socket."""

from __future__ import annotations

import contextlib
import itertools
import subprocess
import sys
import textwrap

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apimpolicy.expressions import Budget, BudgetExceeded, EvaluationError, ExpressionError, compile_expression
from apimpolicy.expressions.types import DEFINITIONS, Member
from tests.policy.expressions.requests import make_context

GREEDY = [
    "while (true) { }",
    "for (;;) { }",
    "do { } while (true);return 1;",
    "int F(int n) { return F(n + 1); } return F(0);",
    'string s = "x"; while (true) { s += s; }',
    "var l = new List<int>(); while (true) { l.Add(1); }",
    "return Enumerable.Range(0, 2000000000).Count();",
    "return Enumerable.Range(0, 2000000000).ToList();",
    "return Enumerable.Repeat(1, 2000000000).Sum();",
    "return new string('x', 2000000000);",
    "return new int[2000000000];",
    'return "x".PadLeft(2000000000);',
    'return string.Format("{0,2000000000}", 1);',
    'var sb = new StringBuilder(); while (true) { sb.Append("xxxxxxxxxxxxxxxxxxxx"); }',
    'return Regex.IsMatch(new string(\'a\', 5000) + "!", "^(a+)+$");',
    "var a = new JArray(); while (true) { a.Add(1); }",
    "Func<int, int> f = null; f = n => f(n) + 1; return f(1);",
    "var s = new string('a', 3000000); while (true) { if (s.Contains(\"b\")) { return 1; } }",
    "try { while (true) { } } catch { } return 1;",
    "return new[] { 1, 2, 3 }.SelectMany(x => Enumerable.Range(0, 1000000)).Where(x => x < 0).Count();",
]


@pytest.mark.parametrize("text", GREEDY)
def test_a_greedy_expression_meets_its_budget(text: str) -> None:
    if not text.rstrip().endswith("}") and "return" not in text:
        text += " return 1;"
    compiled = compile_expression(text, kind="block")
    with pytest.raises(BudgetExceeded):
        compiled.evaluate(make_context(), budget=Budget(steps=50_000))


def test_the_time_budget_uses_the_clock_it_was_given() -> None:
    ticks = itertools.count()
    budget = Budget(steps=10**9, seconds=5, monotonic=lambda: float(next(ticks)))
    with pytest.raises(BudgetExceeded, match="time"):
        compile_expression("while (true) { }", kind="block").evaluate(make_context(), budget=budget)


def test_every_evaluation_starts_with_a_full_budget() -> None:
    compiled = compile_expression("int s = 0; for (int i = 0; i < 100; i++) { s += i; } return s;", kind="block")
    for _ in range(5):
        assert compiled.evaluate(make_context(), budget=Budget(steps=400)) == 4950


_WORDS = (
    "context Request Body __class__ __globals__ mro gi_frame Environment File Type GetType Assembly open eval "
    "__import__ Process Activator Run value _run func_globals"
)
_NAMES = st.sampled_from(_WORDS.split())


@given(st.lists(_NAMES, min_size=1, max_size=4))
@settings(max_examples=150, deadline=None)
def test_no_chain_of_names_reaches_python(names: list[str]) -> None:
    text = ".".join(["context", *names])
    try:
        value = compile_expression(text, kind="inline").evaluate(make_context())
    except (ExpressionError, EvaluationError):
        return
    assert type(value).__module__ in ("builtins", "apimpolicy.expressions.context") and not callable(value)  # noqa: PT018


_PIECES = (
    '1 § "a" § x § x + 1 § x++ § s += "a" § l.Add(x) § l.Count § while (x < 9) { x++; } § { § } § ; § ( § ) § return x;'
    " § if (x > 0) { return s; } § foreach (var i in l) { x += i; } § => § ?. § ?? § new int[x] § l[x] § int.Parse(s) "
    "§ x / (x - 1) § s.Substring(x) § throw new Exception(s) § (object)x § as string § is int"
)
_FRAGMENTS = st.sampled_from(_PIECES.split(" § "))


@given(st.lists(_FRAGMENTS, max_size=8))
@settings(max_examples=200, deadline=None)
def test_any_text_is_refused_or_ends_in_its_own_errors(parts: list[str]) -> None:
    text = 'int x = 1; string s = "7"; var l = new List<int> { 1 };' + " ".join(parts) + "; return x;"
    with contextlib.suppress(ExpressionError, EvaluationError):
        compile_expression(text, kind="block").evaluate(make_context(), budget=Budget(steps=2_000))


def test_no_member_stumbles_over_null_in_pythons_way() -> None:
    """Every instance and static method of the tables, with null wherever C# allows it."""
    for name, definition in sorted(DEFINITIONS.items()):
        if definition.parameters or definition.kind in ("parameter", "null") or name in ("Func", "Action"):
            continue
        for members in definition.members.values():
            for member in members:
                text = _call_with_nulls(name, member)
                if text is None:
                    continue
                with contextlib.suppress(ExpressionError, EvaluationError):
                    compile_expression(text, kind="inline").evaluate(make_context())


def _call_with_nulls(owner: str, member: Member) -> str | None:
    if member.kind not in ("method", "constructor") or member.type_parameters:
        return None
    arguments = []
    for parameter in member.parameters:
        if parameter.is_out:
            arguments.append("out var _")
        elif parameter.type.is_value:
            arguments.append(f"default({parameter.type})")
        else:
            arguments.append(f"({parameter.type})null")
    listed = ", ".join(arguments)
    if member.kind == "constructor":
        return f"new {owner}({listed})"
    receiver = owner if member.static else _RECEIVERS.get(owner)
    return None if receiver is None else f"{receiver}.{member.name}({listed})"


_RECEIVERS = {
    "string": '"text"',
    "int": "5",
    "double": "1.5",
    "JObject": "JObject.Parse(\"{'a':1}\")",
    "JArray": 'JArray.Parse("[1]")',
    "JToken": "JToken.Parse(\"{'a':1}\")",
    "JProperty": 'new JProperty("a", 1)',
    "JValue": "new JValue(1)",
    "DateTime": "DateTime.UtcNow",
    "DateTimeOffset": "DateTimeOffset.UtcNow",
    "TimeSpan": "TimeSpan.Zero",
    "Guid": "Guid.Empty",
    "Uri": 'new Uri("https://a.b")',
    "Regex": 'new Regex("a")',
    "StringBuilder": "new StringBuilder()",
    "Encoding": "Encoding.UTF8",
    "Random": "new Random(1)",
    "XElement": 'new XElement("a")',
    "HashAlgorithm": "MD5.Create()",
    "XDocument": 'XDocument.Parse("<a/>")',
    "StringComparer": "StringComparer.Ordinal",
    "char": "'a'",
    "bool": "true",
}


def test_evaluation_opens_neither_file_nor_socket() -> None:
    program = textwrap.dedent(
        """
        import sys
        from apimpolicy.expressions import EvaluationError, compile_expression
        from tests.policy.expressions.oracle import mono
        from tests.policy.expressions.requests import make_context
        cases = [compile_expression(t, kind=k) for t, k in mono.read_cases() if k == "block" or '$@"' not in t]
        def evaluate():
            for one in cases:
                try:
                    one.evaluate(make_context())
                except EvaluationError:
                    pass
        evaluate()  # once to load what Python loads lazily (codecs, calendars)
        seen = []
        watched = ("open", "os.", "socket.", "subprocess.", "ctypes.", "exec", "import", "shutil.", "urllib.")
        sys.addaudithook(lambda event, args: seen.append(event) if event.startswith(watched) else None)
        evaluate()
        print(len(cases), sorted(set(seen)))
        """
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    count, _, events = done.stdout.strip().partition(" ")
    assert int(count) > 600
    assert events == "[]"
