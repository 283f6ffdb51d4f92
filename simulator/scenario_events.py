"""What can happen in a scenario: the kinds of `[[event]]`, their keys, and how each one changes the world.

Events change causes only: traffic, capacity, hosts, policies, keys. Nobody sets a symptom.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from simulator.names import SERVICE, account_host, account_id
from simulator.network import HostFault
from simulator.resources.throttling import throttle
from simulator.telemetry import ActivityEvent

if TYPE_CHECKING:
    from simulator.world import World

OPERATOR = "ops@contoso.example"


class _Event(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", kw_only=True):
    """What every event has: when it happens."""

    at: str


class TrafficRate(_Event, frozen=True, kw_only=True, tag="traffic-rate"):
    """A caller's rate moves to `requests_per_minute`, or to `factor` times what it is, over `over_seconds`."""

    caller: str
    operation: str | None = None
    api: str | None = None
    requests_per_minute: float | None = None
    factor: float | None = None
    over_seconds: float = 0.0

    def apply(self, world: World) -> None:
        """Change the rate of every stream that fits."""
        for state in world.rooms["traffic"].named(self.caller, self.operation, self.api):
            rate = self.requests_per_minute
            if rate is None:
                rate = state.base_rate(world.now) * (self.factor if self.factor is not None else 1.0)
            state.set_rate(rate, self.over_seconds)


class DeploymentCapacity(_Event, frozen=True, kw_only=True, tag="deployment-capacity"):
    """Somebody scales a model deployment to `capacity`; the activity log shows it."""

    account: str
    deployment: str = "gpt-4o"
    capacity: int

    def apply(self, world: World) -> None:
        """Write the deployment with its new capacity."""
        resource_id = f"{account_id(self.account)}/deployments/{self.deployment}"
        body = _body(world, resource_id)
        body["sku"]["capacity"] = self.capacity
        body["properties"]["currentCapacity"] = self.capacity
        _write(world, resource_id, body, "Microsoft.CognitiveServices/accounts/deployments/write")


class DeploymentLimit(_Event, frozen=True, kw_only=True, tag="deployment-limit"):
    """The service lowers a pay-as-you-go deployment's effective limit to `factor` of what is configured."""

    account: str
    deployment: str = "gpt-4o"
    factor: float

    def apply(self, world: World) -> None:
        """Set the factor on the running deployment."""
        state = world.rooms["openai"].deployment(self.account, self.deployment)
        state.limits.limit_factor = self.factor


class DeploymentFailures(_Event, frozen=True, kw_only=True, tag="deployment-failures"):
    """A share of the calls that a deployment admits fail inside the service with `status`."""

    account: str
    deployment: str = "gpt-4o"
    ratio: float
    status: int = 500

    def apply(self, world: World) -> None:
        """Set ratio and status on the running deployment."""
        state = world.rooms["openai"].deployment(self.account, self.deployment)
        state.failure_ratio, state.failure_status = self.ratio, self.status


class DeploymentSpillover(_Event, frozen=True, kw_only=True, tag="deployment-spillover"):
    """A provisioned deployment spills natively to a standard one of the same account, which is created when missing."""

    account: str
    deployment: str = "gpt-4o"
    to: str
    standard_capacity: int = 300

    def apply(self, world: World) -> None:
        """Write the standard deployment, then the property."""
        resource_id = f"{account_id(self.account)}/deployments/{self.deployment}"
        body = _body(world, resource_id)
        standard = copy.deepcopy(body)
        standard["sku"] = {"name": "Standard", "capacity": self.standard_capacity}
        standard["properties"]["currentCapacity"] = self.standard_capacity
        operation = "Microsoft.CognitiveServices/accounts/deployments/write"
        _write(world, f"{account_id(self.account)}/deployments/{self.to}", standard, operation, body["type"])
        body["properties"]["spilloverDeploymentName"] = self.to
        _write(world, resource_id, body, operation)


class DeploymentRetired(_Event, frozen=True, kw_only=True, tag="deployment-retired"):
    """A model deployment is gone: calls to it find nothing."""

    account: str
    deployment: str = "gpt-4o"

    def apply(self, world: World) -> None:
        """Delete the deployment."""
        resource_id = f"{account_id(self.account)}/deployments/{self.deployment}"
        world.store.delete(resource_id)
        _activity(world, "Microsoft.CognitiveServices/accounts/deployments/delete", resource_id)


class RoleRemoved(_Event, frozen=True, kw_only=True, tag="role-removed"):
    """The gateway's identity loses its role on an account: its calls are answered 401."""

    account: str

    def apply(self, world: World) -> None:
        """Revoke the identity on the account."""
        for service in world.rooms["gateway"].services.values():
            service.revoked_accounts.add(account_id(self.account).lower())
        _activity(world, "Microsoft.Authorization/roleAssignments/delete", account_id(self.account))


class KeyRotated(_Event, frozen=True, kw_only=True, tag="key-rotated"):
    """An account's keys are regenerated; `backends` that carry one in their credentials are not told."""

    account: str

    def apply(self, world: World) -> None:
        """Replace both keys."""
        resource_id = account_id(self.account)
        resource = world.store.get(resource_id)
        assert resource is not None
        chance = world.random("rotated-keys")
        keys = {"key1": f"{chance.getrandbits(128):032x}", "key2": f"{chance.getrandbits(128):032x}"}
        world.store.put(resource_id, resource.type, resource.body, hidden={**resource.hidden, **keys})
        _activity(world, "Microsoft.CognitiveServices/accounts/regenerateKey/action", resource_id)


