"""infra/main.json is what infra/main.bicep says: an engineer may deploy either and gets the same gateway."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from typing import Any

import pytest

from tests.accelerator.accelerator_files import INFRA, ROOT, BicepFile, compiled_template, read_bicep

BICEP_FILES = [INFRA / "main.bicep", *sorted((INFRA / "modules").glob("*.bicep"))]


def pairs() -> list[tuple[BicepFile, dict[str, Any]]]:
    """Every Bicep file with every compiled template that came from it, found by the order of its modules."""
    found: list[tuple[BicepFile, dict[str, Any]]] = []

    def walk(bicep: BicepFile, template: dict[str, Any]) -> None:
        found.append((bicep, template))
        nested = [r for r in template["resources"] if r["type"] == "Microsoft.Resources/deployments"]
        assert len(nested) == len(bicep.modules), bicep.path.name
        for (file, _, _), resource in zip(bicep.modules, nested, strict=True):
            walk(read_bicep((bicep.path.parent / file).resolve()), resource["properties"]["template"])

    walk(read_bicep(INFRA / "main.bicep"), compiled_template())
    return found


def test_every_bicep_file_is_part_of_the_template() -> None:
    assert {bicep.path for bicep, _ in pairs()} == {path.resolve() for path in BICEP_FILES}


def test_parameters_and_their_types_agree() -> None:
    for bicep, template in pairs():
        assert {name: entry["type"] for name, entry in template["parameters"].items()} == bicep.parameters, bicep.path


def test_allowed_values_agree() -> None:
    for bicep, template in pairs():
        compiled = {n: p["allowedValues"] for n, p in template["parameters"].items() if "allowedValues" in p}
        assert compiled == bicep.allowed, bicep.path


def test_resources_agree_in_type_and_api_version_and_order() -> None:
    for bicep, template in pairs():
        declared = [(kind, version) for kind, version, existing in bicep.resources if not existing]
        compiled = [
            (resource["type"], resource["apiVersion"])
            for resource in template["resources"]
            if resource["type"] != "Microsoft.Resources/deployments"
        ]
        assert sorted(compiled) == sorted(declared), bicep.path


def test_resource_names_agree() -> None:
    """The last segment of each compiled name is made of the words the Bicep gives it."""
    for bicep, template in pairs():
        sources = [
            (kind, source)
            for (kind, _, existing), source in zip(bicep.resources, bicep.names.values(), strict=True)
            if not existing
        ]
        compiled = [
            (resource["type"], resource["name"])
            for resource in template["resources"]
            if resource["type"] != "Microsoft.Resources/deployments"
        ]
        for (kind, source), (compiled_kind, name) in zip(sources, compiled, strict=True):
            assert kind == compiled_kind
            for word in re.findall(r"[A-Za-z][\w-]*", re.sub(r"\bitem\.name\b|\$\{(name|index)\}", "", source)):
                assert word.strip("-") in name, f"{bicep.path.name}: {kind}: {source} became {name}"


def test_outputs_agree() -> None:
    for bicep, template in pairs():
        compiled = {name: entry["type"] for name, entry in template.get("outputs", {}).items()}
        assert compiled == bicep.outputs, bicep.path


def test_modules_get_the_same_parameters_and_all_that_they_need() -> None:
    for bicep, template in pairs():
        nested = [r for r in template["resources"] if r["type"] == "Microsoft.Resources/deployments"]
        for (file, _, given), resource in zip(bicep.modules, nested, strict=True):
            properties = resource["properties"]
            assert set(properties["parameters"]) == given, file
            inner = properties["template"]["parameters"]
            assert {n for n, p in inner.items() if "defaultValue" not in p} <= given <= set(inner), file


def test_policy_texts_are_those_of_the_policies_folder() -> None:
    for bicep, template in pairs():
        texts = [v for k, v in template.get("variables", {}).items() if k.startswith("$fxv#")]
        expected = [(bicep.path.parent / path).read_text(encoding="utf-8") for path in bicep.loaded]
        assert sorted(texts) == sorted(expected), bicep.path


def test_every_policy_of_the_folder_is_deployed() -> None:
    loaded = {(b.path.parent / path).resolve() for b, _ in pairs() for path in b.loaded}
    assert loaded == set((ROOT / "policies").glob("*/*.xml"))


def test_the_template_is_current() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "compile_infra.py"), "--check"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr


@pytest.mark.skipif(shutil.which("bicep") is None, reason="no Bicep compiler on PATH")
def test_the_real_compiler_emits_the_same() -> None:
    command = ["bicep", "build", str(INFRA / "main.bicep"), "--stdout"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stderr
    assert _comparable(json.loads(run.stdout)) == _comparable(compiled_template())


def _comparable(template: Any) -> Any:
    """Without what differs between compilers: generator, deployment api-version, order of dependencies."""
    if isinstance(template, list):
        return [_comparable(item) for item in template]
    if not isinstance(template, dict):
        return (
            re.sub(r"'20\d\d-\d\d-\d\d'\)\.outputs", "').outputs", template) if isinstance(template, str) else template
        )
    out = {k: _comparable(v) for k, v in template.items() if not (k == "metadata" and "_generator" in v)}
    if out.get("type") == "Microsoft.Resources/deployments":
        out.pop("apiVersion")
    if "dependsOn" in out:
        out["dependsOn"] = sorted(out["dependsOn"])
    return out
