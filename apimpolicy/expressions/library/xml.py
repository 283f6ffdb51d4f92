"""XElement, XAttribute, XDocument, XName: the basics of LINQ to XML, on a small tree of our own.

Document types are refused: nothing outside the text is ever read.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from typing import Any, Final
from xml.sax.saxutils import escape, quoteattr

from apimpolicy.expressions import dates
from apimpolicy.expressions.conversions import EXPLICIT, IMPLICIT
from apimpolicy.expressions.errors import CsException, argument, argument_null
from apimpolicy.expressions.library import json_conversions
from apimpolicy.expressions.numbers import parse_decimal, parse_double, parse_integer
from apimpolicy.expressions.operators import USER_OPERATORS, VALUE_EQUALITY
from apimpolicy.expressions.runtime_types import CLASSES
from apimpolicy.expressions.text import TEXT, to_text
from apimpolicy.expressions.types import define, define_enum, make
from apimpolicy.expressions.values import CsList, CsSet, Runtime, Sequence, check_text


class XName:
    """A local name and the namespace it lives in; an XNamespace is one without a local name."""

    __slots__ = ("local", "space")

    def __init__(self, local: str, space: str = "") -> None:
        self.local = local
        self.space = space

    def __eq__(self, other: object) -> bool:
        return isinstance(other, XName) and (self.local, self.space) == (other.local, other.space)

    def __hash__(self) -> int:
        return hash((self.local, self.space))

    def text(self) -> str:
        return f"{{{self.space}}}{self.local}" if self.space else self.local


class XAttribute:
    __slots__ = ("name", "parent", "value")

    def __init__(self, name: XName, value: str) -> None:
        self.name = name
        self.value = value
        self.parent: XElement | None = None


class XText:
    __slots__ = ("parent", "value")

    def __init__(self, value: str) -> None:
        self.value = value
        self.parent: XElement | None = None


class XElement:
    __slots__ = ("attributes", "name", "nodes", "parent")

    def __init__(self, name: XName) -> None:
        self.name = name
        self.attributes: list[XAttribute] = []
        self.nodes: list[XElement | XText] = []
        self.parent: XElement | XDocument | None = None

    def elements(self) -> list[XElement]:
        return [one for one in self.nodes if isinstance(one, XElement)]

    def value(self) -> str:
        return "".join(one.value if isinstance(one, XText) else one.value() for one in self.nodes)

    def find(self, name: XName) -> XElement | None:
        return next((one for one in self.elements() if one.name == name), None)

    def attribute(self, name: XName) -> XAttribute | None:
        return next((one for one in self.attributes if one.name == name), None)

    def descendants(self) -> Iterator[XElement]:
        for one in self.elements():
            yield one
            yield from one.descendants()


class XDocument:
    __slots__ = ("root",)

    def __init__(self, root: XElement | None = None) -> None:
        self.root = root
        if root is not None:
            root.parent = self


def to_name(text: str | None) -> XName | None:
    """The implicit conversion of "name" or "{namespace}name"."""
    if text is None:
        return None
    if text.startswith("{"):
        space, _, local = text[1:].partition("}")
        return XName(local, space)
    if not text or any(c in " <>&\"'/=" for c in text):
        raise CsException(
            "XmlException", f"The '{text[:1]}' character, hexadecimal value, cannot be included in a name."
        )
    return XName(text)


def parse_element(text: str | None) -> XElement:
    """XElement.Parse. Raises XmlException; document types are refused."""
    if text is None:
        raise argument_null("text")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise CsException("XmlException", "For security reasons DTD is prohibited in this XML document.")
    try:
        return _from_tree(ElementTree.fromstring(text))
    except ElementTree.ParseError as error:
        line, column = error.position
        raise CsException("XmlException", f"{error.msg.split(':')[0]}. Line {line}, position {column}.") from None


def parse_document(text: str | None) -> XDocument:
    return XDocument(parse_element(text))


def _from_tree(source: ElementTree.Element) -> XElement:
    name = to_name(source.tag)
    assert name is not None
    made = XElement(name)
    for key, value in source.attrib.items():
        attribute_name = to_name(key)
        assert attribute_name is not None
        _attach(made, XAttribute(attribute_name, value))
    blank = len(source) > 0
    _add_text(made, source.text, blank)
    for child in source:
        _attach(made, _from_tree(child))
        _add_text(made, child.tail, blank)
    return made


def _add_text(owner: XElement, text: str | None, blank: bool) -> None:
    if text and not (blank and not text.strip()):
        _attach(owner, XText(text))


def _attach(owner: XElement, node: Any) -> None:
    if isinstance(node, XAttribute):
        if owner.attribute(node.name) is not None:
            raise CsException("InvalidOperationException", "Duplicate attribute.")
        fresh = node if node.parent is None else XAttribute(node.name, node.value)
        fresh.parent = owner
        owner.attributes.append(fresh)
        return
    fresh_node = node if node.parent is None else copy_of(node)
    fresh_node.parent = owner
    owner.nodes.append(fresh_node)


def copy_of(node: XElement | XText) -> XElement | XText:
    if isinstance(node, XText):
        return XText(node.value)
    made = XElement(node.name)
    for attribute in node.attributes:
        _attach(made, XAttribute(attribute.name, attribute.value))
    for child in node.nodes:
        _attach(made, copy_of(child))
    return made


def simple_text(value: Any) -> str:
    """XML's text of a value: booleans in lower case, dates in ISO."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dates.DateTime, dates.DateTimeOffset)):
        return value.iso()
    if isinstance(value, float):
        from apimpolicy.expressions.numbers import round_trip_text

        return round_trip_text(value)
    return to_text(value)


