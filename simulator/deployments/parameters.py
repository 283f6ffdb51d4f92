"""A template's parameters: what was given, what is missing, what is not allowed.

Source: https://learn.microsoft.com/azure/azure-resource-manager/templates/parameters
"""

from __future__ import annotations

from typing import Any

from simulator.deployments.language import TemplateError
from simulator.deployments.scope import Scope, Unresolved

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "securestring": (str,),
    "int": (int,),
    "bool": (bool,),
    "array": (list,),
    "object": (dict,),
    "secureobject": (dict,),
}


def is_secure(definition: dict[str, Any]) -> bool:
    """Whether the value must never be shown again."""
    return str(definition.get("type", "")).lower().startswith("secure")


def resolve_definition(template: dict[str, Any], definition: dict[str, Any]) -> dict[str, Any]:
    """A parameter's definition with its `$ref` to a user-defined type followed."""
    seen = 0
    while "$ref" in definition and seen < 16:
        name = str(definition["$ref"]).removeprefix("#/definitions/")
        target = template.get("definitions", {}).get(name)
        if target is None:
            raise TemplateError(f"The type definition '{name}' is not found in the template.")
        definition = {**target, **{k: v for k, v in definition.items() if k != "$ref"}}
        seen += 1
    return definition


def bind_parameters(template: dict[str, Any], given: dict[str, Any], scope: Scope) -> dict[str, Any]:
    """Values by parameter name. `given` has the wire's shape, `{name: {"value": ...}}`; defaults evaluate in `scope`.

    Raises:
        TemplateError: a parameter is missing, unknown, of the wrong type or outside what the template allows.
    """
    definitions: dict[str, Any] = template.get("parameters", {})
    by_key = {name.lower(): name for name in definitions}
    unknown = [name for name in given if name.lower() not in by_key]
    if unknown:
        raise TemplateError(
            f"Deployment template validation failed: 'The following parameters were supplied, but do not correspond to "
            f"any parameters defined in the template: '{', '.join(unknown)}'. The parameters defined in the template "
            f"are: '{', '.join(definitions)}'.'"
        )
    supplied = {by_key[name.lower()]: entry for name, entry in given.items()}
    values: dict[str, Any] = scope.parameters
    for name, raw in definitions.items():
        definition = resolve_definition(template, raw)
        entry = supplied.get(name)
        if entry is not None and "reference" in entry:
            raise TemplateError(f"The parameter '{name}' refers to a Key Vault secret, which is not modelled here.")
        if entry is not None and entry.get("value") is not None:
            values[name] = entry["value"]
        elif "defaultValue" in definition:
            values[name] = scope.evaluate(definition["defaultValue"])
        elif definition.get("nullable"):
            values[name] = None
            continue
        else:
            raise TemplateError(
                f"Deployment template validation failed: 'The value for the template parameter '{name}' is not "
                "provided. Please see https://aka.ms/arm-create-parameter-file for usage details.'"
            )
        _check(name, values[name], definition)
    return values


def _check(name: str, value: Any, definition: dict[str, Any]) -> None:
    if isinstance(value, Unresolved):
        return  # what-if only: the value waits for a resource's state
    kind = str(definition.get("type", "")).lower()
    expected = _TYPES.get(kind)
    if expected is None:
        raise TemplateError(f"The type '{definition.get('type')}' of the template parameter '{name}' is not valid.")
    if not isinstance(value, expected) or (kind == "int" and isinstance(value, bool)):
        raise TemplateError(
            f"Deployment template validation failed: 'Template parameter JToken type is not valid. Expected "
            f"'{definition['type']}'. Actual '{type(value).__name__}' for the parameter '{name}'.'"
        )
    allowed = definition.get("allowedValues")
    if allowed is not None:
        chosen = value if isinstance(value, list) else [value]
        if any(item not in allowed for item in chosen):
            raise TemplateError(
                f"Deployment template validation failed: 'The provided value '{value}' for the template parameter "
                f"'{name}' is not valid. The value is not part of the allowed value(s): "
                f"'{','.join(str(a) for a in allowed)}'.'"
            )
    size = len(value) if isinstance(value, str | list) else value if kind == "int" else None
    if size is None:
        return
    low_key, high_key = ("minValue", "maxValue") if kind == "int" else ("minLength", "maxLength")
    low, high = definition.get(low_key), definition.get(high_key)
    if (low is not None and size < low) or (high is not None and size > high):
        raise TemplateError(
            f"Deployment template validation failed: 'The provided value for the template parameter '{name}' is not "
            f"valid: {low_key} {low}, {high_key} {high}, given {size}.'"
        )
