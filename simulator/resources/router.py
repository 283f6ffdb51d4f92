"""Which handler answers a Resource Manager path. Knows no resource type; rooms register theirs here.

A template is a path whose segments are literals or `{parameters}`; it may begin with `{scope}` to match any resource
id. Literals compare case-insensitively, as Resource Manager's do. More literals win; a `{scope}` route is tried
after all others, the fallback last.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from simulator.resources.errors import ArmError

if TYPE_CHECKING:
    from simulator.entra.principals import Principal
    from simulator.world import World


class QueryParameters(dict[str, str]):
    """Query parameters by name; names compare case-insensitively (`$Top` is `$top`). The last of equal names wins."""

    def __init__(self, pairs: Iterable[tuple[str, str]] | Mapping[str, str] = ()) -> None:
        items = pairs.items() if isinstance(pairs, Mapping) else pairs
        super().__init__((name.lower(), value) for name, value in items)

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and super().__contains__(name.lower())

    def get(self, name: str, default: Any = None) -> Any:
        """The value, or `default`."""
        return super().get(name.lower(), default)


@dataclass(slots=True)
class ArmRequest:
    """One request to Resource Manager after the front door let it in.

    `path` is decoded and keeps its case; `headers` names are lower-case; `parameters` are the template's, `scope`
    among them (a resource id with leading slash). `base_url` (no trailing slash) is what links in the answer start
    with.
    """

    method: str
    path: str
    query: QueryParameters
    headers: dict[str, str]
    body: bytes
    world: World
    principal: Principal
    parameters: dict[str, str] = field(default_factory=dict)
    base_url: str = "https://management.azure.com"
    request_id: str = ""
    correlation_id: str = ""

    @property
    def api_version(self) -> str:
        """The `api-version` asked for; the front door has checked that there is one."""
        return str(self.query.get("api-version", ""))

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            ArmError: 400 InvalidRequestContent, when it is not JSON.
        """
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise ArmError(
                400,
                "InvalidRequestContent",
                f"The request content was invalid and could not be deserialized: '{error}'.",
            ) from error

    def json_object(self) -> dict[str, Any]:
        """The body as a JSON object.

        Raises:
            ArmError: 400 InvalidRequestContent, when it is anything else.
        """
        value = self.json()
        if not isinstance(value, dict):
            raise ArmError(400, "InvalidRequestContent", "The request content was invalid: a JSON object is expected.")
        return value


@dataclass(slots=True)
class ArmResponse:
    """One answer. `body`: a JSON value, ready bytes, or None for no content."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


Handler: TypeAlias = Callable[[ArmRequest], "ArmResponse | Generator[float, None, ArmResponse]"]
"""Answers at once, or is a process that takes simulated time. Refuses by raising `ArmError`."""


@dataclass(slots=True)
class Route:
    """One registered template. `action` is the permission asked for, None to derive it from the path and method."""

    method: str
    template: str
    handler: Handler
    segments: tuple[str, ...]
    scoped: bool
    action: str | None = None

    @property
    def literals(self) -> int:
        """How specific the template is."""
        return sum(1 for segment in self.segments if not segment.startswith("{"))

    def match(self, segments: list[str], lowered: list[str]) -> dict[str, str] | None:
        """The parameters when the path fits, else None."""
        offset = len(segments) - len(self.segments)
        if offset < 0 or (offset > 0 and not self.scoped):
            return None
        parameters: dict[str, str] = {}
        for index, part in enumerate(self.segments):
            if part.startswith("{"):
                parameters[part[1:-1]] = segments[offset + index]
            elif part.lower() != lowered[offset + index]:
                return None
        if self.scoped:
            parameters["scope"] = "/" + "/".join(segments[:offset])
        return parameters


@dataclass(slots=True)
class Match:
    """A route that fits a path, with the parameters it read from it."""

    route: Route
    parameters: dict[str, str]


class Router:
    """Handlers by method and template."""

    def __init__(self) -> None:
        self._by_length: dict[int, list[Route]] = {}
        self._scoped: list[Route] = []
        self.fallback: Handler | None = None
        """Answers what no template matches (generic resources); None refuses with 404."""

    def add(self, method: str, template: str, handler: Handler, *, action: str | None = None) -> None:
        """Register `handler` for one method and template."""
        parts = [part for part in template.strip("/").split("/") if part]
        scoped = bool(parts) and parts[0] == "{scope}"
        if scoped:
            parts = parts[1:]
        route = Route(method.upper(), template, handler, tuple(parts), scoped, action)
        routes = self._scoped if scoped else self._by_length.setdefault(len(parts), [])
        routes.append(route)
        routes.sort(key=lambda entry: -entry.literals)

    def register(self, template: str, methods: Iterable[str], handler: Handler, *, action: str | None = None) -> None:
        """Register `handler` for several methods of one template."""
        for method in methods:
            self.add(method, template, handler, action=action)

    def routes(self) -> Iterator[Route]:
        """All routes, for documentation and fault patterns."""
        for routes in self._by_length.values():
            yield from routes
        yield from self._scoped

    def find(self, method: str, path: str) -> Match | None:
        """The best route for `method` and `path`, None when only the fallback could answer.

        Raises:
            ArmError: 405 when the path is known and the method is not.
        """
        segments = [part for part in path.split("/") if part]
        lowered = [part.lower() for part in segments]
        wanted = method.upper()
        other_method = False
        for routes in (self._by_length.get(len(segments), ()), self._scoped):
            for route in routes:
                parameters = route.match(segments, lowered)
                if parameters is None:
                    continue
                if route.method == wanted:
                    return Match(route, parameters)
                other_method = True
        if other_method and wanted not in ("GET", "HEAD", "PUT", "PATCH", "DELETE"):
            raise ArmError(
                405,
                "HttpMethodNotAllowed",
                f"The http method '{wanted}' is not supported for the resource at path '{path}'.",
            )
        return None

    def answer(self, request: ArmRequest) -> Generator[float, None, ArmResponse]:
        """Find the handler and run it.

        Raises:
            ArmError: the handler's refusal, or 404 when nothing answers this path.
        """
        match = self.find(request.method, request.path)
        if match is not None:
            request.parameters = match.parameters
            handler = match.route.handler
        elif self.fallback is not None:
            handler = self.fallback
        else:
            raise ArmError(404, "NotFound", f"The path '{request.path}' is not known.")
        outcome = handler(request)
        if isinstance(outcome, ArmResponse):
            return outcome
        return (yield from outcome)


def arm_router(world: World) -> Router:
    """The world's router, made on first use and kept as `world.rooms["arm"]`."""
    router = world.rooms.get("arm")
    if router is None:
        router = world.rooms["arm"] = Router()
    if not isinstance(router, Router):
        raise TypeError('world.rooms["arm"] is not a Router')
    return router
