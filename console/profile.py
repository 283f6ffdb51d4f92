"""Profiles: which gateway, as whom, and how its hosts are reached. TOML in the user's configuration folder.

`$GENAIGW_CONFIG` names the file; else `$XDG_CONFIG_HOME/genaigw-console/profiles.toml`, else below `~/.config`. Unknown
keys are refused by path, with the closest known one. This room reads and edits that file, and asks Azure nothing.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

import msgspec

from console.azure.clouds import CLOUDS, Cloud
from console.azure.resolve import is_loopback
from console.domain.gateway import BackendKind
from console.errors import GuardRefusal, ProfileError

CredentialName = Literal["default", "azure-cli", "managed-identity", "environment"]
CloudName = Literal["AzureCloud", "AzureUSGovernment", "AzureChinaCloud"]

_GUID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", re.IGNORECASE)


class BackendTable(msgspec.Struct, forbid_unknown_fields=True):
    """`[profiles.NAME.backends.BACKEND]`: what discovery cannot know."""

    kind: Literal["ptu", "payg"]


class ProfileTable(msgspec.Struct, forbid_unknown_fields=True):
    """`[profiles.NAME]` as written."""

    subscription_id: str
    resource_group: str
    service_name: str
    cloud: CloudName = "AzureCloud"
    workspace_id: str = ""
    tenant_id: str = ""
    credential: CredentialName = "default"
    identity_endpoint: str = ""
    identity_header: str = ""
    read_only: bool = False
    production: bool = False
    resolve: dict[str, str] = {}
    backends: dict[str, BackendTable] = {}


@dataclass(frozen=True, slots=True)
class Profile:
    """One gateway and how to reach it. `workspace_id` empty: discovered from the gateway's diagnostic settings.

    `is_read_only_by_option`: it is read-only because this console was started so, not because the profile says so.
    """

    name: str
    subscription_id: str
    resource_group: str
    service_name: str
    cloud: Cloud = CLOUDS["AzureCloud"]
    workspace_id: str = ""
    tenant_id: str = ""
    credential: CredentialName = "default"
    identity_endpoint: str = ""
    identity_header: str = field(default="", repr=False)
    is_read_only: bool = False
    is_read_only_by_option: bool = False
    is_production: bool = False
    resolve: Mapping[str, str] = field(default_factory=dict)
    backend_kinds: Mapping[str, BackendKind] = field(default_factory=dict)

    @property
    def service_id(self) -> str:
        """The gateway's ARM id."""
        return (
            f"/subscriptions/{self.subscription_id}/resourceGroups/{self.resource_group}"
            f"/providers/Microsoft.ApiManagement/service/{self.service_name}"
        )

    @property
    def read_only_text(self) -> str:
        """Why nothing is written; "" when writing is allowed."""
        if not self.is_read_only:
            return ""
        return "this console is read-only (--read-only)" if self.is_read_only_by_option else "this profile is read-only"

    def require_writes(self) -> None:
        """Let only those on who may write.

        Raises:
            GuardRefusal: says whether the console or the profile is read-only.
        """
        if self.is_read_only:
            by_option = self.is_read_only_by_option
            remedy = "Start it without --read-only." if by_option else "Use a profile that may write."
            raise GuardRefusal(self.read_only_text[0].upper() + self.read_only_text[1:], remedy=remedy)


@dataclass(frozen=True, slots=True)
class ProfileFile:
    """All profiles of a file. `default_name` None: the file names none, and holds more than one or none at all."""

    path: Path
    profiles: Mapping[str, Profile]
    default_name: str | None = None

    def select(self, name: str | None) -> Profile:
        """The named profile, or the default one.

        Raises:
            ProfileError: there is no such profile, or no default.
        """
        wanted = name or self.default_name
        known = ", ".join(sorted(self.profiles)) or "none"
        if wanted is None:
            raise ProfileError(
                "No default profile is set",
                where=str(self.path),
                remedy=f"Choose one with --profile or `genaigw-console profiles use NAME`; there are: {known}.",
            )
        if wanted not in self.profiles:
            raise ProfileError(
                f'There is no profile "{wanted}"',
                where=str(self.path),
                remedy=_did_you_mean(wanted, self.profiles) or f"There are: {known}.",
            )
        return self.profiles[wanted]


