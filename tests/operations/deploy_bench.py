"""A deployment flow on a served embedded Azure whose time passes only while the flow waits. No sleeps."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from console.azure import session
from console.operations.deploy.execute import Ending
from console.operations.deploy.flow import DeployFlow
from console.operations.deploy.parameters import Choices, deployment_name
from console.operations.deploy.template import bundled_template
from console.profile import Profile, profile_from_table
from console.simulator_process import NO_GATEWAY_YET
from simulator.__main__ import endpoints
from simulator.deployments.engine import DeploymentRoom
from simulator.server import Server
from simulator.world import World
from tests.operations.desks import SimulatedClock
from tests.simulated_gateway import make_world

ANSWERS = Choices(
    username="amira",
    location="swedencentral",
    ptu_endpoint="https://aoai-contoso-swc-ptu.openai.azure.com",
    payg_endpoint_1="https://aoai-contoso-swc.openai.azure.com",
    payg_endpoint_2="https://aoai-contoso-wus.openai.azure.com",
    policy_fragment="retry-with-payg",
)
SERVICE_TYPE = "Microsoft.ApiManagement/service"


@dataclass
class Bench:
    """One console and one Azure. `tick` is called with every wait, before time passes."""

    server: Server
    folder: Path
    tick: Callable[[float], None] = lambda seconds: None
    flows: list[DeployFlow] = field(default_factory=list)

    @property
    def world(self) -> World:
        return self.server.world

    @property
    def room(self) -> DeploymentRoom:
        room: DeploymentRoom = self.world.rooms["deployments"]
        return room

    def profile(self) -> Profile:
        """A profile of a subscription without a gateway."""
        ready = endpoints(self.world, self.server.base_url)
        table = {
            "subscription_id": ready["subscription_id"],
            "resource_group": ready["resource_group"],
            "service_name": NO_GATEWAY_YET,
            "credential": "managed-identity",
            "identity_endpoint": ready["identity_endpoint"],
            "identity_header": ready["identity_header"],
            "resolve": ready["resolve"],
        }
        return profile_from_table("new", table, "a test")

    def console(self) -> DeployFlow:
        """A console started anew: it knows what is on disk and in Azure, and nothing else."""

        async def let_time_pass(seconds: float) -> None:
            self.tick(seconds)
            self.world.advance(seconds)

        flow = DeployFlow(
            self.profile(),
            clock=SimulatedClock(self.world),
            pause=let_time_pass,
            owner="ana@contoso",
            journal_file=self.folder / "journal.jsonl",
            folder=self.folder / "deployments",
            template=bundled_template(),
        )
        self.flows.append(flow)
        return flow

    def put_count(self) -> int:
        """How many deployments of this template were ever begun, modules apart."""
        return sum("/resourcegroups/" not in key for key in self.room.records)

    def services(self) -> list[str]:
        return [resource.name for resource in self.world.store.of_type(SERVICE_TYPE)]


@asynccontextmanager
async def bench(**world: Any) -> AsyncIterator[Bench]:
    """An empty subscription with accounts, served on loopback."""
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(session, "DEPLOYMENTS_POLL_SECONDS", 0.01):
        async with Server(make_world("empty-subscription", **world), driven=False) as server:
            made = Bench(server, Path(folder))
            try:
                yield made
            finally:
                for flow in made.flows:
                    await flow.close()


async def walk(flow: DeployFlow, choices: Choices = ANSWERS, *, is_forced: bool = False) -> Ending:
    """From the checks to the end of the deployment, as the command line does it."""
    await flow.check(choices, is_complete=True)
    settled = flow.settle(choices)
    running = flow.surroundings.earlier
    if running is None or running.is_over:
        if not is_forced:
            flow.require_passing()
        await flow.preview(settled)
        await flow.start(settled, "a test")
    return await flow.watch(deployment_name(settled), lambda progress: None)
