"""validate-jwt and validate-azure-ad-token: whether a caller's bearer token will do.

Source: Microsoft Learn "validate-jwt policy", "validate-azure-ad-token policy"; reasons as in "Error handling in API
Management policies".
Simplified: signatures are checked for HS256 with keys written in the policy; tokens under an OpenID configuration are
taken to be signed by its issuer, because no key server answers on the simulated network.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simulator.gateway.compiler import element
from simulator.gateway.errors import PolicyFailure
from simulator.gateway.language import as_number, as_status, as_text, is_true, jwt_variable
from simulator.gateway.steps import Step

if TYPE_CHECKING:
    from simulator.gateway.compiler import Compiler
    from simulator.gateway.exchange import Exchange
    from simulator.gateway.language import Element, Getter


@dataclass(frozen=True, slots=True)
class Token:
    """A decoded JWT."""

    header: dict[str, Any]
    claims: dict[str, Any]
    signed: bytes
    signature: bytes


def decode_token(text: str) -> Token:
    """Decode a compact JWT.

    Raises:
        ValueError: it is none.
    """
    parts = text.split(".")
    if len(parts) != 3:
        raise ValueError("a JWT has three parts")

    def part(data: str) -> bytes:
        try:
            return base64.urlsafe_b64decode(data + "=" * (-len(data) % 4))
        except binascii.Error as error:
            raise ValueError("a part of the JWT is not base64url") from error

    header, claims = json.loads(part(parts[0])), json.loads(part(parts[1]))
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise ValueError("header and claims of a JWT are objects")
    return Token(header, claims, f"{parts[0]}.{parts[1]}".encode(), part(parts[2]))


def _texts(compiler: Compiler, statement: Element, group: str) -> list[Getter]:
    return [compiler.text(c) for child in statement.elements if child.name == group for c in child.elements]


def _claims(compiler: Compiler, statement: Element) -> list[tuple[str, str, list[Getter]]]:
    return [
        (
            claim.get("name") or "",
            (claim.get("match") or "all").lower(),
            [compiler.text(value) for value in claim.elements if value.name == "value"],
        )
        for child in statement.elements
        if child.name == "required-claims"
        for claim in child.elements
    ]


def _refuse(reason: str, message: str) -> PolicyFailure:
    return PolicyFailure(reason, message, status=401)


def _seconds(claim: Any) -> float:
    if isinstance(claim, bool) or not isinstance(claim, int | float):
        raise _refuse("JwtInvalid", "Invalid JWT: its lifetime is no number.")
    return float(claim)


def _check_times(token: Token, now: float, skew: float, *, needs_expiry: bool) -> None:
    expiry = token.claims.get("exp")
    if expiry is None and needs_expiry:
        raise _refuse("TokenExpired", "The token has no expiration time.")
    if expiry is not None and now > _seconds(expiry) + skew:
        raise _refuse("TokenExpired", "The token is expired.")
    begin = token.claims.get("nbf")
    if begin is not None and now < _seconds(begin) - skew:
        raise _refuse("TokenNotYetValid", "The token is not valid yet.")


def _check_listed(found: Any, allowed: list[str], reason: str, message: str) -> None:
    values = found if isinstance(found, list) else [found]
    if allowed and not any(str(value) in allowed for value in values):
        raise _refuse(reason, message)


def _check_claims(exchange: Exchange, token: Token, wanted: list[tuple[str, str, list[Getter]]]) -> None:
    for name, match, getters in wanted:
        if name not in token.claims:
            raise _refuse("TokenClaimNotFound", f"JWT token is missing the following claims: {name}.")
        found = token.claims[name]
        present = {str(v) for v in (found if isinstance(found, list) else str(found).split() or [found])} | {str(found)}
        values = [as_text(getter(exchange)) for getter in getters]
        hits = [value in present for value in values]
        if values and not (any(hits) if match == "any" else all(hits)):
            raise _refuse("TokenClaimValueNotAllowed", f"Claim {name} value of {found} is not allowed.")


def _check_signature(token: Token, keys: list[str]) -> None:
    if not keys:
        return
    if token.header.get("alg") != "HS256":
        raise _refuse("TokenSignatureKeyNotFound", "Signature validation failed. Keys tried do not fit the algorithm.")
    for key in keys:
        try:
            secret = base64.b64decode(key + "=" * (-len(key) % 4))
        except ValueError:
            secret = key.encode()
        if hmac.compare_digest(hmac.new(secret, token.signed, hashlib.sha256).digest(), token.signature):
            return
    raise _refuse("TokenSignatureInvalid", "JWT signature is not valid.")


@element("validate-jwt", "validate-azure-ad-token")
def compile_validate_token(compiler: Compiler, statement: Element) -> Step:
    """Check the caller's token; refuse with the status and message the policy names (401 by default)."""
    is_entra = statement.name == "validate-azure-ad-token"
    header = compiler.getter(statement, "header-name", "Authorization" if is_entra else None)
    query = compiler.getter(statement, "query-parameter-name")
    given = compiler.getter(statement, "token-value")
    code = compiler.getter(statement, "failed-validation-httpcode", 401)
    message = compiler.getter(statement, "failed-validation-error-message")
    skew = compiler.getter(statement, "clock-skew", 0)
    needs_expiry = compiler.getter(statement, "require-expiration-time", True)
    variable = statement.get("output-token-variable-name")
    tenant = compiler.getter(statement, "tenant-id")
    audiences = _texts(compiler, statement, "audiences")
    issuers = _texts(compiler, statement, "issuers")
    applications = _texts(compiler, statement, "client-application-ids")
    keys = _texts(compiler, statement, "issuer-signing-keys")
    required = _claims(compiler, statement)

    def read(exchange: Exchange) -> Token:
        text = ""
        if (value := given(exchange)) is not None:
            text = as_text(value)
        elif (name := query(exchange)) is not None:
            pairs = dict(pair.split("=", 1) for pair in exchange.query.split("&") if "=" in pair)
            text = pairs.get(as_text(name), "")
        else:
            text = exchange.headers.get(as_text(header(exchange) or "Authorization").lower(), "")
        if text[:7].lower() == "bearer ":
            text = text[7:].strip()
        if not text:
            raise _refuse("TokenNotPresent", "JWT not present.")
        try:
            return decode_token(text)
        except ValueError as error:
            raise _refuse("JwtInvalid", f"Invalid JWT: {error}.") from error

    def check(exchange: Exchange) -> Token:
        token = read(exchange)
        expiring = is_true(needs_expiry(exchange))
        _check_times(token, exchange.world.now, as_number(skew(exchange)), needs_expiry=expiring)
        _check_signature(token, [as_text(key(exchange)).strip() for key in keys])
        allowed = [as_text(value(exchange)).strip() for value in audiences]
        _check_listed(token.claims.get("aud"), allowed, "TokenAudienceNotAllowed", "Invalid JWT audience.")
        allowed = [as_text(value(exchange)).strip() for value in issuers]
        _check_listed(token.claims.get("iss"), allowed, "TokenIssuerNotAllowed", "Invalid JWT issuer.")
        wanted = tenant(exchange)
        if is_entra and wanted is not None and as_text(wanted).lower() not in ("common", "organizations"):
            _check_listed(token.claims.get("tid"), [as_text(wanted)], "TokenIssuerNotAllowed", "Invalid tenant.")
        allowed = [as_text(value(exchange)).strip() for value in applications]
        client = token.claims.get("appid", token.claims.get("azp"))
        _check_listed(client, allowed, "TokenClaimValueNotAllowed", "Client application is not allowed.")
        _check_claims(exchange, token, required)
        return token

    def run(exchange: Exchange) -> None:
        try:
            token = check(exchange)
        except PolicyFailure as failure:
            failure.status = as_status(code(exchange))
            text = message(exchange)
            if text is not None:
                failure.body_message = as_text(text)
            raise
        if variable:
            exchange.variables[variable] = jwt_variable(token.header, token.claims)

    return Step(statement.name, run)
