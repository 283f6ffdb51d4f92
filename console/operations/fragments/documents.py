"""The nouns: where a policy document, fragment or named value stands on a gateway, and its names. Pure.

A place has three names: the path Resource Manager knows below the service, the words a sentence uses, and the handle a
command line takes (`spill-to-payg`, `api/azure-openai`, `named-value/region`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from apimpolicy.document import PolicySyntaxError, canonical, parse

FRAGMENT_LIMIT_BYTES = 32 * 1024
"""Source: "Policy fragments in Azure API Management" (Microsoft Learn): a fragment holds at most 32 KB."""


class Kind(StrEnum):
    """What stands at a place, in the order in which things are deployed."""

    NAMED_VALUE = "named value"
    FRAGMENT = "fragment"
    POLICY = "policy"


_ORDER = {Kind.NAMED_VALUE: 0, Kind.FRAGMENT: 1, Kind.POLICY: 2}


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands. `name`: a fragment's id, a named value's display name, or a policy's scope.

    Scopes: "global", "api NAME", "operation API/NAME", "product NAME".
    """

    kind: Kind
    name: str

    @property
    def path(self) -> str:
        """The path below the service; named values by their display name."""
        if self.kind is Kind.FRAGMENT:
            return f"policyFragments/{self.name}"
        if self.kind is Kind.NAMED_VALUE:
            return f"namedValues/{self.name}"
        level, _, name = self.name.partition(" ")
        if level == "api":
            return f"apis/{name}/policies/policy"
        if level == "operation":
            api, _, operation = name.partition("/")
            return f"apis/{api}/operations/{operation}/policies/policy"
        if level == "product":
            return f"products/{name}/policies/policy"
        return "policies/policy"

    @property
    def words(self) -> str:
        """As a sentence says it."""
        if self.kind is not Kind.POLICY:
            return f"{self.kind.value} {self.name}"
        return "the global policy" if self.name == "global" else f"the policy of {self.name}"

    @property
    def handle(self) -> str:
        """As a command line takes it."""
        if self.kind is Kind.FRAGMENT:
            return self.name
        if self.kind is Kind.NAMED_VALUE:
            return f"named-value/{self.name}"
        return self.name.replace(" ", "/", 1)

    @property
    def order(self) -> tuple[int, int, str]:
        """Sorts named values before fragments before policies, wide scopes before narrow ones."""
        depth = {"global": 0, "product": 1, "api": 2, "operation": 3}.get(self.name.split(" ")[0], 0)
        return (_ORDER[self.kind], depth if self.kind is Kind.POLICY else 0, self.name.lower())

    @property
    def lint_scope(self) -> str | None:
        """The scope as the linter names it; None for fragments."""
        return self.name.split(" ")[0] if self.kind is Kind.POLICY else None


def place_of_path(path: str) -> Place | None:
    """The place of a path below the service; None when no document stands there."""
    match path.split("?")[0].strip("/").split("/"):
        case ["policyFragments", name]:
            return Place(Kind.FRAGMENT, name)
        case ["namedValues", name]:
            return Place(Kind.NAMED_VALUE, name)
        case ["policies", "policy"]:
            return Place(Kind.POLICY, "global")
        case ["apis", api, "policies", "policy"]:
            return Place(Kind.POLICY, f"api {api}")
        case ["apis", api, "operations", operation, "policies", "policy"]:
            return Place(Kind.POLICY, f"operation {api}/{operation}")
        case ["products", product, "policies", "policy"]:
            return Place(Kind.POLICY, f"product {product}")
    return None


def place_of_handle(handle: str) -> Place:
    """The place that a command line names. A bare word is a fragment."""
    level, slash, name = handle.partition("/")
    if level == "global" and not slash:
        return Place(Kind.POLICY, "global")
    if slash and level == "named-value":
        return Place(Kind.NAMED_VALUE, name)
    if slash and level in ("api", "operation", "product"):
        return Place(Kind.POLICY, f"{level} {name}")
    return Place(Kind.FRAGMENT, name if slash and level == "fragment" else handle)


def meaning(text: str, *, comments: bool = True) -> str:
    """What two texts share when they differ only in layout, quoting and escapes; unreadable text means itself."""
    try:
        return canonical(parse(text), comments=comments)
    except PolicySyntaxError:
        return text.replace("\r\n", "\n").strip()


def same_text(one: str | None, other: str | None, kind: Kind) -> bool:
    """Whether two texts mean the same, comments included; for named values, whether they are equal."""
    if one is None or other is None:
        return one is other
    return one == other if kind is Kind.NAMED_VALUE else meaning(one) == meaning(other)


@dataclass(frozen=True, slots=True)
class DeployedDocument:
    """What stands on the gateway: policy text, or a named value's value (None when it is secret).

    `path` is where to write it, `etag` what guards that.
    """

    place: Place
    path: str
    text: str | None
    etag: str
    description: str = ""
    is_secret: bool = False


@dataclass(frozen=True, slots=True)
class LocalDocument:
    """What stands in a folder. `file` is relative to the folder, for messages."""

    place: Place
    text: str
    file: str
    description: str = ""
