"""Elements, attributes, sections and sizes against the catalog.

Errors are kept to what API Management is known to refuse; what merely departs from its reference is a warning.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Final

from apimpolicy.catalog import KNOWN_NAMES, POLICIES, RESOLVER_ROOTS, SECTIONS, AttributeSpec, ElementSpec, find_element
from apimpolicy.document import CData, Document, Element, PolicySyntaxError, Text, is_expression, parse
from apimpolicy.lint.findings import Report, Surroundings
from apimpolicy.tree import Attribute, begins_expression

_FRAGMENT_BYTES: Final = 32 * 1024
_POLICY_BYTES: Final = 256 * 1024
_INTEGER: Final = re.compile(r"\s*[+-]?\d+\s*")
_NUMBER: Final = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)\s*")
_CLOSED_LISTS: Final = frozenset({"exists-action", "mode", "caching-type", "http-version", "match", "for"})
_PLACEHOLDER: Final = re.compile(r"[{}\[\]#$%]|__\w+__")  # a named value, or what a deployment tool fills in
_NAMED_VALUE: Final = re.compile(r"\{\{[^{}]*\}\}")


def check_structure(document: Document, kind: str, scope: str | None, around: Surroundings, report: Report) -> None:
    """Hold a whole document against the catalog."""
    _Checker(kind, scope, around, report).document(document)


class _Checker:
    def __init__(self, kind: str, scope: str | None, around: Surroundings, report: Report) -> None:
        self.kind = kind
        self.scope = scope
        self.around = around
        self.report = report

    def document(self, document: Document) -> None:
        root = document.root
        limit = _FRAGMENT_BYTES if self.kind == "fragment" else _POLICY_BYTES
        size = len(document.text.encode("utf-8", "replace"))
        if size > limit:
            self.report.add(
                "APIM017",
                f"the {self.kind} is {size:,} bytes and at most {limit:,} are accepted: move parts into fragments",
                root.position,
            )
        if self.kind == "policy" and root.name in RESOLVER_ROOTS:
            self.element(root, find_element(root.name), None, None)
            return
        expected = "fragment" if self.kind == "fragment" else "policies"
        if root.name != expected:
            self.report.add("APIM003", f"the root of a {self.kind} is <{expected}>, not <{root.name}>", root.position)
        if root.name == "policies":
            self.sections(root)
        elif root.name == "fragment":
            self.policies(root, None)
            self.stray_text(root, "none")

    def sections(self, root: Element) -> None:
        seen: set[str] = set()
        self.stray_text(root, "none")
        for child in root.elements:
            if child.name not in SECTIONS:
                self.unknown(child, root, "<policies> holds <inbound>, <backend>, <outbound> and <on-error>")
                continue
            if child.name in seen:
                self.report.add("APIM006", f"<{child.name}> stands twice: join the two", child.position)
            seen.add(child.name)
            self.stray_text(child, "none")
            self.policies(child, child.name)
            self.repeated(child)

    def policies(self, parent: Element, section: str | None) -> None:
        """The children of a container that holds any policy."""
        for child in parent.elements:
            if self.kind == "fragment" and self.fragment_refuses(child):
                continue
            spec = find_element(child.name, parent.name)
            if spec is None or (spec.is_policy and not spec.sections and child.name != "publish-event"):
                self.unknown(child, parent, f"it is no policy that <{parent.name}> may hold")
                continue
            self.element(child, spec, parent, section)

    def fragment_refuses(self, child: Element) -> bool:
        if child.name in SECTIONS or child.name == "policies":
            self.report.add(
                "APIM014", f"a fragment cannot hold <{child.name}>: keep only the policies in it", child.position
            )
        elif child.name == "base":
            self.report.add(
                "APIM015", "a fragment cannot hold <base />: leave it to the including policy", child.position
            )
        elif child.name == "include-fragment":
            self.report.add(
                "APIM016", "a fragment cannot include another: include both in the policy itself", child.position
            )
        else:
            return False
        return True

    def unknown(self, element: Element, parent: Element, why: str) -> None:
        if element.name in KNOWN_NAMES:
            self.report.add("APIM005", f"<{element.name}> cannot stand in <{parent.name}>: {why}", element.position)
            return
        near = get_close_matches(element.name, KNOWN_NAMES, 1)
        hint = f"; did you mean <{near[0]}>?" if near else ": check the name"
        self.report.add("APIM004", f"there is no policy element <{element.name}>{hint}", element.position)

    # -- one element ---------------------------------------------------------------------------------------

    def element(self, element: Element, spec: ElementSpec | None, parent: Element | None, section: str | None) -> None:
        if spec is None:
            return
        if spec.is_policy:
            self.place(element, spec, parent, section)
            if element.name in self.around.unmodelled:
                self.report.add(
                    "APIM110",
                    f"the embedded gateway passes over <{element.name}>: try it on a real one",
                    element.position,
                )
        self.attributes(element, spec)
        if not (spec.children == "literal" or spec.text in ("text", "literal")):
            self.stray_text(element, spec.text)
        if spec.children == "policies":
            self.policies(element, section)
        elif spec.children == "none":
            for child in element.elements if spec.text != "literal" else ():
                self.unknown(child, element, f"<{element.name}> holds no elements")
        elif spec.children == "listed":
            self.listed(element, spec, section)
        if element.name == "choose":
            self.choose(element)
        if element.name == "include-fragment":
            self.included(element, section)

    def place(self, element: Element, spec: ElementSpec, parent: Element | None, section: str | None) -> None:
        nested = parent is not None and parent.name in ("send-request", "send-one-way-request", "return-response")
        if section is not None and spec.sections and section not in spec.sections and not nested:
            named = ", ".join(name for name in SECTIONS if name in spec.sections)
            rule = "APIM010" if spec.firm_sections else "APIM103"
            self.report.add(
                rule, f"<{element.name}> belongs in {named}, not in {section}: move it there", element.position
            )
        if self.scope is not None and spec.scopes and self.scope not in spec.scopes:
            named = ", ".join(sorted(spec.scopes))
            self.report.add(
                "APIM105", f"<{element.name}> is documented for the scopes {named}, not {self.scope}", element.position
            )

    def listed(self, element: Element, spec: ElementSpec, section: str | None) -> None:
        for child in element.elements:
            if self.kind == "fragment" and child.name == "include-fragment":
                self.fragment_refuses(child)
                continue
            if child.name in spec.child_names:
                self.element(child, find_element(child.name, element.name), element, section)
            elif spec.open_children or child.name in KNOWN_NAMES:
                names = ", ".join(sorted(spec.child_names))
                self.report.add(
                    "APIM104",
                    f"<{child.name}> is not documented in <{element.name}>, which holds {names}",
                    child.position,
                )
            else:
                self.unknown(child, element, "")

    def attributes(self, element: Element, spec: ElementSpec) -> None:
        present = {attribute.name for attribute in element.attributes}
        for attribute in element.attributes:
            known = spec.attributes.get(attribute.name)
            if known is not None:
                self.value(element, attribute, known)
            elif not (attribute.name.startswith(("xmlns", "xsi:", "xml:")) or attribute.name == "id"):
                self.unknown_attribute(element, attribute, spec)
        for known in spec.attributes.values():
            if known.name in present or known.required == "no":
                continue
            if known.name == "estimate-prompt-tokens" and "estimate-prompt-token" in present:
                continue
            if known.required == "yes":
                self.report.add(
                    "APIM008", f"<{element.name}> needs the attribute '{known.name}': add it", element.position
                )
            else:
                self.report.add(
                    "APIM102",
                    f"<{element.name}> should say '{known.name}': the reference requires it",
                    element.position,
                )
        for group in spec.one_of:
            if not present.intersection(group):
                named = " or ".join(f"'{name}'" for name in group)
                self.report.add("APIM022", f"<{element.name}> needs {named}: add one", element.position)

    def unknown_attribute(self, element: Element, attribute: Attribute, spec: ElementSpec) -> None:
        if attribute.name == "estimate-prompt-token" and "estimate-prompt-tokens" in spec.attributes:
            self.report.add(
                "APIM206",
                "'estimate-prompt-token' is not an attribute, so prompts are not estimated: "
                "write 'estimate-prompt-tokens'",
                attribute.position,
            )
            return
        near = get_close_matches(attribute.name, spec.attributes, 1)
        hint = f"; did you mean '{near[0]}'?" if near else ": remove it or check the name"
        rule = "APIM101" if spec.open_attributes else "APIM007"
        self.report.add(rule, f"<{element.name}> has no attribute '{attribute.name}'{hint}", attribute.position)

    def value(self, element: Element, attribute: Attribute, spec: AttributeSpec) -> None:
        value = attribute.value
        if is_expression(value):
            if spec.expression is False:
                self.report.add(
                    "APIM011",
                    f"'{spec.name}' of <{element.name}> takes no expression: write the value itself",
                    attribute.value_position,
                )
            return
        if begins_expression(value) or _PLACEHOLDER.search(value) is not None:
            return
        wanted = _mismatch(value, spec)
        if wanted:
            listed = spec.type == "enum" and spec.name not in _CLOSED_LISTS
            self.report.add(
                "APIM112" if listed else "APIM009",
                f"'{spec.name}' of <{element.name}> must be {wanted}, not '{_shown(value)}'",
                attribute.value_position,
            )

    # -- particular elements -------------------------------------------------------------------------------

    def choose(self, element: Element) -> None:
        names = [child.name for child in element.elements]
        if "when" not in names:
            self.report.add("APIM021", "<choose> holds no <when>: add one", element.position)
        if "otherwise" in names and (names.count("otherwise") > 1 or names[-1] != "otherwise"):
            self.report.add("APIM021", "<otherwise> stands once, after every <when>", element.position)

    def repeated(self, section: Element) -> None:
        seen: set[str] = set()
        for child in section.elements:
            spec = POLICIES.get(child.name)
            if spec is not None and spec.once and child.name in seen:
                self.report.add(
                    "APIM107", f"<{child.name}> may be used once in <{section.name}>: join the two", child.position
                )
            seen.add(child.name)

    def included(self, element: Element, section: str | None) -> None:
        """What a fragment brings into a section it may not stand in."""
        name = element.get("fragment-id")
        if name is None or section is None or self.around.fragments is None:
            return
        text = self.around.fragments.get(name)
        if text is None:
            return
        try:
            fragment = parse(text)
        except PolicySyntaxError:
            return  # the fragment's own lint says so; this document is not at fault
        for child in fragment.root.elements:
            spec = POLICIES.get(child.name)
            if spec is not None and spec.firm_sections and section not in spec.sections:
                self.report.add(
                    "APIM010",
                    f"the fragment '{name}' brings <{child.name}> into {section}, where it is refused",
                    element.position,
                )

    def stray_text(self, element: Element, allowed: str) -> None:
        if allowed != "none":
            return
        for child in element.children:
            if not isinstance(child, Text | CData):
                continue
            stray = _NAMED_VALUE.sub("", child.value).strip()
            if stray:
                self.report.add(
                    "APIM106",
                    f"<{element.name}> holds the text '{_shown(stray)}': only elements belong there",
                    child.position,
                )


def _mismatch(value: str, spec: AttributeSpec) -> str:
    """What the value should have been, or "" when it fits."""
    if spec.type == "bool":
        return "" if value.strip().lower() in ("true", "false") else "true or false"
    if spec.type == "int":
        return "" if _INTEGER.fullmatch(value) else "a whole number"
    if spec.type == "number":
        return "" if _NUMBER.fullmatch(value) else "a number"
    if spec.type == "enum" and value.strip().lower() not in {allowed.lower() for allowed in spec.values}:
        return "one of " + ", ".join(spec.values)
    return ""


def _shown(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 40 else line[:40] + "…"
