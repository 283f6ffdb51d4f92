"""Tokens: made, read, expired by the simulated clock, revoked by the control door.

The signature is a keyed hash, not Entra's: it only keeps foreign tokens out of a world they were not made for.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any

from simulator.entra.principals import BUILT_IN_ROLES, Assignment, Principal
from simulator.resources.errors import ArmError

if TYPE_CHECKING:
    from simulator.world import World

DEFAULT_TENANT = "0a1b2c3d-0000-4000-8000-0000000000ff"
TOKEN_SECONDS = 86_400.0
"""Source: managed identity tokens are cached by the platform for around 24 hours."""


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Entra:
    """The identities of a world and the tokens it gave them. Kept as `world.rooms["entra"]`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._key = hashlib.sha256(f"entra/{world.seed}".encode()).digest()
        self._read: dict[str, dict[str, Any]] = {}
        self._revoked_serial = 0
        self._serial = 0
        self.token_seconds = TOKEN_SECONDS
        owner = Principal(
            object_id="0a1b2c3d-0000-4000-8000-00000000aaaa",
            name="operator@contoso.example",
            tenant_id=DEFAULT_TENANT,
            client_id="0a1b2c3d-0000-4000-8000-00000000bbbb",
            assignments=[Assignment(BUILT_IN_ROLES["Owner"], "/")],
        )
        self.principals: dict[str, Principal] = {owner.client_id: owner}
        self.default = owner
        self.identity_header = f"{world.random('identity-header').getrandbits(128):032x}"
        """What `X-IDENTITY-HEADER` must carry."""

    def principal(self, name_or_id: str) -> Principal | None:
        """A principal by client id, object id or name."""
        for principal in self.principals.values():
            if name_or_id in (principal.client_id, principal.object_id, principal.name):
                return principal
        return None

    def mint(self, audience: str, principal: Principal | None = None) -> tuple[str, float]:
        """A bearer token for `audience`: (token, when it expires in epoch seconds)."""
        who = principal or self.default
        self._serial += 1
        issued_at = self._world.now
        expires_at = issued_at + self.token_seconds
        claims = {
            "aud": audience,
            "iss": f"https://sts.windows.net/{who.tenant_id}/",
            "iat": int(issued_at),
            "nbf": int(issued_at),
            "exp": int(expires_at),
            "appid": who.client_id,
            "oid": who.object_id,
            "sub": who.object_id,
            "tid": who.tenant_id,
            "idtyp": who.kind,
            "upn" if "@" in who.name else "app_displayname": who.name,
            "xms_mirid": f"/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{who.client_id}",
            "uti": f"{self._serial:08x}",
            "ver": "1.0",
        }
        head = _encode(json.dumps({"typ": "JWT", "alg": "HS256"}).encode())
        unsigned = f"{head}.{_encode(json.dumps(claims).encode())}"
        return f"{unsigned}.{self._sign(unsigned)}", expires_at

    def _sign(self, unsigned: str) -> str:
        return _encode(hmac.new(self._key, unsigned.encode(), hashlib.sha256).digest())

    def revoke_all(self) -> None:
        """Every token given so far is refused from now on, as after a credential was revoked."""
        self._revoked_serial = self._serial

    def authenticate(self, authorization: str | None, *, audiences: tuple[str, ...] = ()) -> Principal:
        """Whom a bearer token speaks for.

        Args:
            audiences: host names one of which the token's audience must contain; empty accepts any. A token for
                Resource Manager is accepted everywhere (lenient).

        Raises:
            ArmError: 401 AuthenticationFailed, InvalidAuthenticationToken, InvalidAuthenticationTokenAudience or
                ExpiredAuthenticationToken, with `WWW-Authenticate`.
        """
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise self._refusal("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
        claims = self._claims(token.strip())
        principal = self.principals.get(str(claims.get("appid")))
        if principal is None:
            raise self._refusal("InvalidAuthenticationToken", "The access token is invalid: its identity is not known.")
        if self._world.now >= float(claims["exp"]) or int(claims["uti"], 16) <= self._revoked_serial:
            raise self.expired()
        audience = str(claims.get("aud", ""))
        if audiences and not any(host in audience for host in (*audiences, "management.")):
            raise self._refusal(
                "InvalidAuthenticationTokenAudience",
                f"The access token has been obtained for wrong audience or resource '{audience}'.",
            )
        return principal

    def expired(self) -> ArmError:
        """The 401 that a token past its time gets."""
        return self._refusal(
            "ExpiredAuthenticationToken",
            "The access token expiry UTC time is earlier than the current UTC time.",
        )

    def _claims(self, token: str) -> dict[str, Any]:
        known = self._read.get(token)
        if known is not None:
            return known
        unsigned, _, signature = token.rpartition(".")
        if not unsigned or not hmac.compare_digest(signature, self._sign(unsigned)):
            raise self._refusal("InvalidAuthenticationToken", "The access token is invalid: wrong signature.")
        claims: dict[str, Any] = json.loads(_decode(unsigned.split(".")[1]))
        if len(self._read) > 256:
            self._read.clear()
        self._read[token] = claims
        return claims

    def _refusal(self, code: str, message: str) -> ArmError:
        challenge = (
            f'Bearer authorization_uri="https://login.microsoftonline.com/{self.default.tenant_id}", '
            f'error="invalid_token", error_description="{message}"'
        )
        return ArmError(401, code, message, headers={"www-authenticate": challenge})


def entra(world: World) -> Entra:
    """The world's identities, made on first use."""
    known = world.rooms.get("entra")
    if known is None:
        known = world.rooms["entra"] = Entra(world)
    assert isinstance(known, Entra)
    return known
