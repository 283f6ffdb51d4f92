"""The closures that call into the library tables: the hot path of every evaluation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from apimpolicy.expressions.errors import CsException, null_reference
from apimpolicy.expressions.nodes import (
    Frame,
    Run,
)
from apimpolicy.expressions.values import check_text


def guarded_runtime(run: Run, get: Callable[..., Any]) -> Run:
    """A property whose getter takes the runtime; null raises NullReferenceException."""

    def read(f: Frame) -> Any:
        target = run(f)
        if target is None:
            raise null_reference()
        return get(f[0], target)

    return read


def measured(run: Run) -> Run:
    """Long strings cost steps, so that a loop over them cannot outrun the budget."""

    def call(f: Frame) -> Any:
        value = run(f)
        if type(value) is str and len(value) > 4096:
            check_text(len(value))
            f[0].charge(len(value) >> 10)
        return value

    return call


def with_outs(run: Run, stores: list[Callable[[Frame, Any], None]]) -> Run:
    """A call that gives (result, *outs): the outs are stored, the result stays."""

    def call(f: Frame) -> Any:
        values = run(f)
        for store, value in zip(stores, values[1:], strict=True):
            store(f, value)
        return values[0]

    return call


def _from_null(error: Exception, values: Sequence[Any]) -> Exception:
    """What a library function's stumble over a null argument is in C#; any other error is ours and stays."""
    if any(value is None for value in values):
        return CsException("ArgumentNullException", "Value cannot be null.")
    return error


def call_run(work: Callable[..., Any], runs: list[Run], guard: int) -> Run:
    """A closure that evaluates `runs` in order and calls `work`; position `guard` must not be null."""
    if guard == 0:
        return _guarded_first(work, runs)
    if len(runs) == 0:
        return lambda f: work()
    if len(runs) == 1 and guard < 0:
        return _call_one(work, runs[0])

    def call(f: Frame) -> Any:
        values = [run(f) for run in runs]
        if guard >= 0 and values[guard] is None:
            raise null_reference()
        try:
            return work(*values)
        except (TypeError, AttributeError) as error:
            raise _from_null(error, values) from None

    return call


def _call_one(work: Callable[..., Any], a: Run) -> Run:
    def call(f: Frame) -> Any:
        value = a(f)
        try:
            return work(value)
        except (TypeError, AttributeError) as error:
            raise _from_null(error, (value,)) from None

    return call


def _guarded_first(work: Callable[..., Any], runs: list[Run]) -> Run:
    a = runs[0]
    if len(runs) == 1:

        def one(f: Frame) -> Any:
            target = a(f)
            if target is None:
                raise null_reference()
            return work(target)

        return one
    if len(runs) == 2:
        b = runs[1]

        def two(f: Frame) -> Any:
            target = a(f)
            argument = b(f)
            if target is None:
                raise null_reference()
            try:
                return work(target, argument)
            except (TypeError, AttributeError) as error:
                raise _from_null(error, (argument,)) from None

        return two
    rest = runs[1:]

    def many(f: Frame) -> Any:
        target = a(f)
        values = [run(f) for run in rest]
        if target is None:
            raise null_reference()
        try:
            return work(target, *values)
        except (TypeError, AttributeError) as error:
            raise _from_null(error, values) from None

    return many
