"""set-header, set-body, set-status, set-method, set-query-parameter: statements that edit one message.

An edit is compiled once and applied to whatever message is meant: the request, the response, a request that a policy
sends itself, a response it returns. `Draft` is what they have in common.
Source: Microsoft Learn, the reference pages of these policies.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from apimpolicy.document import inner_markup
from simulator.gateway.compiler import element
from simulator.gateway.errors import PolicyFailure, reason_phrase
from simulator.gateway.language import as_bytes, as_status, as_text
from simulator.gateway.liquid import LiquidError, parse_template
from simulator.gateway.liquid.objects import template_objects
from simulator.gateway.steps import Step

if TYPE_CHECKING:
    from simulator.gateway.compiler import Compiler
    from simulator.gateway.exchange import Exchange
    from simulator.gateway.language import Element

Draft = Any
"""A message being edited: has `headers` (lower-case names) and `body`, and `status`/`reason` or `method`/`query`."""

Edit = Callable[["Exchange", Draft], None]


def change_header(headers: dict[str, str], name: str, values: list[str], action: str) -> None:
    """Apply one set-header action to headers with lower-case names."""
    if action == "delete":
        headers.pop(name, None)
    elif action == "append" and name in headers:
        headers[name] = ",".join([headers[name], *values])
    elif action == "skip" and name in headers:
        return
    elif values:
        headers[name] = ",".join(values)
    else:
        headers.pop(name, None)


def edit_header(compiler: Compiler, statement: Element) -> Edit:
    """`exists-action`: override (default), skip, append, delete."""
    name = compiler.getter(statement, "name", "")
    action = compiler.getter(statement, "exists-action", "override")
    values = [compiler.text(child) for child in statement.elements if child.name == "value"]

    def edit(exchange: Exchange, draft: Draft) -> None:
        texts = [as_text(value(exchange)) for value in values]
        change_header(draft.headers, as_text(name(exchange)).lower(), texts, as_text(action(exchange)).lower())

    return edit


def edit_body(compiler: Compiler, statement: Element) -> Edit | None:
    """The body becomes the text, what the expression gives, or what the Liquid template makes of the old body."""
    if (statement.get("template") or "").strip().lower() == "liquid":
        return _edit_by_template(compiler, statement)
    text = compiler.text(statement, strip=False)

    def edit(exchange: Exchange, draft: Draft) -> None:
        draft.body = as_bytes(text(exchange))
        draft.headers.pop("content-length", None)

    return edit


def _edit_by_template(compiler: Compiler, statement: Element) -> Edit | None:
    """None (noted) for a template that uses what is not modelled."""
    try:
        template = parse_template(inner_markup(statement).strip())
    except LiquidError as error:
        compiler.not_modelled(statement, f'<set-body template="liquid">, in which {error},')
        return None

    def edit(exchange: Exchange, draft: Draft) -> None:
        objects = template_objects(exchange, draft.body, draft.headers.get("content-type", ""))
        try:
            draft.body = template.render(**objects).encode()
        except LiquidError as error:
            raise PolicyFailure("LiquidTemplateFailure", f"The template could not be rendered: {error}.") from error
        draft.headers.pop("content-length", None)

    return edit


def edit_status(compiler: Compiler, statement: Element) -> Edit:
    """Status code and reason of a response."""
    code = compiler.getter(statement, "code", 200)
    reason = compiler.getter(statement, "reason")

    def edit(exchange: Exchange, draft: Draft) -> None:
        status = as_status(code(exchange))
        phrase = reason(exchange)
        draft.status = status
        draft.reason = as_text(phrase) if phrase is not None else reason_phrase(status)

    return edit


def edit_method(compiler: Compiler, statement: Element) -> Edit:
    """The method of a request."""
    method = compiler.text(statement)

    def edit(exchange: Exchange, draft: Draft) -> None:
        draft.method = as_text(method(exchange)).upper()

    return edit


def edit_query_parameter(compiler: Compiler, statement: Element) -> Edit:
    """A query parameter: `exists-action` override (default), skip, append, delete."""
    name = compiler.getter(statement, "name", "")
    action = compiler.getter(statement, "exists-action", "override")
    values = [compiler.text(child) for child in statement.elements if child.name == "value"]

    def edit(exchange: Exchange, draft: Draft) -> None:
        wanted, what = as_text(name(exchange)), as_text(action(exchange)).lower()
        pairs = [pair for pair in draft.query.split("&") if pair]
        present = [pair for pair in pairs if pair.split("=", 1)[0].lower() == wanted.lower()]
        fresh = [f"{quote_plus(wanted)}={quote_plus(as_text(value(exchange)))}" for value in values]
        if what == "skip" and present:
            return
        if what != "append":
            pairs = [pair for pair in pairs if pair not in present]
        draft.query = "&".join(pairs if what == "delete" else [*pairs, *fresh])

    return edit


EDITS: dict[str, Callable[[Compiler, Element], Edit | None]] = {
    "set-header": edit_header,
    "set-body": edit_body,
    "set-status": edit_status,
    "set-method": edit_method,
    "set-query-parameter": edit_query_parameter,
}


_NOT_OF_A_RESPONSE = frozenset({"set-method", "set-query-parameter"})
_NOT_OF_A_REQUEST = frozenset({"set-status"})


def compile_edits(compiler: Compiler, statement: Element, *, of_request: bool) -> list[Edit]:
    """The edits among a statement's children, in order; what does not fit the kind of message is left out."""
    unfit = _NOT_OF_A_REQUEST if of_request else _NOT_OF_A_RESPONSE
    compiled = []
    for child in statement.elements:
        make = EDITS.get(child.name) if child.name not in unfit else None
        edit = make(compiler, child) if make is not None else None
        if edit is not None:
            compiled.append(edit)
    return compiled


@element("set-header", "set-body", "set-status", "set-method", "set-query-parameter")
def compile_edit(compiler: Compiler, statement: Element) -> Step | None:
    """An edit of the request (inbound, backend) or of the response (outbound, on-error)."""
    edit = EDITS[statement.name](compiler, statement)
    if edit is None:
        return None
    of_request = compiler.section in ("inbound", "backend") or statement.name in ("set-method", "set-query-parameter")
    if of_request and statement.name != "set-status":

        def run_request(exchange: Exchange) -> None:
            edit(exchange, exchange)

        return Step(statement.name, run_request)

    def run_response(exchange: Exchange) -> None:
        edit(exchange, exchange.whole_response())

    return Step(statement.name, run_response)
