"""Which subscription a newcomer without a profile deploys to: the one that is named, else the one `az` is set to."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess

from console.errors import UsageError
from console.profile import Profile, profile_from_table
from console.simulator_process import NO_GATEWAY_YET

ACCOUNT_DEADLINE_SECONDS = 30


async def find_profile(subscription_id: str = "") -> Profile:
    """A profile with a subscription and no gateway yet.

    Raises:
        UsageError: no subscription is named anywhere.
        ProfileError: what is named is no subscription id.
    """
    wanted = subscription_id or os.environ.get("AZURE_SUBSCRIPTION_ID", "")
    wanted = wanted or await asyncio.to_thread(_az_subscription)
    if not wanted:
        raise UsageError(
            "No subscription is named", remedy="Sign in with az login, or set AZURE_SUBSCRIPTION_ID, or use a profile."
        )
    table = {"subscription_id": wanted, "resource_group": NO_GATEWAY_YET, "service_name": NO_GATEWAY_YET}
    return profile_from_table("new", table, "the subscription named")


def _az_subscription() -> str:
    """The subscription the Azure CLI is set to, "" without one."""
    if shutil.which("az") is None:
        return ""
    command = ["az", "account", "show", "--query", "id", "--output", "tsv"]
    try:
        shown = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=ACCOUNT_DEADLINE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return ""
    return shown.stdout.strip() if shown.returncode == 0 else ""
