"""What callers and connections identify themselves with: JWTs, basic credentials, authorizations."""

from __future__ import annotations

import base64
import binascii
import json
from operator import attrgetter
from typing import Any

from apimpolicy.expressions.context import (
    BasicCredentials,
    Jwt,
)
from apimpolicy.expressions.dates import DateTime
from apimpolicy.expressions.json_values import value_json
from apimpolicy.expressions.types import (
    STRING,
    define,
    extend,
    make,
)
from apimpolicy.expressions.values import CsArray, CsDict, CsList


def parse_jwt(text: str | None) -> Jwt | None:
    """A JWT's header and payload, or None when the text is none.

    Assumed: a leading "Bearer " is passed over, as policies in use rely on it.
    """
    if not text:
        return None
    token = text.strip()
    if token[:7].lower() == "bearer ":
        token = token[7:].strip()
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        header, payload = (json.loads(_base64url(part)) for part in parts[:2])
    except (ValueError, binascii.Error):
        return None
    if not isinstance(header, dict) or not isinstance(payload, dict):
        return None
    claims = {name: _claim_values(value) for name, value in payload.items()}
    return Jwt(header, payload, claims)


def _base64url(text: str) -> bytes:
    return base64.b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), validate=True)


def _claim_values(value: Any) -> list[str]:
    if isinstance(value, list):
        return [text for one in value for text in _claim_values(one)]
    if isinstance(value, str):
        return [value]
    if isinstance(value, bool):
        return ["true" if value else "false"]
    return [json.dumps(value, separators=(",", ":")) if isinstance(value, dict) else value_json(value)]


def parse_basic(text: str | None) -> BasicCredentials | None:
    """Credentials of an Authorization header, or None."""
    if not text or text[:6].lower() != "basic ":
        return None
    try:
        user, colon, password = base64.b64decode(text[6:].strip(), validate=True).decode("utf-8").partition(":")
    except (ValueError, binascii.Error):
        return None
    return BasicCredentials(user, password) if colon else None


def _instant(name: str) -> Any:
    def read(token: Jwt) -> DateTime | None:
        seconds = token.payload.get(name)
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
            return None
        return DateTime(621_355_968_000_000_000 + int(seconds) * 10_000_000, 1)

    return read


def _claim(name: str) -> Any:
    return lambda token: token.claims[name][0] if token.claims.get(name) else None


def _claims(token: Jwt) -> CsDict:
    made = CsDict(STRING, make("[]", STRING))
    for name, values in token.claims.items():
        made.set(name, CsArray(values, STRING))
    return made


def _claim_text(claims: CsDict, name: str, fallback: str | None = None) -> str | None:
    return ",".join(claims.get(name)) if claims.has(name) else fallback


define(
    "ClaimDictionary",
    namespace="",
    bases=["IReadOnlyDictionary<string, string[]>"],
    members={
        "string GetValueOrDefault(string)": _claim_text,
        "string GetValueOrDefault(string, string)": _claim_text,
        "string[] GetValueOrDefault(string, string[])": lambda c, k, other: c.get(k) if c.has(k) else other,
        "bool ContainsKey(string)": lambda c, k: c.has(k),
        "string[] this[string]": lambda c, k: c.get(k),
    },
)
define(
    "Jwt",
    namespace="",
    members={
        "string Algorithm": lambda t: t.header.get("alg"),
        "string Type": lambda t: t.header.get("typ"),
        "IEnumerable<string> Audiences": lambda t: CsList(t.claims.get("aud", ()), STRING),
        "ClaimDictionary Claims": _claims,
        "DateTime? ExpirationTime": _instant("exp"),
        "DateTime? NotBefore": _instant("nbf"),
        "DateTime? IssuedAt": _instant("iat"),
        "string Id": _claim("jti"),
        "string Issuer": _claim("iss"),
        "string Subject": _claim("sub"),
    },
)
define(
    "BasicAuthCredentials",
    namespace="",
    members={
        "string UserId": attrgetter("user_id"),
        "string Username": attrgetter("user_id"),
        "string Password": attrgetter("password"),
    },
)
define(
    "Authorization",
    namespace="",
    members={"string AccessToken": attrgetter("access_token"), "VariableDictionary Claims": attrgetter("claims")},
)


def _try(parse: Any) -> Any:
    def run(text: str | None) -> tuple[bool, Any]:
        found = parse(text)
        return found is not None, found

    return run


extend(
    {
        "~Jwt AsJwt(string)": parse_jwt,
        "~bool TryParseJwt(string, out Jwt)": _try(parse_jwt),
        "~BasicAuthCredentials AsBasic(string)": parse_basic,
        "~bool TryParseBasic(string, out BasicAuthCredentials)": _try(parse_basic),
    }
)
