"""Who the console is towards Azure. Imports azure-identity inside its functions.

`default` prefers the login people already have: environment, then Azure CLI, then workload and managed identity.
Probing the
managed-identity endpoint first costs a second on a laptop. Source: azure-identity `DefaultAzureCredential` (order and
cost).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from console.profile import Profile

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

CLI_TIMEOUT_SECONDS = 30
"""`az` takes over ten seconds to start on a cold machine."""


def open_credential(profile: Profile) -> AsyncTokenCredential:
    """The credential a profile asks for. Nothing is sent yet; the caller closes it."""
    from azure.identity.aio import (
        AzureCliCredential,
        ChainedTokenCredential,
        EnvironmentCredential,
        ManagedIdentityCredential,
    )

    tenant: dict[str, Any] = {"tenant_id": profile.tenant_id} if profile.tenant_id else {}
    if profile.credential == "managed-identity":
        with _environment(_identity_variables(profile)):
            return ManagedIdentityCredential(retry_total=1, connection_timeout=5)
    if profile.credential == "azure-cli":
        return AzureCliCredential(process_timeout=CLI_TIMEOUT_SECONDS, **tenant)
    if profile.credential == "environment":
        return EnvironmentCredential(authority=profile.cloud.authority_host)
    return ChainedTokenCredential(
        EnvironmentCredential(authority=profile.cloud.authority_host),
        AzureCliCredential(process_timeout=CLI_TIMEOUT_SECONDS, **tenant),
        *_identity_of_the_machine(),
    )


def _identity_of_the_machine() -> list[Any]:
    """Managed or workload identity, only where the environment announces one: no probing of networks."""
    announced = ("IDENTITY_ENDPOINT", "MSI_ENDPOINT", "AZURE_FEDERATED_TOKEN_FILE")
    if not any(os.environ.get(name) for name in announced):
        return []
    from azure.identity.aio import ManagedIdentityCredential

    return [ManagedIdentityCredential(retry_total=1, connection_timeout=5)]


def _identity_variables(profile: Profile) -> Mapping[str, str]:
    if not profile.identity_endpoint:
        return {}
    return {"IDENTITY_ENDPOINT": profile.identity_endpoint, "IDENTITY_HEADER": profile.identity_header}


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Show values in the environment while a credential reads it: azure-identity takes the endpoint from
    nowhere else.
    """
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def sign_in_remedy(profile: Profile) -> str:
    """What a person does about a missing or expired sign-in of this profile."""
    if profile.credential == "managed-identity":
        return "Check that the managed identity endpoint of the profile answers and that the identity exists."
    if profile.credential == "environment":
        return "Set AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET (or a certificate) of a valid principal."
    tenant = f" --tenant {profile.tenant_id}" if profile.tenant_id else ""
    return f"Run `az login{tenant}` and try again."
