"""APIs, their operations, loggers and diagnostics: checks, defaults, and import of an OpenAPI description.

Source: Api, Operation, Logger and Diagnostic contracts, API Management REST 2024-05-01 (required fields, lengths,
`format` and `value` of an import, logger credentials coming back as named-value references).
Assumed: message wording.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from simulator.apim.references import referring_to_logger, refuse_if_referenced
from simulator.resources.errors import ArmError
from simulator.resources.store import Resource
from simulator.resources.writing import ReadContext, WriteContext

if TYPE_CHECKING:
    from simulator.world import World

SERVICE = "Microsoft.ApiManagement/service"
API_TYPES = ("http", "soap", "websocket", "graphql", "odata", "grpc")
IMPORT_FORMATS = ("openapi+json", "openapi", "swagger-json")
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_PARAMETER = re.compile(r"\{([^{}]+)\}")


def prepare_api(context: WriteContext) -> None:
    """Check an API and complete it; an OpenAPI description is kept for `after_api_write`."""
    problems = context.problems
    properties = context.properties
    given_format, given_value = properties.pop("format", None), properties.pop("value", None)
    for name in ("wsdlSelector", "translateRequiredQueryParameters"):
        properties.pop(name, None)
    source = properties.pop("sourceApiId", None)
    if source is not None:
        _copy_source(context, str(source))
        properties = context.properties
    if given_format is not None or given_value is not None:
        _read_description(context, given_format, given_value)
    path = properties.get("path")
    if not isinstance(path, str) or len(path) > 400:
        problems.add("path", "Path is required (it may be empty) and has at most 400 characters.")
    title = properties.get("displayName")
    if not isinstance(title, str) or not 1 <= len(title) <= 300:
        problems.add("displayName", "Display name is required and has 1 to 300 characters.")
    kind = properties.pop("apiType", None) or properties.get("type") or "http"
    properties["type"] = kind
    if kind not in API_TYPES:
        problems.add("type", f"type must be one of {', '.join(API_TYPES)}.")
    properties.setdefault("apiRevision", "1")
    properties.setdefault("isCurrent", ";rev=" not in context.path.name)
    properties.setdefault("subscriptionRequired", True)
    properties.setdefault("protocols", ["https"])
    properties.setdefault("serviceUrl", None)
    names = properties.setdefault("subscriptionKeyParameterNames", {})
    if isinstance(names, dict):
        names.setdefault("header", "Ocp-Apim-Subscription-Key")
        names.setdefault("query", "subscription-key")
    if isinstance(path, str):
        _check_path_free(context, path)


def _copy_source(context: WriteContext, source: str) -> None:
    """A revision or version begins as a copy of another API, its operations and policies included."""
    original = context.world.store.get(f"{context.service_id}/apis/{source.rstrip('/').rsplit('/', 1)[-1]}")
    if original is None:
        context.problems.add("sourceApiId", f"API '{source}' could not be found.")
        return
    copied = {name: value for name, value in original.properties.items() if name not in ("apiRevision", "isCurrent")}
    _, _, revision = context.path.name.partition(";rev=")
    context.body["properties"] = {**copied, "apiRevision": revision or "1", **context.properties}
    context.hidden["copied_from"] = original.id


def _check_path_free(context: WriteContext, path: str) -> None:
    mine = context.path.name.split(";")[0].lower()
    for other in context.world.store.children(context.service_id, "apis"):
        same_path = str(other.properties.get("path", "")).strip("/").lower() == path.strip("/").lower()
        same_version = other.properties.get("apiVersion") == context.properties.get("apiVersion")
        if same_path and same_version and other.name.split(";")[0].lower() != mine:
            context.problems.add("path", f"Cannot create API '{mine}' with the same path as API '{other.name}'.")


def _read_description(context: WriteContext, given_format: Any, given_value: Any) -> None:
    if given_format not in IMPORT_FORMATS:
        context.problems.add(
            "format", f"Import of format '{given_format}' is not modelled ({', '.join(IMPORT_FORMATS)} are)."
        )
        return
    try:
        description = json.loads(str(given_value))
        paths = description["paths"]
        operations = [
            _imported_operation(path, verb, entry)
            for path, item in paths.items()
            for verb, entry in item.items()
            if verb in METHODS
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        context.problems.add("representation", f"Parsing error(s): {type(error).__name__}: {error}")
        return
    info = description.get("info") or {}
    context.properties.setdefault("displayName", info.get("title"))
    if context.properties.get("serviceUrl") is None:
        servers = description.get("servers") or [{}]
        context.properties["serviceUrl"] = servers[0].get("url")
    context.hidden["imported_operations"] = operations


def _imported_operation(path: str, verb: str, entry: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    name = entry.get("operationId") or re.sub(r"[^A-Za-z0-9]+", "-", f"{verb}-{path}").strip("-")
    known = {
        parameter.get("name"): parameter for parameter in entry.get("parameters", ()) if isinstance(parameter, dict)
    }
    templates = [
        {
            "name": parameter,
            "required": True,
            "type": str((known.get(parameter, {}).get("schema") or {}).get("type", "string")),
            "values": [],
        }
        for parameter in _PARAMETER.findall(path)
    ]
    return re.sub(r"[^A-Za-z0-9_-]", "-", name)[:80], {
        "displayName": entry.get("summary") or name,
        "method": verb.upper(),
        "urlTemplate": path,
        "templateParameters": templates,
        "description": entry.get("description"),
        "responses": [],
    }


def after_api_write(world: World, resource: Resource, created: bool) -> None:
    """Copy what is below a source API; write the operations of an imported description (those it lost go)."""
    original = resource.hidden.pop("copied_from", None)
    if original is not None and created:
        for below in list(world.store.below(original)):
            world.store.put(resource.id + below.id[len(original) :], below.type, below.body, hidden=below.hidden)
    imported = resource.hidden.pop("imported_operations", None)
    if imported is None:
        return
    wanted = {name.lower() for name, _ in imported}
    for old in world.store.children(resource.id, "operations"):
        if old.name.lower() not in wanted:
            world.store.delete(old.id)
    for name, properties in imported:
        world.store.put(f"{resource.id}/operations/{name}", f"{SERVICE}/apis/operations", {"properties": properties})


def prepare_operation(context: WriteContext) -> None:
    """Check an operation: names, method, and that every `{parameter}` of its template is declared."""
    properties, problems = context.properties, context.problems
    for name, most in (("displayName", 300), ("method", 100), ("urlTemplate", 1000)):
        value = properties.get(name)
        if not isinstance(value, str) or not 1 <= len(value) <= most:
            problems.add(name, f"{name} is required and has 1 to {most} characters.")
    declared = {entry.get("name") for entry in properties.get("templateParameters") or () if isinstance(entry, dict)}
    missing = [name for name in _PARAMETER.findall(str(properties.get("urlTemplate", ""))) if name not in declared]
    if missing:
        problems.add(
            "templateParameters",
            "All template parameters used in the UriTemplate must be defined in the Operation, please define "
            "the following: "
            f"{', '.join(missing)}",
        )
    properties.setdefault("templateParameters", [])
    properties.setdefault("responses", [])


def prepare_product_link(context: WriteContext) -> None:
    """`products/{id}/apis/{api}`: the link shows the API it leads to.

    Raises:
        ArmError: 404, when there is no such API.
    """
    api = context.world.store.get(f"{context.service_id}/apis/{context.path.name}")
    if api is None:
        raise ArmError(404, "ResourceNotFound", f"API '{context.path.name}' not found.")
    context.body.clear()
    context.body["properties"] = dict(api.properties)


def prepare_logger(context: WriteContext) -> None:
    """Check a logger; its credentials become secret named values, as the service makes them."""
    properties, problems = context.properties, context.problems
    kinds = ("azureEventHub", "applicationInsights", "azureMonitor")
    if properties.get("loggerType") not in kinds:
        problems.add("loggerType", f"loggerType must be one of {', '.join(kinds)}.")
    properties.setdefault("isBuffered", True)
    credentials = properties.get("credentials")
    if credentials is None:
        return
    if not isinstance(credentials, dict):
        problems.add("credentials", "Credentials must be an object.")
        return
    for name in ("connectionString", "instrumentationKey"):
        value = credentials.get(name)
        if isinstance(value, str) and not value.startswith("{{"):
            key = f"Logger-Credentials--{context.world.random('logger-credentials').getrandbits(96):024x}"
            context.world.store.put(
                f"{context.service_id}/namedValues/{key}",
                f"{SERVICE}/namedValues",
                {"properties": {"displayName": key, "secret": True, "tags": []}},
                hidden={"value": value},
            )
            credentials[name] = "{{" + key + "}}"


def before_logger_delete(world: World, resource: Resource, query: dict[str, str]) -> None:
    """Refuse while a diagnostic or a policy uses the logger."""
    refuse_if_referenced(resource, referring_to_logger(world, resource))


def prepare_diagnostic(context: WriteContext) -> None:
    """Check a diagnostic: its logger, its sampling, its body sizes."""
    properties, problems = context.properties, context.problems
    logger = str(properties.get("loggerId") or "")
    if not logger:
        problems.add("loggerId", "loggerId is required.")
    else:
        full_id = f"{context.service_id}/loggers/{logger.rstrip('/').rsplit('/', 1)[-1]}"
        if context.world.store.get(full_id) is None:
            problems.add("loggerId", f"Logger '{logger}' could not be found.")
        properties["loggerId"] = full_id
    sampling = properties.get("sampling")
    if isinstance(sampling, dict):
        percentage = sampling.get("percentage")
        if not isinstance(percentage, int | float) or not 0 <= percentage <= 100:
            problems.add("sampling.percentage", "The sampling percentage must be between 0 and 100.")
    for side in ("frontend", "backend"):
        for direction in ("request", "response"):
            settings = (properties.get(side) or {}).get(direction) or {}
            size = (settings.get("body") or {}).get("bytes", 0)
            if not isinstance(size, int) or not 0 <= size <= 8192:
                problems.add(f"{side}.{direction}.body.bytes", "Between 0 and 8192 bytes of a body can be logged.")


def render_api(resource: Resource, read: ReadContext) -> dict[str, Any]:
    """An API; lists leave out what only a single read shows."""
    properties = {name: value for name, value in resource.properties.items() if name != "provisioningState"}
    return {**resource.body, "properties": properties}
