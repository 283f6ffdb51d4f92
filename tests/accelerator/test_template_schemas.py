"""Every resource of infra/main.json is one that Azure's published schemas accept.

Types without a schema in ../shared/specs/arm-schemas are skipped by name.
"""

from __future__ import annotations

import functools
import json
from typing import Any

import jsonschema
import pytest
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

from tests.accelerator.accelerator_files import SPECS, compiled_template
from tests.accelerator.arm_evaluation import Expanded, expand

SCHEMAS = SPECS / "arm-schemas" / "schemas"
BASE = "https://schema.management.azure.com/schemas/"


GIVEN = {
    "username": "o'brien & co",
    "location": "swedencentral",
    "ptuEndpoint1": "https://contoso-ptu.openai.azure.com/",
    "paygEndpoint1": "https://contoso-weu.openai.azure.com",
    "paygEndpoint2": "https://contoso-frc.openai.azure.com",
    "policyFragment": "retry-with-payg",
    "accountResourceIds": [
        "/subscriptions/00000000-0000-0000-0000-000000000002/resourceGroups/rg-models/providers/Microsoft.CognitiveServices"
        "/accounts/contoso-ptu"
    ],
    "capabilityApis": True,
}
RESOURCES = expand(compiled_template(), GIVEN)
KINDS = sorted({(resource.type, resource.api_version) for resource in RESOURCES})


def bodies(kind: str, version: str) -> list[dict[str, Any]]:
    """The resources of that type as a schema sees them: by the last part of their name, policies by the whole."""
    found: list[Expanded] = [r for r in RESOURCES if (r.type, r.api_version) == (kind, version)]
    if kind.endswith("/policies"):
        return [resource.body for resource in found]
    return [resource.body | {"name": resource.name.rpartition("/")[2]} for resource in found]


@functools.cache
def schema_document(uri: str) -> Resource[Any]:
    path = SCHEMAS / uri.removeprefix(BASE).rstrip("#")
    return Resource(contents=json.loads(path.read_text(encoding="utf-8")), specification=DRAFT4)


@functools.cache
def registry() -> Registry[Any]:
    """All documents loaded once: a registry that retrieves lazily parses them again for every reference."""
    versions = {version for _, version in KINDS} & {path.name for path in SCHEMAS.iterdir()}
    uris = [f"{BASE}{path.relative_to(SCHEMAS)}" for v in versions for path in (SCHEMAS / v).glob("*.json")]
    uris.append(f"{BASE}common/definitions.json")
    return Registry[Any]().with_resources((uri, schema_document(uri)) for uri in uris).crawl()


@pytest.mark.parametrize(("kind", "version"), KINDS)
def test_resource_fits_its_schema(kind: str, version: str) -> None:
    if not SCHEMAS.is_dir():
        pytest.skip(f"the official schemas are not at {SCHEMAS}")
    provider, _, rest = kind.partition("/")
    path = SCHEMAS / version / f"{provider}.json"
    if not path.is_file():
        pytest.skip(f"no official schema of {kind}@{version} here")
    definition = "#/resourceDefinitions/" + rest.replace("/", "_")
    schema = {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "$ref": f"{BASE}{version}/{provider}.json{definition}",
    }
    validator = jsonschema.Draft4Validator(schema, registry=registry())
    for body in bodies(kind, version):
        errors = [f"{list(e.absolute_path)}: {e.message}" for e in validator.iter_errors(body)]
        assert not errors, f"{body['name']}: {errors}"


@pytest.mark.parametrize(("kind", "version"), KINDS)
def test_resource_has_no_property_its_schema_does_not_know(kind: str, version: str) -> None:
    """The published schemas are open: a misspelt property passes them. Here it does not."""
    provider, _, rest = kind.partition("/")
    path = SCHEMAS / version / f"{provider}.json"
    if not path.is_file():
        pytest.skip(f"no official schema of {kind}@{version} here")
    document = json.loads(path.read_text(encoding="utf-8"))
    definition = document["resourceDefinitions"][rest.replace("/", "_")]
    known = definition["properties"].get("properties", {})
    for body in bodies(kind, version):
        _assert_known(body.get("properties", {}), known, document, kind)


def _assert_known(value: Any, schema: dict[str, Any], document: dict[str, Any], where: str) -> None:
    choices = _choices(schema, document)
    if isinstance(value, list):
        items = [choice["items"] for choice in choices if "items" in choice]
        for item in value:
            if items:
                _assert_known(item, items[0], document, where)
    if isinstance(value, dict):
        known: dict[str, Any] = {}
        for choice in choices:
            known |= choice.get("properties", {})
        if any("additionalProperties" in choice for choice in choices) or not known:
            return
        for key, member in value.items():
            assert key in known, f"{where}.{key} is not in the schema"
            _assert_known(member, known[key], document, f"{where}.{key}")


def _choices(schema: dict[str, Any], document: dict[str, Any]) -> list[dict[str, Any]]:
    reference = schema.get("$ref", "")
    if reference.startswith("#/definitions/"):
        return _choices(document["definitions"][reference.removeprefix("#/definitions/")], document)
    if reference:
        return []
    found = [schema]
    for word in ("oneOf", "anyOf", "allOf"):
        for choice in schema.get(word, []):
            found += _choices(choice, document)
    return found


def test_the_preview_diagnostic_differs_from_the_published_one_by_the_llm_logs_alone() -> None:
    path = SCHEMAS / "2024-05-01" / "Microsoft.ApiManagement.json"
    if not path.is_file():
        pytest.skip(f"the official schemas are not at {SCHEMAS}")
    document = json.loads(path.read_text(encoding="utf-8"))
    schema = document["resourceDefinitions"]["service_apis_diagnostics"]["properties"]["properties"]
    previews = bodies("Microsoft.ApiManagement/service/apis/diagnostics", "2024-06-01-preview")
    assert previews
    for body in previews:
        properties = dict(body["properties"])
        assert properties.pop("largeLanguageModel") == {"logs": "enabled"}
        _assert_known(properties, schema, document, "diagnostic")
