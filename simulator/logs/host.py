"""The Logs query API: `https://api.loganalytics.io/v1/...`, for workspaces, for resources, and in batches.

Source: Log Analytics REST "Query - Execute" and "Query - Get" (v1), "Azure Monitor Log Analytics API errors", "Batch
queries": 204 for a workspace that has never received data, 400 with innererror for a wrong query, 404
PathNotFoundError, an empty 200 for a POST whose content type is not JSON.
"""

from __future__ import annotations

import json
import re
import time
from collections import deque
from collections.abc import Generator
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote

import msgspec

from simulator.entra.tokens import entra
from simulator.logs.answers import partial_error, render_result, render_statistics, render_truncation
from simulator.logs.kql.errors import KqlRefusal
from simulator.monitor.errors import MetricsError
from simulator.monitor.query import parse_duration, parse_moment
from simulator.network import HttpRequest, HttpResponse
from simulator.resources.errors import ArmError

if TYPE_CHECKING:
    from simulator.logs import LogsRoom

HOSTS = ("api.loganalytics.io", "api.loganalytics.azure.com")
_WORKSPACE = re.compile(r"/v1/workspaces/([^/]+)/query", re.IGNORECASE)
_RESOURCE = re.compile(r"/v1(/subscriptions/.+)/query", re.IGNORECASE)
_ENCODER = msgspec.json.Encoder()
_HEADERS = {"content-type": "application/json; charset=utf-8"}


