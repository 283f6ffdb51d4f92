"""Progress of something slow, on standard error and only where a person sees it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click


@contextmanager
def show_progress(what: str) -> Iterator[Callable[[float], None]]:
    """Yield a function that shows a share from 0 to 1 in place; nothing is printed when standard error is no
    terminal.
    """
    if not sys.stderr.isatty():
        yield lambda share: None
        return

    def show(share: float) -> None:
        click.echo(f"\r{what} {share:4.0%}", err=True, nl=False)

    show(0.0)
    try:
        yield show
    finally:
        click.echo("\r\x1b[K", err=True, nl=False)