def add_content(owner: XElement, content: Any) -> None:
    if content is None:
        return
    if isinstance(content, (XAttribute, XElement, XText)):
        _attach(owner, content)
    elif isinstance(content, (list, CsSet, Sequence)):
        for one in list(content.items if isinstance(content, CsSet) else content):
            add_content(owner, one)
    elif isinstance(content, XDocument):
        raise argument("Cannot add a document to an element.")
    else:
        _attach(owner, XText(simple_text(content)))


def new_element(name: XName | None, content: Any = ()) -> XElement:
    if name is None:
        raise argument_null("name")
    made = XElement(name)
    for one in content:
        add_content(made, one)
    return made


def _new_attribute(name: XName, value: Any) -> XAttribute:
    if value is None:
        raise argument_null("value")
    return XAttribute(name, simple_text(value))


def _new_document(content: Any) -> XDocument:
    return XDocument(next((one for one in content if isinstance(one, XElement)), None))


def _set_value(node: XElement, value: Any) -> None:
    node.nodes.clear()
    text = simple_text(value)
    if text:
        _attach(node, XText(text))


def _set_attribute(node: XElement, name: XName, value: Any) -> None:
    known = node.attribute(name)
    if value is None:
        if known is not None:
            node.attributes.remove(known)
    elif known is not None:
        known.value = simple_text(value)
    else:
        _attach(node, XAttribute(name, simple_text(value)))


def _set_element(node: XElement, name: XName, value: Any) -> None:
    known = node.find(name)
    if value is None:
        if known is not None:
            _remove(known)
    elif known is not None:
        _set_value(known, value)
    else:
        add_content(node, new_element(name, [value]))


def _remove(node: Any) -> None:
    parent = node.parent
    if parent is None:
        raise CsException("InvalidOperationException", "The parent is missing.")
    if isinstance(parent, XDocument):
        parent.root = None
    elif isinstance(node, XAttribute):
        parent.attributes.remove(node)
    else:
        parent.nodes = [one for one in parent.nodes if one is not node]
    node.parent = None


def _replace_with(node: XElement, content: Any) -> None:
    parent = node.parent
    if not isinstance(parent, XElement):
        raise CsException("InvalidOperationException", "The parent is missing.")
    holder = XElement(node.name)
    for one in content if isinstance(content, (list, Sequence)) else [content]:
        add_content(holder, one)
    at = next(i for i, one in enumerate(parent.nodes) if one is node)
    for one in holder.nodes:
        one.parent = parent
    parent.nodes[at : at + 1] = holder.nodes
    node.parent = None


def serialize(node: XElement | XDocument, indented: bool = True) -> str:
    """ToString(): indented with two spaces unless an element holds text."""
    root = node.root if isinstance(node, XDocument) else node
    parts: list[str] = []
    if root is not None:
        _write(root, parts, "\n" if indented else "", "", {})
    text = "".join(parts)
    check_text(len(text))
    return text


def _write(node: XElement, parts: list[str], line: str, default: str, prefixes: dict[str, str]) -> None:
    declared = {a.value: a.name.local for a in node.attributes if a.name.space == _XMLNS}
    prefixes = {**prefixes, **declared}
    space = node.name.space
    own = next((a.value for a in node.attributes if a.name == XName("xmlns")), None)
    prefix = prefixes.get(space, "") if space != (own if own is not None else default) else ""
    tag = f"{prefix}:{node.name.local}" if prefix else node.name.local
    parts.append(f"<{tag}")
    inner_default = own if own is not None else default
    if not prefix and own is None and space != default:
        parts.append(f" xmlns={quoteattr(space)}")
        inner_default = space
    for attribute in node.attributes:
        parts.append(f" {_attribute_name(attribute.name, prefixes)}={_quoted(attribute.value)}")
    if not node.nodes:
        parts.append(" />")
        return
    parts.append(">")
    mixed = not line or any(isinstance(one, XText) for one in node.nodes)
    inner = "" if mixed else f"{line}  "
    for child in node.nodes:
        if isinstance(child, XText):
            parts.append(escape(child.value))
        else:
            parts.append(inner)
            _write(child, parts, inner, inner_default, prefixes)
    parts.append(f"{'' if mixed else line}</{tag}>")


