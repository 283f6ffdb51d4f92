"""What Resource Manager refuses before it starts: names, locations, providers, policies, quotas.

Source: azure-rest-api-specs resources.json 2024-07-01; the error codes are those of "Troubleshoot common Azure
deployment errors".
"""

from __future__ import annotations

import re
from typing import Any

from simulator.apim.service import DELETED
from simulator.deployments.engine import DeploymentRoom, Plan
from simulator.resources.errors import ArmError, ErrorDetail
from simulator.resources.subscriptions import provider_states

_NAME = re.compile(r"[-\w._()]{1,64}")
_SERVICE_TYPE = "microsoft.apimanagement/service"
_SERVICE_NAME = re.compile(r"[a-zA-Z](?:[a-zA-Z0-9-]{0,48}[a-zA-Z0-9])?")

_REGION_NAMES = """
    australiaeast brazilsouth canadacentral canadaeast centralindia centralus eastasia eastus eastus2
    francecentral germanywestcentral italynorth japaneast koreacentral northcentralus northeurope norwayeast
    polandcentral southafricanorth southcentralus southeastasia southindia spaincentral swedencentral
    switzerlandnorth switzerlandwest uaenorth uksouth ukwest westeurope westus westus2 westus3
"""

REGIONS = frozenset(_REGION_NAMES.split())
"""Regions a deployment may be placed in (those that offer Azure OpenAI, and some of their neighbours)."""


def check_request(room: DeploymentRoom, deployment_id: str, name: str, scope_id: str, location: str | None) -> None:
    """Refuse what is wrong with the deployment as such.

    Raises:
        ArmError: bad name or location, one of this name still running, the name used in another location, history full.
    """
    if not _NAME.fullmatch(name):
        raise ArmError(
            400,
            "InvalidDeploymentName",
            f"The deployment name '{name}' is not valid: 1 to 64 letters, digits, '-', '_', '.', '(' or ')'.",
        )
    at_subscription = "/resourcegroups/" not in deployment_id.lower()
    if at_subscription and not location:
        raise ArmError(400, "LocationRequired", "The location property is required for this deployment.")
    if at_subscription and location and location.lower().replace(" ", "") not in REGIONS:
        raise ArmError(
            400,
            "LocationNotAvailableForDeployment",
            f"The provided location '{location}' is not available for deployment. List of available regions is "
            f"'{','.join(sorted(REGIONS))}'.",
        )
    earlier = room.records.get(deployment_id.lower())
    if earlier is not None and not earlier.is_over:
        raise ArmError(
            409,
            "DeploymentActive",
            f"Unable to edit or replace deployment '{name}': previous deployment from '{earlier.correlation_id}' is "
            "still active. Please see https://aka.ms/arm-deploy for usage details.",
        )
    if earlier is not None and earlier.location and location and earlier.location.lower() != location.lower():
        raise ArmError(
            409,
            "InvalidDeploymentLocation",
            f"Invalid deployment location '{location}'. The deployment '{name}' already exists in location "
            f"'{earlier.location}'.",
        )
    if earlier is None and len(room.in_scope(scope_id)) >= room.history_limit:
        raise ArmError(
            409,
            "DeploymentQuotaExceeded",
            f"Creating the deployment '{name}' would exceed the quota of '{room.history_limit}'. The current "
            f"count is '{len(room.in_scope(scope_id))}'. Please delete some deployments before creating a new one.",
        )


def check_resources(room: DeploymentRoom, plan: Plan) -> None:
    """Preflight of the template's own resources and of nested ones that can be seen beforehand.

    Raises:
        ArmError: InvalidTemplateDeployment with one detail a problem; MissingSubscriptionRegistration.
    """
    from simulator.deployments.whatif import what_if_changes

    problems: list[ErrorDetail] = []
    for change in what_if_changes(room, plan, ids_only=False):
        after = change.get("after")
        if after is None or change["changeType"] == "Ignore":
            continue
        _check_registration(room, str(after["type"]), plan.scope.placement.subscription_id)
        problems.extend(_problems(room, after))
    if problems:
        raise ArmError(
            400,
            "InvalidTemplateDeployment",
            f"The template deployment '{plan.record.name}' is not valid according to the validation procedure. The "
            f"tracking id is '{plan.record.correlation_id}'. See inner errors for details.",
            details=problems,
        )


