"""What can be typed behind `:` and picked in the palette: one line for each command.

A command answers None when done, or the sentence that says why not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from screens.fleet.arrange import SORT_BY_COLUMN

if TYPE_CHECKING:
    from screens.app import ConsoleApp

Run = Callable[["ConsoleApp", str], str | None]
Complete = Callable[["ConsoleApp"], Sequence[str]]


def _no_choices(app: ConsoleApp) -> Sequence[str]:
    return ()


@dataclass(frozen=True, slots=True)
class Command:
    """`argument` names what follows, in brackets when it may be left out; empty when nothing does.

    One that `writes` is absent where the profile is read-only.
    """

    name: str
    aliases: tuple[str, ...]
    argument: str
    summary: str
    run: Run
    choices: Complete = _no_choices
    writes: bool = False

    @property
    def needs_argument(self) -> bool:
        """Whether it does nothing without an argument."""
        return bool(self.argument) and not self.argument.startswith("[")


def _backend_names(app: ConsoleApp) -> Sequence[str]:
    return [status.name for status in app.snapshot.backends]


def _open_backend(app: ConsoleApp, name: str) -> str | None:
    if app.snapshot.backend(name) is None:
        return f"no backend is called “{name}”"
    app.open_backend(name)
    return None


def _drained_names(app: ConsoleApp) -> Sequence[str]:
    gateway = app.snapshot.gateway
    listed = gateway.drained_backends if gateway is not None else ()
    return sorted({drain.backend_name for drain in app.snapshot.drains} | set(listed))


def _drain(app: ConsoleApp, name: str) -> str | None:
    app.open_drain(name, "drain")
    return None


def _restore(app: ConsoleApp, name: str) -> str | None:
    app.open_drain(name, "restore")
    return None


def _drains(app: ConsoleApp, _: str) -> str | None:
    from screens.drain.standing import show_drains

    show_drains(app)
    return None


def _journal(app: ConsoleApp, _: str) -> str | None:
    from screens.drain.standing import show_journal

    show_journal(app)
    return None


def _sort(app: ConsoleApp, column: str) -> str | None:
    app.show_fleet().action_sort(column)
    return None


def _filter(app: ConsoleApp, text: str) -> str | None:
    app.show_fleet().set_filter(text)
    return None


def _fleet(app: ConsoleApp, _: str) -> str | None:
    app.show_fleet()
    return None


def _group(app: ConsoleApp, _: str) -> str | None:
    app.show_fleet().action_group()
    return None


def _refresh(app: ConsoleApp, _: str) -> str | None:
    app.action_refresh()
    return None


def _pause(app: ConsoleApp, _: str) -> str | None:
    app.action_pause()
    return None


def _save(app: ConsoleApp, _: str) -> str | None:
    app.action_save()
    return None


def _help(app: ConsoleApp, _: str) -> str | None:
    app.action_help()
    return None


def _problems(app: ConsoleApp, _: str) -> str | None:
    app.show_problems()
    return None


def _theme(app: ConsoleApp, name: str) -> str | None:
    app.theme = f"genaigw-{name}"
    return None


def _quit(app: ConsoleApp, _: str) -> str | None:
    app.exit(0)
    return None


def _deploy(app: ConsoleApp, _: str) -> str | None:
    app.call_later(app.action_deploy)
    return None


def _fragments(app: ConsoleApp, folder: str) -> str | None:
    from pathlib import Path

    path = Path(folder).expanduser() if folder else None
    if path is not None and not path.is_dir():
        return f"there is no folder “{folder}”"
    app.open_fragments(path)
    return None


def _triage(app: ConsoleApp, _: str) -> str | None:
    app.action_triage()
    return None


def _activity(app: ConsoleApp, _: str) -> str | None:
    app.action_activity()
    return None


def _query(app: ConsoleApp, text: str) -> str | None:
    app.open_query(text)
    return None


def _report(app: ConsoleApp, _: str) -> str | None:
    from screens.triage.reporting import write_draft

    return write_draft(app)


def _seek(app: ConsoleApp, text: str) -> str | None:
    from console.commands.replay import parse_moment
    from console.errors import ConsoleError
    from console.replay import ReplayEngine

    engine = app.engine
    if not isinstance(engine, ReplayEngine):
        return "only a replay can seek; this is live"
    try:
        engine.seek(parse_moment(text, engine))
    except ConsoleError as error:
        return error.line
    return None


def _speed(app: ConsoleApp, text: str) -> str | None:
    from console.replay import ReplayEngine

    engine = app.engine
    if not isinstance(engine, ReplayEngine):
        return "only a replay has a speed; this is live"
    try:
        factor = float(text.rstrip("x"))
    except ValueError:
        return f"“{text}” is no number"
    if not 0.1 <= factor <= 600:
        return "a speed is between 0.1 and 600"
    engine.speed = factor
    return None


COMMANDS: tuple[Command, ...] = (
    Command("fleet", ("fl", "backends"), "", "Every backend of the gateway", _fleet),
    Command("backend", ("b", "be"), "NAME", "Open one backend", _open_backend, _backend_names),
    Command("triage", ("t",), "", "What is wrong, since when, for whom, what to do", _triage),
    Command("activity", ("a",), "", "What somebody changed", _activity),
    Command("query", ("kql",), "[KQL]", "A query over the gateway's logs, by name or one's own", _query),
    Command("report", ("rep",), "", "Write a post-mortem draft with charts", _report),
    Command("seek", (), "HH:MM", "Another moment of a replay: 14:05, +10m, -5m", _seek),
    Command("speed", (), "FACTOR", "How fast a replay runs", _speed),
    Command("drain", ("d",), "NAME", "Take a backend out of traffic", _drain, _backend_names, writes=True),
    Command("restore", ("undrain",), "NAME", "Put a drained backend back", _restore, _drained_names, writes=True),
    Command("drains", (), "", "Every drain and how it stands", _drains),
    Command("journal", ("j",), "", "What was written to Azure, newest first", _journal),
    Command("deploy", ("dep", "D"), "", "Deploy a gateway, step by step", _deploy),
    Command("fragments", ("f", "frag"), "[DIR]", "Fragments and policies, local and deployed", _fragments),
    Command("filter", ("fi",), "[WORDS]", "Show rows with all words, !word hides", _filter),
    Command("sort", ("so",), "COLUMN", "Sort the fleet", _sort, lambda app: tuple(SORT_BY_COLUMN)),
    Command("group", ("g",), "", "Group by pool and route, or one flat list", _group),
    Command("refresh", ("r",), "", "Fetch everything now", _refresh),
    Command("pause", ("p",), "", "Let the feeds rest, or go on", _pause),
    Command("problems", ("err",), "", "What the console itself could not do", _problems),
    Command("save", ("w",), "", "Save what is seen as text and CSV", _save),
    Command("theme", ("th",), "NAME", "Dark or light", _theme, lambda app: ("dark", "light")),
    Command("help", ("h", "?"), "", "Every key of this screen", _help),
    Command("quit", ("q", "q!", "exit"), "", "Leave", _quit),
)


def offered(app: ConsoleApp) -> list[Command]:
    """The commands there are: without those that write, where nothing may be written."""
    return [c for c in COMMANDS if not (c.writes and app.snapshot.is_read_only)]


def find(word: str) -> Command | None:
    """The command with this name or alias."""
    return next((command for command in COMMANDS if word == command.name or word in command.aliases), None)


def check(app: ConsoleApp, line: str) -> str | None:
    """Why a typed line cannot be run, None when it can."""
    word, _, argument = line.strip().partition(" ")
    argument = argument.strip()
    if not word:
        return None
    command = find(word)
    if command is not None and command.writes and app.snapshot.is_read_only:
        return "this console is read-only"
    if command is None:
        close = get_close_matches(word, [c.name for c in offered(app)], n=1)
        return f"no command “{word}”" + (f"; did you mean {close[0]}?" if close else "; Tab shows them")
    if argument and not command.argument:
        return f"{command.name} takes nothing behind it"
    if command.needs_argument and not argument:
        return f"{command.name} needs {command.argument}"
    choices = command.choices(app)
    if argument and choices and argument not in choices:
        close = get_close_matches(argument, choices, n=1)
        rest = f"did you mean {close[0]}?" if close else f"there are {', '.join(choices[:8])}"
        return f"{command.name} knows no “{argument}”; {rest}"
    return None


def execute(app: ConsoleApp, line: str) -> str | None:
    """Run a typed line. Returns the sentence that says why not, None when done."""
    error = check(app, line)
    word, _, argument = line.strip().partition(" ")
    command = find(word)
    if error is not None or command is None:
        return error
    return command.run(app, argument.strip())


def complete(app: ConsoleApp, line: str) -> list[tuple[str, str]]:
    """What the line could become: whole lines with a word about each, best first."""
    word, space, rest = line.lstrip().partition(" ")
    if not space:
        known = [c for c in offered(app) if c.name.startswith(word) or word in c.aliases]
        known.sort(key=lambda c: word not in (c.name, *c.aliases))
        return [(f"{c.name} " if c.argument else c.name, _usage(c)) for c in known]
    command = find(word)
    if command is None:
        return []
    wanted = rest.strip().casefold()
    choices = command.choices(app)
    ranked = [c for c in choices if c.casefold().startswith(wanted)]
    ranked += [c for c in choices if wanted in c.casefold() and c not in ranked]
    return [(f"{command.name} {choice}", "") for choice in ranked]


def _usage(command: Command) -> str:
    argument = f"{command.argument} · " if command.argument else ""
    aliases = f" ({', '.join(command.aliases)})" if command.aliases else ""
    return f"{argument}{command.summary}{aliases}"
