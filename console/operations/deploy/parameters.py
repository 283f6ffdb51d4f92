"""What an operator chooses for a gateway, checked as it is typed, and as the parameters Azure gets.

The parameters are the ones `scripts/deploy-bicep.sh` sends for the same answers, the deployment's name too: script and
console see each other's deployments. Pure but for reading and writing the parameters file.

Source: "Create a parameter file for Bicep and ARM templates" (schema 2019-04-01); Deployments REST: names of 1 to 64
characters.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from console.errors import UsageError
from console.profile import save_privately

SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentParameters.json#"
NO_DRAIN = "none"
DEFAULT_SKU = "Developer"
_ENDPOINT = re.compile(r"https://[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?/?")
_ACCOUNT = re.compile(
    r"/subscriptions/[^/]+/resource[gG]roups/[^/]+/providers/Microsoft\.CognitiveServices/accounts/[^/]+"
)
_GROUP = re.compile(r"[-\w._()]{1,89}[-\w_()]|[-\w_()]")
_MAIL = re.compile(r"[^@\s]+@[^@\s]+")


@dataclass(frozen=True, slots=True)
class Choices:
    """The answers. "" and None leave the template's own default; `drained_backends` "" keeps what the gateway has."""

    username: str = ""
    location: str = ""
    ptu_endpoint: str = ""
    payg_endpoint_1: str = ""
    payg_endpoint_2: str = ""
    policy_fragment: str = ""
    sku: str = ""
    sku_capacity: int | None = None
    account_ids: tuple[str, ...] = ()
    drained_backends: str = ""
    has_capability_apis: bool = False
    has_operator_role: bool = True
    publisher_name: str = ""
    publisher_email: str = ""
    resource_group: str = ""

    @property
    def endpoints(self) -> tuple[tuple[str, str, bool], ...]:
        """(backend's name, URL, whether provisioned throughput is claimed)."""
        return (
            ("ptuEndpoint1", self.ptu_endpoint, True),
            ("paygEndpoint1", self.payg_endpoint_1, False),
            ("paygEndpoint2", self.payg_endpoint_2, False),
        )

    @property
    def tier(self) -> str:
        """The tier that will be deployed."""
        return self.sku or DEFAULT_SKU


PARAMETER_BY_FIELD = {
    "username": "username",
    "location": "location",
    "ptu_endpoint": "ptuEndpoint1",
    "payg_endpoint_1": "paygEndpoint1",
    "payg_endpoint_2": "paygEndpoint2",
    "policy_fragment": "policyFragment",
    "drained_backends": "drainedBackends",
    "has_capability_apis": "capabilityApis",
    "has_operator_role": "deployOperatorRole",
    "sku": "sku",
    "sku_capacity": "skuCapacity",
    "publisher_name": "publisherName",
    "publisher_email": "publisherEmail",
    "resource_group": "resourceGroupName",
    "account_ids": "accountResourceIds",
}
REQUIRED = ("username", "location", "ptu_endpoint", "payg_endpoint_1", "payg_endpoint_2", "policy_fragment")


@dataclass(frozen=True, slots=True)
class Offer:
    """What can be chosen: allowed values by the template, regions and accounts by the subscription.

    `regions` maps names to display names; empty when they could not be read.
    """

    fragments: tuple[str, ...] = ()
    skus: tuple[str, ...] = ()
    regions: Mapping[str, str] | None = None


def deployment_name(choices: Choices) -> str:
    """The deployment's name: the same for a username and location on any machine, here and in the script."""
    return f"genaigw-{posix_checksum(choices.username.encode())}-{choices.location}"


def posix_checksum(data: bytes) -> int:
    """The checksum of `cksum`. Source: POSIX.1-2017, cksum: CRC-32 0x04C11DB7, not reflected, the length behind."""
    crc = 0
    length = len(data)
    tail = bytearray()
    while length:
        tail.append(length & 0xFF)
        length >>= 8
    for byte in (*data, *tail):
        crc ^= byte << 24
        for _ in range(8):
            crc = ((crc << 1) ^ 0x04C11DB7 if crc & 0x80000000 else crc << 1) & 0xFFFFFFFF
    return crc ^ 0xFFFFFFFF


def to_parameters(choices: Choices) -> dict[str, Any]:
    """The template's parameters, name to value. What was not chosen is left to the template's defaults."""
    values: dict[str, Any] = {}
    for field_name, parameter in PARAMETER_BY_FIELD.items():
        value = getattr(choices, field_name)
        if field_name == "drained_backends":
            value = value or NO_DRAIN
        if value in ("", None, ()):
            continue
        values[parameter] = list(value) if isinstance(value, tuple) else value
    return values


def from_parameters(values: Mapping[str, Any], source: str) -> Choices:
    """The answers behind parameters, from a file or from a deployment that stands.

    Raises:
        UsageError: a parameter is unknown or of another kind.
    """
    field_by_parameter = {parameter: field_name for field_name, parameter in PARAMETER_BY_FIELD.items()}
    found: dict[str, Any] = {}
    for parameter, value in values.items():
        field_name = field_by_parameter.get(parameter)
        if field_name is None:
            close = get_close_matches(parameter, field_by_parameter, n=1)
            remedy = f"Did you mean {close[0]}?" if close else f"There are: {', '.join(field_by_parameter)}."
            raise UsageError(f"There is no parameter {parameter!r} here", where=source, remedy=remedy)
        kind = _kind_of(field_name)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise UsageError(
                f"{parameter} is {json.dumps(value)[:60]}", where=source, remedy=f"It must be a {kind.__name__}."
            )
        found[field_name] = tuple(str(entry) for entry in value) if isinstance(value, list) else value
    return Choices(**found)


