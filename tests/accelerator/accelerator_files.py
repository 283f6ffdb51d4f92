"""What the accelerator tests read: the policy files with their first comments, the Bicep files, the compiled template.

The Bicep is read here with tree-sitter alone, not with the project's compiler: the two must agree independently.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tree_sitter_bicep
from tree_sitter import Language, Node, Parser

ROOT = Path(__file__).resolve().parents[2]
POLICIES = ROOT / "policies"
INFRA = ROOT / "infra"
SPECS = ROOT.parent / "shared" / "specs"

HEADER_KEYS = frozenset(
    {
        "section",
        "drain-aware",
        "expects-backend",
        "expects-pool",
        "expects-named-value",
        "expects-fragment",
        "expects-logger",
        "sets-variable",
    }
)


@dataclass(frozen=True)
class PolicyFile:
    """One fragment or API policy of the bundle."""

    name: str
    path: Path
    text: str

    @property
    def header(self) -> dict[str, tuple[str, ...]]:
        """The keys of a fragment's first comment. Raises AssertionError when it is not where it must be."""
        match = re.match(r"<fragment>\s*<!--\n(.*?)\n\s*\n(.*?)-->", self.text, re.DOTALL)
        assert match, f"{self.name}: the first child of <fragment> is not a comment of keys, a blank line and prose"
        assert match[2].strip(), f"{self.name}: says nothing about itself"
        header: dict[str, tuple[str, ...]] = {}
        for line in match[1].splitlines():
            key, colon, value = line.strip().partition(": ")
            assert colon, f"{self.name}: {line.strip()!r} is not a key and a value"
            header[key] = (*header.get(key, ()), value)
        return header

    @property
    def without_comments(self) -> str:
        return re.sub(r"<!--.*?-->", "", self.text, flags=re.DOTALL)


def policy_files(kind: str) -> list[PolicyFile]:
    """Every fragment (`kind` "fragment") or API policy ("policy"), by name."""
    files = sorted(POLICIES.glob(f"*/*.{kind}.xml"))
    return [PolicyFile(f.name.removesuffix(f".{kind}.xml"), f, f.read_text(encoding="utf-8")) for f in files]


def compiled_template() -> dict[str, Any]:
    template: dict[str, Any] = json.loads((INFRA / "main.json").read_text(encoding="utf-8"))
    return template


def nested_templates(template: dict[str, Any]) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """Nested deployments of a template: their name expression -> (parameters given, inner template)."""
    found = {}
    for resource in template["resources"]:
        if resource["type"] == "Microsoft.Resources/deployments":
            properties = resource["properties"]
            found[resource["name"]] = (properties["parameters"], properties["template"])
    return found


@dataclass(frozen=True)
class BicepFile:
    """One Bicep file as the grammar sees it: raw source text of each part, nothing evaluated."""

    path: Path
    parameters: dict[str, str]  # name -> type
    allowed: dict[str, list[str]]
    variables: tuple[str, ...]
    resources: tuple[tuple[str, str, bool], ...]  # (type, api-version, existing)
    names: dict[str, str]  # "type" + order -> source text of the name
    modules: tuple[tuple[str, str, frozenset[str]], ...]  # (file, source text of the name, parameters given)
    outputs: dict[str, str]  # name -> type
    loaded: tuple[str, ...]  # paths given to loadTextContent, in order, each once


def read_bicep(path: Path) -> BicepFile:
    tree = Parser(Language(tree_sitter_bicep.language())).parse(path.read_bytes())
    assert not tree.root_node.has_error, f"{path} does not parse as Bicep"
    parameters: dict[str, str] = {}
    allowed: dict[str, list[str]] = {}
    variables, resources, modules = [], [], []
    names: dict[str, str] = {}
    outputs: dict[str, str] = {}
    pending: list[str] = []
    for node in tree.root_node.named_children:
        kids = [child for child in node.named_children if child.type != "comment"]
        if node.type == "decorators":
            pending = _allowed_values(node)
            continue
        if node.type == "parameter_declaration":
            parameters[_source(kids[0])] = _source(kids[1])
            if pending:
                allowed[_source(kids[0])] = pending
        elif node.type == "variable_declaration":
            variables.append(_source(kids[0]))
        elif node.type == "output_declaration":
            outputs[_source(kids[0])] = _source(kids[1])
        elif node.type == "resource_declaration":
            kind, version = _source(kids[1]).strip("'").split("@")
            existing = any(child.type == "existing" for child in node.children)
            names[f"{len(resources)} {kind}"] = _source(_body(kids[2])["name"])
            resources.append((kind, version, existing))
        elif node.type == "module_declaration":
            body = _body(kids[2])
            given = frozenset(_pairs(body["params"])) if "params" in body else frozenset()
            modules.append((_source(kids[1]).strip("'"), _source(body["name"]), given))
        pending = []
    loaded = tuple(dict.fromkeys(re.findall(r"loadTextContent\('([^']+)'\)", path.read_text(encoding="utf-8"))))
    return BicepFile(
        path, parameters, allowed, tuple(variables), tuple(resources), names, tuple(modules), outputs, loaded
    )


def _source(node: Node) -> str:
    assert node.text is not None
    return node.text.decode()


def _body(node: Node) -> dict[str, Node]:
    while node.type in ("for_statement", "if_statement"):
        node = node.named_children[-1]
    return _pairs(node)


def _pairs(node: Node) -> dict[str, Node]:
    pairs = {}
    for member in node.named_children:
        if member.type == "object_property":
            key, value = (child for child in member.named_children if child.type != "comment")
            pairs[_source(key).strip("'")] = value
    return pairs


def _allowed_values(decorators: Node) -> list[str]:
    match = re.search(r"@allowed\(\[(.*?)\]\)", _source(decorators), re.DOTALL)
    return re.findall(r"'([^']*)'", match[1]) if match else []
