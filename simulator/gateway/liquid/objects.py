"""What a template can name: `body`, parsed by its content type, and `context`, as far as Microsoft lists it.

Source: Microsoft Learn "set-body policy", Liquid templates: XML bodies by an XML content type, JSON by a JSON one.
Assumed: a body of another type, or one that does not parse, is JSON if it can be, else empty.
"""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from apimpolicy.expressions import to_policy_string
from apimpolicy.expressions.json_values import JToken, serialize

if TYPE_CHECKING:
    from simulator.gateway.exchange import Exchange


def template_objects(exchange: Exchange, body: bytes, content_type: str) -> dict[str, Any]:
    """`body` and `context` for one message of the exchange."""
    return {"body": parse_body(body, content_type), "context": _context(exchange)}


def parse_body(body: bytes, content_type: str) -> Any:
    """A message body as plain data."""
    kind = content_type.partition(";")[0].strip().lower()
    try:
        if kind.endswith(("/xml", "+xml")):
            root = ET.fromstring(body)
            return {_local(root.tag): _of_element(root)}
        return json.loads(body)
    except (ValueError, ET.ParseError):
        return {}


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _of_element(node: ET.Element) -> Any:
    if not len(node) and not node.attrib:
        return node.text or ""
    value: dict[str, Any] = {_local(name): text for name, text in node.attrib.items()}
    for child in node:
        name, inner = _local(child.tag), _of_element(child)
        known = value.get(name)
        value[name] = inner if known is None else [*known, inner] if isinstance(known, list) else [known, inner]
    return value


def _url(host: str, path: str, query: str) -> dict[str, Any]:
    return {
        "Scheme": "https",
        "Host": host,
        "Port": 443,
        "Path": path,
        "Query": dict(parse_qsl(query, keep_blank_values=True)),
        "QueryString": f"?{query}" if query else "",
    }


def _context(exchange: Exchange) -> dict[str, Any]:
    incoming, response = exchange.incoming, exchange.response
    return {
        "Request": {
            "Url": _url(exchange.host, exchange.path, exchange.query),
            "OriginalUrl": _url(incoming.host, incoming.path, incoming.query),
            "Method": exchange.method,
            "OriginalMethod": incoming.method,
            "IpAddress": exchange.caller_ip,
            "MatchedParameters": exchange.parameters,
            "HasBody": bool(exchange.body),
            "Headers": exchange.headers,
        },
        "Response": {"StatusCode": response.status, "Headers": response.headers} if response is not None else None,
        "Variables": {name: _plain(value) for name, value in exchange.variables.items()},
    }


def _plain(value: Any) -> Any:
    """A variable as a template sees it: JSON as plain data, everything else as it is or as its text."""
    if isinstance(value, JToken):
        return json.loads(serialize(value, indented=False))
    return value if value is None or isinstance(value, str | bool | int | float) else to_policy_string(value)
