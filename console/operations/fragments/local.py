"""The local side: a folder of fragments and policies, as the accelerator lays it out or as `pull` wrote it.

`NAME.fragment.xml` is a fragment wherever it lies. Below a pulled folder's `policies/`, the path says which scope a
`*.policy.xml` belongs to; elsewhere a `NAME.policy.xml` is a template that a deploy can give to an API.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from console.errors import UsageError
from console.operations.fragments.documents import Kind, LocalDocument, Place

FRAGMENT_SUFFIX = ".fragment.xml"
POLICY_SUFFIX = ".policy.xml"
MANIFEST = "gateway.toml"
NAMED_VALUES = "named-values.toml"
FOLDER_VARIABLE = "GENAIGW_POLICIES"
_SAFE = " -_.~()"


@dataclass(frozen=True, slots=True)
class LocalCatalogue:
    """A folder, read. `templates` are policies without a scope, by name; `service_name` is set in a pulled folder."""

    folder: Path
    documents: Mapping[Place, LocalDocument] = field(default_factory=dict)
    templates: Mapping[str, LocalDocument] = field(default_factory=dict)
    service_name: str | None = None

    @property
    def is_pulled(self) -> bool:
        """Whether the folder mirrors one gateway."""
        return self.service_name is not None


def bundled_folder() -> Path:
    """The accelerator's own policies: in the package, or beside it in a working tree."""
    package = Path(__file__).resolve().parents[2]
    inside = package / "_bundled" / "policies"
    return inside if inside.is_dir() else package.parent / "policies"


def pulled_folder(service_name: str, environment: Mapping[str, str] | None = None) -> Path:
    """Where a pull goes when no folder is named: below the user's data folder, one folder a gateway."""
    env = os.environ if environment is None else environment
    base = Path(env["XDG_DATA_HOME"]) if env.get("XDG_DATA_HOME") else Path.home() / ".local" / "share"
    return base / "genaigw-console" / "policies" / file_name(service_name)


def default_folder(service_name: str, environment: Mapping[str, str] | None = None) -> Path:
    """`$GENAIGW_POLICIES`, else the gateway's pulled folder when there is one, else the bundled policies."""
    env = os.environ if environment is None else environment
    if env.get(FOLDER_VARIABLE):
        return Path(env[FOLDER_VARIABLE])
    pulled = pulled_folder(service_name, env)
    return pulled if (pulled / MANIFEST).is_file() else bundled_folder()


def file_name(name: str) -> str:
    """A name as part of a path, reversible: what file systems dislike is percent-encoded."""
    return quote(name, safe=_SAFE)


def file_of(place: Place) -> str:
    """The file of a place in a pulled folder, relative, with `/`."""
    level, _, name = place.name.partition(" ")
    if place.kind is Kind.FRAGMENT:
        return f"fragments/{file_name(place.name)}{FRAGMENT_SUFFIX}"
    if level == "api":
        return f"policies/apis/{file_name(name)}{POLICY_SUFFIX}"
    if level == "operation":
        api, _, operation = name.partition("/")
        return f"policies/apis/{file_name(api)}/{file_name(operation)}{POLICY_SUFFIX}"
    if level == "product":
        return f"policies/products/{file_name(name)}{POLICY_SUFFIX}"
    return f"policies/global{POLICY_SUFFIX}"


def place_of_file(relative: str) -> Place | None:
    """The scope of a policy file in a pulled folder; None when the path says none."""
    parts = [unquote(part) for part in relative.removesuffix(POLICY_SUFFIX).split("/")]
    match parts:
        case ["policies", "global"]:
            return Place(Kind.POLICY, "global")
        case ["policies", "apis", api]:
            return Place(Kind.POLICY, f"api {api}")
        case ["policies", "apis", api, operation]:
            return Place(Kind.POLICY, f"operation {api}/{operation}")
        case ["policies", "products", product]:
            return Place(Kind.POLICY, f"product {product}")
    return None


def read_folder(folder: Path) -> LocalCatalogue:
    """Every fragment, policy and named value in a folder.

    Raises:
        UsageError: there is no such folder, a file cannot be read, or two files hold the same fragment.
    """
    if not folder.is_dir():
        raise UsageError(
            "There is no such folder of policies", where=str(folder), remedy="Name one with --policies, or pull first."
        )
    manifest = _read_toml(folder / MANIFEST)
    descriptions: Mapping[str, str] = manifest.get("descriptions", {})
    documents: dict[Place, LocalDocument] = {}
    templates: dict[str, LocalDocument] = {}
    for path in sorted(folder.rglob("*.xml")):
        relative = path.relative_to(folder).as_posix()
        if relative.endswith(FRAGMENT_SUFFIX):
            name = unquote(path.name.removesuffix(FRAGMENT_SUFFIX))
            place = Place(Kind.FRAGMENT, name)
            _add(documents, LocalDocument(place, _read(path), relative, str(descriptions.get(name, ""))), folder)
        elif relative.endswith(POLICY_SUFFIX):
            scope = place_of_file(relative) if manifest else None
            name = unquote(path.name.removesuffix(POLICY_SUFFIX))
            document = LocalDocument(scope or Place(Kind.POLICY, f"template {name}"), _read(path), relative)
            if scope is None:
                templates[name] = document
            else:
                _add(documents, document, folder)
    for name, value in sorted(_read_toml(folder / NAMED_VALUES).get("values", {}).items()):
        place = Place(Kind.NAMED_VALUE, name)
        documents[place] = LocalDocument(place, str(value), NAMED_VALUES)
    service = manifest.get("service")
    return LocalCatalogue(folder, documents, templates, str(service) if manifest else None)


def _add(documents: dict[Place, LocalDocument], document: LocalDocument, folder: Path) -> None:
    other = next((d for p, d in documents.items() if _key(p) == _key(document.place)), None)
    if other is not None:
        raise UsageError(
            f"{document.place.words} stands in two files: {other.file} and {document.file}",
            where=str(folder),
            remedy="Keep one of them: API Management does not tell names apart by case.",
        )
    documents[document.place] = document


def _key(place: Place) -> tuple[str, str]:
    return (place.kind.value, place.name.lower())


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        where = f"{path}, byte {error.start}"
        raise UsageError("The file is not UTF-8 text", where=where, remedy="Save it as UTF-8.") from error
    except OSError as error:
        raise UsageError(f"The file cannot be read: {error.strerror}", where=str(path)) from error


def _read_toml(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"The file is not TOML: {error}", where=str(path), remedy="Mend it, or pull again.") from error
