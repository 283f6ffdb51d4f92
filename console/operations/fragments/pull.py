"""The gateway in a folder, ready for git: every fragment and policy a file, stable between runs.

Only what changed is written. Files of what is gone from the gateway are removed when an earlier pull wrote them and
everything could be read. Secret named values and the state of drains never come along.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tomlkit

from console.errors import UsageError
from console.journal import Journal
from console.operations.fragments.compare import digest
from console.operations.fragments.deployed import Deployed, is_operated
from console.operations.fragments.documents import Kind, Place, same_text
from console.operations.fragments.local import MANIFEST, NAMED_VALUES, file_of, read_folder

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Pulled:
    """What a pull did, as paths relative to the folder. `left_out`: what was not brought along, and why."""

    folder: Path
    written: tuple[str, ...]
    removed: tuple[str, ...]
    unchanged: int
    left_out: tuple[str, ...] = ()


def execute_pull(deployed: Deployed, service_name: str, folder: Path, journal: Journal) -> Pulled:
    """Bring the gateway's texts into a folder, and note in the journal what both sides now have in common.

    A file whose text means the same already is left as it is, layout included.

    Raises:
        UsageError: the folder mirrors another gateway, holds other files, or cannot be written.
    """
    before = _check_folder(folder, service_name)
    files: dict[str, str] = {}
    bases: list[tuple[Place, str]] = []
    left_out: list[str] = []
    values: dict[str, str] = {}
    for place, document in sorted(deployed.documents.items(), key=lambda item: item[0].order):
        if place.kind is Kind.NAMED_VALUE:
            if is_operated(place.name):
                continue
            if document.text is None:
                left_out.append(f"{place.words} is secret")
                continue
            values[place.name] = document.text
        elif document.text is not None:
            files[file_of(place)] = document.text.rstrip("\n") + "\n"
        if document.text is not None:
            bases.append((place, digest(document.text, place.kind)))
    descriptions = {d.place.name: d.description for d in deployed.of_kind(Kind.FRAGMENT) if d.description}
    files[MANIFEST] = _manifest(service_name, descriptions)
    if values:
        files[NAMED_VALUES] = _named_values(values)
    written = [name for name, text in files.items() if _write(folder / name, text)]
    gone = sorted(before - files.keys()) if not deployed.problems else []
    left_out += [problem.what for problem in deployed.problems]  # what could not be read is not gone
    for name in gone:
        (folder / name).unlink()
    for place, base in bases:
        journal.write("note", place.path, after={"digest": base}, outcome="pulled")
    return Pulled(folder, tuple(sorted(written)), tuple(gone), len(files) - len(written), tuple(left_out))


def _check_folder(folder: Path, service_name: str) -> set[str]:
    """The files that an earlier pull wrote there."""
    if not folder.exists():
        return set()
    if not folder.is_dir():
        raise UsageError("That is no folder", where=str(folder), remedy="Name another one.")
    if not (folder / MANIFEST).is_file():
        if any(entry.name != ".git" for entry in folder.iterdir()):
            raise UsageError(
                "The folder holds other files", where=str(folder), remedy="Name an empty folder or a pulled one."
            )
        return set()
    catalogue = read_folder(folder)
    if catalogue.service_name != service_name:
        raise UsageError(
            f"The folder mirrors {catalogue.service_name}, not {service_name}",
            where=str(folder),
            remedy="Name another folder: one folder, one gateway.",
        )
    return {d.file for d in catalogue.documents.values()}


def _write(path: Path, text: str) -> bool:
    """Write a file unless it says the same already; True when it was written."""
    if path.is_file():
        now = path.read_bytes().decode("utf-8", errors="replace")
        if now == text or (path.suffix == ".xml" and same_text(now, text, Kind.POLICY)):
            return False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise UsageError(f"The file cannot be written: {error.strerror}", where=str(path)) from error
    return True


def _manifest(service_name: str, descriptions: dict[str, str]) -> str:
    document = tomlkit.document()
    document.add("format", tomlkit.item(FORMAT))
    document.add("service", tomlkit.item(service_name))
    if descriptions:
        table = tomlkit.table()
        for name in sorted(descriptions):
            table.add(name, descriptions[name])
        document.add("descriptions", table)
    return tomlkit.dumps(document)


def _named_values(values: dict[str, str]) -> str:
    document = tomlkit.document()
    table = tomlkit.table()
    for name in sorted(values):
        table.add(name, values[name])
    document.add("values", table)
    return tomlkit.dumps(document)
