"""The gateway's cache: whole responses, single values, and answers to the same prompt.

One cache a gateway, shared by its units, entries with a time to live on the simulated clock.
Source: Microsoft Learn "Caching policies". Assumed, and simplified: the semantic cache takes two prompts for alike
when they are equal.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from simulator.gateway.compiler import element
from simulator.gateway.errors import Finished
from simulator.gateway.language import as_number, as_text
from simulator.gateway.steps import Step, Waiting
from simulator.network import HttpResponse

if TYPE_CHECKING:
    from simulator.gateway.compiler import Compiler
    from simulator.gateway.exchange import Exchange
    from simulator.gateway.language import Element

CAPACITY = 10_000
_DEFAULT_EXPIRY_SECONDS = 3600


class GatewayCache:
    """Values by key until their time is over; the oldest go first when it is full."""

    def __init__(self) -> None:
        self._entries: OrderedDict[str, tuple[float, Any]] = OrderedDict()

    def get(self, key: str, now: float) -> Any | None:
        """The value, or None when there is none or its time is over."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if now >= entry[0]:
            del self._entries[key]
            return None
        return entry[1]

    def put(self, key: str, value: Any, until: float) -> None:
        """Keep `value` until `until` (epoch seconds)."""
        self._entries.pop(key, None)
        self._entries[key] = (until, value)
        while len(self._entries) > CAPACITY:
            self._entries.popitem(last=False)

    def remove(self, key: str) -> None:
        """Forget a key."""
        self._entries.pop(key, None)


@element("cache-store-value")
def compile_store_value(compiler: Compiler, statement: Element) -> Step:
    """Keep a value under a key for `duration` seconds."""
    key = compiler.getter(statement, "key", "")
    value = compiler.getter(statement, "value", "")
    duration = compiler.getter(statement, "duration", 0)

    def run(exchange: Exchange) -> None:
        until = exchange.world.now + as_number(duration(exchange))
        exchange.service.cache.put(f"value/{as_text(key(exchange))}", value(exchange), until)

    return Step("cache-store-value", run)


@element("cache-lookup-value")
def compile_lookup_value(compiler: Compiler, statement: Element) -> Step:
    """Put the value under a key, or the default, into a variable; without either the variable is not set."""
    key = compiler.getter(statement, "key", "")
    variable = statement.get("variable-name") or ""
    default = compiler.getter(statement, "default-value")

    def run(exchange: Exchange) -> None:
        value = exchange.service.cache.get(f"value/{as_text(key(exchange))}", exchange.world.now)
        if value is None:
            value = default(exchange)
        if value is not None:
            exchange.variables[variable] = value

    return Step("cache-lookup-value", run)


@element("cache-remove-value")
def compile_remove_value(compiler: Compiler, statement: Element) -> Step:
    """Forget the value under a key."""
    key = compiler.getter(statement, "key", "")

    def run(exchange: Exchange) -> None:
        exchange.service.cache.remove(f"value/{as_text(key(exchange))}")

    return Step("cache-remove-value", run)


@element("cache-value")
def compile_cache_value(compiler: Compiler, statement: Element) -> Step:
    """Look a value up; when there is none, or it is due for renewal, run `value` and keep what it left in the variable.

    Source: the policy toolkit's `CacheValueConfig` (expires-after, refresh-after in seconds; default-value).
    Assumed: without `expires-after` a value stays for an hour.
    """
    key = compiler.getter(statement, "key", "")
    variable = statement.get("variable-name") or ""
    default = compiler.getter(statement, "default-value")
    expires = compiler.getter(statement, "expires-after", _DEFAULT_EXPIRY_SECONDS)
    refresh = compiler.getter(statement, "refresh-after")
    with compiler.inside("value"):
        make = compiler.block(
            [inner for child in statement.elements if child.name == "value" for inner in child.elements]
        )

    def run(exchange: Exchange) -> Waiting:
        name, cache = f"value/{as_text(key(exchange))}", exchange.service.cache
        kept = cache.get(name, exchange.world.now)
        if kept is not None and cache.get(f"fresh/{name}", exchange.world.now) is not None:
            exchange.variables[variable] = kept
            return
        exchange.variables.pop(variable, None)
        if make.waits:
            yield from make.run(exchange)
        else:
            make.run(exchange)
        value = exchange.variables.get(variable)
        if value is None:
            exchange.variables[variable] = kept if kept is not None else default(exchange)
            return
        lasting = as_number(expires(exchange))
        renewal = refresh(exchange)
        cache.put(name, value, exchange.world.now + lasting)
        cache.put(f"fresh/{name}", True, exchange.world.now + (as_number(renewal) if renewal is not None else lasting))

    return Step("cache-value", run, waits=True)


