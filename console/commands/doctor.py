"""`doctor`: is everything in place that the console needs? One line a check, with what to do about it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import click

from console.errors import ConsoleError, NotAllowed, SignInError

if TYPE_CHECKING:
    from console.azure.session import AzureSession
    from console.commands.setting import Setting
    from console.profile import Profile

GATEWAY, PERMISSIONS, ACCOUNTS, LOGS = "sign-in and gateway", "permissions", "accounts", "logs"
_RESTS_ON = {ACCOUNTS: GATEWAY, "metrics": ACCOUNTS, LOGS: GATEWAY, "reachability": GATEWAY}
"""What a check reads first; logs only where the profile names no workspace."""
MARKS = {"ok": "✓", "failed": "✗", "unverified": "?"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One check. `state`: ok, failed, or unverified when it could not be looked at."""

    check: str
    state: str
    detail: str
    remedy: str = ""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def doctor(setting: Setting, as_json: bool) -> None:
    """Check profile, sign-in, permissions and data sources.

    Exits 0 when nothing failed, else with the code of the first failure.
    """
    profile = setting.profile()
    findings, exit_code = asyncio.run(examine(profile))
    if as_json:
        click.echo(json.dumps({"profile": profile.name, "checks": [asdict(f) for f in findings]}, indent=2))
    else:
        click.echo(described(findings))
    raise SystemExit(exit_code)


def described(findings: list[Finding]) -> str:
    """The findings as lines."""
    from console.status_text import printable

    width = max(len(f.check) for f in findings)
    return "\n".join(
        printable(f"{MARKS[f.state]} {f.check:<{width}}  {f.detail}" + (f". {f.remedy}" if f.remedy else ""))
        for f in findings
    )


async def examine(profile: Profile) -> tuple[list[Finding], int]:
    """Run every check; (findings, exit code). What depends on a failed check is unverified."""
    from console.azure.session import AzureSession
    from console.clock import SystemClock

    session = AzureSession(profile, SystemClock())
    errors: dict[str, ConsoleError] = {}
    findings = [Finding("profile", "ok", f"{profile.name}: {profile.service_name} in {profile.resource_group}")]
    exit_code = 0
    try:
        await session.open()
        for name, look in _CHECKS:
            obstacle = _obstacle(name, findings, errors, has_workspace=bool(profile.workspace_id))
            if obstacle:
                findings.append(Finding(name, "unverified", f"not looked at: {obstacle}"))
                continue
            try:
                findings.append(Finding(name, "ok", await look(session)))
            except ConsoleError as error:
                errors[name] = error
                findings.append(_failure(name, error, is_gateway_read=GATEWAY not in errors))
                if findings[-1].state == "failed":
                    exit_code = exit_code or error.exit_code
    finally:
        await session.close()
    return findings, exit_code


def _failure(name: str, error: ConsoleError, *, is_gateway_read: bool) -> Finding:
    """A failed check. That permissions may not be listed proves nothing, except where nothing may be read at all."""
    if not isinstance(error, NotAllowed):
        return Finding(name, "failed", error.what, error.remedy)
    if name == PERMISSIONS and is_gateway_read:
        return Finding(name, "unverified", error.what, error.remedy)
    return Finding(name, "failed", f"may not read: {error.what}", error.remedy)


def _obstacle(name: str, findings: list[Finding], errors: dict[str, ConsoleError], *, has_workspace: bool) -> str:
    """Why a check would say nothing: what it rests on was not read itself. "" when it can be looked at."""
    if any(isinstance(error, SignInError) for error in errors.values()):
        return "there is no sign-in"
    needed = "" if name == LOGS and has_workspace else _RESTS_ON.get(name, "")
    if all(finding.state == "ok" for finding in findings if finding.check == needed):
        return ""
    what = "the gateway" if needed == GATEWAY else needed
    if isinstance(errors.get(needed), NotAllowed):
        return f"{what} may not be read"
    return f"{what} could not be read"


