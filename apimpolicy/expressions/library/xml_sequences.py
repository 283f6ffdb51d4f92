"""What LINQ to XML adds to sequences of elements (`.Elements().Elements()`), and simple XPath.

Source: .NET, System.Xml.Linq.Extensions and System.Xml.XPath.Extensions (members and meaning).
XPath: paths of names, `*`, `.`, `..`, `//` with predicates on position, attributes and child text; anything else fails
by name when it is evaluated. Prefixes cannot be used without a resolver, as in .NET.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final
from xml.etree import ElementTree

from apimpolicy.expressions.errors import CsException, argument_null
from apimpolicy.expressions.library.xml import XDocument, XElement, XName
from apimpolicy.expressions.types import define, extend, make
from apimpolicy.expressions.values import CsList, Runtime, iterate

define("XPathException", bases=["SystemException"], namespace="System.Xml.XPath")
_Step = Callable[[Any], Iterable[Any]]


def _children(node: Any) -> Iterable[XElement]:
    if isinstance(node, XDocument):
        return [] if node.root is None else [node.root]
    return node.elements()  # type: ignore[no-any-return]


def _below(node: Any) -> Iterable[XElement]:
    for child in _children(node):
        yield child
        yield from child.descendants()


def _each(step: _Step, kind: str) -> Callable[..., CsList]:
    """`step` applied to every node of a sequence, the results in one list; a name keeps those that bear it."""

    def run(runtime: Runtime, nodes: Any, name: XName | None = None) -> CsList:
        if nodes is None:
            raise argument_null("source")
        found = [one for node in iterate(nodes) if node is not None for one in step(node)]
        runtime.charge(len(found))
        return CsList([one for one in found if name is None or one.name == name], make(kind))

    return run


_SEQUENCES: Final = ("XElement", "XContainer", "XDocument")
for _source in _SEQUENCES:
    for _method, _step in (("Elements", _children), ("Descendants", _below)):
        _run = _each(_step, "XElement")
        extend(
            {
                f"!IEnumerable<XElement> {_method}(IEnumerable<{_source}>)": _run,
                f"!IEnumerable<XElement> {_method}(IEnumerable<{_source}>, XName)": _run,
            }
        )
_attributes = _each(lambda node: node.attributes, "XAttribute")
extend(
    {
        "!IEnumerable<XAttribute> Attributes(IEnumerable<XElement>)": _attributes,
        "!IEnumerable<XAttribute> Attributes(IEnumerable<XElement>, XName)": _attributes,
    }
)


def _mirror(node: XElement, known: dict[ElementTree.Element, XElement]) -> ElementTree.Element:
    """The element in a form that can be searched; `known` leads back."""
    name = f"{{{node.name.space}}}{node.name.local}" if node.name.space else node.name.local
    made = ElementTree.Element(name, {one.name.local: one.value for one in node.attributes})
    made.text = node.value()
    known[made] = node
    made.extend([_mirror(child, known) for child in node.elements()])
    return made


def _select(runtime: Runtime, node: Any, path: str | None) -> list[XElement]:
    if node is None or path is None:
        raise argument_null("node" if node is None else "expression")
    known: dict[ElementTree.Element, XElement] = {}
    top = ElementTree.Element("document")
    root = node.root if isinstance(node, XDocument) else _root_of(node)
    if root is None:
        return []
    top.append(_mirror(root, known))
    runtime.charge(len(known))
    if path.startswith("/"):
        start, relative = top, f".{path}"
    else:
        here = top if isinstance(node, XDocument) else next(mirror for mirror, one in known.items() if one is node)
        start, relative = here, path
    try:
        return [known[found] for found in start.findall(relative) if found in known]
    except (SyntaxError, KeyError, ValueError, TypeError) as error:
        raise CsException("XPathException", f"the XPath '{path}' is not modelled") from error


def _root_of(node: XElement) -> XElement:
    while isinstance(node.parent, XElement):
        node = node.parent
    return node


def _select_one(runtime: Runtime, node: Any, path: str | None) -> XElement | None:
    found = _select(runtime, node, path)
    return found[0] if found else None


for _source in ("XElement", "XDocument"):
    extend(
        {
            f"!XElement XPathSelectElement({_source}, string)": _select_one,
            f"!IEnumerable<XElement> XPathSelectElements({_source}, string)": lambda r, n, p: CsList(
                _select(r, n, p), make("XElement")
            ),
        }
    )
