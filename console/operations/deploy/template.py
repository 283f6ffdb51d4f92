"""Which template is deployed: compiled from Bicep where a compiler is at hand, else the compiled one that is shipped.

Runs `bicep` or `az bicep`, with a deadline; asks Azure nothing.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from console.errors import ConsoleError
from console.operations.deploy.parameters import Choices, Offer

COMPILER_DEADLINE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Template:
    """A compiled template. `origin` says in words where it comes from; `note` why it was not compiled, or ""."""

    document: Mapping[str, Any]
    origin: str
    note: str = ""

    @property
    def namespaces(self) -> tuple[str, ...]:
        """The resource providers it writes to, nested templates included."""
        return tuple(sorted(_namespaces(self.document) - {"Microsoft.Resources"}))

    def offer(self, regions: Mapping[str, str] | None = None) -> Offer:
        """What its parameters allow."""
        declared = self.document.get("parameters", {})
        return Offer(
            fragments=tuple(declared.get("policyFragment", {}).get("allowedValues", ())),
            skus=tuple(declared.get("sku", {}).get("allowedValues", ())),
            regions=regions,
        )


def _namespaces(value: Any) -> set[str]:
    found: set[str] = set()
    if isinstance(value, Mapping):
        resources = value.get("resources")
        entries = resources.values() if isinstance(resources, Mapping) else resources or ()
        for entry in entries:
            if isinstance(entry, Mapping):
                found.add(str(entry.get("type", "")).split("/")[0])
                found |= _namespaces((entry.get("properties") or {}).get("template"))
    return found - {""}


def infra_folder() -> Path:
    """The accelerator's infrastructure: in the package, or beside it in a working tree."""
    package = Path(__file__).resolve().parents[2]
    inside = package / "_bundled" / "infra"
    return inside if inside.is_dir() else package.parent / "infra"


def bundled_template(folder: Path | None = None) -> Template:
    """The compiled template that is shipped.

    Raises:
        ConsoleError: it is not there or no JSON.
    """
    path = (folder or infra_folder()) / "main.json"
    try:
        return Template(json.loads(path.read_text(encoding="utf-8")), "infra/main.json, compiled and shipped with this")
    except (OSError, ValueError) as error:
        raise ConsoleError(
            f"The template cannot be read: {error}", where=str(path), remedy="Install genaigw-console again."
        ) from error


async def find_template(folder: Path | None = None) -> Template:
    """Compile `main.bicep` with `bicep`, else with `az bicep`; where that is not possible, take the shipped one."""
    base = folder or infra_folder()
    source = base / "main.bicep"
    note = "no Bicep compiler is installed here"
    for command, words in _compilers(source):
        if shutil.which(command) is None:
            continue
        if command == "az" and (await _run("az", "bicep", "version"))[0] != 0:
            continue  # `az bicep build` would download a compiler by itself
        code, out, err = await _run(command, *words)
        if code == 0:
            try:
                return Template(
                    json.loads(out), f"infra/main.bicep, compiled here with {' '.join([command, *words[:-3]])}"
                )
            except ValueError:
                err = "it printed no JSON"
        lines = err.strip().splitlines()
        note = f"{command} did not compile infra/main.bicep: {lines[-1][:160] if lines else f'exit code {code}'}"
    shipped = bundled_template(base)
    return Template(shipped.document, shipped.origin, note)


def _compilers(source: Path) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return (
        ("bicep", ("build", str(source), "--stdout")),
        ("az", ("bicep", "build", "--file", str(source), "--stdout")),
    )


async def _run(command: str, *words: str) -> tuple[int, str, str]:
    """Exit code, output and error text; 124 when the deadline passed."""
    process = await asyncio.create_subprocess_exec(
        command,
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(COMPILER_DEADLINE_SECONDS):
            out, err = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return 124, "", f"no answer in {COMPILER_DEADLINE_SECONDS:.0f} s"
    except asyncio.CancelledError:
        process.kill()
        raise
    return process.returncode or 0, out.decode(errors="replace"), err.decode(errors="replace")


def request_body(template: Template, choices: Choices) -> bytes:
    """The body of a what-if, a validation and a deployment: one and the same, as the Azure CLI sends it too."""
    from console.operations.deploy.parameters import to_parameters

    parameters = {name: {"value": value} for name, value in to_parameters(choices).items()}
    properties = {"mode": "Incremental", "template": template.document, "parameters": parameters}
    return json.dumps({"location": choices.location, "properties": properties}, ensure_ascii=False).encode()
