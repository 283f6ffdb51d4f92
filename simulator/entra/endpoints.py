"""Where tokens are asked for: the App Service and VM managed-identity endpoints and the OAuth token endpoint.

Source: "How to use managed identities for App Service" (api-version 2019-08-01, `X-IDENTITY-HEADER`), "How to use
managed identities on a VM" (2018-02-01, `Metadata: true`), "OAuth 2.0 client credentials flow".
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from simulator.entra.tokens import entra
from simulator.network import HttpResponse

if TYPE_CHECKING:
    from simulator.entra.principals import Principal
    from simulator.world import World

LOGIN_HOSTS = ("login.microsoftonline.com", "login.microsoft.com", "login.windows.net")


def answer_identity(
    world: World, method: str, path: str, query: dict[str, str], headers: dict[str, str]
) -> HttpResponse | None:
    """Answer `/msi/token` and `/metadata/identity/oauth2/token`; None for any other path."""
    lowered = path.rstrip("/").lower()
    if lowered == "/msi/token":
        if headers.get("x-identity-header") != entra(world).identity_header:
            return _json(401, {"statusCode": 401, "message": "The X-IDENTITY-HEADER is missing or wrong."})
    elif lowered == "/metadata/identity/oauth2/token":
        if headers.get("metadata", "").lower() != "true":
            return _json(
                400, {"error": "invalid_request", "error_description": "Required metadata header not specified"}
            )
    else:
        return None
    if method != "GET":
        return _json(405, {"error": "invalid_request", "error_description": "Only GET is supported"})
    resource = query.get("resource")
    if not resource:
        return _json(400, {"error": "invalid_request", "error_description": "Missing parameter: resource"})
    who = _wanted_identity(world, query)
    if who is None:
        return _json(400, {"error": "invalid_request", "error_description": "Identity not found"})
    token, expires_at = entra(world).mint(resource, who)
    return _json(
        200,
        {
            "access_token": token,
            "expires_on": str(int(expires_at)),
            "expires_in": str(int(expires_at - world.now)),
            "not_before": str(int(world.now)),
            "resource": resource,
            "token_type": "Bearer",
            "client_id": who.client_id,
        },
    )


def _wanted_identity(world: World, query: dict[str, str]) -> Principal | None:
    asked = next(
        (query[name] for name in ("client_id", "object_id", "principal_id", "mi_res_id") if query.get(name)), None
    )
    return entra(world).principal(asked) if asked else entra(world).default


def answer_login(world: World, method: str, path: str, body: bytes) -> HttpResponse:
    """Answer a login host: token endpoint, OpenID configuration and instance discovery."""
    lowered = path.lower()
    parts = [part for part in path.split("/") if part]
    if lowered.endswith("/.well-known/openid-configuration"):
        tenant = parts[0] if parts else "common"
        return _json(200, _openid_configuration(world, tenant))
    if lowered.startswith("/common/discovery/instance"):
        tenant = entra(world).default.tenant_id
        return _json(
            200,
            {
                "tenant_discovery_endpoint": f"https://{LOGIN_HOSTS[0]}/{tenant}/v2.0/.well-known/openid-configuration",
                "api-version": "1.1",
                "metadata": [
                    {
                        "preferred_network": LOGIN_HOSTS[0],
                        "preferred_cache": LOGIN_HOSTS[2],
                        "aliases": list(LOGIN_HOSTS),
                    }
                ],
            },
        )
    if method == "POST" and lowered.endswith(("/oauth2/v2.0/token", "/oauth2/token")):
        return _answer_token(world, dict(parse_qsl(body.decode(errors="replace"))))
    return _json(404, {"error": "invalid_request", "error_description": f"Unknown path {path}"})


def _openid_configuration(world: World, tenant: str) -> dict[str, Any]:
    tenant_id = entra(world).default.tenant_id if tenant in ("common", "organizations") else tenant
    base = f"https://{LOGIN_HOSTS[0]}/{tenant_id}"
    return {
        "issuer": f"{base}/v2.0",
        "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
        "token_endpoint": f"{base}/oauth2/v2.0/token",
        "jwks_uri": f"{base}/discovery/v2.0/keys",
        "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
        "response_types_supported": ["code", "id_token"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "tenant_region_scope": "EU",
        "cloud_instance_name": "microsoftonline.com",
    }


def _answer_token(world: World, form: dict[str, str]) -> HttpResponse:
    if form.get("grant_type") != "client_credentials":
        return _json(
            400, {"error": "unsupported_grant_type", "error_description": "AADSTS70003: only client_credentials here"}
        )
    who = entra(world).principal(form.get("client_id", ""))
    if who is None:
        return _json(
            400,
            {
                "error": "unauthorized_client",
                "error_description": f"AADSTS700016: Application '{form.get('client_id', '')}' was not found.",
                "error_codes": [700016],
            },
        )
    scope = form.get("scope", form.get("resource", "https://management.azure.com/.default")).split(" ")[0]
    token, expires_at = entra(world).mint(scope.removesuffix("/.default"), who)
    seconds = int(expires_at - world.now)
    return _json(200, {"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": token})


def _json(status: int, body: dict[str, Any]) -> HttpResponse:
    return HttpResponse(status, {"content-type": "application/json; charset=utf-8"}, json.dumps(body).encode())
