"""The data plane of one Azure OpenAI account: who may call, which deployment is meant, native spillover.

Source: Azure OpenAI data-plane reference (paths, `api-version`, `api-key` and bearer authentication, models list) and
Microsoft Learn "Manage traffic with spillover for provisioned deployments", "Azure OpenAI v1 API" (a key as the plain
OpenAI client sends it).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from simulator.network import HttpRequest, HttpResponse
from simulator.openai.answers import error_response
from simulator.openai.deployment import SPILLS_ON, Call, DeploymentState
from simulator.openai.models import MODELS
from simulator.openai.prompts import MalformedCall, read_prompt

if TYPE_CHECKING:
    from simulator.resources.store import Resource
    from simulator.world import World

Authorizer = Callable[[str, str], bool]
"""(bearer token, account id) -> whether the token's holder may call models of the account."""

_DEPLOYMENT_PATH = re.compile(r"^/openai/deployments/([^/]+)/(chat/completions|completions|embeddings)$")
_PLAIN_PATH = re.compile(r"^/openai/(v1/)?(chat/completions|completions|embeddings|responses)$")
_OPERATIONS = {
    "chat/completions": "chat",
    "completions": "completions",
    "embeddings": "embeddings",
    "responses": "responses",
}
_REFUSAL_SECONDS = 0.003


