"""Metrics under Resource Manager: values, definitions and namespaces of one resource.

Source: Microsoft.Insights 2024-02-01: Metrics - List, Metric Definitions - List, Metric Namespaces - List.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.monitor.catalog import CATALOG, NAMESPACES
from simulator.monitor.errors import MetricsError, bad_request
from simulator.monitor.query import GRAINS, MetricsQuery, parse_query
from simulator.monitor.rendering import encode, render_definition, wire_seconds
from simulator.resources.errors import resource_not_found
from simulator.resources.router import ArmRequest, ArmResponse, arm_router

if TYPE_CHECKING:
    from simulator.monitor import MonitorRoom
    from simulator.resources.store import Resource
    from simulator.world import World

_JSON = {"content-type": "application/json; charset=utf-8"}


def register_routes(world: World, room: MonitorRoom) -> None:
    """Open the routes of the metrics APIs on the world's router."""
    router = arm_router(world)
    routes = _Routes(room)
    for method in ("GET", "POST"):
        router.add(
            method,
            "{scope}/providers/Microsoft.Insights/metrics",
            routes.answer_metrics,
            action="Microsoft.Insights/metrics/read",
        )
    router.add("GET", "{scope}/providers/Microsoft.Insights/metricDefinitions", routes.answer_definitions)
    router.add("GET", "{scope}/providers/Microsoft.Insights/metricNamespaces", routes.answer_namespaces)


class _Routes:
    def __init__(self, room: MonitorRoom) -> None:
        self._room = room

    def answer_metrics(self, request: ArmRequest) -> ArmResponse:
        """GET (or POST, parameters in the body) the values of one resource's metrics."""
        try:
            return ArmResponse(200, encode(self._metrics(request)), _JSON)
        except MetricsError as error:
            return ArmResponse(error.status, error.as_json())

    def _metrics(self, request: ArmRequest) -> dict[str, Any]:
        resource = self._resource(request)
        parameters: dict[str, str] = dict(request.query)
        if request.method == "POST" and request.body.strip():
            for name, value in request.json_object().items():
                if name.lower() in parameters:
                    raise bad_request(f"The parameter '{name}' is specified in both the query and the body.")
                parameters[name.lower()] = str(value)
        settings = self._room.settings
        query = parse_query(
            parameters, now=self._room.world.now, default_top=settings.default_top, names_limit=settings.names_limit
        )
        namespace = NAMESPACES.get(resource.type.lower(), resource.type)
        if query.namespace is not None and query.namespace.lower() != namespace.lower():
            raise bad_request(
                f"Invalid metric namespace: '{query.namespace}' is not one of resource type {resource.type}."
            )
        if resource.type.lower() not in CATALOG:
            raise bad_request(f"Resource type: {resource.type} does not support metrics.")
        value = self._room.read(resource, query)
        answer: dict[str, Any] = {
            "timespan": f"{wire_seconds(query.asked_start)}/{wire_seconds(query.asked_end)}",
            "value": value,
            "namespace": namespace,
            "resourceregion": str(resource.body.get("location", "global")),
        }
        if not query.metadata_only:
            answer = {"cost": _cost(query), **answer, "interval": query.interval}
        return answer

    def answer_definitions(self, request: ArmRequest) -> ArmResponse:
        """GET what metrics a resource has."""
        resource = self._resource(request)
        catalog = CATALOG.get(resource.type.lower(), {})
        namespace = NAMESPACES.get(resource.type.lower(), resource.type)
        grains = list(GRAINS)
        return ArmResponse(
            200, {"value": [render_definition(resource.id, namespace, one, grains) for one in catalog.values()]}
        )

    def answer_namespaces(self, request: ArmRequest) -> ArmResponse:
        """GET the metric namespaces of a resource: its type's, when the type has metrics."""
        resource = self._resource(request)
        namespace = NAMESPACES.get(resource.type.lower())
        if namespace is None:
            return ArmResponse(200, {"value": []})
        name = namespace.replace("/", "-")
        entry = {
            "id": f"{resource.id}/providers/microsoft.insights/metricNamespaces/{name}",
            "name": name,
            "type": "Microsoft.Insights/metricNamespaces",
            "classification": "Platform",
            "properties": {"metricNamespaceName": namespace},
        }
        return ArmResponse(200, {"value": [entry]})

    def _resource(self, request: ArmRequest) -> Resource:
        scope = request.parameters["scope"]
        resource = self._room.world.store.get(scope)
        if resource is None:
            raise resource_not_found(scope)
        return resource


def _cost(query: MetricsQuery) -> int:
    """The relative cost of a query. Source: examples of Metrics - List: about the minutes asked for, per metric."""
    return max(0, (query.end - query.start) // 60 - 1) * max(1, len(query.names))
