"""Azure OpenAI accounts: what a model deployment admits, refuses, answers and how long it takes.

Reads accounts and deployments from the resource store and follows every write to them; tells telemetry of every model
call and of every provisioned deployment's minute. It knows no gateway.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from simulator.entra.tokens import entra
from simulator.openai.account import AccountHost, Authorizer
from simulator.openai.deployment import DeploymentState
from simulator.resources.errors import ArmError
from simulator.telemetry import UtilizationSample

if TYPE_CHECKING:
    from simulator.resources.store import Resource
    from simulator.world import World

_AUDIENCES = ("cognitiveservices.azure.com", "ai.azure.com")
_DATA_ACTION = "Microsoft.CognitiveServices/accounts/OpenAI/deployments/chat/completions/action"
_OWNERS_ACTION = "Microsoft.CognitiveServices/accounts/write"
_ACCOUNT_TYPE = "microsoft.cognitiveservices/accounts"
_DEPLOYMENT_TYPE = "microsoft.cognitiveservices/accounts/deployments"


class OpenAiRoom:
    """All accounts of the world. Add to `authorizers` to let more bearer tokens in."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.accounts: dict[str, AccountHost] = {}
        self.authorizers: list[Authorizer] = []
        for account in world.store.of_type(_ACCOUNT_TYPE):
            self._changed(account.id, account)
        for deployment in world.store.of_type(_DEPLOYMENT_TYPE):
            self._changed(deployment.id, deployment)
        world.store.on_change(self._changed)
        self.authorizers.append(self._accepts_entra)
        self._minute = int(world.now // 60) * 60
        world.call_at(self._minute + 60, self._end_minute)

    def _accepts_entra(self, token: str, account_id: str) -> bool:
        """Whether a token from Entra ID speaks for somebody who may call the account's models.

        More lenient than Azure: an Owner is let in without a data role.
        """
        try:
            principal = entra(self.world).authenticate(f"Bearer {token}", audiences=_AUDIENCES)
        except ArmError:
            return False
        return principal.may(_OWNERS_ACTION, account_id) or any(
            role.allows_data(_DATA_ACTION) for role in principal.roles_at(account_id)
        )

    def deployment(self, account_name: str, deployment_name: str) -> DeploymentState | None:
        """A deployment's running state by account name and deployment name."""
        for account in self.accounts.values():
            if account.name.lower() == account_name.lower():
                return account.deployments.get(deployment_name.lower())
        return None

    def _changed(self, resource_id: str, resource: Resource | None) -> None:
        parts = resource_id.split("/")
        if len(parts) < 9 or parts[6].lower() != "microsoft.cognitiveservices" or parts[7].lower() != "accounts":
            return
        key = "/".join(parts[:9]).lower()
        if len(parts) == 9:
            if resource is None:
                gone = self.accounts.pop(key, None)
                if gone is not None:
                    self.world.network.hosts.pop(f"{gone.name.lower()}.openai.azure.com", None)
            elif key in self.accounts:
                self.accounts[key].configure(resource)
            else:
                self._open(key, resource)
        elif len(parts) == 11 and parts[9].lower() == "deployments" and key in self.accounts:
            self.accounts[key].configure_deployment(resource, parts[10])

    def _open(self, key: str, resource: Resource) -> None:
        host = AccountHost(self.world, resource, self.authorizers)
        self.accounts[key] = host
        hosts = self.world.network.hosts
        name = str(resource.properties.get("customSubDomainName") or resource.name).lower()
        hosts[f"{name}.openai.azure.com"] = host.handle
        hosts[f"{name}.cognitiveservices.azure.com"] = host.handle
        hosts[f"{name}.services.ai.azure.com"] = host.handle
        endpoint = urlsplit(str(resource.properties.get("endpoint", ""))).hostname
        if endpoint:
            hosts[endpoint] = host.handle

    def _end_minute(self) -> None:
        minute = self._minute
        self._minute = minute + 60
        for account in self.accounts.values():
            for deployment in account.deployments.values():
                if deployment.bucket is None:
                    continue
                average, maximum, minimum = deployment.bucket.take_minute(minute)
                self.world.telemetry.utilization(
                    UtilizationSample(
                        minute,
                        account.id,
                        account.region,
                        deployment.name,
                        deployment.model_name,
                        deployment.model_version,
                        average,
                        maximum,
                        minimum,
                    )
                )
        self.world.call_at(self._minute + 60, self._end_minute)


def attach(world: World) -> OpenAiRoom:
    """Open the accounts that the store holds and follow its changes; kept as `world.rooms["openai"]`."""
    room = OpenAiRoom(world)
    world.rooms["openai"] = room
    return room