class AccountHost:
    """One account: its keys, its deployments, its door."""

    def __init__(self, world: World, resource: Resource, authorizers: list[Authorizer]) -> None:
        self.world = world
        self.id = resource.id
        self.name = resource.name
        self.authorizers = authorizers
        self.deployments: dict[str, DeploymentState] = {}
        self._paths: dict[str, tuple[str, str | None, bool] | None] = {}
        self._versions: dict[str, str | None] = {}
        self.configure(resource)

    def configure(self, resource: Resource) -> None:
        """Take the account's ARM body and keys."""
        properties = resource.properties
        self.region = str(resource.body.get("location", "")).lower().replace(" ", "")
        self.keys = frozenset(str(resource.hidden[k]) for k in ("key1", "key2") if resource.hidden.get(k))
        self.local_auth = properties.get("disableLocalAuth") is not True
        self.public = properties.get("publicNetworkAccess", "Enabled") != "Disabled"

    def configure_deployment(self, resource: Resource | None, name: str) -> None:
        """A deployment was written, or deleted (None)."""
        key = name.lower()
        if resource is None:
            self.deployments.pop(key, None)
            return
        known = self.deployments.get(key)
        if known is None:
            self.deployments[key] = DeploymentState(self.world, self.id, self.region, resource.name, resource.body)
        else:
            known.configure(resource.body)

    def handle(self, request: HttpRequest) -> Generator[float, None, HttpResponse]:
        """Answer one HTTP request."""
        refused = self._door(request)
        if refused is not None:
            yield _REFUSAL_SECONDS
            return refused
        path = request.path
        if path in ("/openai/models", "/openai/v1/models"):
            yield _REFUSAL_SECONDS
            return self._models()
        target = self._target(path)
        version = self._api_version(request.query)
        if target is None or request.method != "POST" or (version is None and not target[2]):
            yield _REFUSAL_SECONDS
            return error_response(404, "404", "Resource not found")
        operation, name, _ = target
        try:
            prompt = read_prompt(request.body, operation)
        except MalformedCall as error:
            yield _REFUSAL_SECONDS
            return error_response(400, "BadRequest", str(error))
        deployment = self.deployments.get((name or prompt.model).lower())
        if deployment is None or deployment.state not in ("Succeeded", "Updating"):
            yield _REFUSAL_SECONDS
            return error_response(
                404,
                "DeploymentNotFound",
                "The API deployment for this resource does not exist. If you created the deployment within the last "
                "5 minutes, please wait a moment and try again.",
            )
        if deployment.model.is_embedding != (operation == "embeddings"):
            yield _REFUSAL_SECONDS
            text = (
                f"The {operation} operation does not work with the specified model, {deployment.model_name}. "
                "Please choose different model and try again."
            )
            return error_response(400, "OperationNotSupported", text)
        standard = self._spillover(deployment, request) if deployment.bucket is not None else None
        call = Call(operation, prompt, version or "v1", spills_to=standard.name if standard is not None else None)
        response = yield from deployment.answer(call)
        if standard is not None and response.status in SPILLS_ON:
            spilled = Call(operation, prompt, call.api_version, deployment.name, response.status)
            return (yield from standard.answer(spilled))
        return response

    def _spillover(self, deployment: DeploymentState, request: HttpRequest) -> DeploymentState | None:
        name = deployment.spillover_to or request.headers.get("x-ms-spillover-deployment")
        standard = self.deployments.get(name.lower()) if name else None
        return standard if standard is not None and standard.limits is not None else None

    def _door(self, request: HttpRequest) -> HttpResponse | None:
        """Network rules, then the key or the token; None lets the call in."""
        if not self.public and request.source == "outside":
            text = "Public access is disabled. Please configure private endpoint."
            return error_response(403, "AccessDenied", text)
        headers = request.headers
        token = headers.get("authorization", "")
        if token[:7].lower() == "bearer ":
            bearer = token[7:].strip()
            for accepts in self.authorizers:
                if accepts(bearer, self.id):
                    return None
            if request.path.startswith("/openai/v1/") and bearer in self.keys and self.local_auth:
                return None  # the v1 routes take a key where the plain OpenAI client puts it
            text = (
                "The principal lacks the required data action "
                "`Microsoft.CognitiveServices/accounts/OpenAI/deployments/chat/completions/action` to perform "
                "`POST /openai/deployments/{deployment-id}/chat/completions` operation."
            )
            return error_response(401, "PermissionDenied", text)
        key = headers.get("api-key") or headers.get("ocp-apim-subscription-key")
        if key is not None and key in self.keys and self.local_auth:
            return None
        if key is not None and not self.local_auth:
            text = "Key based authentication is disabled for this resource."
            return error_response(403, "AuthenticationTypeDisabled", text)
        text = (
            "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for "
            "an active subscription and use a correct regional API endpoint for your resource."
        )
        return error_response(401, "401", text)

    def _target(self, path: str) -> tuple[str, str | None, bool] | None:
        """(operation, deployment name from the path, whether it is a v1 route) of a path; None when there is no such
        route."""
        if path in self._paths:
            return self._paths[path]
        target: tuple[str, str | None, bool] | None = None
        if match := _DEPLOYMENT_PATH.match(path):
            target = (_OPERATIONS[match[2]], match[1], False)
        elif (match := _PLAIN_PATH.match(path)) and (match[1] or match[2] == "responses"):
            target = (_OPERATIONS[match[2]], None, match[1] is not None)
        if len(self._paths) > 1000:
            self._paths.clear()
        self._paths[path] = target
        return target

    def _api_version(self, query: str) -> str | None:
        if query not in self._versions:
            if len(self._versions) > 1000:
                self._versions.clear()
            values = parse_qs(query).get("api-version")
            self._versions[query] = values[0] if values else None
        return self._versions[query]

    def _models(self) -> HttpResponse:
        """The base models of the account's region: not its deployments."""
        data: list[dict[str, Any]] = [
            {
                "id": facts.name,
                "object": "model",
                "status": "succeeded",
                "created_at": 1_700_000_000,
                "lifecycle_status": "generally-available",
                "capabilities": {
                    "fine_tune": False,
                    "inference": True,
                    "completion": facts.kind == "chat",
                    "chat_completion": facts.kind == "chat",
                    "embeddings": facts.is_embedding,
                },
            }
            for facts in MODELS.values()
        ]
        body = json.dumps({"data": data, "object": "list"}, separators=(",", ":")).encode()
        return HttpResponse(200, {"content-type": "application/json", "x-ms-region": self.region}, body)