def profile_path(environment: Mapping[str, str] | None = None) -> Path:
    """The profile file of this user, whether it exists or not."""
    values = os.environ if environment is None else environment
    if values.get("GENAIGW_CONFIG"):
        return Path(values["GENAIGW_CONFIG"]).expanduser()
    base = values.get("XDG_CONFIG_HOME") or str(Path("~/.config").expanduser())
    return Path(base) / "genaigw-console" / "profiles.toml"


def load_profiles(path: Path) -> ProfileFile:
    """Read a profile file. A file that does not exist holds no profile.

    Raises:
        ProfileError: it is not readable, not TOML, or says something unknown.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ProfileFile(path, {})
    except (OSError, UnicodeDecodeError) as error:
        raise ProfileError(
            f"The profile file cannot be read: {error}", where=str(path), remedy="Check its permissions and encoding."
        ) from error
    return parse_profiles(text, path)


def parse_profiles(text: str, path: Path) -> ProfileFile:
    """The profiles in a TOML text; `path` is for messages.

    Raises:
        ProfileError: as `load_profiles`.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ProfileError(
            f"The profile file is not valid TOML: {error}", where=str(path), remedy="Correct that place in the file."
        ) from error
    _refuse_unknown(document, ("default", "profiles"), path, "")
    tables = document.get("profiles", {})
    if not isinstance(tables, dict):
        raise ProfileError("profiles must be a table", where=str(path), remedy="Write [profiles.NAME] sections.")
    profiles = {name: _profile(name, table, path) for name, table in tables.items()}
    default_name = document.get("default")
    if default_name is not None and default_name not in profiles:
        raise ProfileError(
            f'The default profile "{default_name}" does not exist',
            where=str(path),
            remedy=_did_you_mean(str(default_name), profiles) or "Name an existing profile as default.",
        )
    if default_name is None and len(profiles) == 1:
        default_name = next(iter(profiles))
    return ProfileFile(path, profiles, default_name)


def profile_from_table(name: str, table: Mapping[str, Any], source: str) -> Profile:
    """A profile from a table that is in no file; `source` is named in messages.

    Raises:
        ProfileError: the table says something unknown.
    """
    return _profile(name, dict(table), Path(source))


def _profile(name: str, table: object, path: Path) -> Profile:
    place = f"profiles.{name}"
    if not isinstance(table, dict):
        raise ProfileError(f"{place} must be a table", where=str(path), remedy=f"Write it as [{place}].")
    _refuse_unknown(table, ProfileTable.__struct_fields__, path, place)
    backends = table.get("backends", {})
    for backend, entry in backends.items() if isinstance(backends, dict) else ():
        if isinstance(entry, dict):
            _refuse_unknown(entry, BackendTable.__struct_fields__, path, f"{place}.backends.{backend}")
    try:
        written = msgspec.convert(table, ProfileTable)
    except msgspec.ValidationError as error:
        reason, _, inner = str(error).partition(" - at `$")
        missing = re.search(r"missing required field `(\w+)`", reason)
        if missing:
            raise ProfileError(
                f'{place} lacks "{missing.group(1)}"', where=str(path), remedy=f"Add {missing.group(1)} to [{place}]."
            ) from error
        place_of_value = f"{place}{inner.rstrip('`')}"
        raise ProfileError(
            f"{place_of_value} {_reason_words(reason, inner)}", where=str(path), remedy="Correct that value."
        ) from error
    _check_values(written, place, path)
    return Profile(
        name=name,
        subscription_id=written.subscription_id,
        resource_group=written.resource_group,
        service_name=written.service_name,
        cloud=CLOUDS[written.cloud],
        workspace_id=written.workspace_id,
        tenant_id=written.tenant_id,
        credential=written.credential,
        identity_endpoint=written.identity_endpoint,
        identity_header=written.identity_header,
        is_read_only=written.read_only,
        is_production=written.production,
        resolve=dict(written.resolve),
        backend_kinds={key: BackendKind(value.kind) for key, value in written.backends.items()},
    )


