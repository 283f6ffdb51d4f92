"""The command line: the composition root, the only place that knows the screens.

Commands live in `console.commands`, one file each, and are imported when they are called: starting must be cheap.
Every error is one line on standard error; a traceback goes to `--debug-log` only.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from console.errors import ConsoleError

if TYPE_CHECKING:
    from console.commands.setting import Setting
    from console.engine import Engine
    from console.replay import ReplayEngine
    from console.simulator_process import SimulatorOptions

COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("console.cli:demo", "Look around in an embedded Azure; nothing to sign in to."),
    "simulate": ("console.commands.simulate:simulate", "Run the embedded Azure alone."),
    "status": ("console.commands.status:status", "Every backend with its health and figures."),
    "triage": ("console.commands.triage:triage", "What is wrong, since when, for whom, and what to do."),
    "query": ("console.commands.query:query", "KQL over the gateway's logs, by name or one's own."),
    "report": ("console.commands.report:report", "A post-mortem draft of the last hour, with charts."),
    "record": ("console.commands.record:record", "Keep what is seen in a file."),
    "replay": ("console.commands.replay:replay", "Show a recording again, clearly not live."),
    "drain": ("console.commands.drain:drain", "Take a backend out of traffic, with guards and proof."),
    "restore": ("console.commands.restore:restore", "Put a drained backend back exactly as it was."),
    "drains": ("console.commands.drains:drains", "Every drain on the gateway and how it stands."),
    "fragments": ("console.commands.fragments:fragments", "Fragments and policies, from lint to rollback."),
    "journal": ("console.commands.journal:journal", "What was written to Azure, by whom and why."),
    "deploy": ("console.commands.deploy:deploy", "Deploy a gateway: checks, what-if, deployment, proof."),
    "profiles": ("console.commands.profiles:profiles", "List, add, choose and show profiles."),
    "doctor": ("console.commands.doctor:doctor", "Check profile, sign-in, permissions and data sources."),
}
"""Name -> (where it lives, what it does), in the order of the help."""

INTERRUPTED_EXIT_CODE = 130
COLLECT_AFTER_OBJECTS = 50_000
"""New objects between two runs of Python's cycle collector: modules being imported are no garbage to look through."""


