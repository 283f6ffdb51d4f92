"""Microsoft's published API descriptions: which operation a request is, and whether request and answer obey it.

They lie beside the project, in `../shared/specs`; where that folder is absent, what needs it is skipped. Nothing here
knows the console or the simulator.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

import pytest

from tests.contract.description_slips import SLIPS
from tests.contract.schemas import follow, problems_of, read_document

SPECS = Path(__file__).resolve().parents[3] / "shared" / "specs"
SPECIFICATION = SPECS / "specification"
needs_descriptions = pytest.mark.skipif(
    not SPECIFICATION.is_dir(), reason="the published API descriptions are not at ../shared/specs"
)
METHODS = frozenset({"get", "put", "post", "patch", "delete", "head"})

_APIM = "apimanagement/resource-manager/Microsoft.ApiManagement/stable/2024-05-01"
_COGNITIVE = "cognitiveservices/resource-manager/Microsoft.CognitiveServices/preview/2024-06-01-preview"
_MONITOR = "monitor/resource-manager/Microsoft.Insights/stable/2024-02-01"
MANAGEMENT, METRICS, LOGS, MODELS = "management", "metrics", "logs", "models"
_PLACES: tuple[tuple[str, str, str], ...] = (
    # (which host, file or folder, path prefix in front of the described paths)
    (MANAGEMENT, _APIM, ""),
    (MANAGEMENT, f"{_COGNITIVE}/cognitiveservices.json", ""),
    (MANAGEMENT, "resources/resource-manager/Microsoft.Resources/stable/2024-07-01/resources.json", ""),
    (MANAGEMENT, "resourcehealth/resource-manager/Microsoft.ResourceHealth/stable/2024-02-01/ResourceHealth.json", ""),
    (MANAGEMENT, f"{_MONITOR}/metrics_API.json", ""),
    (MANAGEMENT, f"{_MONITOR}/metricDefinitions_API.json", ""),
    (MANAGEMENT, f"{_MONITOR}/metricNamespaces_API.json", ""),
    (METRICS, "monitor/data-plane/Microsoft.Insights/stable/2024-02-01/metricBatch.json", ""),
    (LOGS, "operationalinsights/data-plane/Microsoft.OperationalInsights/stable/v1/OperationalInsights.json", "/v1"),
    (MODELS, "cognitiveservices/data-plane/AzureOpenAI/inference/stable/2024-06-01/inference.json", "/openai"),
)
_CATCH_ALL = re.compile(r"/?\{[^}]+\}|.*\{parentResourcePath\}.*")
"""Operations on any resource by its id would claim every path. Those told apart by a query are left out as well."""
_ABSENT_PARAMETERS: dict[str, dict[str, Any]] = {
    "ResourceUriParameter": {"name": "resourceUri", "in": "path", "type": "string", "x-ms-skip-url-encoding": True},
    **{
        f"{title}Parameter": {"name": name, "in": "query", "type": kind}
        for title, name, kind in (
            ("Region", "region", "string"),
            ("MetricNamespace", "metricnamespace", "string"),
            ("Aggregations", "aggregation", "string"),
            ("Top", "top", "integer"),
            ("OrderBy", "orderby", "string"),
            ("RollUpBy", "rollupby", "string"),
        )
    },
}
"""Shared parameters whose file the collection lacks. Source: "Metrics - List" and "Metric Definitions - List"."""
_FRONT_DOOR_STATUSES = frozenset({401, 403, 404, 409, 429})
"""Refusals of Resource Manager itself, before the provider is asked, have its own form whatever is described."""
_COMMON_TYPES = "common-types/resource-management/v5/types.json"
_FRONT_DOOR_ERROR = {"$ref": "#/definitions/ErrorResponse"}


@dataclass(frozen=True)
class Example:
    """One official example: its parameters by name and its answers by status."""

    name: str
    parameters: dict[str, Any]
    responses: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Operation:
    """One described operation. `template` includes the host's prefix; `file` is absolute."""

    id: str
    place: str
    file: str
    method: str
    template: str
    raw: dict[str, Any]
    shared_parameters: tuple[Any, ...]

    @property
    def version(self) -> str:
        """The api-version the description is of."""
        return str(read_document(self.file)["info"]["version"])

    @property
    def short_file(self) -> str:
        """The file's name."""
        return Path(self.file).name

    @cached_property
    def parameters(self) -> list[tuple[dict[str, Any], str]]:
        """Parameters with the file each is in."""
        found = []
        for entry in (*self.shared_parameters, *self.raw.get("parameters", ())):
            parameter, file = follow(entry, self.file)
            absent = _ABSENT_PARAMETERS.get(entry.get("$ref", "").rsplit("/", 1)[-1])
            if parameter or absent:
                found.append((parameter or absent or {}, file))
        return found

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """What a decoded path must match."""
        loose = {p["name"] for p, _ in self.parameters if p["in"] == "path" and p.get("x-ms-skip-url-encoding")}
        pieces = re.split(r"\{([^}]+)\}", self.template)
        text = "".join(
            re.escape(piece)
            if index % 2 == 0
            else f"(?P<p{index // 2}>{'.+' if piece in loose or piece == 'scope' else '[^/]+'})"
            for index, piece in enumerate(pieces)
        )
        return re.compile("/*" + text.lstrip("/") + "/?", re.IGNORECASE)

    @cached_property
    def path_names(self) -> list[str]:
        """Names of the path parameters in order."""
        return re.findall(r"\{([^}]+)\}", self.template)

    @property
    def literals(self) -> int:
        """How much of the template is fixed."""
        return len(re.sub(r"\{[^}]+\}", "", self.template))

    @property
    def body_schema(self) -> tuple[dict[str, Any], str] | None:
        """The schema of the request's body and its file, None when there is none."""
        for parameter, file in self.parameters:
            if parameter["in"] == "body":
                return parameter.get("schema", {}), file
        if "requestBody" in self.raw:
            return _json_schema(self.raw["requestBody"]) or {}, self.file
        return None

    @property
    def body_is_required(self) -> bool:
        """Whether a request without a body is refused."""
        asked: bool = self.raw.get("requestBody", {}).get("required", False)
        return asked or any(p["in"] == "body" and p.get("required") for p, _ in self.parameters)

    def response_schema(self, status: int) -> tuple[dict[str, Any] | None, str] | None:
        """The schema of an answer (None: no body described) and its file; None when the status is not described."""
        described = self.raw["responses"].get(str(status)) or (
            self.raw["responses"].get("default") if status >= 400 else None
        )
        if described is None:
            return None
        answer, file = follow(described, self.file)
        return answer.get("schema") or _json_schema(answer), file

    def examples(self) -> Iterator[Example]:
        """The official examples."""
        for name, reference in self.raw.get("x-ms-examples", {}).items():
            content, _ = follow(reference, self.file)
            yield Example(
                name,
                content.get("parameters", {}),
                {status: (answer or {}).get("body") for status, answer in content.get("responses", {}).items()},
            )

    # -- what is wrong ---------------------------------------------------------------------------------------

    def request_problems(self, path: str, query: str, headers: Mapping[str, str], body: bytes) -> list[str]:
        """What is wrong with a request; empty when nothing is. `path` is still percent-encoded."""
        match = self.pattern.fullmatch(unquote(path))
        assert match is not None
        values = dict(zip(self.path_names, match.groups(), strict=True))
        asked = {name.lower(): value for name, value in parse_qsl(query, keep_blank_values=True)}
        problems: list[str] = []
        known = {"api-version"}
        for parameter, _ in self.parameters:
            name, place = parameter["name"], parameter["in"]
            if place == "path" and name in values:
                problems += _text_problems(values[name], parameter)
            elif place == "query":
                known.add(name.lower())
                if name.lower() in asked and name != "api-version":
                    problems += _text_problems(asked[name.lower()], parameter)
                elif parameter.get("required") and name.lower() not in asked:
                    problems.append(f"query parameter {name} is missing")
            elif place == "header" and parameter.get("required") and name.lower() not in headers:
                problems.append(f"header {name} is missing")
        problems += [f"query parameter {name} is not described" for name in asked if name not in known]
        return self._without_slips(problems + self.body_problems(body))

    def body_problems(self, body: bytes) -> list[str]:
        described = self.body_schema
        if not body.strip():
            return ["the body is missing"] if self.body_is_required else []
        if described is None:
            return [f"no body is described, one was sent: {body[:80]!r}"]
        try:
            value = json.loads(body)
        except ValueError as error:
            return [f"the body is not JSON: {error}"]
        return problems_of(value, *described)

    def response_problems(self, status: int, body: bytes) -> list[str]:
        """What is wrong with an answer; empty when nothing is."""
        described = self.response_schema(status)
        if described is None:
            return [f"status {status} is not described"]
        schema, file = described
        if self.method == "head":
            return []  # whatever the server would say, none of it travels
        if schema is None:
            return [f"status {status} has no body, one came: {body[:80]!r}"] if body.strip() else []
        if not body.strip():
            return [f"status {status} has a body, none came"]
        try:
            value = json.loads(body)
        except ValueError as error:
            return [f"the body is not JSON: {error}"]
        problems = self._without_slips(problems_of(value, schema, file))
        if problems and self.place == MANAGEMENT and status in _FRONT_DOOR_STATUSES:
            return problems_of(value, _FRONT_DOOR_ERROR, str(SPECIFICATION / _COMMON_TYPES))
        return problems

    def _without_slips(self, problems: list[str]) -> list[str]:
        return [line for line in problems if not any(slip.excuses(self.id, line) for slip in SLIPS)]