class QueryError(Exception):
    """An answer with an error body. `inner` is the `innererror`."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        inner: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.inner = inner
        self.headers = headers or {}

    def as_json(self, correlation_id: str) -> dict[str, Any]:
        """The body."""
        error: dict[str, Any] = {"message": self.message, "code": self.code, "correlationId": correlation_id}
        if self.inner is not None:
            error["innererror"] = self.inner
        return {"error": error}


class LogsHost:
    """Answers the query API for every workspace of the world."""

    def __init__(self, room: LogsRoom) -> None:
        self._room = room
        self._arrivals: dict[str, deque[float]] = {}
        self._ids = room.world.random("logs/correlation")

    def handle(self, request: HttpRequest) -> Generator[float, None, HttpResponse]:
        """Answer one request."""
        yield from ()
        try:
            self._admit(request.headers.get("authorization", ""))
            if request.path.rstrip("/").lower() == "/v1/$batch":
                return HttpResponse(200, dict(_HEADERS), self._answer_batch(request))
            body = self._answer(request)
        except QueryError as error:
            return self._refusal(error)
        if body is None:
            return HttpResponse(204, {})
        return HttpResponse(200, dict(_HEADERS), body)

    def _refusal(self, error: QueryError) -> HttpResponse:
        return HttpResponse(
            error.status, {**_HEADERS, **error.headers}, _ENCODER.encode(error.as_json(self._correlation()))
        )

    def _correlation(self) -> str:
        bits = f"{self._ids.getrandbits(128):032x}"
        return f"{bits[:8]}-{bits[8:12]}-{bits[12:16]}-{bits[16:20]}-{bits[20:]}"

    def _admit(self, authorization: str) -> None:
        """Count the request against its principal's window.

        Source: "Azure Monitor service limits": 200 requests per 30 seconds per user.
        """
        room, settings = self._room, self._room.settings
        now = room.world.now
        window = self._arrivals.setdefault(_principal_key(room, authorization), deque())
        while window and window[0] <= now - settings.window_seconds:
            window.popleft()
        if settings.throttled_queries > 0 or len(window) >= settings.requests_per_window:
            settings.throttled_queries = max(0, settings.throttled_queries - 1)
            wait = max(1, round(window[0] + settings.window_seconds - now)) if window else 5
            raise QueryError(
                429,
                "ThrottledError",
                "The request was throttled: the maximum number of requests in the time window was reached.",
                headers={"retry-after": str(wait)},
            )
        window.append(now)

    def _answer(self, request: HttpRequest) -> bytes | None:
        asked: dict[str, Any]
        if request.method == "GET":
            asked = {name: values[0] for name, values in parse_qs(request.query).items()}
        elif request.method == "POST":
            if "json" not in request.headers.get("content-type", "").lower():
                return b""
            asked = _json_object(request.body)
        else:
            raise QueryError(405, "MethodNotAllowedError", f"The method {request.method} is not allowed.")
        return self._run(unquote(request.path), asked, request.headers.get("prefer", ""))

    def _run(self, path: str, asked: dict[str, Any], prefer: str) -> bytes | None:
        settings = self._room.settings
        workspaces, resource_id = self._scope(path, asked)
        text = asked.get("query")
        if not isinstance(text, str) or not text.strip():
            raise QueryError(400, "BadArgumentError", "The request had some invalid properties: query is required.")
        start, end = _span(asked.get("timespan"), self._room.world.now)
        if settings.timed_out_queries > 0:
            settings.timed_out_queries -= 1
            raise QueryError(504, "GatewayTimeout", "The query did not complete within the allotted time.")
        began = time.perf_counter()
        try:
            found = self._room.query(text, workspaces, resource_id=resource_id, start=start, end=end)
        except KqlRefusal as refusal:
            raise QueryError(
                400, "BadArgumentError", "The request had some invalid properties", refusal.as_inner_error()
            ) from refusal
        if found is None:
            return None
        answer: dict[str, Any] = {"tables": render_result(found)}
        preferences = prefer.replace(" ", "").lower()
        if "include-statistics=true" in preferences:
            answer["statistics"] = render_statistics(found, time.perf_counter() - began, len(found.rows))
        if "include-render=true" in preferences or "include-visualization=true" in preferences:
            answer["render"] = {"visualization": found.visualization or "table", "title": None}
        if found.truncated:
            answer["error"] = render_truncation(settings.row_limit)
        elif settings.partial_errors > 0:
            settings.partial_errors -= 1
            answer["error"] = partial_error("The query was aborted on one of the nodes before all records were read.")
        return _ENCODER.encode(answer)

    def _scope(self, path: str, asked: dict[str, Any]) -> tuple[list[str], str]:
        """ARM ids of the workspaces to read, and the resource to narrow to ("" for none)."""
        match = _WORKSPACE.fullmatch(path.rstrip("/"))
        if match is None:
            resource = _RESOURCE.fullmatch(path.rstrip("/"))
            if resource is None:
                raise QueryError(404, "PathNotFoundError", f"The requested path does not exist: {path}")
            return self._resource_scope(resource[1])
        wanted = [match[1], *(str(one) for one in asked.get("workspaces") or ())]
        found = []
        for name in wanted:
            workspace = self._room.workspace_id(name)
            if workspace is None:
                inner = {"code": "WorkspaceNotFoundError", "message": f"The workspace '{name}' could not be found."}
                raise QueryError(400, "FailedToResolveResource", f"Failed to resolve resource '{name}'.", inner)
            found.append(workspace)
        return found, ""

    def _resource_scope(self, resource_id: str) -> tuple[list[str], str]:
        workspace = self._room.workspace_id(resource_id)
        if workspace is not None:
            return [workspace], ""
        if self._room.world.store.get(resource_id) is None:
            raise QueryError(404, "ResourceNotFound", f"The resource '{resource_id}' was not found.")
        return self._room.all_workspaces(), resource_id

    def _answer_batch(self, request: HttpRequest) -> bytes:
        """`POST /v1/$batch`. Source: "Batch queries": answers carry the id of their request, in any order."""
        asked = _json_object(request.body)
        responses = []
        for item in asked.get("requests") or ():
            body = item.get("body") or {}
            headers = {str(name).lower(): str(value) for name, value in (item.get("headers") or {}).items()}
            path = f"/v1/workspaces/{item.get('workspace')}{item.get('path', '/query')}"
            entry: dict[str, Any] = {"id": str(item.get("id")), "headers": dict(_HEADERS)}
            try:
                found = self._run(path, body, headers.get("prefer", ""))
                entry |= {"status": 200, "body": msgspec.Raw(found)} if found is not None else _never_placed()
            except QueryError as error:
                entry |= {"status": error.status, "body": error.as_json(self._correlation())}
            responses.append(entry)
        return _ENCODER.encode({"responses": responses})


def _never_placed() -> dict[str, Any]:
    error = {"code": "WorkspaceNotPlacedError", "message": "The workspace has never received data."}
    return {"status": 204, "body": {"error": error}}


def _principal_key(room: LogsRoom, authorization: str) -> str:
    try:
        return entra(room.world).authenticate(authorization).object_id
    except ArmError:
        # The front door lets nobody in without a valid token; requests from inside the world carry none.
        return ""


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError as error:
        raise QueryError(400, "BadArgumentError", f"The request body is not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise QueryError(400, "BadArgumentError", "The request body must be a JSON object.")
    return value


def _span(text: Any, now: float) -> tuple[float | None, float | None]:
    """The request's timespan: a duration until now, `start/end`, `start/duration` or `duration/end`."""
    if not text:
        return None, None
    first, slash, second = str(text).partition("/")
    try:
        before = parse_duration(first)
        if not slash:
            if before is None:
                raise QueryError(400, "BadArgumentError", f"The timespan '{text}' is not valid.")
            return now - before, None
        after = parse_duration(second)
        if before is not None:
            end = parse_moment(second)
            return end - before, end
        start = parse_moment(first)
        return start, start + after if after is not None else parse_moment(second)
    except MetricsError as error:
        raise QueryError(400, "BadArgumentError", f"The timespan '{text}' is not valid.") from error
