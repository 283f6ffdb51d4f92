"""Refreshing the fleet costs requests by region, not by backend."""

from __future__ import annotations

from console.engine import Engine
from console.feeds.probes import HOSTS_PER_ROUND
from simulator.names import SERVICE, account_host, account_id
from simulator.topology import ACCOUNTS, Account, breaker, write_accounts
from simulator.world import World
from tests.simulated_gateway import engine_on, make_world

STEADY_FEEDS = ("topology", "metrics", "traffic")


def add_backends(world: World, count: int) -> None:
    """More accounts and backends in the regions that are there already."""
    for index in range(count):
        like = ACCOUNTS[index % len(ACCOUNTS)]
        account = Account(f"aoai-more-{index}", like.location, f"more-{index}", like.deployments)
        write_accounts(world, [account])
        world.store.put(
            f"{SERVICE}/backends/{account.backend}",
            "Microsoft.ApiManagement/service/backends",
            {
                "properties": {
                    "url": f"https://{account_host(account.name)}/openai",
                    "protocol": "http",
                    "type": "Single",
                    "resourceId": f"https://management.azure.com{account_id(account.name)}",
                    "circuitBreaker": breaker(provisioned=False),
                }
            },
        )


async def steady_requests(engine: Engine, feeds: tuple[str, ...]) -> int:
    """Requests of one refresh after the first."""
    await engine.fetch_once(60)
    before = engine.session.request_count
    for name in feeds:
        await engine.poll_now(name)
    return engine.session.request_count - before


async def test_ten_times_the_backends_cost_the_same_requests() -> None:
    counts = {}
    for more in (0, 45):
        world = make_world()
        add_backends(world, more)
        async with engine_on(world) as (engine, _):
            counts[more] = await steady_requests(engine, STEADY_FEEDS)
            assert len(engine.store.current.backends) == 5 + more
            assert engine.failure("metrics") is None
    assert counts[45] == counts[0]


async def test_a_round_of_probes_is_bounded_and_reaches_every_host_in_turn() -> None:
    world = make_world()
    add_backends(world, 15)
    async with engine_on(world) as (engine, _):
        assert await steady_requests(engine, ("probes",)) <= HOSTS_PER_ROUND + 1
        world.advance(60)
        await engine.poll_now("probes")
        hosts = {b.backend.host for b in engine.store.current.backends}
        assert hosts <= set(engine.observations.probes)