class LazyGroup(click.Group):
    """A group that imports a command when it is called, and for its help shows what `COMMANDS` says."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; a wrong name gets the closest right one."""
        import difflib

        name = args[0] if args else ""
        if name and name not in COMMANDS:
            close = difflib.get_close_matches(name, COMMANDS, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise click.UsageError(f"There is no command {name!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--profile", "profile_name", envvar="GENAIGW_PROFILE", metavar="P", help="Which profile to use.")
@click.option("--profile-file", type=click.Path(path_type=Path), metavar="F", help="Where the profiles are.")
@click.option("--read-only", is_flag=True, help="Offer and allow no writes.")
@click.option(
    "--debug-log", type=click.Path(path_type=Path), metavar="F", help="Log requests and tracebacks, redacted."
)
@click.version_option(package_name="genaigw-console", prog_name="genaigw-console")
@click.pass_context
def cli(
    context: click.Context, profile_name: str | None, profile_file: Path | None, read_only: bool, debug_log: Path | None
) -> None:
    """Operate a GenAI gateway: API Management in front of Azure OpenAI.

    Without a command: the screens, on the default profile; one plain-text snapshot when the output is no terminal.
    """
    from console.commands.setting import Setting

    logging.getLogger().addHandler(logging.NullHandler())
    if debug_log is not None:
        from console.azure.session import open_debug_log

        open_debug_log(debug_log)
    context.obj = Setting(profile_name, profile_file, read_only)
    if context.invoked_subcommand is None:
        context.exit(_open_console(context.obj))


def _open_console(setting: Setting) -> int:
    """The screens on the chosen profile, the welcome screen without one, or a snapshot without a terminal."""
    if not _is_terminal():
        from console.commands.status import print_snapshot

        return asyncio.run(print_snapshot(setting.profile(), as_json=False))
    if not setting.has_profiles():
        return _run_screens(None, setting, starts_demo=False)
    from console.engine import open_engine

    return _run_screens(open_engine(setting.profile()), setting)


def run_replay(engine: ReplayEngine) -> int:
    """The screens on a recording. Returns the exit code."""
    from screens.app import run_replay as run

    return run(engine)


def _run_screens(
    engine: Engine | None, setting: Setting, *, options: SimulatorOptions | None = None, starts_demo: bool = False
) -> int:
    from screens.app import run_app

    with _DemoOpener(setting, options) as opener:
        return run_app(engine, open_demo=opener.open, profile_path=str(setting.path), starts_demo=starts_demo)


class _DemoOpener:
    """Opens the embedded Azure when asked, and ends it when the screens are left."""

    def __init__(self, setting: Setting, options: SimulatorOptions | None) -> None:
        self._setting = setting
        self._options = options
        self._process: Any = None

    async def open(self, on_progress: Callable[[float], None]) -> Engine:
        """Start the embedded Azure beside the event loop, then an engine on it."""
        from console.commands.setting import demo_profile
        from console.engine import open_engine
        from console.simulator_process import SimulatorOptions, SimulatorProcess

        loop = asyncio.get_running_loop()
        self.close()
        self._process = SimulatorProcess(self._options or SimulatorOptions())

        def tell(share: float) -> None:
            loop.call_soon_threadsafe(on_progress, share)

        ready = await asyncio.to_thread(self._process.start, tell)
        return open_engine(self._setting.adjusted(demo_profile(ready)))

    def close(self) -> None:
        """End the embedded Azure, if there is one."""
        process, self._process = self._process, None
        if process is not None:
            process.stop()

    def __enter__(self) -> _DemoOpener:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _simulator_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(
        (
            click.option("--scenario", default="", metavar="S", help="A scenario's name, or a path to one."),
            click.option("--seed", type=int, metavar="N", help="Equal seeds give equal worlds."),
            click.option("--history", default="", metavar="60m", help="How long the world has been running."),
            click.option("--lag", type=click.Choice(["brisk", "real"]), help="How late logs are."),
        )
    ):
        command = option(command)
    return command


@click.command()
@_simulator_options
@click.option("--json", "as_json", is_flag=True, help="Print one snapshot as JSON.")
@click.pass_obj
def demo(setting: Setting, scenario: str, seed: int | None, history: str, lag: str | None, as_json: bool) -> None:
    """Look around in an embedded Azure; nothing to sign in to.

    In a terminal it opens the screens; otherwise, and with --json, it prints one snapshot.
    """
    from console.simulator_process import SimulatorOptions

    options = SimulatorOptions(scenario=scenario, seed=seed, history=history, lag=lag or "")
    if as_json or not _is_terminal():
        raise SystemExit(_print_demo(setting, options, as_json=as_json))
    raise SystemExit(_run_screens(None, setting, options=options, starts_demo=True))


def _print_demo(setting: Setting, options: SimulatorOptions, *, as_json: bool) -> int:
    from console.commands.progress import show_progress
    from console.commands.setting import demo_profile
    from console.commands.status import print_snapshot
    from console.simulator_process import SimulatorProcess

    with SimulatorProcess(options) as process:
        with show_progress("Building the embedded Azure") as on_progress:
            ready = process.start(on_progress)
        return asyncio.run(print_snapshot(setting.adjusted(demo_profile(ready)), as_json=as_json))


def _is_terminal() -> bool:
    return sys.stdout.isatty() and sys.stdin.isatty()


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and end the process with its exit code."""
    gc.set_threshold(COLLECT_AFTER_OBJECTS, 10, 10)
    raise SystemExit(_outcome(lambda: cli.main(args=arguments, standalone_mode=False, auto_envvar_prefix="GENAIGW")))


def _outcome(run: Callable[[], Any]) -> int:
    """The exit code of a command, with what went wrong told in one line."""
    try:
        result = run()
    except ConsoleError as error:
        logging.getLogger(__name__).info("the command failed", exc_info=error)
        _tell(error.line)
        return error.exit_code
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED_EXIT_CODE
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else 0
    except Exception as error:
        logging.getLogger(__name__).exception("the command failed unexpectedly")
        _tell(
            f"Something unexpected went wrong: {type(error).__name__}. Run again with --debug-log FILE and look there."
        )
        return 1
    return result if isinstance(result, int) else 0


def _tell(line: str) -> None:
    from console.status_text import printable

    click.echo(f"Error: {printable(line)}", err=True)


if __name__ == "__main__":
    main()
