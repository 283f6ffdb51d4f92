"""Schemas of the published API descriptions (Swagger 2.0, OpenAPI 3), as JSON Schema that refuses unknown properties.

What differs between the two languages is settled here: `readOnly` with `required` binds answers only, extensible
enumerations are open, a discriminator chooses among subtypes, null counts as absent.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

_TEXTS = ("description", "title", "default", "example", "examples", "xml", "externalDocs")
_DROPPED = frozenset({*_TEXTS, "readOnly", "discriminator", "nullable"})
_NAMES = frozenset({"properties", "definitions"})
_ANYTHING: dict[str, Any] = {}
_BRANCHES = ("/definitions/", "/components/schemas/")
MESSAGE_LENGTH = 200


@cache
def read_document(path: str) -> dict[str, Any]:
    """One published file as JSON."""
    file = Path(path)
    if not file.exists():  # the collection lacks a few shared files; what they describe stays unchecked
        return _ANYTHING
    document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8-sig"))
    return document


def follow(node: Any, path: str) -> tuple[Any, str]:
    """What a `$ref` (chain) leads to, and the file it is in."""
    while isinstance(node, dict) and isinstance(node.get("$ref"), str):
        target = urlsplit(urljoin(f"file://{path}", node["$ref"]))
        path = unquote(target.path)
        node = read_document(path)
        for part in filter(None, target.fragment.split("/")):
            if node is _ANYTHING:
                return {}, path
            node = node[part.replace("~1", "/").replace("~0", "~")]
    return node, path


@cache
def _subtypes(path: str, base: str) -> tuple[tuple[str, str], ...]:
    """Definitions of a file that derive from `base`, at any depth: (definition, discriminator value)."""
    found: list[tuple[str, str]] = []
    for name, schema in read_document(path).get("definitions", {}).items():
        parents = [part.get("$ref", "").rsplit("/", 1)[-1] for part in schema.get("allOf", ())]
        if base in parents:
            found += [(name, schema.get("x-ms-discriminator-value", name)), *_subtypes(path, name)]
    return tuple(found)


def _convert(schema: Any, path: str, *, used: bool = False) -> Any:
    """`used`: the position of a value; a schema that only lends its properties by `allOf` stays open."""
    if isinstance(schema, list):
        return [_convert(item, path) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if used and _is_free(schema, path):
        return {}
    chosen = _choose_subtype(schema, path) if used else None
    if chosen is not None:
        return chosen
    result: dict[str, Any] = {}
    for key, value in schema.items():
        if key in _NAMES and isinstance(value, dict):
            result[key] = {name: _convert(item, path, used=key == "properties") for name, item in value.items()}
        elif key == "$ref" and isinstance(value, str):
            if _is_free(schema, path):
                return {}
            result[key] = _own_address(urljoin(f"file://{path}", value))
        elif key in ("items", "additionalProperties") and isinstance(value, dict):
            result[key] = _convert(value, path, used=True)
        elif key == "allOf":
            result[key] = [_convert(item, path) for item in value]
        elif key in ("anyOf", "oneOf"):  # choices overlap in these descriptions
            result["anyOf"] = [_convert(item, path, used=True) for item in value]
        elif (key == "enum" and schema.get("x-ms-enum", {}).get("modelAsString")) or (key, value) == ("type", "file"):
            continue
        elif key == "exclusiveMinimum" and value is True:
            result[key] = schema["minimum"]
        elif key not in _DROPPED and not key.startswith("x-"):
            result[key] = value
    if "required" in result and isinstance(schema.get("properties"), dict):
        own = schema["properties"]
        result["required"] = [name for name in result["required"] if not _may_be_absent(own.get(name, {}))]
    is_object = "$ref" in result or "properties" in result or "allOf" in result
    if used and is_object and "additionalProperties" not in result:
        result["unevaluatedProperties"] = False
    return result


def _may_be_absent(schema: dict[str, Any]) -> bool:
    return bool(schema.get("readOnly") or schema.get("x-nullable") or schema.get("nullable"))


def _is_free(schema: dict[str, Any], path: str) -> bool:
    """Whether a schema says no more than `type: object`, by which these descriptions mean any value."""
    target, _ = follow(schema, path)
    return not (set(target) - _DROPPED - {"type"}) and target.get("type") in ("object", None)


def _choose_subtype(schema: dict[str, Any], path: str) -> dict[str, Any] | None:
    """For a reference to a type with a discriminator: the subtype the value names, or the base itself."""
    if "$ref" not in schema:
        return None
    target, where = follow(schema, path)
    rule = target.get("discriminator") if isinstance(target, dict) else None
    if not rule:
        return None
    own = _own_address(urljoin(f"file://{path}", schema["$ref"]))
    if isinstance(rule, str):
        field, base = rule, schema["$ref"].rsplit("/", 1)[-1]
        names = [(own, target.get("x-ms-discriminator-value", base))]
        names += [(own.rsplit("/", 1)[0] + f"/{name}", value) for name, value in _subtypes(where, base)]
    else:
        field = rule["propertyName"]
        names = [
            (_own_address(urljoin(f"file://{where}", reference)), value)
            for value, reference in rule.get("mapping", {}).items()
        ]
    known = [value for _, value in names]
    choices = [
        {
            "if": {"properties": {field: {"const": value}}, "required": [field]},
            "then": {"$ref": address, "unevaluatedProperties": False},
        }
        for address, value in names
    ]
    unknown = {
        "if": {"not": {"properties": {field: {"enum": known}}, "required": [field]}},
        "then": {"$ref": own, "unevaluatedProperties": False},
    }
    return {"allOf": [*choices, unknown]}


def _own_address(reference: str) -> str:
    """Each definition is a document of its own: a whole file takes too long to look through for each value."""
    for branch in _BRANCHES:
        reference = reference.replace(f"#{branch}", branch)
    return reference


@cache
def _retrieve(uri: str) -> Resource[Any]:
    whole = unquote(urlsplit(uri).path)
    branch = next(branch for branch in _BRANCHES if branch in whole)
    path, _, name = whole.partition(branch)
    schema, _ = follow({"$ref": f"file://{path}#{branch}{name}"}, path)
    return Resource(_convert(schema, path), DRAFT202012)


_REGISTRY: Registry[Any] = Registry(retrieve=_retrieve)  # type: ignore[call-arg]
_validators: dict[tuple[str, str], Draft202012Validator] = {}


def without_nulls(value: Any) -> Any:
    """The value with null properties left out, at any depth, in lists as well."""
    if isinstance(value, dict):
        return {name: without_nulls(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in value if item is not None]
    return value


def problems_of(value: Any, schema: dict[str, Any], path: str) -> list[str]:
    """What is wrong with a value, one line each with its place; empty when nothing is."""
    key = (path, json.dumps(schema, sort_keys=True))
    validator = _validators.get(key)
    if validator is None:
        converted = {"$id": f"file://{path}?body", **_convert(schema, path, used=True)}
        validator = _validators[key] = Draft202012Validator(converted, registry=_REGISTRY)
    return [
        f"at {error.json_path}: {error.message[:MESSAGE_LENGTH]}"
        for error in validator.iter_errors(without_nulls(value))
    ]