def _json_schema(content: dict[str, Any]) -> dict[str, Any] | None:
    """The schema of a body in OpenAPI 3."""
    media = content.get("content", {})
    schema: dict[str, Any] | None = media.get("application/json", {}).get("schema")
    return schema


def _text_problems(text: str, parameter: dict[str, Any]) -> list[str]:
    """A path or query value against its description; values arrive as text."""
    value: Any = text
    parameter = {**parameter, **parameter.get("schema", {})}
    kind = parameter.get("type")
    if kind == "integer" and re.fullmatch(r"-?\d+", text):
        value = int(text)
    elif kind == "number" and re.fullmatch(r"-?\d+(\.\d+)?", text):
        value = float(text)
    elif kind == "boolean" and text.lower() in ("true", "false"):
        value = text.lower() == "true"
    elif kind == "array":
        value = text.split(",")
    rules = {
        key: parameter[key]
        for key in ("type", "enum", "pattern", "minLength", "maxLength", "minimum", "maximum", "items", "x-ms-enum")
        if key in parameter
    }
    return [f"{parameter['in']} parameter {parameter['name']} {line}" for line in problems_of(value, rules, "/none")]


class Descriptions:
    """All operations of the files in use."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        for place, name, prefix in _PLACES:
            source = SPECIFICATION / name
            for file in sorted(source.glob("*.json")) if source.is_dir() else [source]:
                self._read(place, file, prefix)
        self._by_method: dict[tuple[str, str], list[Operation]] = {}
        for operation in self.operations:
            self._by_method.setdefault((operation.place, operation.method), []).append(operation)
        for candidates in self._by_method.values():
            candidates.sort(key=lambda entry: -entry.literals)

    def _read(self, place: str, file: Path, prefix: str) -> None:
        document = read_document(str(file))
        for template, item in {**document.get("paths", {}), **document.get("x-ms-paths", {})}.items():
            for method, raw in item.items():
                if method in METHODS and not _CATCH_ALL.fullmatch(template) and "?" not in template:
                    self.operations.append(
                        Operation(
                            raw.get("operationId", ""),
                            place,
                            str(file),
                            method,
                            prefix + template.rstrip("/"),
                            raw,
                            tuple(item.get("parameters", ())),
                        )
                    )

    def find(self, place: str, method: str, path: str) -> Operation | None:
        """The operation of a request, None when none is described. `path` is percent-encoded, without query."""
        decoded = unquote(path)
        for operation in self._by_method.get((place, method.lower()), ()):
            if operation.pattern.fullmatch(decoded):
                return operation
        return None


@cache
def descriptions() -> Descriptions:
    """The descriptions, read once."""
    return Descriptions()
