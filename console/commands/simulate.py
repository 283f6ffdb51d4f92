"""`simulate`: the embedded Azure alone, until interrupted, and a profile that leads any console to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from console.simulator_process import ReadyLine


@click.command()
@click.option("--scenario", default="", metavar="S", help="A scenario's name, or a path to one.")
@click.option("--port", type=click.IntRange(0, 65535), default=8443, show_default=True, help="0 takes a free one.")
@click.option("--seed", type=int, metavar="N", help="Equal seeds give equal worlds.")
@click.option("--history", default="", metavar="60m", help="How long the world has been running.")
@click.option("--lag", type=click.Choice(["brisk", "real"]), help="How late logs are.")
@click.option("--tls", is_flag=True, help="Serve https with a certificate made for it (az needs it).")
@click.option("--profile-out", type=click.Path(path_type=Path), metavar="F", help="Write a profile file there.")
@click.option("--json", "as_json", is_flag=True, help="Print the endpoints as one JSON line.")
def simulate(
    scenario: str,
    port: int,
    seed: int | None,
    history: str,
    lag: str | None,
    tls: bool,
    profile_out: Path | None,
    as_json: bool,
) -> None:
    """Run the embedded Azure alone, on this machine's loopback only."""
    from console.commands.progress import show_progress
    from console.errors import UsageError
    from console.profile import write_profile
    from console.simulator_process import SimulatorOptions, SimulatorProcess, profile_values

    if profile_out is not None and not profile_out.absolute().parent.is_dir():
        raise UsageError(
            f"The folder {profile_out.absolute().parent} does not exist",
            where=f"--profile-out {profile_out}",
            remedy="Create it, or name a file in another folder.",
        )
    certificate = None
    if tls:
        from console.loopback_certificate import make_certificate

        certificate = make_certificate()
    options = SimulatorOptions(scenario, seed, history, lag or "", port, certificate.key_file if certificate else None)
    with SimulatorProcess(options) as process:
        with show_progress("Building the embedded Azure") as on_progress:
            ready = process.start(on_progress)
        if profile_out is not None:
            write_profile(profile_out, "simulated", profile_values(ready), make_default=True)
        click.echo(json.dumps(_endpoints(ready, profile_out)) if as_json else _described(ready, profile_out))
        if certificate is not None and not as_json:
            click.echo(f"Clients trust it with SSL_CERT_FILE={certificate.authority_file}")
        if process.wait() != 0:
            raise SystemExit(1)


def _endpoints(ready: ReadyLine, profile_out: Path | None) -> dict[str, object]:
    return {
        "base_url": ready.base_url,
        "subscription_id": ready.subscription_id,
        "resource_group": ready.resource_group,
        "service_name": ready.service_name,
        "identity_endpoint": ready.identity_endpoint,
        "profile": None if profile_out is None else str(profile_out),
        "resolve": dict(sorted(ready.resolve.items())),
    }


def _described(ready: ReadyLine, profile_out: Path | None) -> str:
    lines = [
        f"The embedded Azure listens on {ready.base_url}",
        f"  gateway       {ready.service_name} in {ready.resource_group}",
        f"  subscription  {ready.subscription_id}",
        f"  sign-in       IDENTITY_ENDPOINT={ready.identity_endpoint}",
    ]
    if profile_out is not None:
        lines.append(f"  profile       genaigw-console --profile-file {profile_out}")
    else:
        lines.append("  profile       none written; --profile-out FILE writes one")
    return "\n".join([*lines, "Stop it with Ctrl-C."])