_XMLNS: Final = "http://www.w3.org/2000/xmlns/"


def _attribute_name(name: XName, prefixes: dict[str, str]) -> str:
    if name.space == _XMLNS:
        return f"xmlns:{name.local}"
    if name.space == "http://www.w3.org/XML/1998/namespace":
        return f"xml:{name.local}"
    return f"{prefixes.get(name.space, 'p1')}:{name.local}" if name.space else name.local


def _quoted(value: str) -> str:
    body = escape(value).replace('"', "&quot;").replace("\n", "&#xA;").replace("\t", "&#x9;").replace("\r", "&#xD;")
    return f'"{body}"'


CLASSES.update(
    XElement=XElement, XAttribute=XAttribute, XDocument=XDocument, XName=XName, XNamespace=XName, XText=XText
)
TEXT[XElement] = serialize
TEXT[XDocument] = serialize
TEXT[XAttribute] = lambda a: f"{_attribute_name(a.name, {})}={_quoted(a.value)}"
TEXT[XText] = lambda t: escape(t.value)
TEXT[XName] = XName.text
VALUE_EQUALITY.update(("XName", "XNamespace"))
define_enum("SaveOptions", {"None": 0, "DisableFormatting": 1, "OmitDuplicateNamespaces": 2}, "System.Xml.Linq")
_SPACE: Final = "System.Xml.Linq"
_ELEMENT: Final = "XElement"


def _of(items: Any) -> CsList:
    return CsList(items, make(_ELEMENT))


def _descendants(runtime: Runtime, node: Any, name: XName | None = None) -> CsList:
    root = node.root if isinstance(node, XDocument) else node
    found = [
        *([root] if isinstance(node, XDocument) and root is not None else []),
        *(root.descendants() if root else []),
    ]
    runtime.charge(len(found))
    return _of(one for one in found if name is None or one.name == name)


def _ancestors(node: Any) -> CsList:
    found = []
    while isinstance(node.parent, XElement):
        node = node.parent
        found.append(node)
    return _of(found)


define(
    "XName",
    namespace=_SPACE,
    members={
        "static XName Get(string)": to_name,
        "static XName Get(string, string)": XName,
        "string LocalName": lambda n: n.local,
        "string NamespaceName": lambda n: n.space,
        "XNamespace Namespace": lambda n: XName("", n.space),
        "string ToString()": lambda n: n.text(),
    },
)
define(
    "XNamespace",
    namespace=_SPACE,
    members={
        "static XNamespace None": XName(""),
        "static XNamespace Xmlns": XName("", _XMLNS),
        "static XNamespace Xml": XName("", "http://www.w3.org/XML/1998/namespace"),
        "static XNamespace Get(string)": lambda s: XName("", s),
        "string NamespaceName": lambda n: n.space,
        "XName GetName(string)": lambda n, local: XName(local, n.space),
        "string ToString()": lambda n: n.space,
    },
)
define(
    "XObject",
    namespace=_SPACE,
    members={"XElement Parent": lambda n: n.parent if isinstance(n.parent, XElement) else None},
)
define(
    "XNode",
    bases=["XObject"],
    namespace=_SPACE,
    members={"void Remove()": _remove, "string ToString()": to_text, "XDocument Document": lambda n: _document_of(n)},
)
define(
    "XText", bases=["XNode"], namespace=_SPACE, members={"XText new(string)": XText, "string Value": lambda t: t.value}
)


def _document_of(node: Any) -> XDocument | None:
    while isinstance(node, (XElement, XText)):
        parent: Any = node.parent
        node = parent
    return node if isinstance(node, XDocument) else None


