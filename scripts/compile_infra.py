#!/usr/bin/env python3
"""Compiles infra/main.bicep and its modules into infra/main.json, for places without a Bicep compiler.

What this room is: a small compiler for the part of Bicep that this repository uses, emitting what the Bicep compiler
emits for it (array-form resources, modules as nested deployments with inner scope, `loadTextContent` as `$fxv#N`
variables). What it may not do: guess. Any construct it does not know is an error with file, line and column.

    scripts/compile_infra.py            write infra/main.json
    scripts/compile_infra.py --check    exit 1 when infra/main.json is not what the Bicep says

Needs tree-sitter-bicep (a development dependency).
Source: Azure Resource Manager template syntax, Bicep file structure and loops pages of the Microsoft documentation.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import tree_sitter_bicep
from bicep_syntax import (
    Declared,
    Loop,
    decorator_calls,
    has_interpolation,
    members,
    part,
    plain_text,
    quoted,
    text_of,
    unescape,
)
from tree_sitter import Language, Node, Parser

INFRA = Path(__file__).resolve().parent.parent / "infra"
DEPLOYMENT_API_VERSION = "2022-09-01"
SCHEMAS = {
    "subscription": "https://schema.management.azure.com/schemas/2018-05-01/subscriptionDeploymentTemplate.json#",
    "resourceGroup": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
}
OPERATORS = {
    "==": "equals({0}, {1})",
    "!=": "not(equals({0}, {1}))",
    "&&": "and({0}, {1})",
    "||": "or({0}, {1})",
    ">": "greater({0}, {1})",
    "<": "less({0}, {1})",
    "+": "add({0}, {1})",
    "-": "sub({0}, {1})",
}
PARAMETER_LIMITS = ("minLength", "maxLength", "minValue", "maxValue")


class CompileError(Exception):
    """A construct this compiler does not know, or Bicep that does not parse."""


class Template:
    """One Bicep file on its way to one template."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.scope = "resourceGroup"
        self.parameters: dict[str, Any] = {}
        self.variables: dict[str, Node] = {}
        self.declared: dict[str, Declared] = {}
        self.outputs: dict[str, tuple[str, Node]] = {}
        self.texts: dict[str, str] = {}  # loadTextContent path -> variable name
        self.loaded: dict[str, str] = {}  # variable name -> text
        self.loop: Loop | None = None
        self.touched: set[str] = set()  # symbols referred to since last cleared
        self._read()

    # --- reading -------------------------------------------------------------------------------------------------

    def fail(self, node: Node, message: str) -> CompileError:
        row, column = node.start_point
        return CompileError(f"{self.path}:{row + 1}:{column + 1}: {message}")

    def _read(self) -> None:
        tree = Parser(Language(tree_sitter_bicep.language())).parse(self.path.read_bytes())
        if tree.root_node.has_error:
            raise CompileError(f"{self.path}: does not parse as Bicep")
        decorators: dict[str, Node] = {}
        parameters: list[tuple[Node, dict[str, Node]]] = []
        for node in tree.root_node.named_children:
            if node.type in ("comment", "diagnostic_comment"):
                continue
            if node.type == "decorators":
                decorators = {text_of(call.children[0]): call for call in decorator_calls(node)}
                continue
            if node.type == "target_scope_assignment":
                self.scope = plain_text(node.named_children[0])
            elif node.type == "parameter_declaration":
                parameters.append((node, decorators))
            elif node.type == "variable_declaration":
                name, value = node.named_children
                self.variables[text_of(name)] = value
            elif node.type in ("resource_declaration", "module_declaration"):
                declared = self._read_declared(node, decorators)
                self.declared[declared.symbol] = declared
            elif node.type == "output_declaration":
                name, kind, value = node.named_children
                self.outputs[text_of(name)] = (text_of(kind), value)
            else:
                raise self.fail(node, f"{node.type} is not supported")
            decorators = {}
        for node, marks in parameters:
            self._read_parameter(node, marks)

    def _read_parameter(self, node: Node, decorators: dict[str, Node]) -> None:
        name, kind, *default = node.named_children
        entry: dict[str, Any] = {"type": text_of(kind)}
        self.parameters[text_of(name)] = entry
        if default:
            entry["defaultValue"] = self.value(default[0])
        arguments = {key: part(call, "arguments").named_children[0] for key, call in decorators.items()}
        if "allowed" in arguments:
            entry["allowedValues"] = self.value(arguments["allowed"])
        for limit in PARAMETER_LIMITS:
            if limit in arguments:
                entry[limit] = self.value(arguments[limit])
        if "description" in arguments:
            entry["metadata"] = {"description": self.value(arguments["description"])}
        unknown = set(arguments) - {"allowed", "description", *PARAMETER_LIMITS}
        if unknown:
            raise self.fail(node, f"decorator {min(unknown)} is not supported")

    def _read_declared(self, node: Node, decorators: dict[str, Node]) -> Declared:
        kind = node.type.removesuffix("_declaration")
        symbol, header, body = node.named_children
        declared = Declared(text_of(symbol), kind, plain_text(header), {})
        declared.existing = any(child.type == "existing" for child in node.children)
        if body.type == "for_statement":
            declared.loop = self._read_loop(body)
            body = part(body, "body")
        if body.type == "if_statement":
            test, body = body.named_children
            declared.condition = test.named_children[0]
        declared.body = members(body)
        if "batchSize" in decorators:
            size = part(decorators["batchSize"], "arguments").named_children[0]
            declared.batch_size = int(text_of(size))
        return declared

    def _read_loop(self, node: Node) -> Loop:
        parts = [c for c in node.named_children if c.id != part(node, "body").id]
        names, over = parts[0], parts[1]
        if names.type == "for_loop_parameters":
            item, index = (text_of(child) for child in names.named_children)
            return Loop(item, index, over)
        return Loop(text_of(names), None, over)

    # --- expressions ---------------------------------------------------------------------------------------------

    def value(self, node: Node) -> Any:
        """The JSON of a Bicep value: literals as JSON, everything else as "[expression]"."""
        if node.type == "object":
            return {key: self.value(member) for key, member in members(node).items()}
        if node.type == "array":
            return [self.value(item) for item in node.named_children if item.type != "comment"]
        if node.type == "number":
            return int(text_of(node))
        if node.type == "boolean":
            return text_of(node) == "true"
        if node.type == "null":
            return None
        if node.type == "string" and not has_interpolation(node):
            text = plain_text(node)
            return "[" + text if text.startswith("[") else text
        return f"[{self.expression(node)}]"

    def expression(self, node: Node) -> str:
        """The ARM expression of a Bicep expression, without the surrounding brackets."""
        handler = getattr(self, f"_express_{node.type}", None)
        if handler is None:
            raise self.fail(node, f"{node.type} is not supported in an expression")
        return str(handler(node))

    def _express_string(self, node: Node) -> str:
        if not has_interpolation(node):
            return quoted(plain_text(node))
        template = ""
        arguments: list[str] = []
        for piece in node.named_children:
            if piece.type == "interpolation":
                template += "{" + str(len(arguments)) + "}"
                arguments.append(self.expression(piece.named_children[0]))
            else:
                template += unescape(text_of(piece)).replace("{", "{{").replace("}", "}}")
        return f"format({', '.join([quoted(template), *arguments])})"

    def _express_number(self, node: Node) -> str:
        return text_of(node)

    def _express_boolean(self, node: Node) -> str:
        return f"{text_of(node)}()"

    def _express_null(self, node: Node) -> str:
        return "null()"

    def _express_array(self, node: Node) -> str:
        items = [self.expression(item) for item in node.named_children if item.type != "comment"]
        return f"createArray({', '.join(items)})"

    def _express_object(self, node: Node) -> str:
        pairs = [f"{quoted(key)}, {self.expression(member)}" for key, member in members(node).items()]
        return f"createObject({', '.join(pairs)})"

    def _express_parenthesized_expression(self, node: Node) -> str:
        return self.expression(node.named_children[0])

    def _express_ternary_expression(self, node: Node) -> str:
        return f"if({', '.join(self.expression(part) for part in node.named_children)})"

    def _express_unary_expression(self, node: Node) -> str:
        operator = text_of(part(node, "operator"))
        if operator != "!":
            raise self.fail(node, f"operator {operator} is not supported")
        return f"not({self.expression(part(node, 'argument'))})"

    def _express_binary_expression(self, node: Node) -> str:
        operator = text_of(part(node, "operator"))
        if operator not in OPERATORS:
            raise self.fail(node, f"operator {operator} is not supported")
        left, right = part(node, "left"), part(node, "right")
        return OPERATORS[operator].format(self.expression(left), self.expression(right))

    def _express_subscript_expression(self, node: Node) -> str:
        target, index = part(node, "object"), part(node, "index")
        return f"{self.expression(target)}[{self.expression(index)}]"

    def _express_call_expression(self, node: Node) -> str:
        name = text_of(part(node, "function"))
        arguments = part(node, "arguments").named_children
        if name == "loadTextContent":
            return f"variables('{self._load(plain_text(arguments[0]))}')"
        return f"{name}({', '.join(self.expression(argument) for argument in arguments)})"

    def _express_identifier(self, node: Node) -> str:
        name = text_of(node)
        if self.loop and name == self.loop.item:
            return f"{self.expression(self.loop.over)}[copyIndex()]"
        if self.loop and name == self.loop.index:
            return "copyIndex()"
        if name in self.parameters:
            return f"parameters('{name}')"
        if name in self.variables:
            return f"variables('{name}')"
        raise self.fail(node, f"{name} is neither a parameter nor a variable")

    def _express_member_expression(self, node: Node) -> str:
        target, name = part(node, "object"), text_of(part(node, "property"))
        path = [name]
        while target.type == "member_expression":
            path.insert(0, text_of(part(target, "property")))
            target = part(target, "object")
        if target.type == "identifier" and text_of(target) in self.declared:
            return self._member_of(self.declared[text_of(target)], path, node)
        return ".".join([self.expression(target), *path])

    def _member_of(self, declared: Declared, path: list[str], node: Node) -> str:
        self.touched.add(declared.symbol)
        if declared.loop:
            raise self.fail(node, f"{declared.symbol} is a loop: its members cannot be read one by one here")
        if declared.kind == "module":
            if path[0] != "outputs" or len(path) != 2:
                raise self.fail(node, "only the outputs of a module can be read")
            return f"reference({self.id_of(declared)}, '{DEPLOYMENT_API_VERSION}').outputs.{path[1]}.value"
        if path == ["id"]:
            return self.id_of(declared)
        if path == ["name"]:
            return self.expression(declared.body["name"])
        if path[0] == "properties":
            return f"reference({self.id_of(declared)}, '{declared.api_version}').{'.'.join(path[1:])}"
        return f"reference({self.id_of(declared)}, '{declared.api_version}', 'full').{'.'.join(path)}"

    def _load(self, relative: str) -> str:
        if relative not in self.texts:
            name = f"$fxv#{len(self.texts)}"
            self.texts[relative] = name
            self.loaded[name] = (self.path.parent / relative).read_text(encoding="utf-8")
        return self.texts[relative]

    # --- names and ids -------------------------------------------------------------------------------------------

    def name_segments(self, declared: Declared) -> list[str]:
        own = self.expression(declared.body["name"])
        parent = self._parent(declared)
        return [*self.name_segments(parent), own] if parent else [own]

    def _parent(self, declared: Declared) -> Declared | None:
        if "parent" not in declared.body:
            return None
        return self.declared[text_of(declared.body["parent"])]

    def id_of(self, declared: Declared) -> str:
        """The resource id as an expression, in the form the Bicep compiler chooses for each scope."""
        segments = ", ".join(self.name_segments(declared))
        if declared.kind == "module":
            return f"extensionResourceId({self._group_of(declared)}, 'Microsoft.Resources/deployments', {segments})"
        if "scope" in declared.body:
            target = self.declared[text_of(declared.body["scope"])]
            return f"extensionResourceId({self.id_of(target)}, '{declared.type}', {segments})"
        function = "subscriptionResourceId" if self.scope == "subscription" else "resourceId"
        return f"{function}('{declared.type}', {segments})"

    def _group_of(self, declared: Declared) -> str:
        subscription, group = self._module_scope(declared)
        template = "/subscriptions/{0}/resourceGroups/{1}"
        return f"format('{template}', {subscription or 'subscription().subscriptionId'}, {group})"

    def _module_scope(self, declared: Declared) -> tuple[str | None, str]:
        scope = declared.body["scope"]
        if scope.type == "identifier":
            group = self.declared[text_of(scope)]
            self.touched.add(group.symbol)
            return None, self.expression(group.body["name"])
        if scope.type == "call_expression" and text_of(part(scope, "function")) == "resourceGroup":
            arguments = part(scope, "arguments").named_children
            if len(arguments) == 2:
                return self.expression(arguments[0]), self.expression(arguments[1])
        raise self.fail(scope, "a module's scope must be a resource group, or resourceGroup(subscription, name)")

    # --- emitting ------------------------------------------------------------------------------------------------

    def emit(self) -> dict[str, Any]:
        """The whole template, hash included."""
        resources = [self._emit_declared(d) for d in self.declared.values() if not d.existing]
        outputs = {name: {"type": kind, "value": self.value(node)} for name, (kind, node) in self.outputs.items()}
        variables = {name: self.value(node) for name, node in self.variables.items()}
        body: dict[str, Any] = {
            "$schema": SCHEMAS[self.scope],
            "contentVersion": "1.0.0.0",
            "parameters": self.parameters,
            "variables": {**self.loaded, **variables},
            "resources": resources,
            "outputs": outputs,
        }
        body = {key: value for key, value in body.items() if value or key == "resources"}
        digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
        generator = {"_generator": {"name": "compile_infra", "version": "1", "templateHash": str(int(digest[:15], 16))}}
        head = {"$schema": body.pop("$schema"), "contentVersion": body.pop("contentVersion"), "metadata": generator}
        return head | body

    def _emit_declared(self, declared: Declared) -> dict[str, Any]:
        out: dict[str, Any] = {}
        self.touched = set()
        if declared.loop:
            out["copy"] = {"name": declared.symbol, "count": f"[length({self.expression(declared.loop.over)})]"}
            if declared.batch_size:
                out["copy"] |= {"mode": "serial", "batchSize": declared.batch_size}
        if declared.condition is not None:
            out["condition"] = self.value(declared.condition)
        self.loop = declared.loop
        emit = self._emit_module if declared.kind == "module" else self._emit_resource
        out |= emit(declared)
        self.loop = None
        needs = self._dependencies(declared)
        if needs:
            out["dependsOn"] = needs
        return out

    def _emit_resource(self, declared: Declared) -> dict[str, Any]:
        segments = self.name_segments(declared)
        if len(segments) == 1:
            name = self.value(declared.body["name"])
        else:
            slots = "/".join("{" + str(number) + "}" for number in range(len(segments)))
            name = f"[format('{slots}', {', '.join(segments)})]"
        out: dict[str, Any] = {"type": declared.type, "apiVersion": declared.api_version}
        if "scope" in declared.body:
            target = self.declared[text_of(declared.body["scope"])]
            self.touched.add(target.symbol)
            out["scope"] = f"[{self.id_of(target)}]"
        out["name"] = name
        for key, member in declared.body.items():
            if key not in ("name", "parent", "scope", "dependsOn"):
                out[key] = self.value(member)
        return out

    def _emit_module(self, declared: Declared) -> dict[str, Any]:
        subscription, group = self._module_scope(declared)
        out: dict[str, Any] = {
            "type": "Microsoft.Resources/deployments",
            "apiVersion": DEPLOYMENT_API_VERSION,
            "name": self.value(declared.body["name"]),
        }
        if subscription:
            out["subscriptionId"] = f"[{subscription}]"
        out["resourceGroup"] = f"[{group}]"
        given = members(declared.body["params"]) if "params" in declared.body else {}
        inner = Template((self.path.parent / declared.header).resolve())
        wrong = set(given) ^ {n for n, p in inner.parameters.items() if n in given or "defaultValue" not in p}
        if wrong:
            raise CompileError(f"{self.path}: module {declared.symbol}: parameters do not fit: {sorted(wrong)}")
        out["properties"] = {
            "expressionEvaluationOptions": {"scope": "inner"},
            "mode": "Incremental",
            "parameters": {key: {"value": self.value(member)} for key, member in given.items()},
            "template": inner.emit(),
        }
        return out

    def _dependencies(self, declared: Declared) -> list[str]:
        needs = set(self.touched)
        parent = self._parent(declared)
        if parent:
            needs.add(parent.symbol)
        if "dependsOn" in declared.body:
            needs |= {text_of(item) for item in declared.body["dependsOn"].named_children if item.type != "comment"}
        ids = []
        for symbol in sorted(needs):
            other = self.declared[symbol]
            if not other.existing:
                ids.append(symbol if other.loop else f"[{self.id_of(other)}]")
        return ids


def compile_text() -> str:
    """infra/main.json as it should be."""
    return json.dumps(Template(INFRA / "main.bicep").emit(), indent=2, ensure_ascii=False) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description="Compile infra/main.bicep into infra/main.json")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when main.json is out of date")
    options = parser.parse_args()
    try:
        text = compile_text()
    except CompileError as error:
        print(error, file=sys.stderr)
        return 1
    target = INFRA / "main.json"
    if options.check:
        if not target.is_file() or target.read_text(encoding="utf-8") != text:
            print("infra/main.json is out of date: run scripts/compile_infra.py", file=sys.stderr)
            return 1
        return 0
    target.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
