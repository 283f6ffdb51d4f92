"""What the embedded Azure says of itself in its docstrings: where its behaviour is from, and what is assumed.

Reads source text only; nothing is imported.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_SECTION = re.compile(r"^(Assumed|Source|Sources|Args|Returns|Raises|Yields|Shapes)\b[^:]{0,20}:")


@dataclass(frozen=True)
class Statement:
    """One `Assumed:` or `Source:` paragraph. `place` is the dotted name of what it documents, below the package."""

    place: str
    text: str


def statements(word: str, folder: Path = ROOT / "simulator") -> list[Statement]:
    """All paragraphs that begin with `word` and a colon, by place."""
    found = []
    for file in sorted(folder.rglob("*.py")):
        module = ".".join(file.relative_to(folder).with_suffix("").parts).removesuffix(".__init__")
        source = file.read_text(encoding="utf-8")
        tree = ast.parse(source)
        for place, text in (*_docstrings(tree, module), *_comments(source, tree, module)):
            found += [Statement(place, paragraph) for paragraph in _paragraphs(text, word)]
    return found


def first_lines(folder: Path = ROOT / "simulator") -> dict[str, str]:
    """The first sentence of every package's docstring, by name."""
    lines = {}
    for file in sorted(folder.glob("*/__init__.py")):
        text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
        lines[file.parent.name] = " ".join(text.partition("\n\n")[0].split())
    return lines


def _docstrings(tree: ast.AST, place: str) -> Iterator[tuple[str, str]]:
    """Docstrings of a module, its classes and functions, and the strings that document a constant or a field."""
    if isinstance(tree, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        text = ast.get_docstring(tree)
        if text:
            yield place, text
        before: ast.stmt | None = None
        for node in tree.body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                yield from _docstrings(node, f"{place}.{node.name}")
            elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and before is not None:
                name = _assigned(before)
                if name and isinstance(node.value.value, str):
                    yield f"{place}.{name}", node.value.value
            before = node


def _assigned(node: ast.stmt) -> str | None:
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return node.target.id
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id
    return None


def _comments(source: str, tree: ast.Module, module: str) -> Iterator[tuple[str, str]]:
    """Blocks of whole-line comments, by the function they are in."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    block: list[str] = []
    for number, line in enumerate([*source.splitlines(), ""], 1):
        stripped = line.strip()
        if stripped.startswith("#"):
            block.append(stripped.lstrip("# "))
        elif block:
            around = [f for f in functions if f.lineno <= number <= (f.end_lineno or f.lineno)]
            inner = max(around, key=lambda f: f.lineno, default=None)
            yield f"{module}.{inner.name}" if inner is not None else module, "\n".join(block)
            block = []


def _paragraphs(text: str, word: str) -> Iterator[str]:
    """What is said after `word` up to the paragraph's end; before it, where it stands at the end of a sentence."""
    paragraph: list[str] = []
    for line in [*text.splitlines(), ""]:
        stripped = line.strip()
        if stripped and not _SECTION.match(stripped):
            paragraph.append(stripped)
            continue
        whole = " ".join(paragraph)
        paragraph = [stripped] if stripped else []
        marked = re.search(rf"(?:^|(?<=[.;] )){word}(:|,|;| throughout;|\.|$)\s*(.*)", whole)
        if marked is None:
            continue
        if marked[1] in (".", "") or (marked[1] == ";" and marked.start() > 0):
            said = re.split(r"(?<=[.;]) ", whole[: marked.start()].strip())[-1]
            yield f"{said} {marked[2]}".strip()
        else:
            yield marked[2]
