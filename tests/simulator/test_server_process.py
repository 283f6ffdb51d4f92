"""`python -m simulator` as a console starts it: one ready line, reachable, gone when its stdin closes."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import aiohttp
import pytest

from simulator.__main__ import parse_duration


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("45s", 45), ("60m", 3600), ("2h", 7200), ("1d", 86400)])
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "soon", "-5m", "30d"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError):
        parse_duration(text)


async def test_the_process_says_where_it_is_and_ends_with_its_stdin(tmp_path: Path) -> None:
    ready_file = tmp_path / "ready.json"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "simulator", "--history", "0", "--no-traffic", "--exit-with-stdin"),
        *("--ready-file", str(ready_file)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            while True:
                line = json.loads(await process.stdout.readline())
                if "base_url" in line:
                    break
                assert 0 <= line["progress"] <= 1
            header = {"X-IDENTITY-HEADER": line["identity_header"]}
            async with aiohttp.ClientSession() as session:
                async with session.get(
                    line["identity_endpoint"], params={"resource": "https://management.azure.com"}, headers=header
                ) as answer:
                    token = (await answer.json())["access_token"]
                url = f"{line['base_url']}/subscriptions?api-version=2022-12-01"
                async with session.get(url, headers={"Authorization": f"Bearer {token}"}) as answer:
                    subscriptions = await answer.json()
            process.stdin.close()
            code = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert code == 0
    assert json.loads(ready_file.read_text()) == line
    assert [entry["subscriptionId"] for entry in subscriptions["value"]] == [line["subscription_id"]]
    assert line["resolve"][f"{line['service_name']}.azure-api.net"].startswith(line["base_url"])
    assert "swedencentral.metrics.monitor.azure.com" in line["resolve"]
