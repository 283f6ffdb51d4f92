#!/usr/bin/env python3
"""Reads and writes the JSON of a deployment for deploy-bicep.sh, with the standard library only.

What this room is: one small command per question the script has; JSON comes on standard input, answers go to standard
output, one line of reason and exit 1 when there is no answer. What it may not do: call Azure, print a parameter's
value as shell or JSON text made by hand, or show the user part of a URL: it may be a password.

Source: Deployments - Create Or Update At Subscription Scope (api-version 2025-04-01) for the shapes of outputs and
errors; Deployment Operations - List At Subscription Scope for the failed modules; Naming rules and restrictions for
Azure resources (Microsoft.Resources, resourcegroups) for the names of resource groups.
Assumed: the 64 characters of a username; a tag's value, where it is kept, may have 256.
"""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

GENERIC_CODES = {"DeploymentFailed", "ResourceDeploymentFailure", "InvalidTemplateDeployment", "MultipleErrorsOccurred"}
USERNAME_TAG = "genaigw-username"
MAX_USERNAME_CHARACTERS = 64
MAX_EMAIL_CHARACTERS = 100
ENDPOINT_OPTIONS = ("--ptuEndpoint1", "--paygEndpoint1", "--paygEndpoint2")
EXAMPLE_ENDPOINT = "https://contoso.openai.azure.com"
HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
DOMAIN = r"[^\W_]([\w-]*[^\W_])?"
EMAIL = re.compile(rf"[^\s@<>()\[\],;:\\\"\x00-\x1f\x7f]+@({DOMAIN}\.)+{DOMAIN}")
RESOURCE_GROUP = re.compile(r"[\w.()-]{0,89}[\w()-]")
BACKEND_NAMES = re.compile(r"[A-Za-z0-9._-]+(,[A-Za-z0-9._-]+)*")


class NoAnswer(Exception):
    """The reason why there is no answer, in one line."""


class Cause(NamedTuple):
    """The innermost error found: how deep it was, what it says, and the resource it belongs to."""

    depth: int
    code: str
    message: str
    resource: str


def allowed(arguments: list[str]) -> str:
    """TEMPLATE PARAMETER [VALUE]: the allowed values; with a value, whether it is one of them."""
    with open(arguments[0], encoding="utf-8") as file:
        values = json.load(file)["parameters"][arguments[1]]["allowedValues"]
    if len(arguments) > 2 and arguments[2] not in values:
        raise NoAnswer(f"{arguments[2]} is not allowed")
    return "\n".join(values)


def check(arguments: list[str]) -> str:
    """OPTION VALUE ...: nothing, when every value can be right; the first that cannot is the reason."""
    endpoints: dict[str, str] = {}
    for option, value in zip(arguments[::2], arguments[1::2], strict=True):
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise NoAnswer(f"{option}: the value is not UTF-8 text") from None
        if option in ENDPOINT_OPTIONS:
            endpoint = _endpoint(option, value)
            same = next((other for other, taken in endpoints.items() if taken == endpoint), None)
            if same:
                raise NoAnswer(f"{option} is the same endpoint as {same}: each of the three needs one of its own")
            endpoints[option] = endpoint
        elif option in VALUE_RULES:
            reason = VALUE_RULES[option](value)
            if reason:
                raise NoAnswer(f"{option} {reason}")
    return ""


def _shown(value: str) -> str:
    """A value as an error message may show it: one line, and no user part of a URL."""
    before, at, host = value.rpartition("@")
    if at and "://" in before:
        value = f"{before.partition('://')[0]}://***@{host}"
    return "".join(character if character.isprintable() else "?" for character in value)


