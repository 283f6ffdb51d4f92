"""Azure OpenAI accounts and their model deployments, as Resource Manager shows and writes them.

How a deployment behaves under load belongs to the model's own room; here are only bodies, limits and keys.
Source: Microsoft.CognitiveServices, api-version 2025-09-01 (accounts, deployments, models, usages, listKeys,
regenerateKey); sku.capacity is thousands of tokens per minute for the Standard family and PTUs for the provisioned one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.openai.models import MODELS, facts_of
from simulator.resources.errors import ArmError, resource_not_found
from simulator.resources.router import ArmRequest, ArmResponse, Router
from simulator.resources.settings import arm_settings
from simulator.resources.store import Resource
from simulator.resources.wire_time import wire_time
from simulator.resources.writing import ReadContext, TypeRules, WriteContext, type_registry

if TYPE_CHECKING:
    from simulator.world import World

ACCOUNTS = "Microsoft.CognitiveServices/accounts"
DEPLOYMENTS = "Microsoft.CognitiveServices/accounts/deployments"
PROVISIONED_SKUS = ("ProvisionedManaged", "GlobalProvisionedManaged", "DataZoneProvisionedManaged")
STANDARD_SKUS = ("Standard", "GlobalStandard", "DataZoneStandard", "GlobalBatch", "DataZoneBatch", "DeveloperTier")
QUOTA_PTU = 1_000
"""Assumed: provisioned units one subscription may use in one region."""
QUOTA_THOUSAND_TOKENS = 3_000
"""Assumed: thousands of tokens per minute one subscription may assign to one model in one region."""


def register_accounts(world: World, router: Router) -> None:
    """Register types and actions."""
    registry = type_registry(world)
    registry.register(TypeRules(ACCOUNTS, prepare=_prepare_account, render=_render_account, entity_tag=False))
    registry.register(
        TypeRules(
            DEPLOYMENTS,
            prepare=_prepare_deployment,
            render=_render_deployment,
            seconds=lambda context: arm_settings(context.world).deployment_seconds,
            delete_seconds=lambda world: arm_settings(world).entity_seconds,
            exclusive_under_parent=True,
        )
    )
    account = (
        "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.CognitiveServices"
        "/accounts/{accountName}"
    )
    router.add("POST", f"{account}/listKeys", _answer_keys)
    router.add("POST", f"{account}/regenerateKey", _answer_new_key)
    router.add("GET", f"{account}/models", _answer_models)
    router.add("GET", f"{account}/usages", _answer_usages)
    location = "/subscriptions/{subscriptionId}/providers/Microsoft.CognitiveServices/locations/{location}"
    router.add("GET", f"{location}/usages", _answer_location_usages)
    router.add("GET", f"{location}/models", _answer_models)


def _prepare_account(context: WriteContext) -> None:
    body = context.body
    for name in ("location", "kind", "sku"):
        if not body.get(name):
            raise ArmError(400, "InvalidResource", f"The required property '{name}' is missing.", name)
    properties = context.properties
    subdomain = str(properties.get("customSubDomainName") or "")
    for other in context.world.store.of_type(ACCOUNTS):
        taken = str(other.properties.get("customSubDomainName", "")).lower()
        if subdomain and taken == subdomain.lower() and other.id.lower() != context.path.path.lower():
            raise ArmError(
                409, "CustomDomainInUse", f"Please use a different custom subdomain: '{subdomain}' is already in use."
            )
    host = f"{subdomain}.openai.azure.com" if subdomain else f"{body['location']}.api.cognitive.microsoft.com"
    properties["endpoint"] = f"https://{host.lower()}/"
    properties.setdefault("publicNetworkAccess", "Enabled")
    properties["provisioningState"] = "Succeeded"
    keys = context.world.random("account-keys")
    for name in ("key1", "key2"):
        context.hidden.setdefault(name, f"{keys.getrandbits(128):032x}")


def _render_account(resource: Resource, read: ReadContext) -> dict[str, Any]:
    properties = {
        "internalId": resource.name,
        "dateCreated": wire_time(resource.created_at),
        "callRateLimit": {"rules": []},
        "isMigrated": False,
        **resource.properties,
    }
    return {**resource.body, "etag": resource.etag, "properties": properties}


def _prepare_deployment(context: WriteContext) -> None:
    body, properties = context.body, context.properties
    sku = body.get("sku")
    model = properties.get("model")
    if not isinstance(sku, dict) or not sku.get("name"):
        raise ArmError(400, "InvalidResourceProperties", "The sku of the deployment is missing.", "sku")
    if not isinstance(model, dict) or not model.get("name"):
        raise ArmError(400, "InvalidResourceProperties", "The model of the deployment is missing.", "properties.model")
    if sku["name"] not in (*PROVISIONED_SKUS, *STANDARD_SKUS):
        raise ArmError(400, "InvalidResourceProperties", f"The specified SKU '{sku['name']}' is not supported.", "sku")
    if model["name"] not in MODELS:
        raise ArmError(
            400,
            "DeploymentModelNotSupported",
            f"The model "
            f"'Format:{model.get('format', 'OpenAI')},Name:{model['name']},Version:{model.get('version', '')}' of "
            "account deployment is not supported.",
        )
    capacity = sku.setdefault("capacity", 1)
    if not isinstance(capacity, int) or capacity < 1:
        raise ArmError(400, "InvalidCapacity", "The capacity must be a whole number of at least 1.", "sku.capacity")
    _check_quota(context, str(sku["name"]), str(model["name"]), capacity)
    model.setdefault("format", "OpenAI")
    properties.setdefault("versionUpgradeOption", "OnceNewDefaultVersionAvailable")
    properties.setdefault("raiPolicyName", "Microsoft.DefaultV2")
    properties["currentCapacity"] = capacity
    properties["provisioningState"] = "Succeeded"
    properties["rateLimits"] = _rate_limits(str(sku["name"]), str(model["name"]), capacity)
    context.hidden["progress_word"] = "Creating" if context.existing is None else "Updating"


def _rate_limits(sku_name: str, model_name: str, capacity: int) -> list[dict[str, Any]]:
    requests = max(1, int(capacity * facts_of(model_name).requests_per_1000_tokens / 6))
    limits = [{"key": "request", "renewalPeriod": 10, "count": requests}]
    if sku_name not in PROVISIONED_SKUS:
        limits.append({"key": "token", "renewalPeriod": 60, "count": capacity * 1000})
    return limits


def _check_quota(context: WriteContext, sku_name: str, model_name: str, capacity: int) -> None:
    """Source: Azure OpenAI quota: tokens a minute by region, subscription, model; PTUs by region and subscription."""
    account = context.world.store.get(context.path.parent_id)
    location = str(account.body.get("location", "")) if account is not None else ""
    entries = {entry["name"]["value"]: entry for entry in location_usages(context.world, context.path.path, location)}
    name = _usage_name(sku_name, model_name)
    entry = entries.get(name)
    used = float(entry["currentValue"]) if entry is not None else 0.0
    limit = float(entry["limit"]) if entry is not None else _limit(sku_name)
    if context.existing is not None and _usage_of(context.existing) == name:
        used -= float(context.existing.body.get("sku", {}).get("capacity", 0))
    if used + capacity > limit:
        raise ArmError(
            400,
            "InsufficientQuota",
            f"This operation require {capacity} new capacity in quota {name}, which is bigger than the "
            f"current available "
            f"capacity {limit - used:g}. The current quota usage is {used:g} and the quota limit is {limit:g}.",
        )


def _limit(sku_name: str) -> float:
    return float(QUOTA_PTU if sku_name in PROVISIONED_SKUS else QUOTA_THOUSAND_TOKENS)


def _usage_name(sku_name: str, model_name: str) -> str:
    return f"OpenAI.{sku_name}" if sku_name in PROVISIONED_SKUS else f"OpenAI.{sku_name}.{model_name}"


def _usage_of(deployment: Resource) -> str:
    sku, model = deployment.body.get("sku", {}), deployment.properties.get("model", {})
    return _usage_name(str(sku.get("name")), str(model.get("name")))


def _render_deployment(resource: Resource, read: ReadContext) -> dict[str, Any]:
    capabilities = {"area": "EUR", "chatCompletion": "true"}
    model = str(resource.properties.get("model", {}).get("name", ""))
    if facts_of(model).is_embedding:
        capabilities = {"embeddings": "true", "embeddingsMaxInputs": "2048"}
    properties = {"capabilities": capabilities, **resource.properties}
    stamps = {
        "createdAt": wire_time(resource.created_at),
        "createdByType": "Application",
        "lastModifiedAt": wire_time(resource.changed_at),
        "lastModifiedByType": "Application",
    }
    return {**resource.body, "etag": resource.etag, "systemData": stamps, "properties": properties}


def _account(request: ArmRequest, *, below: int = 1) -> Resource:
    account_id = request.path.rsplit("/", below)[0]
    resource = request.world.store.get(account_id)
    if resource is None:
        raise resource_not_found(account_id)
    return resource


def _answer_keys(request: ArmRequest) -> ArmResponse:
    account = _account(request)
    if account.properties.get("disableLocalAuth"):
        raise ArmError(400, "BadRequest", "Failed to list key. disableLocalAuth is set to be true")
    return ArmResponse(200, {"key1": account.hidden.get("key1"), "key2": account.hidden.get("key2")})


def _answer_new_key(request: ArmRequest) -> ArmResponse:
    account = _account(request)
    name = str(request.json_object().get("keyName", "")).lower()
    if name not in ("key1", "key2"):
        raise ArmError(400, "InvalidKeyName", "keyName must be Key1 or Key2.", "keyName")
    fresh = f"{request.world.random('account-keys').getrandbits(128):032x}"
    hidden = {**account.hidden, name: fresh}
    request.world.store.put(account.id, account.type, account.body, hidden=hidden)
    return ArmResponse(200, {"key1": hidden.get("key1"), "key2": hidden.get("key2")})


def _answer_models(request: ArmRequest) -> ArmResponse:
    if "accountName" in request.parameters:
        _account(request)
    entries = []
    for facts in MODELS.values():
        capabilities = {"embeddings": "true"} if facts.is_embedding else {"chatCompletion": "true"}
        skus = ["Standard"] if facts.is_embedding else ["Standard", "GlobalStandard", "ProvisionedManaged"]
        model = {
            "format": "OpenAI",
            "name": facts.name,
            "version": "1",
            "isDefaultVersion": True,
            "lifecycleStatus": "GenerallyAvailable",
            "capabilities": capabilities,
            "skus": [{"name": sku, "usageName": _usage_name(sku, facts.name)} for sku in skus],
        }
        listed = {"kind": "OpenAI", "skuName": "S0", "model": model}
        entries.append(model if "accountName" in request.parameters else listed)
    return ArmResponse(200, {"value": entries})


def location_usages(world: World, inside_id: str, location: str) -> list[dict[str, Any]]:
    """Quota usage of a subscription in a region: what every deployment there takes."""
    subscription = "/".join(inside_id.split("/")[:3])
    wanted = location.replace(" ", "").lower()
    used: dict[str, float] = {}
    limits: dict[str, float] = {}
    for deployment in world.store.of_type(DEPLOYMENTS, under=subscription + "/"):
        account = world.store.get(deployment.id.rsplit("/", 2)[0])
        if account is None or str(account.body.get("location", "")).replace(" ", "").lower() != wanted:
            continue
        name = _usage_of(deployment)
        sku = deployment.body.get("sku", {})
        used[name] = used.get(name, 0.0) + float(sku.get("capacity", 0))
        limits[name] = _limit(str(sku.get("name")))
    return [
        {
            "name": {"value": name, "localizedValue": name},
            "currentValue": used[name],
            "limit": limits[name],
            "unit": "Count",
        }
        for name in sorted(used)
    ]


def _answer_usages(request: ArmRequest) -> ArmResponse:
    account = _account(request)
    return ArmResponse(
        200, {"value": location_usages(request.world, account.id, str(account.body.get("location", "")))}
    )


def _answer_location_usages(request: ArmRequest) -> ArmResponse:
    return ArmResponse(200, {"value": location_usages(request.world, request.path, request.parameters["location"])})
