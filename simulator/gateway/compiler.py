"""Compiles the effective policy of an operation, once per configuration version, into blocks of steps.

Effective policy: each section runs its own statements and, at `<base />`, the section of the scope above; fragments
are inlined.
Source: Microsoft Learn "Set or edit policies" (scopes, base) and "Policy fragments".
Assumed: a document that leaves a section out inherits it whole.
Elements are compiled by the functions in `simulator/gateway/elements`; one that nobody models is skipped and noted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from apimpolicy.expressions import ExpressionError
from apimpolicy.position import PolicyError
from simulator.gateway.errors import PolicyFailure
from simulator.gateway.language import Element, Getter, attribute_value, read_root, text_value
from simulator.gateway.steps import Block, Step, block

if TYPE_CHECKING:
    from simulator.gateway.configuration import Configuration
    from simulator.gateway.exchange import Exchange

SECTIONS = ("inbound", "backend", "outbound", "on-error")

ElementCompiler = Callable[["Compiler", Element], Step | None]

REGISTRY: dict[str, ElementCompiler] = {}
"""Element name -> its compiler. Filled by the modules of `simulator.gateway.elements`."""


def element(*names: str) -> Callable[[ElementCompiler], ElementCompiler]:
    """Register a compiler for elements of these names."""

    def register(function: ElementCompiler) -> ElementCompiler:
        for name in names:
            REGISTRY[name] = function
        return function

    return register


@dataclass(frozen=True, slots=True)
class Document:
    """One policy document of a chain: its scope word, its name for messages, its text."""

    scope: str
    name: str
    text: str


@dataclass(slots=True, eq=False)
class Plan:
    """The compiled effective policy of one operation for one product. `fragments`: names it includes."""

    inbound: Block
    backend: Block
    outbound: Block
    on_error: Block
    fragments: tuple[str, ...]


class Compiler:
    """Compiles one chain of documents. `note` is told of everything that is not modelled."""

    def __init__(self, configuration: Configuration, note: Callable[[str], None]) -> None:
        self.configuration = configuration
        self.note = note
        self.section = "inbound"
        self._document = Document("global", "", "")
        self._path: list[str] = []
        self._fragments: dict[str, None] = {}

    def plan(self, chain: Sequence[Document]) -> Plan:
        """Compile a chain of documents, outermost (global) first."""
        blocks = {section: block(self._section(list(chain), section)) for section in SECTIONS}
        return Plan(
            blocks["inbound"], blocks["backend"], blocks["outbound"], blocks["on-error"], tuple(self._fragments)
        )

    def _section(self, chain: list[Document], section: str) -> list[Step]:
        if not chain:
            return []
        *above, document = chain
        root = self._root(document)
        if root is None:
            return [self._unreadable(document)] if section == "inbound" else self._section(above, section)
        found = next((child for child in root.elements if child.name == section), None)
        if found is None:
            return self._section(above, section)
        steps: list[Step] = []
        for child, path in self.numbered(found.elements):
            if child.name == "base":
                steps.extend(self._section(above, section))
                continue
            self.section, self._document, self._path = section, document, [path]
            steps.extend(self._statement(child))
        return steps

    def _root(self, document: Document) -> Element | None:
        """The document's root, None (noted) when the text cannot be read."""
        try:
            return read_root(document.text, self.configuration.named_values)
        except PolicyError as error:
            self.note(f"{document.name}, {error}")
            return None

    def _unreadable(self, document: Document) -> Step:
        """What stands in for a document that cannot be read: every request fails in it."""

        def fail(exchange: Exchange) -> None:
            raise PolicyFailure("PolicyNotReadable", f"The {document.name} could not be read.")

        return Step("policies", fail, scope=document.scope, section=self.section)

    def numbered(self, elements: Sequence[Element]) -> list[tuple[Element, str]]:
        counts: dict[str, int] = {}
        numbered = []
        for child in elements:
            counts[child.name] = counts.get(child.name, 0) + 1
            numbered.append((child, f"{child.name}[{counts[child.name]}]"))
        return numbered

    def steps(self, elements: Sequence[Element]) -> list[Step]:
        """Compile the statements inside another statement."""
        compiled: list[Step] = []
        for child, path in self.numbered(elements):
            self._path.append(path)
            compiled.extend(self._statement(child))
            self._path.pop()
        return compiled

    def block(self, elements: Sequence[Element]) -> Block:
        """`steps`, ready to run."""
        return block(self.steps(elements))

    def _statement(self, statement: Element) -> list[Step]:
        if statement.name == "include-fragment":
            return self._include(statement)
        compile_element = REGISTRY.get(statement.name)
        if compile_element is None:
            self.not_modelled(statement, f"<{statement.name}>")
            return []
        step = compile_element(self, statement)
        if step is None:
            return []
        step.path = "/".join(self._path)
        step.scope = self._document.scope
        step.section = self.section
        step.policy_id = statement.get("id") or ""
        return [step]

    def _include(self, statement: Element) -> list[Step]:
        name = statement.get("fragment-id") or ""
        text = self.configuration.fragments.get(name.lower())
        if text is None:
            self.not_modelled(statement, f"fragment '{name}', which does not exist,")
            return []
        self._fragments[name] = None
        outer = self._document
        if outer.name.startswith("fragment "):
            self.not_modelled(statement, "a fragment inside a fragment")
            return []
        fragment = Document(outer.scope, f"fragment {name}", text)
        root = self._root(fragment)
        if root is None:
            return [self._unreadable(fragment)]
        self._document = fragment
        compiled = self.steps(root.elements)
        self._document = outer
        return compiled

    def not_modelled(self, statement: Element, what: str) -> None:
        """Say that something in the current document is not modelled."""
        line = statement.position.line
        self.note(f"{self._document.name}, line {line}: {what} is not modelled and was skipped")

    @contextmanager
    def inside(self, path: str) -> Iterator[None]:
        """Compile what stands inside a part of a statement (`when[1]`), for the places that errors name."""
        self._path.append(path)
        yield
        self._path.pop()

    @property
    def scope_name(self) -> str:
        """The document being compiled, by name: what counters without a key of their own belong to."""
        return self._document.name

    # -- values ----------------------------------------------------------------------------------------------

    def value(self, statement: Element, name: str, default: Any = None) -> tuple[bool, Any]:
        """An attribute as (True, constant) or (False, getter); `default` when it is missing."""
        if statement.get(name) is None:
            return True, default
        try:
            return attribute_value(statement, name)
        except ExpressionError as error:
            return False, self._refused(error)

    def getter(self, statement: Element, name: str, default: Any = None) -> Getter:
        """An attribute as a getter, constant or not."""
        constant, value = self.value(statement, name, default)
        return (lambda exchange: value) if constant else value

    def text(self, statement: Element, *, strip: bool = True) -> Getter:
        """The text of an element as a getter, constant or an expression."""
        try:
            constant, value = text_value(statement, strip=strip)
        except ExpressionError as error:
            return self._refused(error)
        return (lambda exchange: value) if constant else value

    def _refused(self, error: PolicyError) -> Getter:
        """An expression that does not compile: noted now, a failure whenever it is asked for."""
        self.note(f"{self._document.name}, {error}")

        def fail(exchange: Exchange) -> Any:
            raise PolicyFailure("ExpressionValueEvaluationFailure", f"Expression evaluation failed. {error.message}")

        return fail