def _endpoint(option: str, url: str) -> str:
    """The host and port of an endpoint, as two spellings of the same one agree on."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        scheme, rest = "", url
    _, at, host_and_port = rest.rpartition("@")
    if at:
        shown = _shown(f"{scheme}{separator}***@{host_and_port}")
        raise NoAnswer(f"{option} must be a host alone, without user or password, not {shown}")
    if scheme != "https":
        raise NoAnswer(f"{option} must be an https URL, for example {EXAMPLE_ENDPOINT}, not {_shown(url)}")
    host, colon, port = rest.removesuffix("/").partition(":")
    if not HOST.fullmatch(host) or (colon and not re.fullmatch(r"-?[0-9]+", port)):
        wanted = f"a host alone, without path or query, for example {EXAMPLE_ENDPOINT}"
        raise NoAnswer(f"{option} must be {wanted}, not {_shown(url)}")
    if colon and (len(port) > 5 or not 1 <= int(port) <= 65535):
        raise NoAnswer(f"{option}: a port is a number from 1 to 65535, not {port}")
    return f"{host.lower()}:{int(port) if colon else 443}"


def _username_reason(value: str) -> str:
    if not 1 <= len(value) <= MAX_USERNAME_CHARACTERS:
        return f"must have 1 to {MAX_USERNAME_CHARACTERS} characters, not {len(value)}"
    if any(unicodedata.category(character) == "Cc" for character in value):
        return f"must have no control characters (a tab, the end of a line): {_shown(value)}"
    return f"must not begin with -: {_shown(value)}" if value.startswith("-") else ""


def _email_reason(value: str) -> str:
    if EMAIL.fullmatch(value) and len(value) <= MAX_EMAIL_CHARACTERS:
        return ""
    return f"must be an e-mail address of at most {MAX_EMAIL_CHARACTERS} characters, not {_shown(value)}"


def _resource_group_reason(value: str) -> str:
    if RESOURCE_GROUP.fullmatch(value):
        return ""
    return f"must be 1 to 90 letters, digits and . _ - ( ), with no . at the end, not {_shown(value)}"


def _drained_reason(value: str) -> str:
    if BACKEND_NAMES.fullmatch(value):
        return ""
    return f"must be names of letters, digits and . _ - with a comma between, or none, not {_shown(value)}"


VALUE_RULES: dict[str, Callable[[str], str]] = {
    "--username": _username_reason,
    "--publisher-email": _email_reason,
    "--resource-group": _resource_group_reason,
    "--drained-backends": _drained_reason,
}


def account(arguments: list[str]) -> str:
    """[id]: "name (id)" of the subscription `az account show` tells about, or its id. It must be enabled."""
    shown = json.load(sys.stdin)
    if shown.get("state", "Enabled") != "Enabled":
        raise NoAnswer(f"subscription {shown['name']} is {shown['state']}: choose another with az account set")
    return shown["id"] if arguments else f"{shown['name']} ({shown['id']})"


def location(arguments: list[str]) -> str:
    """NAME: the region's name as Azure writes it, given its name or its display name."""
    wanted = arguments[0].replace(" ", "").lower()
    names = [entry["name"] for entry in json.load(sys.stdin)]
    if wanted in names:
        return wanted
    near = [name for name in names if wanted and (wanted in name or name[:6] == wanted[:6])]
    hint = f"; near it: {', '.join(sorted(near)[:8])}" if near else ""
    raise NoAnswer(f"--location: the subscription has no region {arguments[0]}{hint}")


def service(arguments: list[str]) -> str:
    """USERNAME: the resource id of the gateway that bears the username's tag, or nothing."""
    for entry in json.load(sys.stdin)["value"]:
        if (entry.get("tags") or {}).get(USERNAME_TAG) == arguments[0]:
            return str(entry["id"])
    return ""


def named_value(arguments: list[str]) -> str:
    """The value of a named value."""
    return str(json.load(sys.stdin)["properties"]["value"])


def parameters(arguments: list[str]) -> str:
    """TEMPLATE NAME VALUE ...: a parameters file. Types come from the template; a repeated name makes an array."""
    with open(arguments[0], encoding="utf-8") as file:
        declared = json.load(file)["parameters"]
    values: dict[str, Any] = {}
    for at in range(1, len(arguments), 2):
        name, text = arguments[at], arguments[at + 1]
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise NoAnswer(f"{name}: the value is not UTF-8 text") from None
        kind = declared[name]["type"]
        if kind == "array":
            values.setdefault(name, []).append(text)
        elif kind == "int":
            values[name] = int(text)
        elif kind == "bool":
            values[name] = text == "true"
        else:
            values[name] = text
    document = {
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentParameters.json#",
        "contentVersion": "1.0.0.0",
        "parameters": {name: {"value": value} for name, value in values.items()},
    }
    return json.dumps(document, indent=2)


OPTION_BY_PARAMETER = {
    "username": "--username",
    "location": "--location",
    "ptuEndpoint1": "--ptuEndpoint1",
    "paygEndpoint1": "--paygEndpoint1",
    "paygEndpoint2": "--paygEndpoint2",
    "policyFragment": "--policyFragment",
    "sku": "--sku",
    "skuCapacity": "--sku-capacity",
    "accountResourceIds": "--account-id",
    "drainedBackends": "--drained-backends",
    "capabilityApis": "--capability-apis",
    "deployOperatorRole": "--no-operator-role",
    "publisherName": "--publisher-name",
    "publisherEmail": "--publisher-email",
    "resourceGroupName": "--resource-group",
}


def options(arguments: list[str]) -> str:
    """FILE: a parameters file as the script's options, `--name=value`, with a NUL behind each."""
    with open(arguments[0], encoding="utf-8") as file:
        entries = json.load(file)["parameters"]
    told: list[str] = []
    for name, entry in entries.items():
        option, value = OPTION_BY_PARAMETER[name], entry["value"]
        if name in ("capabilityApis", "deployOperatorRole"):
            told += [option] if value is (name == "capabilityApis") else []
        else:
            told += [f"{option}={part}" for part in (value if isinstance(value, list) else [value])]
    return "".join(f"{part}\0" for part in told)


def outputs(arguments: list[str]) -> str:
    """The outputs of a finished deployment, name to value."""
    found = json.load(sys.stdin)["properties"]["outputs"] or {}
    return json.dumps({name: entry["value"] for name, entry in found.items()}, indent=2)


