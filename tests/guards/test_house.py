"""The rules of the house that import contracts cannot say."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("console", "screens", "simulator", "apimpolicy")


def sources(*packages: str) -> list[Path]:
    found = [path for package in packages for path in sorted((ROOT / package).rglob("*.py"))]
    assert found, f"no sources below {packages}"
    return found


def offenders(pattern: str, files: list[Path], allowed: tuple[str, ...] = ()) -> list[str]:
    regex = re.compile(pattern, re.MULTILINE)
    return [
        f"{path.relative_to(ROOT)}:{text.count(chr(10), 0, match.start()) + 1}: {match.group(0).strip()}"
        for path in files
        if str(path.relative_to(ROOT)) not in allowed
        for text in [path.read_text(encoding="utf-8")]
        for match in regex.finditer(text)
    ]


def test_only_the_clock_asks_the_machine_for_the_time() -> None:
    pattern = r"datetime\.(now|utcnow|today)\(|\btime\.(time|time_ns)\("
    allowed = ("console/clock.py", "simulator/server.py", "simulator/__main__.py")
    assert offenders(pattern, sources(*PACKAGES), allowed) == []


def test_nobody_asks_whether_this_is_a_demo() -> None:
    assert offenders(r"\bif .*\b(is_)?demo\b.*:", sources("console/azure", "console/feeds", "console/domain")) == []


def test_the_console_and_the_screens_never_import_the_wrong_rooms() -> None:
    assert offenders(r"^\s*(import|from) textual", sources("console")) == []
    only_root = [path for path in sources("console") if path.name != "cli.py"]
    assert offenders(r"^\s*(import|from) (screens|simulator)\b", only_root) == []


def test_no_rooms_without_a_subject() -> None:
    vague = {"utils", "helpers", "manager", "common", "misc"}
    assert [str(p.relative_to(ROOT)) for p in sources(*PACKAGES) if p.stem in vague or p.parent.name in vague] == []


def test_nothing_swallows_every_error() -> None:
    assert offenders(r"except( Exception| BaseException)?:\n\s*(pass|continue)\b", sources(*PACKAGES)) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_every_module_says_what_it_is(package: str) -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in sources(package)
        if path.read_text(encoding="utf-8").strip() and not path.read_text(encoding="utf-8").lstrip().startswith('"""')
    ]
    assert silent == []


def test_the_command_line_starts_without_heavy_imports() -> None:
    """First paint comes before Microsoft's clients, the simulator and its database are imported."""
    script = (
        "import sys, console.cli; "
        "heavy = {'azure', 'aiohttp', 'duckdb', 'textual', 'tree_sitter', 'simulator', 'screens', 'numpy'}; "
        "print(','.join(sorted({m.split('.')[0] for m in sys.modules} & heavy)))"
    )
    out = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert out.stdout.strip() == ""


@pytest.mark.skipif(shutil.which("git") is None or not (ROOT / ".git").exists(), reason="needs a git checkout")
def test_the_project_names_no_machine() -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
    )
    texts = [ROOT / name for name in tracked.stdout.split("\0") if name]
    homes = re.compile("|".join(f"/{name}/" for name in ("work", "root", "home/[a-z]+", "Users/[A-Za-z]+")))
    hits = [
        str(path.relative_to(ROOT))
        for path in texts
        if path.is_file() and homes.search(path.read_text(encoding="utf-8", errors="replace"))
    ]
    assert hits == []
