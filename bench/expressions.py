"""How long policy expressions take: compile, look up, evaluate. Run: python -m bench.expressions."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime

from apimpolicy.expressions import compile_expression
from apimpolicy.expressions.context import Body, Headers, PolicyContext, Request, Response, Url

_NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
_URL = Url.parse("https://gateway.contoso.com/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21")
_BODY = b'{"model":"gpt-4o","messages":[{"role":"user","content":"hello"}],"stream":true}'
_HEADERS = [("Authorization", "Bearer x"), ("Content-Type", "application/json"), ("X-Caller", "billing")]
_RANDOM = random.Random(1)
_ROUND_ROBIN = """
    JArray routes = new JArray();
    routes.Add(new JObject() { { "url", "https://a/" }, { "p", 1 } });
    routes.Add(new JObject() { { "url", "https://b/" }, { "p", 1 } });
    routes.Add(new JObject() { { "url", "https://c/" }, { "p", 2 } });
    int turn = int.Parse((string)context.Variables["turn"]);
    string chosen = "";
    for (int i = 0; i < routes.Count; i++) {
        JObject route = (JObject)routes[(turn + i) % routes.Count];
        if ((int)route["p"] == 1) { chosen = (string)route["url"]; break; }
    }
    string host = chosen.Substring(8).Split('/')[0];
    return host + ":" + turn;
"""


def build_context() -> PolicyContext:
    """What a gateway makes for one request."""
    return PolicyContext(
        Request("POST", _URL, Headers(_HEADERS), Body(_BODY), ip_address="10.0.0.1"),
        response=Response(429, "Too Many Requests", Headers([("Retry-After", "7")])),
        variables={"turn": "4", "retries": 2},
        timestamp=_NOW,
        clock=lambda: _NOW,
        random=_RANDOM,
    )


def best_of(work: Callable[[], object], repeat: int = 5, seconds: float = 0.1) -> float:
    """Microseconds for one call: the best of several rounds."""
    loops = 1
    while True:
        began = time.perf_counter()
        for _ in range(loops):
            work()
        if time.perf_counter() - began > seconds / 4:
            break
        loops *= 2
    best = float("inf")
    for _ in range(repeat):
        began = time.perf_counter()
        for _ in range(loops):
            work()
        best = min(best, time.perf_counter() - began)
    return best / loops * 1e6


CASES: dict[str, tuple[str, str, float]] = {
    "null check and status": ("inline", "context.Response != null && context.Response.StatusCode == 429", 3.0),
    "status": ("inline", "context.Response.StatusCode == 429", 2.0),
    "header": ("inline", 'context.Request.Headers.GetValueOrDefault("X-Caller", "none")', 10.0),
    "variable": ("inline", '(int)context.Variables["retries"] < 3', 5.0),
    "body member": ("inline", '(string)context.Request.Body.As<JObject>(preserveContent: true)["model"]', 60.0),
    "round robin": ("block", _ROUND_ROBIN, 150.0),
}
"""name -> (kind, text, microseconds allowed)."""


def main() -> int:
    context = build_context()
    over = 0
    for name, (kind, text, allowed) in CASES.items():
        compiled = compile_expression(text, kind=kind)
        spent = best_of(lambda one=compiled: one.evaluate(context))  # type: ignore[misc]
        over += spent > allowed
        print(f"evaluate  {name:24} {spent:9.2f} µs   (at most {allowed:.0f})")
    text = CASES["null check and status"][1]
    print(f"look up   compiled                 {best_of(lambda: compile_expression(text, kind='inline')):9.2f} µs")
    print(f"construct context                  {best_of(build_context):9.2f} µs   (at most 5)")
    from apimpolicy.expressions.compiler import _compile

    print(f"compile   round robin              {best_of(lambda: _compile(_ROUND_ROBIN, 'block', None)):9.2f} µs")
    return 1 if over else 0


if __name__ == "__main__":
    raise SystemExit(main())