async def _sign_in_and_gateway(session: AzureSession) -> str:
    from console.azure.apim import fetch_gateway

    gateway, _ = await fetch_gateway(session)
    served = "simulated" if session.simulated else session.cloud.name
    return f"{gateway.name} ({gateway.sku_name}, {gateway.region}, {served}): {len(gateway.backends)} backends"


async def _permissions(session: AzureSession) -> str:
    from console.azure.access import READ_ACTIONS, fetch_permissions, missing_actions

    entries = await fetch_permissions(session)
    if missing_actions(entries, READ_ACTIONS):
        raise NotAllowed(
            "no role here allows to read the gateway",
            where=session.profile.service_id,
            remedy="Ask for API Management Service Reader Role on the gateway.",
        )
    missing = missing_actions(entries)
    if session.profile.is_read_only:
        return "read-only by profile"
    return "may drain and deploy" if not missing else f"may read only; missing {', '.join(missing)}"


async def _accounts(session: AzureSession) -> str:
    from console.azure.apim import fetch_gateway
    from console.azure.openai import fetch_accounts

    gateway, _ = await fetch_gateway(session)
    hosts = {backend.host: backend.name for backend in gateway.backends if backend.host}
    accounts, refusal = await fetch_accounts(session)
    known = {host for account in accounts for host in account.hosts}
    lost = sorted(name for host, name in hosts.items() if host not in known)
    note = f"; no account found for {', '.join(lost)}" if lost else ""
    place = "resource group; the subscription may not be listed" if refusal else "subscription"
    return f"{len(accounts)} accounts in the {place}{note}"


async def _metrics(session: AzureSession) -> str:
    from console.azure.metrics import MetricsReader, settled_end
    from console.azure.openai import fetch_accounts
    from console.domain.history import last_minutes

    accounts, _ = await fetch_accounts(session)
    if not accounts:
        return "no accounts to ask about"
    reading = await MetricsReader(session).fetch(accounts, last_minutes(settled_end(session.clock.now())))
    if reading.errors:
        raise next(iter(reading.errors.values()))
    regions = {account.region for account in accounts}
    note = "; one by one, batch is refused" if reading.notes else ""
    return f"{len(reading.loads)} model deployments in {len(regions)} regions{note}"


async def _logs(session: AzureSession) -> str:
    from datetime import timedelta

    from console.azure.logs import fetch_traffic
    from console.azure.workspace import discover_workspace
    from console.domain.history import HISTORY_MINUTES, floor_minute, last_minutes

    workspace_id = session.profile.workspace_id or await discover_workspace(session)
    now = session.clock.now()
    window = last_minutes(floor_minute(now) + timedelta(minutes=1), HISTORY_MINUTES)
    reading = await fetch_traffic(session, workspace_id, window, now)
    if reading.known_until_at is None:
        return f"workspace {workspace_id} answers, with no request of the last hour"
    age = (now - reading.known_until_at).total_seconds()
    return f"workspace {workspace_id} answers; complete up to {age:.0f} s ago"


async def _gateway_answers(session: AzureSession) -> str:
    from urllib.parse import urlsplit

    from console.azure.apim import fetch_gateway
    from console.azure.probing import probe_gateway
    from console.errors import Unreachable

    gateway, _ = await fetch_gateway(session)
    host = urlsplit(gateway.gateway_url).hostname or ""
    probe = await probe_gateway(session, host)
    if not probe.answered:
        raise Unreachable(
            probe.error or "The gateway does not answer", where=host, remedy="Only probes need this path."
        )
    return f"{host} answers {probe.status_code} in {probe.milliseconds or 0:.0f} ms"


_CHECKS: tuple[tuple[str, Callable[[AzureSession], Awaitable[str]]], ...] = (
    (GATEWAY, _sign_in_and_gateway),
    (PERMISSIONS, _permissions),
    (ACCOUNTS, _accounts),
    ("metrics", _metrics),
    (LOGS, _logs),
    ("reachability", _gateway_answers),
)