define(
    "XAttribute",
    bases=["XObject"],
    namespace=_SPACE,
    members={
        "XAttribute new(XName, object)": _new_attribute,
        "XName Name": lambda a: a.name,
        "string Value": (lambda a: a.value, lambda a, v: setattr(a, "value", v)),
        "void Remove()": _remove,
        "void SetValue(object)": lambda a, v: setattr(a, "value", simple_text(v)),
        "string ToString()": to_text,
    },
)
_CONTAINER: dict[str, Any] = {
    "XElement Element(XName)": lambda n, name: _roots(n, name),
    "IEnumerable<XElement> Elements()": lambda n: _of(n.elements() if isinstance(n, XElement) else [n.root]),
    "IEnumerable<XElement> Elements(XName)": lambda n, name: _of(
        one for one in (n.elements() if isinstance(n, XElement) else [n.root]) if one.name == name
    ),
    "!IEnumerable<XElement> Descendants()": _descendants,
    "!IEnumerable<XElement> Descendants(XName)": _descendants,
    "string ToString(SaveOptions)": lambda n, o: serialize(n, not o & 1),
}


def _roots(node: Any, name: XName) -> XElement | None:
    if isinstance(node, XDocument):
        return node.root if node.root is not None and node.root.name == name else None
    found: XElement | None = node.find(name)
    return found


define("XContainer", bases=["XNode"], namespace=_SPACE, members=_CONTAINER)
define(
    "XElement",
    bases=["XContainer"],
    namespace=_SPACE,
    members={
        "XElement new(XName)": new_element,
        "XElement new(XName, object)": lambda name, content: new_element(name, [content]),
        "XElement new(XName, params object[])": new_element,
        "XElement new(XElement)": copy_of,
        "static XElement Parse(string)": parse_element,
        "XName Name": (lambda n: n.name, lambda n, v: setattr(n, "name", v)),
        "string Value": (lambda n: n.value(), _set_value),
        "bool HasElements": lambda n: bool(n.elements()),
        "bool HasAttributes": lambda n: bool(n.attributes),
        "bool IsEmpty": lambda n: not n.nodes,
        "XAttribute Attribute(XName)": lambda n, name: n.attribute(name),
        "IEnumerable<XAttribute> Attributes()": lambda n: CsList(n.attributes, make("XAttribute")),
        "IEnumerable<XAttribute> Attributes(XName)": lambda n, name: CsList(
            [a for a in n.attributes if a.name == name], make("XAttribute")
        ),
        "IEnumerable<XElement> Ancestors()": _ancestors,
        "IEnumerable<XElement> DescendantsAndSelf()": lambda n: _of([n, *n.descendants()]),
        "void Add(object)": add_content,
        "void Add(params object[])": lambda n, items: add_content(n, items),
        "void RemoveAll()": lambda n: None,
        "void RemoveNodes()": lambda n: n.nodes.clear(),
        "void RemoveAttributes()": lambda n: n.attributes.clear(),
        "void ReplaceWith(object)": _replace_with,
        "void SetValue(object)": _set_value,
        "void SetAttributeValue(XName, object)": _set_attribute,
        "void SetElementValue(XName, object)": _set_element,
        "XNamespace GetDefaultNamespace()": lambda n: XName("", n.name.space),
        "string ToString()": serialize,
    },
)
define("XDeclaration", namespace=_SPACE, members={"XDeclaration new(string, string, string)": lambda *p: None})
define(
    "XDocument",
    bases=["XContainer"],
    namespace=_SPACE,
    members={
        "XDocument new()": XDocument,
        "XDocument new(params object[])": _new_document,
        "static XDocument Parse(string)": parse_document,
        "XElement Root": lambda d: d.root,
        "string ToString()": serialize,
    },
)
IMPLICIT[("string", "XName")] = to_name
IMPLICIT[("string", "XNamespace")] = lambda s: None if s is None else XName("", s)
USER_OPERATORS[("+", "XNamespace", "string")] = ("XName", lambda n, s: XName(s, n.space))


def _reader(convert: Callable[[str], Any], optional: bool) -> Callable[[Any], Any]:
    def run(node: Any) -> Any:
        if node is None:
            if optional:
                return None
            raise argument_null("element")
        return convert(node.value() if isinstance(node, XElement) else node.value)

    return run


def _xml_bool(text: str) -> bool:
    word = text.strip().lower()
    if word not in ("true", "false", "1", "0"):
        raise CsException("FormatException", f"The string '{text}' is not a valid Boolean value.")
    return word in ("true", "1")


_READERS: Final[dict[str, Callable[[str], Any]]] = {
    "string": lambda s: s,
    "bool": _xml_bool,
    "double": parse_double,
    "decimal": parse_decimal,
    "int": lambda s: parse_integer(s, "int"),
    "long": lambda s: parse_integer(s, "long"),
    "DateTime": json_conversions.to_date,
    "Guid": json_conversions.to_guid,
}
for _target, _convert in _READERS.items():
    for _source in ("XElement", "XAttribute"):
        EXPLICIT[(_source, _target)] = _reader(_convert, _target == "string")
        if _target != "string":
            EXPLICIT[(_source, f"{_target}?")] = _reader(_convert, True)