_CHOICES: Mapping[str, tuple[str, ...]] = {
    "cloud": get_args(CloudName),
    "credential": get_args(CredentialName),
    "kind": ("ptu", "payg"),
}
_TYPE_WORDS = {
    "bool": "true or false",
    "str": "text in quotes",
    "object": "a table",
}


def _reason_words(reason: str, inner: str) -> str:
    """What is wrong with a value in an operator's words: `must be true or false`, `must be one of ptu, payg`."""
    expected = re.match(r"Expected `(\w+)`", reason)
    choices = _CHOICES.get(inner.rstrip("`").rpartition(".")[2])
    if choices is not None and (expected or reason.startswith("Invalid enum value")):
        given = re.search(r"Invalid enum value '(.*)'", reason)
        return f"must be one of {', '.join(choices)}" + (f', not "{given.group(1)}"' if given else "")
    if expected and expected.group(1) in _TYPE_WORDS:
        return f"must be {_TYPE_WORDS[expected.group(1)]}"
    return f"is not valid: {reason}"


def _check_values(written: ProfileTable, place: str, path: Path) -> None:
    for key in ("subscription_id", "workspace_id", "tenant_id"):
        value = getattr(written, key)
        if (value or key == "subscription_id") and not _GUID.match(value):
            raise ProfileError(
                f'{place}.{key} is "{value}", which is no GUID',
                where=str(path),
                remedy="A workspace's id is its customer id, not its ARM id."
                if key == "workspace_id"
                else "Copy it from `az account show`.",
            )
    for key in ("resource_group", "service_name"):
        if not getattr(written, key):
            raise ProfileError(f"{place}.{key} is empty", where=str(path), remedy="Name the gateway's own.")
    for host, url in written.resolve.items():
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ProfileError(
                f'{place}.resolve."{host}" is "{url}", which is no http(s) URL',
                where=str(path),
                remedy='Write it like "https://10.0.0.4" or "http://127.0.0.1:8443/hosts/{host}".',
            )
        if parts.scheme == "http" and not is_loopback(url):
            raise ProfileError(
                f'{place}.resolve."{host}" sends tokens over plain http to {parts.hostname}',
                where=str(path),
                remedy="Use https; plain http is for this machine's loopback only.",
            )


def _refuse_unknown(table: Mapping[str, object], known: Iterable[str], path: Path, place: str) -> None:
    names = tuple(known)
    for key in table:
        if key not in names:
            full = f"{place}.{key}" if place else key
            raise ProfileError(
                f'Unknown key "{full}"',
                where=str(path),
                remedy=_did_you_mean(key, names) or f"Known there: {', '.join(names)}.",
            )


def _did_you_mean(word: str, known: Iterable[str]) -> str:
    import difflib

    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f'Did you mean "{close[0]}"?' if close else ""


def write_profile(path: Path, name: str, values: Mapping[str, Any], *, make_default: bool) -> None:
    """Add or replace one profile, keeping the rest of the file, its order and its comments as they are.

    Raises:
        ProfileError: the file is malformed, or the values are.
    """
    import tomlkit

    profile_from_table(name, values, str(path))
    existing = load_profiles(path)
    document = tomlkit.parse(path.read_text(encoding="utf-8")) if path.exists() else tomlkit.document()
    if make_default or not existing.profiles:
        document["default"] = name
    if "profiles" not in document:
        document["profiles"] = tomlkit.table(is_super_table=True)
    document["profiles"][name] = _toml_table(values)
    save_privately(path, tomlkit.dumps(document))


def set_default(path: Path, name: str) -> None:
    """Make an existing profile the default.

    Raises:
        ProfileError: there is no such profile.
    """
    import tomlkit

    load_profiles(path).select(name)
    document = tomlkit.parse(path.read_text(encoding="utf-8"))
    document["default"] = name
    save_privately(path, tomlkit.dumps(document))


def _toml_table(values: Mapping[str, Any]) -> Any:
    import tomlkit

    table = tomlkit.table()
    for key, value in values.items():
        table[key] = _toml_table(value) if isinstance(value, Mapping) else value
    return table


def save_privately(path: Path, text: str) -> None:
    """Write a file whole or not at all, readable by its owner alone (it may hold an identity header)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(path.name + ".part")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    scratch.replace(path)
