"""The regional batch host: `POST https://{region}.metrics.monitor.azure.com/subscriptions/{id}/metrics:getBatch`.

Source: Metrics - Batch (2024-02-01) and "Migrate to the metrics:getBatch API": at most 50 resources, of one
subscription, one region and one type. That the caller may read the whole subscription's metrics is checked by the
front door.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from simulator.monitor.catalog import CATALOG, NAMESPACES, region_of
from simulator.monitor.errors import MetricsError, bad_request
from simulator.monitor.query import parse_query
from simulator.monitor.rendering import encode, point_stamps, wire_seconds
from simulator.network import HttpRequest, HttpResponse

if TYPE_CHECKING:
    from simulator.monitor import MonitorRoom
    from simulator.resources.store import Resource

_PATH = re.compile(r"/subscriptions/([^/]+)/metrics:getBatch", re.IGNORECASE)


class BatchHost:
    """Answers for every regional host; which region is asked is the host's first label."""

    def __init__(self, room: MonitorRoom) -> None:
        self._room = room

    def handle(self, request: HttpRequest) -> Generator[float, None, HttpResponse]:
        """Answer one request."""
        yield from ()
        try:
            body = self._answer(request)
        except MetricsError as error:
            headers = {"content-type": "application/json; charset=utf-8", "x-ms-error-code": error.code}
            return HttpResponse(error.status, headers, encode({"error": error.as_json()}))
        return HttpResponse(200, {"content-type": "application/json; charset=utf-8"}, body)

    def _answer(self, request: HttpRequest) -> bytes:
        match = _PATH.fullmatch(request.path.rstrip("/"))
        if match is None or request.method != "POST":
            raise MetricsError(404, "NotFound", f"No operation answers {request.method} {request.path}.")
        region = request.host.split(".", 1)[0].lower()
        room = self._room
        if region in room.settings.outages:
            raise MetricsError(503, "ServiceUnavailable", "The service is temporarily unavailable. Please retry later.")
        parameters = {name.lower(): value for name, value in parse_qsl(request.query, keep_blank_values=True)}
        if not parameters.get("api-version"):
            raise MetricsError(400, "MissingApiVersionParameter", "The api-version query parameter is required.")
        if not parameters.get("metricnamespace") or not parameters.get("metricnames"):
            raise bad_request("metricnamespace and metricnames are required.")
        settings = room.settings
        query = parse_query(
            parameters, now=room.world.now, default_top=settings.default_top, names_limit=settings.names_limit
        )
        resources = self._resources(request.body, match[1], region, str(query.namespace))
        stamps = point_stamps(query)
        values = [
            {
                "starttime": wire_seconds(query.asked_start),
                "endtime": wire_seconds(query.asked_end),
                "interval": query.interval,
                "namespace": NAMESPACES.get(resource.type.lower(), resource.type),
                "resourceregion": region,
                "resourceid": resource.id,
                "value": room.read(resource, query, stamps),
            }
            for resource in resources
        ]
        return encode({"values": values})

    def _resources(self, body: bytes, subscription: str, region: str, namespace: str) -> list[Resource]:
        found: list[Resource] = []
        for resource_id in _read_ids(body, self._room.settings.batch_limit):
            if not resource_id.lower().startswith(f"/subscriptions/{subscription.lower()}/"):
                raise bad_request(f"Resource id '{resource_id}' is not in subscription '{subscription}'.")
            resource = self._room.world.store.get(resource_id)
            if resource is None:
                raise MetricsError(404, "ResourceNotFound", f"The resource '{resource_id}' was not found.")
            if resource.type.lower() != namespace.lower() or resource.type.lower() not in CATALOG:
                raise bad_request(f"The resource '{resource_id}' is not of the type '{namespace}'.")
            if region_of(resource) != region:
                # Assumed: the wording. That the region must match is documented.
                raise bad_request(
                    f"Resource '{resource_id}' is in region '{region_of(resource)}' and cannot be queried in "
                    f"'{region}'. All resources of a batch must be in the region of the endpoint."
                )
            found.append(resource)
        return found


def _read_ids(body: bytes, limit: int) -> list[str]:
    try:
        content: Any = json.loads(body)
    except ValueError as error:
        raise bad_request(f"The request body is not valid JSON: {error}.") from error
    ids = content.get("resourceids") if isinstance(content, dict) else None
    if not isinstance(ids, list) or not ids or not all(isinstance(one, str) for one in ids):
        raise bad_request("The request body must have 'resourceids', a list of resource ids.")
    if len(ids) > limit:
        raise bad_request(f"The number of resource ids {len(ids)} exceeds the maximum of {limit}.")
    return ids