def _check_registration(room: DeploymentRoom, resource_type: str, subscription_id: str) -> None:
    namespace = resource_type.split("/", 1)[0]
    if not provider_states(room.world).is_registered(subscription_id, namespace):
        raise ArmError(
            409,
            "MissingSubscriptionRegistration",
            f"The subscription is not registered to use namespace '{namespace}'. See https://aka.ms/rps-not-found for "
            "how to register subscriptions.",
            target=namespace,
        )


def _problems(room: DeploymentRoom, after: dict[str, Any]) -> list[ErrorDetail]:
    kind, name = str(after["type"]).lower(), str(after["name"])
    found: list[ErrorDetail] = []
    if kind in room.denied_types:
        found.append(
            ErrorDetail(
                "RequestDisallowedByPolicy",
                f"Resource '{name}' was disallowed by policy. Policy identifiers: "
                f'\'[{{"policyAssignment":{{"name":"{room.denied_types[kind]}"}}}}]\'.',
                target=name,
            )
        )
    if kind != _SERVICE_TYPE:
        return found
    if not _SERVICE_NAME.fullmatch(name):
        found.append(
            ErrorDetail(
                "InvalidResourceName",
                f"Resource name '{name}' is invalid. It must start with a letter, hold letters, digits and hyphens, "
                "and be 1 to 50 characters long.",
                target=name,
            )
        )
    region = str(after.get("location", "")).lower().replace(" ", "")
    sku = str((after.get("sku") or {}).get("name", "")).lower()
    if region not in REGIONS:
        found.append(
            ErrorDetail(
                "LocationNotAvailableForResourceType",
                f"The provided location '{after.get('location')}' is not available for resource type "
                "'Microsoft.ApiManagement/service'.",
                target=name,
            )
        )
    elif (region, sku) in room.unavailable_skus:
        found.append(
            ErrorDetail("SkuNotAvailable", f"The SKU '{sku}' is not available in region '{region}'.", target=name)
        )
    found.extend(_quota_problems(room, str(after["id"]), name))
    found.extend(_name_conflicts(room, str(after["id"]), name))
    return found


def _quota_problems(room: DeploymentRoom, resource_id: str, name: str) -> list[ErrorDetail]:
    """Assumed: the code and the words; Microsoft publishes limits of services a subscription, not the refusal."""
    limit, store = room.service_limit, room.world.store
    if limit is None or store.get(resource_id) is not None:
        return []
    count = len(list(store.of_type(_SERVICE_TYPE)))
    if count < limit:
        return []
    return [
        ErrorDetail(
            "QuotaExceeded",
            f"Creating the API Management service '{name}' would exceed the limit of {limit} services of this "
            f"subscription; there are {count}.",
            target=name,
        )
    ]


def _name_conflicts(room: DeploymentRoom, resource_id: str, name: str) -> list[ErrorDetail]:
    store = room.world.store
    if store.get(resource_id) is not None:
        return []
    if any(r.name.lower() == name.lower() for r in store.of_type(_SERVICE_TYPE)):
        return [ErrorDetail("ServiceAlreadyExists", f"Api service already exists: {name}", target=name)]
    if any(r.name.lower() == name.lower() for r in store.of_type(DELETED)):
        return [
            ErrorDetail(
                "ServiceAlreadyExistsInSoftDeletedState",
                f"Api service {name} was soft-deleted. In order to create the new service with the same name, you have "
                "to either undelete the service or purge it. See https://aka.ms/apimsoftdelete.",
                target=name,
            )
        ]
    return []
