"""Why Azure refused: the innermost cause, the resource it belongs to, and one next step. Pure.

Azure wraps causes three or four deep (deployment, module, resource, provider), and the outer sentences only say that
there are inner ones.

Source: "Troubleshoot common Azure deployment errors" for the codes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from console.azure.deployments import ArmRefusal
from console.domain.arm_deployment import ArmError, Operation
from console.errors import ConsoleError

GENERIC_CODES = frozenset(
    {
        "DeploymentFailed",
        "ResourceDeploymentFailure",
        "InvalidTemplateDeployment",
        "MultipleErrorsOccurred",
        "DeploymentOutputEvaluationFailed",
    }
)

_REMEDIES: tuple[tuple[str, str], ...] = (
    ("RequestDisallowedByPolicy", "Ask who owns that policy for an exemption, or change what it forbids."),
    ("SkuNotAvailable", "Choose another tier with --sku, or another region."),
    ("LocationNotAvailable", "Choose another region with --location."),
    (
        "InvalidDeploymentLocation",
        "Deploy to the region it was deployed to before, or delete that deployment's record.",
    ),
    ("MissingSubscriptionRegistration", "Register the provider: az provider register --namespace {provider}"),
    ("NoRegisteredProviderFound", "Register the provider: az provider register --namespace {provider}"),
    ("ServiceAlreadyExistsInSoftDeletedState", "{deleted}"),
    ("ServiceAlreadyExists", "Another subscription has that name: choose another --username."),
    ("DeploymentActive", "It is watched instead: nothing is started twice."),
    ("DeploymentQuotaExceeded", "Delete old deployments of the subscription: az deployment sub delete --name NAME"),
    ("DeploymentCanceled", "Deploy again: what is done stays, the rest is done."),
    ("QuotaExceeded", "Delete a gateway that nobody needs, or ask Azure for a higher limit."),
    ("InsufficientQuota", "Ask Azure for a higher quota, or choose another region or tier."),
    ("InvalidTemplate", "The template is wrong as it stands: nothing was deployed. Report it with this message."),
    ("InvalidResourceName", "Choose another --username: names are made from it."),
    ("InvalidDeploymentName", "Choose another --username: names are made from it."),
    ("AuthorizationFailed", "Ask for the roles Contributor and User Access Administrator, or leave the accounts out."),
    ("LinkedAuthorizationFailed", "Ask for Contributor on the resource it names too."),
    ("RoleAssignmentUpdateNotPermitted", "Delete the old role assignment of that name, then deploy again."),
    ("RoleAssignmentExists", "Delete the role assignment made by hand, then deploy again."),
    ("PrincipalNotFound", "The gateway's new identity is not known everywhere yet: deploy again in a minute."),
    ("PreconditionFailed", "Somebody else changed the gateway meanwhile: deploy again."),
    ("PessimisticConcurrencyConflict", "Another change is under way on the gateway: deploy again in a minute."),
    ("ScopeLocked", "Remove the lock on that scope, or deploy elsewhere."),
    ("ValidationError", "Correct what the message names, then deploy again."),
    ("ExpiredAuthenticationToken", "Sign in again; the deployment itself goes on in Azure."),
)


@dataclass(frozen=True, slots=True)
class Failure:
    """One cause an operator can act on. `resource` is its id or name, "" when Azure names none."""

    code: str
    message: str
    resource: str
    remedy: str

    @property
    def line(self) -> str:
        """The cause in one line."""
        return f"{self.message} ({self.code})" if self.code else self.message


def causes_of(error: ArmError, resource: str = "") -> Iterator[tuple[int, ArmError, str]]:
    """Every error that has no further cause, as (depth, error, the nearest resource around it)."""
    yield from _causes(error, 0, resource)


def _causes(error: ArmError, depth: int, resource: str) -> Iterator[tuple[int, ArmError, str]]:
    if error.target and (error.target.startswith("/") or not resource):
        resource = error.target
    if not error.details:
        yield depth, error, resource
    for detail in error.details:
        yield from _causes(detail, depth + 1, resource)


def explain_error(error: ArmError) -> Failure:
    """The innermost cause. A cause with words of its own is preferred to one that only says that something failed."""
    found = list(causes_of(error))
    _, cause, resource = max(found, key=lambda entry: (entry[1].code not in GENERIC_CODES, entry[0]))
    return _failure(cause, resource)


def explain_operations(operations: Iterable[Operation], error: ArmError | None) -> Failure:
    """The innermost cause of a failed deployment, from its failed steps, else from its own error."""
    candidates: list[tuple[bool, int, ArmError, str]] = []
    for depth, step in _failed(operations, 0):
        if step.error is not None:
            for inner, cause, resource in causes_of(step.error, step.resource_id):
                candidates.append((cause.code not in GENERIC_CODES, depth + inner, cause, resource))
    if error is not None:
        candidates += [(c.code not in GENERIC_CODES, depth, c, r) for depth, c, r in causes_of(error)]
    if not candidates:
        return Failure("", "Azure gave no reason", "", "Look at the deployment in the Azure portal.")
    _, _, cause, resource = max(candidates, key=lambda entry: entry[:2])
    return _failure(cause, resource)


def _failed(operations: Iterable[Operation], depth: int) -> Iterator[tuple[int, Operation]]:
    for operation in operations:
        yield from _failed(operation.nested, depth + 1)
        if operation.state == "Failed":
            yield depth, operation


def explain_refusal(error: ConsoleError) -> Failure:
    """The cause of any error: Azure's own nesting where there is one, else what the console says of it."""
    if isinstance(error, ArmRefusal):
        return explain_error(error.error)
    return Failure("", error.what, error.where, error.remedy or "Try again.")


def refusals_of(error: ConsoleError) -> tuple[Failure, ...]:
    """Every cause Azure names, for a validation that lists several."""
    if not isinstance(error, ArmRefusal):
        return (explain_refusal(error),)
    found = {(cause.code, cause.message): _failure(cause, resource) for _, cause, resource in causes_of(error.error)}
    return tuple(found.values())


def remedy_of(code: str, message: str, resource: str = "") -> str:
    """What to do next about an error code."""
    provider = re.search(r"namespace '([\w.]+)'", message)
    for known, remedy in _REMEDIES:
        if code == known or (known == "LocationNotAvailable" and code.startswith(known)):
            name = _deleted_name(message, resource)
            return remedy.format(
                provider=provider[1] if provider else resource or "NAMESPACE", deleted=restore_or_purge(name)
            )
    return "Read what Azure says, correct it, then deploy again: what is done stays."


def restore_or_purge(name: str, location: str = "REGION") -> str:
    """The three ways on from a soft-deleted name."""
    return (
        f"Purge it (az apim deletedservice purge --service-name {name} --location {location}), restore it (az apim "
        "deletedservice show tells it; create it with restore: true), or choose another --username."
    )


def _deleted_name(message: str, resource: str) -> str:
    named = re.search(r"service (\S+) was soft-deleted", message)
    return named[1] if named else resource.rsplit("/", 1)[-1] or "NAME"


def _failure(cause: ArmError, resource: str) -> Failure:
    message = cause.message.rstrip(".") or "Azure gave no message"
    return Failure(cause.code, message, resource, remedy_of(cause.code, cause.message, resource))
