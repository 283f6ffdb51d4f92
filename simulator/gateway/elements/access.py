"""Who may pass: check-header, ip-filter, cors, basic and certificate authentication.

Source: Microsoft Learn, the reference pages of these policies. Certificates are accepted and not presented.
"""

from __future__ import annotations

import base64
import ipaddress
from typing import TYPE_CHECKING

from simulator.gateway.compiler import element
from simulator.gateway.errors import Finished, PolicyFailure
from simulator.gateway.language import as_status, as_text, is_true
from simulator.gateway.steps import Step

if TYPE_CHECKING:
    from simulator.gateway.compiler import Compiler
    from simulator.gateway.exchange import Exchange
    from simulator.gateway.language import Element, Getter


@element("check-header")
def compile_check_header(compiler: Compiler, statement: Element) -> Step:
    """A header must be there, with one of the values when any are listed."""
    name = compiler.getter(statement, "name", "")
    code = compiler.getter(statement, "failed-check-httpcode", 400)
    message = compiler.getter(statement, "failed-check-error-message", "")
    ignore_case = compiler.getter(statement, "ignore-case", False)
    values = [compiler.text(child) for child in statement.elements if child.name == "value"]

    def run(exchange: Exchange) -> None:
        wanted = as_text(name(exchange))
        found = exchange.headers.get(wanted.lower())
        status = as_status(code(exchange))
        text = as_text(message(exchange))
        if found is None:
            detail = text or f"Header {wanted} was not found in the request. Access denied."
            raise PolicyFailure("HeaderNotFound", detail, status=status)
        allowed = [as_text(value(exchange)) for value in values]
        if is_true(ignore_case(exchange)):
            found, allowed = found.lower(), [value.lower() for value in allowed]
        if allowed and found not in allowed:
            detail = text or f"Header {wanted} value of {found} is not allowed. Access denied."
            raise PolicyFailure("HeaderValueNotAllowed", detail, status=status)

    return Step("check-header", run)


@element("ip-filter")
def compile_ip_filter(compiler: Compiler, statement: Element) -> Step:
    """Allow only, or forbid, the addresses and ranges listed."""
    action = compiler.getter(statement, "action", "allow")
    singles = [compiler.text(child) for child in statement.elements if child.name == "address"]
    ranges: list[tuple[Getter, Getter]] = [
        (compiler.getter(child, "from", ""), compiler.getter(child, "to", ""))
        for child in statement.elements
        if child.name == "address-range"
    ]

    def listed(exchange: Exchange, caller: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
        for single in singles:
            if caller in ipaddress.ip_network(as_text(single(exchange)).strip(), strict=False):
                return True
        for first, last in ranges:
            low = ipaddress.ip_address(as_text(first(exchange)).strip())
            high = ipaddress.ip_address(as_text(last(exchange)).strip())
            if caller.version == low.version == high.version and int(low) <= int(caller) <= int(high):
                return True
        return False

    def run(exchange: Exchange) -> None:
        try:
            caller = ipaddress.ip_address(exchange.caller_ip)
        except ValueError as error:
            text = "Failed to establish IP address for the caller. Access denied."
            raise PolicyFailure("FailedToParseCallerIP", text, status=403) from error
        allow = as_text(action(exchange)).lower() == "allow"
        try:
            found = listed(exchange, caller)
        except ValueError as error:
            raise PolicyFailure("FailedToParseCallerIP", f"An address of the policy is none: {error}.") from error
        if found != allow:
            reason = "CallerIpNotAllowed" if allow else "CallerIpBlocked"
            text = f"Caller IP address {caller} is {'not allowed' if allow else 'blocked'}. Access denied."
            raise PolicyFailure(reason, text, status=403)

    return Step("ip-filter", run)


@element("cors")
def compile_cors(compiler: Compiler, statement: Element) -> Step:
    """Answer preflights, and put the headers browsers ask for on answers to allowed origins."""
    credentials = compiler.getter(statement, "allow-credentials", False)
    terminate = compiler.getter(statement, "terminate-unmatched-request", True)

    def texts(group: str, item: str) -> list[Getter]:
        found = next((child for child in statement.elements if child.name == group), None)
        return [] if found is None else [compiler.text(child) for child in found.elements if child.name == item]

    origins = texts("allowed-origins", "origin")
    methods = texts("allowed-methods", "method")
    headers = texts("allowed-headers", "header")
    exposed = texts("expose-headers", "header")
    group = next((child for child in statement.elements if child.name == "allowed-methods"), None)
    max_age = compiler.getter(group, "preflight-result-max-age", "") if group is not None else (lambda exchange: "")

    def run(exchange: Exchange) -> None:
        origin = exchange.headers.get("origin")
        if origin is None:
            return
        allowed = {as_text(value(exchange)).rstrip("/").lower() for value in origins}
        matched = "*" in allowed or origin.rstrip("/").lower() in allowed
        preflight = exchange.method == "OPTIONS" and "access-control-request-method" in exchange.headers
        granted: dict[str, str] = {}
        if matched:
            granted["access-control-allow-origin"] = "*" if "*" in allowed else origin
            if is_true(credentials(exchange)):
                granted["access-control-allow-credentials"] = "true"
            if exposed:
                granted["access-control-expose-headers"] = ",".join(as_text(value(exchange)) for value in exposed)
        if preflight:
            if matched:
                granted["access-control-allow-methods"] = ",".join(as_text(m(exchange)) for m in methods) or "GET,POST"
                granted["access-control-allow-headers"] = ",".join(as_text(h(exchange)) for h in headers)
                if max_age(exchange):
                    granted["access-control-max-age"] = as_text(max_age(exchange))
            exchange.answer(200, granted, b"", "OK")
            raise Finished
        if not matched:
            if is_true(terminate(exchange)):
                exchange.answer(200, {}, b"", "OK")
                raise Finished
            return

        def ended(done: Exchange) -> None:
            if done.response is not None:
                done.response.headers.update(granted)

        exchange.on_outcome.append(ended)

    return Step("cors", run)


@element("authentication-basic")
def compile_basic(compiler: Compiler, statement: Element) -> Step:
    """Basic credentials for the backend."""
    username = compiler.getter(statement, "username", "")
    password = compiler.getter(statement, "password", "")

    def run(exchange: Exchange) -> None:
        pair = f"{as_text(username(exchange))}:{as_text(password(exchange))}".encode()
        exchange.headers["authorization"] = f"Basic {base64.b64encode(pair).decode()}"

    return Step("authentication-basic", run)


@element("authentication-certificate", "proxy")
def compile_accepted(compiler: Compiler, statement: Element) -> Step:
    """Accepted; a client certificate or a proxy changes nothing on the simulated network."""
    return Step(statement.name, lambda exchange: None)