def next_steps(arguments: list[str]) -> str:
    """SUBSCRIPTION: what to do with the outputs on standard input."""
    found = json.load(sys.stdin)
    subscription = arguments[0].rpartition("(")[2].rstrip(")")
    path = (
        f"/subscriptions/{subscription}/resourceGroups/{found['resourceGroupName']}/providers/Microsoft.ApiManagement"
        f"/service/{found['apimServiceName']}/subscriptions/azure-openai-subscription/listSecrets"
    )
    return "\n".join(
        [
            f"Gateway: {found['gatewayUrl']}",
            "Next:",
            f'  a key      az rest --method post --url "{path}?api-version=2024-05-01" --query primaryKey',
            f"  a request  POST {found['gatewayUrl']}/openai/deployments/<deployment>/chat/completions, api-key: <key>",
            "  access     the gateway's identity needs Cognitive Services OpenAI User on each account (--account-id)",
            "  watch      genaigw-console profiles add, then genaigw-console",
        ]
    )


def failed_modules(arguments: list[str]) -> str:
    """Failed nested deployments among a deployment's operations: "GROUP NAME" a line."""
    lines = []
    for operation in _documents(sys.stdin.read()):
        for entry in operation if isinstance(operation, list) else []:
            properties = entry.get("properties") if isinstance(entry, dict) else None
            if not isinstance(properties, dict):
                continue
            target = (properties.get("targetResource") or {}).get("id") or ""
            parts = target.split("/")
            failed = properties.get("provisioningState") == "Failed"
            if failed and "/Microsoft.Resources/deployments/" in target and len(parts) == 9:
                lines.append(f"{parts[4]} {parts[8]}")
    return "\n".join(lines)


def cause(arguments: list[str]) -> str:
    """The innermost error in what az printed (text with JSON in it), and the resource it belongs to."""
    text = sys.stdin.read()
    causes = [found for document in _documents(text) for found in _causes(document, 0, "")]
    if not causes:
        told = re.findall(r"\((\w+)\) (.+)", text)
        for code, message in reversed(told):
            if code not in GENERIC_CODES:
                return f"  cause: {message} ({code})"
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return f"  cause: {lines[-1].removeprefix('ERROR: ') if lines else 'Azure gave no reason'}"
    best = max(causes, key=lambda found: (found.code not in GENERIC_CODES, found.depth))
    answer = f"  cause: {' '.join(best.message.split())} ({best.code})"
    return f"{answer}\n  resource: {best.resource}" if best.resource else answer


def _documents(text: str) -> Iterator[Any]:
    """Every JSON document that stands somewhere in a text."""
    decoder, at = json.JSONDecoder(), 0
    while True:
        starts = [place for place in (text.find("{", at), text.find("[", at)) if place >= 0]
        if not starts:
            return
        at = min(starts)
        try:
            document, at = decoder.raw_decode(text, at)
        except ValueError:
            at += 1
            continue
        yield document


def _causes(value: Any, depth: int, resource: str) -> Iterator[Cause]:
    """Errors anywhere inside, each with the nearest resource id around it."""
    if isinstance(value, list):
        for item in value:
            yield from _causes(item, depth, resource)
    if not isinstance(value, dict):
        return
    target = value.get("target") or (value.get("targetResource") or {}).get("id") or ""
    if str(target).startswith("/subscriptions/"):
        resource = str(target)
    message = value.get("message")
    if isinstance(value.get("code"), str) and isinstance(message, str):
        inner = [found for document in _documents(message) for found in _causes(document, depth + 1, resource)]
        if inner:
            yield from inner
        else:
            yield Cause(depth, value["code"], message, resource)
    for key in ("error", "properties", "statusMessage", "details", "innererror"):
        yield from _causes(value.get(key), depth + 1, resource)


COMMANDS: dict[str, Callable[[list[str]], str]] = {
    "allowed": allowed,
    "check": check,
    "account": account,
    "location": location,
    "service": service,
    "named-value": named_value,
    "parameters": parameters,
    "options": options,
    "outputs": outputs,
    "next-steps": next_steps,
    "failed-modules": failed_modules,
    "cause": cause,
}


# whose answer is on standard input, for the message when it is none
ASKED = {
    "account": "az account show",
    "location": "az account list-locations",
    "service": "az rest (the API Management services of the subscription)",
    "named-value": "az rest (the named value drained-backends)",
    "outputs": "az deployment sub create",
    "next-steps": "az deployment sub create",
}


def _unexpected(command: str, error: Exception) -> str:
    """Why an answer cannot be read. It names who answered, and shows nothing of what was answered."""
    who = ASKED.get(command, f"deployment_json.py {command}")
    if isinstance(error, json.JSONDecodeError):
        return f"{who} gave an {'answer that is not JSON' if error.doc.strip() else 'empty answer'}"
    if isinstance(error, UnicodeDecodeError):
        return f"{who} gave an answer that is not UTF-8 text"
    kind = f"no {error}" if isinstance(error, KeyError) else type(error).__name__
    return f"{who} gave an answer of an unexpected shape ({kind})"


def main() -> int:
    command = sys.argv[1]
    try:
        answer = COMMANDS[command](sys.argv[2:])
    except NoAnswer as reason:
        print(reason)
        return 1
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        print(_unexpected(command, error))
        return 1
    if answer:
        print(answer, end="" if answer.endswith("\0") else "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