class HostTrouble(_Event, frozen=True, kw_only=True, tag="host-fault"):
    """Something is wrong with an account's host, as `simulator.network.HostFault` has it."""

    account: str
    failure: Literal["dns", "refused", "reset", "timeout"] | None = None
    status: int | None = None
    delay_seconds: float = 0.0
    latency_factor: float = 1.0
    ratio: float = 1.0
    outside_only: bool = False

    def apply(self, world: World) -> None:
        """Set the fault."""
        body = b""
        if self.status is not None:
            body = (
                b'{"error":{"code":"%d","message":"The service is temporarily unable to process your request."}}'
                % self.status
            )
        world.network.faults[account_host(self.account)] = HostFault(
            self.status, body, self.failure, self.delay_seconds, self.latency_factor, self.ratio, self.outside_only
        )


class HostHealed(_Event, frozen=True, kw_only=True, tag="host-healed"):
    """What was wrong with an account's host is over."""

    account: str

    def apply(self, world: World) -> None:
        """Take the fault away."""
        world.network.faults.pop(account_host(self.account), None)


class FragmentDeployed(_Event, frozen=True, kw_only=True, tag="fragment-deployed"):
    """Somebody deploys a policy fragment."""

    name: str
    text: str
    by: str = OPERATOR

    def apply(self, world: World) -> None:
        """Write the fragment."""
        resource_id = f"{SERVICE}/policyFragments/{self.name}"
        existing = world.store.get(resource_id)
        body = copy.deepcopy(existing.body) if existing is not None else {"properties": {}}
        body["properties"].update(value=self.text, format="rawxml")
        operation = "Microsoft.ApiManagement/service/policyFragments/write"
        kind = "Microsoft.ApiManagement/service/policyFragments"
        _write(world, resource_id, body, operation, kind, hidden={}, caller=self.by)


class PolicyDeployed(_Event, frozen=True, kw_only=True, tag="policy-deployed"):
    """Somebody deploys the policy of a scope: `scope` is "" (global), `apis/NAME`, `apis/NAME/operations/OP` or
    `products/NAME`."""

    scope: str
    text: str
    by: str = OPERATOR

    def apply(self, world: World) -> None:
        """Write the policy document."""
        parts = [part for part in self.scope.split("/") if part]
        kind = "/".join(["Microsoft.ApiManagement/service", *parts[::2], "policies"])
        resource_id = "/".join([SERVICE, *parts, "policies", "policy"])
        body = {"properties": {"format": "rawxml", "value": self.text}}
        _write(world, resource_id, body, f"{kind}/write", kind, hidden={}, caller=self.by)


class BackendChanged(_Event, frozen=True, kw_only=True, tag="backend-changed"):
    """Somebody changes properties of a backend (top-level ones are replaced; null takes one away)."""

    backend: str
    properties: dict[str, Any]
    by: str = OPERATOR

    def apply(self, world: World) -> None:
        """Write the backend."""
        resource_id = f"{SERVICE}/backends/{self.backend}"
        body = _body(world, resource_id)
        body["properties"].update(self.properties)
        _write(world, resource_id, body, "Microsoft.ApiManagement/service/backends/write", caller=self.by)


class BackendUsesKey(_Event, frozen=True, kw_only=True, tag="backend-uses-key"):
    """A backend carries its account's first key in its credentials, as gateways without managed identity do."""

    backend: str
    account: str

    def apply(self, world: World) -> None:
        """Write the key into the backend's credentials."""
        resource = world.store.get(account_id(self.account))
        assert resource is not None
        resource_id = f"{SERVICE}/backends/{self.backend}"
        body = _body(world, resource_id)
        body["properties"]["credentials"] = {"header": {"api-key": [str(resource.hidden["key1"])]}}
        _write(world, resource_id, body, "Microsoft.ApiManagement/service/backends/write")


class ArmThrottle(_Event, frozen=True, kw_only=True, tag="arm-throttle"):
    """A neighbour with the same identity takes `drain_ratio` of Resource Manager's buckets every few seconds."""

    drain_ratio: float = 1.0
    every_seconds: float = 4.0
    for_seconds: float = 86_400.0

    def apply(self, world: World) -> None:
        """Begin to drain."""
        end = world.now + self.for_seconds

        def drain() -> None:
            throttle(world).drain(self.drain_ratio)
            if world.now < end:
                world.call_at(world.now + self.every_seconds, drain)

        drain()


Event = (
    TrafficRate
    | DeploymentCapacity
    | DeploymentLimit
    | DeploymentFailures
    | DeploymentSpillover
    | DeploymentRetired
    | RoleRemoved
    | KeyRotated
    | HostTrouble
    | HostHealed
    | FragmentDeployed
    | PolicyDeployed
    | BackendChanged
    | BackendUsesKey
    | ArmThrottle
)


def _body(world: World, resource_id: str) -> dict[str, Any]:
    resource = world.store.get(resource_id)
    if resource is None:
        raise LookupError(f"the scenario changes {resource_id}, which does not exist")
    return copy.deepcopy(resource.body)


def _write(
    world: World,
    resource_id: str,
    body: dict[str, Any],
    operation: str,
    kind: str | None = None,
    *,
    hidden: dict[str, Any] | None = None,
    caller: str = OPERATOR,
) -> None:
    world.store.put(resource_id, kind or str(body["type"]), body, hidden=hidden)
    _activity(world, operation, resource_id, caller)


def _activity(world: World, operation: str, resource_id: str, caller: str = OPERATOR) -> None:
    digits = f"{world.random('scenario-activity').getrandbits(128):032x}"
    correlation_id = f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
    for status in ("Started", "Succeeded"):
        world.telemetry.activity(ActivityEvent(world.now, operation, status, resource_id, caller, correlation_id))
