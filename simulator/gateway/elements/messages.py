"""Statements about whole messages: rewrite-uri, return-response, mock-response, find-and-replace, conversions.

Source: Microsoft Learn, the reference pages of these policies.
"""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from simulator.gateway.compiler import element
from simulator.gateway.elements.edits import compile_edits
from simulator.gateway.errors import Finished, PolicyFailure, reason_phrase
from simulator.gateway.language import as_status, as_text, is_true, response_from
from simulator.gateway.steps import Step
from simulator.network import HttpResponse

if TYPE_CHECKING:
    from simulator.gateway.compiler import Compiler
    from simulator.gateway.exchange import Exchange
    from simulator.gateway.language import Element

_PARAMETER = re.compile(r"\{([^{}]+)\}")


@element("rewrite-uri")
def compile_rewrite_uri(compiler: Compiler, statement: Element) -> Step:
    """The path and query below the backend's URL; `{name}` stands for a template parameter."""
    template = compiler.getter(statement, "template", "/")
    copy_unmatched = compiler.getter(statement, "copy-unmatched-params", True)

    def run(exchange: Exchange) -> None:
        used: set[str] = set()

        def fill(match: re.Match[str]) -> str:
            used.add(match[1])
            return quote(exchange.parameters.get(match[1], ""), safe="/")

        path, _, query = _PARAMETER.sub(fill, as_text(template(exchange))).partition("?")
        exchange.path = path if path.startswith("/") else f"/{path}"
        kept = exchange.query if is_true(copy_unmatched(exchange)) else ""
        exchange.query = "&".join(part for part in (query, kept) if part)

    return Step("rewrite-uri", run)


@element("return-response")
def compile_return_response(compiler: Compiler, statement: Element) -> Step:
    """Answer at once; what follows in the pipeline does not run."""
    variable = statement.get("response-variable-name")
    edits = compile_edits(compiler, statement, of_request=False)

    def run(exchange: Exchange) -> None:
        draft = HttpResponse(200, {}, b"", "OK")
        if variable:
            draft = response_from(exchange.variables.get(variable)) or draft
        for edit in edits:
            edit(exchange, draft)
        exchange.response = draft
        raise Finished

    return Step("return-response", run)


@element("mock-response")
def compile_mock_response(compiler: Compiler, statement: Element) -> Step:
    """Answer with the status asked for and no body: examples of operations are not kept here."""
    status = compiler.getter(statement, "status-code", 200)
    content_type = compiler.getter(statement, "content-type")

    def run(exchange: Exchange) -> None:
        code = as_status(status(exchange))
        kind = content_type(exchange)
        exchange.answer(code, {"content-type": as_text(kind)} if kind else {}, b"", reason_phrase(code))
        raise Finished

    return Step("mock-response", run)


@element("find-and-replace")
def compile_find_and_replace(compiler: Compiler, statement: Element) -> Step:
    """Replace text in the body of the request (inbound, backend) or the response."""
    old = compiler.getter(statement, "from", "")
    new = compiler.getter(statement, "to", "")
    of_request = compiler.section in ("inbound", "backend")

    def run(exchange: Exchange) -> None:
        message: Any = exchange if of_request else exchange.whole_response()
        wanted = as_text(old(exchange)).encode()
        if wanted:
            message.body = message.body.replace(wanted, as_text(new(exchange)).encode())

    return Step("find-and-replace", run)


def _element_of(name: str, value: Any) -> list[ET.Element]:
    if isinstance(value, list):
        return [child for item in value for child in _element_of(name, item)]
    node = ET.Element(name if re.match(r"^[A-Za-z_][\w.-]*$", name) else "item")
    if isinstance(value, dict):
        for key, inner in value.items():
            node.extend(_element_of(str(key), inner))
    elif value is not None:
        node.text = json.dumps(value) if isinstance(value, bool) else str(value)
    return [node]


def _value_of(node: ET.Element) -> Any:
    if not len(node):
        return node.text
    value: dict[str, Any] = {}
    for child in node:
        inner = _value_of(child)
        if child.tag in value:
            known = value[child.tag]
            value[child.tag] = [*known, inner] if isinstance(known, list) else [known, inner]
        else:
            value[child.tag] = inner
    return value


@element("json-to-xml", "xml-to-json")
def compile_conversion(compiler: Compiler, statement: Element) -> Step:
    """Convert the body between JSON and XML (elements and text; attributes and namespaces are left out)."""
    of_request = compiler.section in ("inbound", "backend")
    to_xml = statement.name == "json-to-xml"

    def run(exchange: Exchange) -> None:
        message: Any = exchange if of_request else exchange.whole_response()
        if not message.body:
            return
        try:
            if to_xml:
                root = _element_of("Document", json.loads(message.body))[0]
                message.body = ET.tostring(root)
            else:
                node = ET.fromstring(message.body)
                message.body = json.dumps({node.tag: _value_of(node)}).encode()
        except (ValueError, ET.ParseError) as error:
            raise PolicyFailure("MessageConversionFailure", f"The body could not be converted: {error}") from error
        message.headers["content-type"] = "application/xml" if to_xml else "application/json"

    return Step(statement.name, run)


@element("jsonp")
def compile_jsonp(compiler: Compiler, statement: Element) -> Step:
    """Wrap the response in the callback that the query names."""
    name = statement.get("callback-parameter-name") or "callback"

    def run(exchange: Exchange) -> None:
        pairs = dict(pair.split("=", 1) for pair in exchange.incoming.query.split("&") if "=" in pair)
        callback = pairs.get(name)
        if callback is None:
            return
        if not re.fullmatch(r"[A-Za-z_$][\w$.]*", callback):
            raise PolicyFailure(
                "CallbackParameterInvalid", f"Value of callback parameter {name} is not valid.", status=400
            )
        response = exchange.whole_response()
        response.body = callback.encode() + b"(" + response.body + b")"
        response.headers["content-type"] = "application/javascript"

    return Step("jsonp", run)
