"""The console is killed at every step and started again: it takes up what stands, and creates nothing twice."""

from __future__ import annotations

from typing import Any

import pytest

from console.journal import read_journal
from console.operations.deploy.flow import choices_of
from console.operations.deploy.parameters import Choices, deployment_name
from console.operations.deploy.prove import ProofState
from simulator.network import HostFault
from tests.operations.deploy_bench import ANSWERS, SERVICE_TYPE, Bench, bench, walk

REQUESTS = 90
"""Fewer than a whole walk sends."""
NAME = deployment_name(ANSWERS)


class Killed(BaseException):
    """The console process is gone: nothing after this moment of it runs."""


class Executioner:
    """Kills the console at its n-th request, before it is sent or after it was answered."""

    def __init__(self, at: int, *, is_after: bool) -> None:
        self.at = at
        self.is_after = is_after
        self.count = 0
        self.is_armed = True

    def attach(self, session: Any) -> None:
        real = session.call

        async def call(request: Any, **more: Any) -> Any:
            self.count += 1
            is_hit = self.is_armed and self.count == self.at
            if is_hit and not self.is_after:
                request.close()
                raise Killed
            try:
                return await real(request, **more)
            finally:
                if is_hit:
                    raise Killed

        session.call = call


def stands_once(azure: Bench) -> None:
    services = list(azure.world.store.of_type(SERVICE_TYPE))
    assert len(services) == 1
    assert sum("/resourcegroups/" not in key for key in azure.room.records) == 1
    names = [resource.name for resource in azure.world.store.of_type(f"{SERVICE_TYPE}/backends")]
    assert len(names) == len(set(names)) == 7


@pytest.mark.parametrize("is_after", [False, True])
@pytest.mark.parametrize("share", [0.02, 0.1, 0.17, 0.2, 0.24, 0.3, 0.5, 0.9])
async def test_killed_at_any_request_the_next_console_ends_it(share: float, is_after: bool) -> None:
    async with bench() as azure:
        first = azure.console()
        Executioner(max(1, int(REQUESTS * share)), is_after=is_after).attach(first.session)
        with pytest.raises(Killed):
            await walk(first)
        begun = [entry for entry in read_journal(first.journal_file) if entry.outcome.startswith("begun")]
        ending = await walk(azure.console())
        assert ending.is_success
        stands_once(azure)
        all_begun = [entry for entry in read_journal(first.journal_file) if entry.outcome.startswith("begun")]
        assert len(all_begun) - len(begun) <= 1


async def test_another_machine_finds_the_running_deployment_and_its_answers() -> None:
    async with bench() as azure:
        first = azure.console()
        await first.check(ANSWERS, is_complete=True)
        await first.start(first.settle(ANSWERS))
        second = azure.console()
        second.folder = azure.folder / "another machine"
        await second.check(Choices(), is_complete=False)
        (running,) = second.surroundings.running
        answers = choices_of(running)
        assert answers is not None
        assert (answers.username, answers.location, answers.ptu_endpoint) == (
            ANSWERS.username,
            ANSWERS.location,
            ANSWERS.ptu_endpoint,
        )
        assert second.remembered() == ()
        assert (await second.watch(running.name, lambda progress: None)).is_success


async def test_the_answers_are_there_again_after_a_restart() -> None:
    async with bench() as azure:
        first = azure.console()
        await first.check(ANSWERS, is_complete=True)
        settled = first.settle(ANSWERS)
        path = first.remember(settled)
        assert path.stat().st_mode & 0o077 == 0
        assert azure.console().remembered() == (settled,)


async def test_the_proof_can_be_repeated_and_shows_no_key() -> None:
    async with bench(lag="brisk") as azure:
        ending = await walk(azure.console())
        keys = [
            key
            for resource in azure.world.store.of_type(f"{SERVICE_TYPE}/subscriptions")
            for key in (resource.hidden.get("primaryKey"), resource.hidden.get("secondaryKey"))
            if key
        ]
        for _ in range(2):
            flow = azure.console()
            await flow.check(ANSWERS, is_complete=True)
            steps = await flow.prove(ending.progress.deployment, answer_seconds=300, log_seconds=300)
            assert [step.state for step in steps] == [ProofState.PROVEN] * 3, steps
            told = repr(steps) + (azure.folder / "journal.jsonl").read_text()
            assert keys
            assert not [key for key in keys if key in told]


async def test_without_access_the_proof_says_what_is_missing() -> None:
    async with bench() as azure:
        flow = azure.console()
        await flow.check(ANSWERS, is_complete=True)
        ending = await walk(flow)
        for _, url, _ in ANSWERS.endpoints:
            azure.world.network.faults[url.removeprefix("https://")] = HostFault(status=401, body=b"{}")
        steps = await flow.prove(ending.progress.deployment, answer_seconds=30, log_seconds=30)
        assert steps[-1].state is ProofState.MISSING
        assert "may not call the model yet" in steps[-1].says
        assert "Cognitive Services OpenAI User" in steps[-1].remedy
