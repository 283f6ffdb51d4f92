"""Resource Manager paths taken apart: scope, provider, types and names. Pure text; looks nothing up.

Source: "Azure resource IDs": `/{scope}/providers/{namespace}/{type}/{name}[/{type}/{name}]`, extension resources
carrying a second `/providers/`; subscriptions and resource groups come without a provider.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ResourcePath:
    """A path below Resource Manager.

    `names` has as many entries as `types` for one resource, one fewer for a collection or an action (whose last `types`
    entry is then the collection's or the action's name). `scope` is what stands before the last `/providers/`.
    """

    path: str
    scope: str
    namespace: str
    types: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def is_resource(self) -> bool:
        """Whether the path names one resource."""
        return len(self.names) == len(self.types)

    @property
    def type(self) -> str:
        """The full type, such as `Microsoft.ApiManagement/service/backends`."""
        return "/".join((self.namespace, *self.types))

    @property
    def name(self) -> str:
        """The last name ("" for a top-level collection)."""
        return self.names[-1] if self.names else ""

    @property
    def parent_id(self) -> str:
        """The resource this one (or this collection) lives under: a parent resource or the scope."""
        if len(self.types) > 1:
            return self.path.rsplit("/", 2 if self.is_resource else 1)[0]
        return self.scope

    @property
    def subscription_id(self) -> str:
        """The subscription's id, "" at tenant scope."""
        return _segment_after(self.path, "subscriptions")

    @property
    def resource_group(self) -> str:
        """The resource group's name, "" above it."""
        return _segment_after(self.path, "resourcegroups")

    @property
    def group_id(self) -> str:
        """The resource group's id, "" above it."""
        if not self.resource_group:
            return ""
        return f"/subscriptions/{self.subscription_id}/resourceGroups/{self.resource_group}"


def _segment_after(path: str, word: str) -> str:
    parts = path.strip("/").split("/")
    position = {"subscriptions": 0, "resourcegroups": 2}[word]
    if len(parts) > position + 1 and parts[position].lower() == word:
        return parts[position + 1]
    return ""


def parse_resource_path(path: str) -> ResourcePath | None:
    """Take a path apart; None when it has no resource in it (such as `/tenants`)."""
    parts = [part for part in path.split("/") if part]
    whole = "/" + "/".join(parts)
    lowered = [part.lower() for part in parts]
    provider = max((index for index, part in enumerate(lowered) if part == "providers"), default=-1)
    if provider >= 0 and provider + 2 < len(parts):
        rest = parts[provider + 2 :]
        scope = "/" + "/".join(parts[:provider]) if provider else ""
        return ResourcePath(whole, scope, parts[provider + 1], tuple(rest[0::2]), tuple(rest[1::2]))
    if provider >= 0 or not parts or lowered[0] != "subscriptions":
        return None
    if len(parts) <= 2:
        return ResourcePath(whole, "", "Microsoft.Resources", ("subscriptions",), tuple(parts[1:]))
    if lowered[2] == "resourcegroups" and len(parts) <= 4:
        scope = "/" + "/".join(parts[:2])
        return ResourcePath(whole, scope, "Microsoft.Resources", ("resourceGroups",), tuple(parts[3:]))
    return None


def required_action(method: str, path: str) -> tuple[str, str] | None:
    """The permission a request asks for and the scope it asks at; None when none is needed.

    Source: "Azure resource provider operations": reads are `{type}/read`, PUT and PATCH `{type}/write`, DELETE
    `{type}/delete`, POST `{type}/{verb}/action`.
    """
    parts = parse_resource_path(path)
    if parts is None:
        return None
    types = list(parts.types)
    if parts.namespace == "Microsoft.Resources" and types == ["resourceGroups"]:
        types = ["subscriptions", "resourceGroups"]
    if method == "POST":
        if parts.is_resource or not types:
            return "/".join((parts.namespace, *types, "action")), parts.path
        scope = parts.path.rsplit("/", 1)[0] if len(parts.types) > 1 else parts.scope
        return "/".join((parts.namespace, *types, "action")), scope
    verb = {"GET": "read", "HEAD": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete"}.get(method, "action")
    scope = parts.path if parts.is_resource else (parts.parent_id or "/")
    return "/".join((parts.namespace, *types, verb)), scope