def _response_key(exchange: Exchange, extra: list[str]) -> str:
    incoming = exchange.incoming
    return "\n".join(["response", incoming.host, incoming.path, incoming.query, *extra])


def _hit(exchange: Exchange, kept: HttpResponse) -> None:
    exchange.cache = "hit"
    exchange.response = copy.copy(kept)
    exchange.response.headers = dict(kept.headers)
    raise Finished


@element("cache-lookup")
def compile_cache_lookup(compiler: Compiler, statement: Element) -> Step:
    """Answer a GET from the cache, by URL and the headers and developer it varies by."""
    by_developer = compiler.getter(statement, "vary-by-developer", False)
    by_headers = [compiler.text(child) for child in statement.elements if child.name == "vary-by-header"]

    def run(exchange: Exchange) -> None:
        if exchange.method != "GET":
            return
        extra = [exchange.headers.get(as_text(name(exchange)).lower(), "") for name in by_headers]
        if as_text(by_developer(exchange)).lower() == "true" and exchange.subscription is not None:
            extra.append(exchange.subscription.user_id)
        exchange.cache_key = _response_key(exchange, extra)
        kept = exchange.service.cache.get(exchange.cache_key, exchange.world.now)
        exchange.cache = "miss"
        if kept is not None:
            _hit(exchange, kept)

    return Step("cache-lookup", run)


@element("cache-store")
def compile_cache_store(compiler: Compiler, statement: Element) -> Step:
    """Keep a successful response for `duration` seconds, under the key its lookup made."""
    duration = compiler.getter(statement, "duration", 0)

    def run(exchange: Exchange) -> None:
        response = exchange.response
        if response is None or response.status != 200 or exchange.method != "GET":
            return
        key = exchange.cache_key or _response_key(exchange, [])
        kept = HttpResponse(response.status, dict(response.headers), response.body, response.reason)
        exchange.service.cache.put(key, kept, exchange.world.now + as_number(duration(exchange)))

    return Step("cache-store", run)


@element("llm-semantic-cache-lookup", "azure-openai-semantic-cache-lookup")
def compile_semantic_lookup(compiler: Compiler, statement: Element) -> Step:
    """Answer from the cache when the same prompt was answered before (equal bodies: similarity is not modelled)."""
    varies = [compiler.text(child) for child in statement.elements if child.name == "vary-by"]

    def run(exchange: Exchange) -> None:
        extra = [as_text(value(exchange)) for value in varies]
        exchange.cache_key = "\n".join(["prompt", exchange.incoming.path, *extra, str(hash_of(exchange.body))])
        kept = exchange.service.cache.get(exchange.cache_key, exchange.world.now)
        exchange.cache = "miss"
        if kept is not None:
            _hit(exchange, kept)

    return Step(statement.name, run)


@element("llm-semantic-cache-store", "azure-openai-semantic-cache-store")
def compile_semantic_store(compiler: Compiler, statement: Element) -> Step:
    """Keep a successful answer for `duration` seconds, under the key its lookup made."""
    duration = compiler.getter(statement, "duration", 0)

    def run(exchange: Exchange) -> None:
        response = exchange.response
        if response is None or response.status != 200 or not exchange.cache_key:
            return
        kept = HttpResponse(response.status, dict(response.headers), response.body, response.reason)
        exchange.service.cache.put(exchange.cache_key, kept, exchange.world.now + as_number(duration(exchange)))

    return Step(statement.name, run)


def hash_of(body: bytes) -> str:
    """A digest of a body that is the same in every run."""
    import hashlib

    return hashlib.blake2b(body, digest_size=16).hexdigest()
