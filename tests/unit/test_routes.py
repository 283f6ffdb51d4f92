"""Which policies and fragments lead where, read from their text."""

from __future__ import annotations

from console.azure.apim import PolicyText, parse_drained, parse_scope
from console.azure.routes import find_routes
from console.domain.gateway import Pool, PoolMember, Route, RouteKind
from tests.unit.gateways import backend

BACKENDS = (backend("one"), backend("two"))
POOLS = (Pool("pool", "/pool", (PoolMember("one", 1, 50),)),)


def policy(scope: str, inner: str, api: str | None = None) -> PolicyText:
    return PolicyText("/id", scope, f"<policies><inbound>{inner}</inbound></policies>", api)


def fragment(name: str, inner: str) -> PolicyText:
    return PolicyText("/id", f"fragment {name}", f"<fragment>{inner}</fragment>")


def written(texts: list[PolicyText]) -> list[Route]:
    reading = find_routes(texts, BACKENDS, POOLS)
    assert reading.unreadable == ()
    return [route for route in reading.routes if route.kind is not RouteKind.POOL]


def test_a_policy_that_names_a_backend_is_a_route_with_its_line() -> None:
    (route,) = written([policy("api chat", '\n  <set-backend-service backend-id="one" />', "chat")])
    assert (route.target, route.document, route.line, route.used_by) == ("one", "api chat", 2, ("chat",))


def test_a_fragment_knows_who_includes_it() -> None:
    texts = [
        fragment("way", '<set-backend-service backend-id="two" />'),
        policy("api chat", '<include-fragment fragment-id="way" />', "chat"),
        policy(
            "operation search/Ask",
            '<choose><when condition="@(true)"><include-fragment fragment-id="way" /></when></choose>',
            "search",
        ),
        policy("global", '<include-fragment fragment-id="way" />'),
    ]
    (route,) = written(texts)
    assert (route.kind, route.used_by) == (RouteKind.FRAGMENT, ("chat", "global", "search"))


def test_a_url_leads_to_the_backend_with_its_host() -> None:
    (route,) = written([policy("api a", '<set-backend-service base-url="https://TWO.openai.azure.com/openai" />', "a")])
    assert route.target == "two"


def test_an_expression_shows_every_backend_that_is_written_in_it() -> None:
    inner = '<set-backend-service backend-id="@(context.Variables.ContainsKey("x") ? "one" : "two")" />'
    routes = written([fragment("choose", inner)])
    assert [(r.target, r.is_expression) for r in routes] == [("one", True), ("two", True)]


def test_a_document_that_heeds_the_drain_list_is_drain_aware() -> None:
    inner = '<set-variable name="d" value="{{drained-backends}}" /><set-backend-service backend-id="one" />'
    assert written([fragment("aware", inner)])[0].is_drain_aware
    assert not written([fragment("not", '<set-backend-service backend-id="one" />')])[0].is_drain_aware


def test_a_document_that_cannot_be_parsed_is_told_and_the_others_are_read() -> None:
    reading = find_routes(
        [
            PolicyText("/id", "api bad", "<policies><inbound>"),
            fragment("f", '<set-backend-service backend-id="one" />'),
        ],
        BACKENDS,
        POOLS,
    )
    assert [scope for scope, _ in reading.unreadable] == ["api bad"]
    assert any(route.target == "one" and route.line == 1 for route in reading.routes)


def test_scopes_are_read_off_the_documents_id() -> None:
    base = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ApiManagement/service/apim"
    scopes = {
        f"{base}/policies/policy": "global",
        f"{base}/apis/a/policies/policy": "api a",
        f"{base}/apis/a/operations/o/policies/policy": "operation a/o",
        f"{base}/products/p/policies/policy": "product p",
    }
    for resource_id, scope in scopes.items():
        place = parse_scope(resource_id)
        assert place is not None
        assert place.scope == scope
    assert parse_scope(f"{base}/workspaces/w/policies/policy") is None


def test_the_drain_list_is_read_as_it_is_written() -> None:
    assert parse_drained("none") == ()
    assert parse_drained(" b , a ") == ("a", "b")
    assert parse_drained(None) == ()
