"""Every key and what it does, read from the bindings themselves: the help dialog and docs/keys.md.

`python -m screens.keys [FILE]` writes the document (to standard output without a file).
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from textual.app import App
from textual.binding import Binding
from textual.dom import DOMNode
from textual.keys import format_key
from textual.screen import Screen

from screens.dialogs.reader import Entry

_NAMES = {
    "escape": "Esc",
    "enter": "Enter",
    "space": "Space",
    "tab": "Tab",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "home": "Home",
    "end": "End",
    "pageup": "PgUp",
    "pagedown": "PgDn",
}


def key_words(key: str) -> str:
    """A key as people write it: `Ctrl-R`, `Shift-U`, `/`."""
    parts = key.split("+")
    last = parts[-1]
    named = _NAMES.get(last) or format_key(last)
    if len(named) == 1 and named.isalpha() and named.isupper():
        named = f"Shift-{named}"
    elif len(parts) > 1 and len(named) == 1:
        named = named.upper()
    return "-".join([*(part.capitalize() for part in parts[:-1]), named])


def own_bindings(node_type: type[DOMNode]) -> list[Binding]:
    """The bindings a class writes down itself, those with an id."""
    declared = node_type.__dict__.get("BINDINGS", [])
    return [binding for binding in declared if isinstance(binding, Binding) and binding.id is not None]


def _entry(heading: str, keys: Iterable[str], binding: Binding) -> Entry:
    return Entry(heading, " ".join(key_words(key) for key in keys), binding.tooltip or binding.description)


def entries_of(screen: Screen[object]) -> list[Entry]:
    """The keys that work on a screen now, by where they work; keys of one binding together."""
    found: dict[str, tuple[str, list[str], Binding]] = {}
    for key, active in screen.active_bindings.items():
        binding = active.binding
        if binding.id is None or not active.enabled:
            continue
        heading = "Everywhere" if isinstance(active.node, App) else getattr(type(active.node), "TITLE_WORDS", "Table")
        found.setdefault(binding.id, (heading or "Table", [], binding))[1].append(key)
    return [_entry(heading, keys, binding) for heading, keys, binding in found.values()]


def all_entries() -> list[Entry]:
    """Every key of every screen, in reading order."""
    from screens.activity.screen import ActivityScreen
    from screens.app import ConsoleApp
    from screens.backend.screen import BackendScreen
    from screens.deploy.form import AnswerInput
    from screens.deploy.screen import DeployScreen
    from screens.dialogs.confirm import Confirm
    from screens.dialogs.prompt import Prompt, PromptInput
    from screens.dialogs.reader import Reader, ReaderInput
    from screens.drain.dialog import DrainDialog, ReasonInput
    from screens.fleet.screen import FilterInput, FleetScreen
    from screens.fragments.dialog import DeployDialog, DeployReason
    from screens.fragments.screen import FragmentsScreen
    from screens.query.screen import KqlEditor, QueryScreen
    from screens.triage.screen import TriageScreen
    from screens.welcome.screen import WelcomeScreen
    from screens.widgets.grid import Grid

    rooms: list[tuple[str, tuple[type[DOMNode], ...]]] = [
        ("Everywhere", (ConsoleApp,)),
        ("Fleet", (FleetScreen,)),
        ("Table", (Grid,)),
        ("Filter", (FilterInput,)),
        ("Backend", (BackendScreen,)),
        ("Triage", (TriageScreen,)),
        ("Activity", (ActivityScreen,)),
        ("Query", (QueryScreen, KqlEditor)),
        ("Drain", (DrainDialog, ReasonInput)),
        ("Fragments", (FragmentsScreen,)),
        ("Deploy", (DeployDialog, DeployReason)),
        ("Deployment", (DeployScreen, AnswerInput)),
        ("Welcome", (WelcomeScreen,)),
        ("Command prompt", (Prompt, PromptInput)),
        ("Help", (Reader, ReaderInput)),
        ("Question", (Confirm,)),
    ]
    return [
        _entry(heading, binding.key.split(","), binding)
        for heading, types in rooms
        for node_type in types
        for binding in own_bindings(node_type)
    ]


def document() -> str:
    """docs/keys.md."""
    from screens.commands import COMMANDS

    lines = [
        "# Keys and commands",
        "",
        "Generated from the bindings by `make docs`; a test compares the two.",
        "",
    ]
    heading = None
    for entry in all_entries():
        if entry.heading != heading:
            heading = entry.heading
            lines += ["", f"## {heading}", "", "| key | does |", "|---|---|"]
        keys = " ".join(f"`{key}`" for key in entry.term.split(" "))
        lines.append(f"| {keys} | {entry.words.replace('|', chr(92) + '|')} |")
    lines += ["", "## Commands (`:`)", "", "| command | aliases | does |", "|---|---|---|"]
    for command in COMMANDS:
        name = f"{command.name} {command.argument}".strip()
        lines.append(f"| `{name}` | {', '.join(f'`{a}`' for a in command.aliases)} | {command.summary} |")
    text = "\n".join(lines) + "\n"
    return text.replace("\n\n\n", "\n\n")


def main(arguments: list[str]) -> int:
    """Write the document. Returns the exit code."""
    if arguments:
        path = Path(arguments[0])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(document(), encoding="utf-8")
    else:
        sys.stdout.write(document())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
