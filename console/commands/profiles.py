"""`profiles`: list, add, use, show. Secrets in a profile are never printed."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from console.commands.setting import Setting
    from console.profile import Profile


@click.group()
def profiles() -> None:
    """List, add, choose and show profiles."""


@profiles.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def list_profiles(setting: Setting, as_json: bool) -> None:
    """Every profile; the default one is marked."""
    from console.status_text import table

    file = setting.profiles()
    if as_json:
        entries = [
            {**_shown(profile), "default": name == file.default_name} for name, profile in sorted(file.profiles.items())
        ]
        click.echo(json.dumps({"file": str(file.path), "profiles": entries}, indent=2))
        return
    if not file.profiles:
        click.echo(f"No profiles in {file.path}. Add one with `genaigw-console profiles add NAME`.")
        return
    rows = [
        ("*" if name == file.default_name else "", name, p.service_name, p.resource_group, p.cloud.name, _marks(p))
        for name, p in sorted(file.profiles.items())
    ]
    click.echo("\n".join(table(("", "NAME", "GATEWAY", "RESOURCE GROUP", "CLOUD", ""), rows)))


@profiles.command()
@click.argument("name")
@click.option("--subscription-id", required=True, metavar="GUID")
@click.option("--resource-group", required=True, metavar="G")
@click.option("--service-name", required=True, metavar="S", help="The API Management service.")
@click.option("--cloud", type=click.Choice(["AzureCloud", "AzureUSGovernment", "AzureChinaCloud"]))
@click.option("--workspace-id", metavar="GUID", help="Customer id of the Log Analytics workspace, when not discovered.")
@click.option("--tenant-id", metavar="GUID")
@click.option("--credential", type=click.Choice(["default", "azure-cli", "managed-identity", "environment"]))
@click.option("--production", is_flag=True, help="Mark it unmistakably on every screen.")
@click.option("--read-only", "profile_read_only", is_flag=True, help="Never write through this profile.")
@click.option("--default", "make_default", is_flag=True, help="Make it the default.")
@click.option("--replace", "may_replace", is_flag=True, help="Overwrite a profile of that name.")
@click.pass_obj
def add(
    setting: Setting, /, name: str, make_default: bool, may_replace: bool, profile_read_only: bool, **given: Any
) -> None:
    """Add a profile to the profile file."""
    from console.errors import ProfileError
    from console.profile import write_profile

    if name in setting.profiles().profiles and not may_replace:
        raise ProfileError(f'There is a profile "{name}" already', where=str(setting.path), remedy="Use --replace.")
    values = {key: value for key, value in given.items() if value not in (None, False)}
    if profile_read_only:
        values["read_only"] = True
    write_profile(setting.path, name, values, make_default=make_default)
    click.echo(f"Added {name} to {setting.path}.")


@profiles.command()
@click.argument("name")
@click.pass_obj
def use(setting: Setting, name: str) -> None:
    """Make a profile the default."""
    from console.profile import set_default

    set_default(setting.path, name)
    click.echo(f"{name} is the default now.")


@profiles.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def show(setting: Setting, name: str | None, as_json: bool) -> None:
    """One profile, by default the chosen one."""
    profile = setting.profiles().select(name or setting.profile_name)
    shown = _shown(profile)
    if as_json:
        click.echo(json.dumps(shown, indent=2))
        return
    for key, value in shown.items():
        if isinstance(value, dict):
            click.echo(f"{key}:" if value else f"{key}: –")
            for inner, text in value.items():
                told = ", ".join(f"{k} {v}" for k, v in text.items()) if isinstance(text, dict) else text
                click.echo(f"  {inner}: {told}")
        elif isinstance(value, bool):
            click.echo(f"{key}: {'true' if value else 'false'}")
        else:
            click.echo(f"{key}: {'–' if value == '' else value}")


def _shown(profile: Profile) -> dict[str, Any]:
    """The profile under the keys of its file, without its secret."""
    values = asdict(profile)
    values["cloud"] = profile.cloud.name
    values["identity_header"] = "(set)" if profile.identity_header else ""
    values["read_only"] = values.pop("is_read_only")
    values.pop("is_read_only_by_option", None)  # this run's option, not the profile's
    values["production"] = values.pop("is_production")
    del values["backend_kinds"], values["resolve"]
    values["resolve"] = dict(profile.resolve)
    values["backends"] = {name: {"kind": kind.value} for name, kind in profile.backend_kinds.items()}
    return values


def _marks(profile: Profile) -> str:
    words = (("production", profile.is_production), ("read-only", profile.is_read_only))
    return ", ".join(word for word, is_set in words if is_set)