def _kind_of(field_name: str) -> type:
    if field_name == "account_ids":
        return list
    if field_name == "sku_capacity":
        return int
    return bool if field_name.startswith("has_") else str


def parameters_document(choices: Choices) -> dict[str, Any]:
    """A parameters file's content. That nothing is drained is left out: it is true now, not when the file is used."""
    values = to_parameters(choices)
    if values["drainedBackends"] == NO_DRAIN:
        del values["drainedBackends"]
    entries = {name: {"value": value} for name, value in values.items()}
    return {"$schema": SCHEMA, "contentVersion": "1.0.0.0", "parameters": entries}


def save_parameters(choices: Choices, path: Path) -> None:
    """Write the parameters file; `az deployment sub create --parameters @FILE` and the script read it.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        save_privately(path, json.dumps(parameters_document(choices), indent=2, ensure_ascii=False) + "\n")
    except OSError as error:
        raise UsageError(f"The parameters file cannot be written: {error}", where=str(path)) from error


def load_parameters(path: Path) -> Choices:
    """Read a parameters file.

    Raises:
        UsageError: it cannot be read, is no parameters file, or names what does not exist.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        values = {str(name): entry["value"] for name, entry in document["parameters"].items()}
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The parameters file cannot be read: {error}", where=str(path)) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            "This is no parameters file", where=str(path), remedy='Write {"parameters": {"NAME": {"value": ...}}}.'
        ) from error
    return from_parameters(values, str(path))


def overlaid(base: Choices, given: Choices) -> Choices:
    """`base` with everything that `given` says."""
    blank = Choices()
    said = {
        field.name: getattr(given, field.name)
        for field in fields(Choices)
        if getattr(given, field.name) != getattr(blank, field.name)
    }
    return replace(base, **said)


# -- checking ----------------------------------------------------------------------------------------------------------


def problem_of(field_name: str, value: Any, offer: Offer) -> str:
    """Why an answer cannot be used, in a few words; "" when it can."""
    text = str(value or "")
    if not text:
        return "is missing" if field_name in REQUIRED else ""
    if any(ord(char) < 0x20 for char in text) and field_name != "username":
        return "holds control characters"
    match field_name:
        case "username":
            return "" if len(text) <= 256 else "is longer than 256 characters"
        case "location":
            return _region_problem(text, offer.regions)
        case "ptu_endpoint" | "payg_endpoint_1" | "payg_endpoint_2":
            return _endpoint_problem(text)
        case "policy_fragment":
            return _choice_problem(text, offer.fragments)
        case "sku":
            return _choice_problem(text, offer.skus)
        case "sku_capacity":
            return "" if re.fullmatch(r"[1-9]|[12][0-9]|3[01]", text) else "is a whole number from 1 to 31"
        case "account_ids":
            wrong = [entry for entry in value if not _ACCOUNT.fullmatch(entry)]
            return f"{wrong[0]!r} is no resource id of an Azure OpenAI account" if wrong else ""
        case "publisher_name":
            return "" if len(text) <= 100 else "is longer than 100 characters"
        case "publisher_email":
            return "" if _MAIL.fullmatch(text) and len(text) <= 100 else "is no mail address"
        case "resource_group":
            return "" if _GROUP.fullmatch(text) else "is no name of a resource group"
    return ""


def problems_of(choices: Choices, offer: Offer) -> dict[str, str]:
    """Every answer that cannot be used, by field."""
    found = {f.name: problem_of(f.name, getattr(choices, f.name), offer) for f in fields(Choices)}
    named: dict[str, str] = {}
    for name, url, _ in choices.endpoints:
        host = url.rstrip("/").lower()
        if host and host in named.values():
            field_name = next(f for f, parameter in PARAMETER_BY_FIELD.items() if parameter == name)
            found[field_name] = found[field_name] or "is the same endpoint twice"
        named[name] = host
    return {field_name: problem for field_name, problem in found.items() if problem}


def require_sound(choices: Choices, offer: Offer) -> None:
    """Refuse answers that cannot be used.

    Raises:
        UsageError: names the first one, as the command line calls it.
    """
    for field_name, problem in problems_of(choices, offer).items():
        raise UsageError(f"--{PARAMETER_BY_FIELD[field_name]} {problem}", remedy="See `genaigw-console deploy --help`.")


def _region_problem(text: str, regions: Mapping[str, str] | None) -> str:
    if not re.fullmatch(r"[A-Za-z0-9 ]+", text):
        return "is no region, for example swedencentral"
    if not regions or settled_region(text) in regions:
        return ""
    close = get_close_matches(settled_region(text), regions, n=3, cutoff=0.5)
    return f"is no region of this subscription{'; near it: ' + ', '.join(close) if close else ''}"


def settled_region(text: str) -> str:
    """A region's name, given its name or its display name."""
    return text.replace(" ", "").lower()


def _endpoint_problem(text: str) -> str:
    if not text.startswith("https://"):
        return "begins with https://"
    if not _ENDPOINT.fullmatch(text):
        return "is a host alone, like https://contoso.openai.azure.com"
    return ""


def _choice_problem(text: str, allowed: Sequence[str]) -> str:
    if not allowed or text in allowed:
        return ""
    close = get_close_matches(text, allowed, n=1)
    return f"is unknown; did you mean {close[0]}?" if close else f"is one of: {', '.join(allowed)}"
