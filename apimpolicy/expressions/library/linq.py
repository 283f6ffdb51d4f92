"""LINQ over any sequence. Lazy where C# is lazy; every element counts as a step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, Final

from apimpolicy.expressions.defaults import default_of
from apimpolicy.expressions.errors import CsException, argument_null, invalid_cast, invalid_operation, out_of_range
from apimpolicy.expressions.library.collections import sort_key
from apimpolicy.expressions.numbers import divide_decimal, fit_decimal
from apimpolicy.expressions.runtime_types import describe, dotnet_name, instance_check
from apimpolicy.expressions.types import DEFINITIONS, CType, define, extend, strip_nullable
from apimpolicy.expressions.values import (
    Comparer,
    CsArray,
    CsDict,
    CsList,
    CsSet,
    Grouping,
    Ordered,
    Runtime,
    Sequence,
    check_items,
)

Types = tuple[CType, ...]
Fn = Callable[..., Any]


def _source(items: Any) -> Any:
    if items is None:
        raise argument_null("source")
    return items


def lazy(generate: Callable[..., Iterator[Any]]) -> Callable[..., Sequence]:
    """A LINQ operator out of a generator function: null is refused at once, the rest waits."""

    def operator(runtime: Runtime, items: Any, *rest: Any) -> Sequence:
        _source(items)
        return Sequence(lambda: generate(runtime, items, *rest))

    return operator


def _where(runtime: Runtime, items: Any, test: Fn) -> Iterator[Any]:
    return (one for one in runtime.each(items) if test(one))


def _where_index(runtime: Runtime, items: Any, test: Fn) -> Iterator[Any]:
    return (one for i, one in enumerate(runtime.each(items)) if test(one, i))


def _select(runtime: Runtime, items: Any, pick: Fn) -> Iterator[Any]:
    yield from map(pick, runtime.each(items))


def _select_index(runtime: Runtime, items: Any, pick: Fn) -> Iterator[Any]:
    return (pick(one, i) for i, one in enumerate(runtime.each(items)))


def _select_many(runtime: Runtime, items: Any, pick: Fn) -> Iterator[Any]:
    for one in runtime.each(items):
        yield from runtime.each(pick(one))


def _select_many_result(runtime: Runtime, items: Any, pick: Fn, result: Fn) -> Iterator[Any]:
    for one in runtime.each(items):
        for inner in runtime.each(pick(one)):
            yield result(one, inner)


def _skip(runtime: Runtime, items: Any, count: int) -> Iterator[Any]:
    return (one for i, one in enumerate(runtime.each(items)) if i >= count)


def _take(runtime: Runtime, items: Any, count: int) -> Iterator[Any]:
    if count <= 0:
        return
    for i, one in enumerate(runtime.each(items)):
        yield one
        if i + 1 >= count:
            return


def _skip_while(runtime: Runtime, items: Any, test: Fn) -> Iterator[Any]:
    skipping = True
    for one in runtime.each(items):
        skipping = skipping and test(one)
        if not skipping:
            yield one


def _take_while(runtime: Runtime, items: Any, test: Fn) -> Iterator[Any]:
    for one in runtime.each(items):
        if not test(one):
            return
        yield one


def _concat(runtime: Runtime, items: Any, more: Any) -> Iterator[Any]:
    yield from runtime.each(items)
    yield from runtime.each(more)


def _distinct(runtime: Runtime, items: Any, comparer: Comparer | None = None) -> Iterator[Any]:
    seen = CsSet(None, comparer)
    return (one for one in runtime.each(items) if seen.add(one))


def _union(runtime: Runtime, items: Any, more: Any, comparer: Comparer | None = None) -> Iterator[Any]:
    return _distinct(runtime, Sequence(lambda: _concat(runtime, items, more)), comparer)


def _intersect(runtime: Runtime, items: Any, more: Any, comparer: Comparer | None = None) -> Iterator[Any]:
    others = CsSet(None, comparer)
    for one in runtime.each(more):
        others.add(one)
    for one in _distinct(runtime, items, comparer):
        if others.place(one) in others.items:
            yield one


def _except(runtime: Runtime, items: Any, more: Any, comparer: Comparer | None = None) -> Iterator[Any]:
    others = CsSet(None, comparer)
    for one in runtime.each(more):
        others.add(one)
    for one in _distinct(runtime, items, comparer):
        if others.place(one) not in others.items:
            yield one


def _reverse(runtime: Runtime, items: Any) -> Iterator[Any]:
    yield from reversed(list(runtime.each(items)))


def _zip(runtime: Runtime, items: Any, more: Any, result: Fn) -> Iterator[Any]:
    return (result(a, b) for a, b in zip(runtime.each(items), runtime.each(more), strict=False))


def _append(runtime: Runtime, items: Any, one: Any) -> Iterator[Any]:
    yield from runtime.each(items)
    yield one


def _prepend(runtime: Runtime, items: Any, one: Any) -> Iterator[Any]:
    yield one
    yield from runtime.each(items)


def _default_if_empty(runtime: Runtime, types: Types, items: Any, *fallback: Any) -> Sequence:
    _source(items)

    def start() -> Iterator[Any]:
        found = False
        for one in runtime.each(items):
            found = True
            yield one
        if not found:
            yield fallback[0] if fallback else default_of(types[0])

    return Sequence(start)


def _cast(runtime: Runtime, types: Types, items: Any) -> Sequence:
    target = types[0]
    check = instance_check(strip_nullable(target))

    def start() -> Iterator[Any]:
        for one in runtime.each(items):
            if (one is None and not target.is_value) or (one is not None and check(one)):
                yield one
            elif one is None:
                raise CsException("NullReferenceException", "Object reference not set to an instance of an object.")
            else:
                raise invalid_cast(describe(one), dotnet_name(target))

    _source(items)
    return Sequence(start)


def _of_type(runtime: Runtime, types: Types, items: Any) -> Sequence:
    check = instance_check(strip_nullable(types[0]))
    _source(items)
    return Sequence(lambda: (one for one in runtime.each(items) if one is not None and check(one)))


# -- ordering --------------------------------------------------------------------------------------------------


def _ordered(runtime: Runtime, source: Any, keys: list[tuple[Any, bool, Any]]) -> Ordered:
    def start() -> Iterator[Any]:
        items = list(runtime.each(source))
        runtime.charge(len(items))
        try:
            for pick, descending, comparer in reversed(keys):
                rank = sort_key if comparer is None else comparer.order
                items.sort(key=lambda one: rank(pick(one)), reverse=descending)
        except TypeError:
            raise CsException("ArgumentException", "At least one object must implement IComparable.") from None
        return iter(items)

    return Ordered(start, source, keys)


def _order(descending: bool) -> Fn:
    def operator(runtime: Runtime, items: Any, pick: Fn, comparer: Comparer | None = None) -> Ordered:
        return _ordered(runtime, _source(items), [(pick, descending, comparer)])

    return operator


def _then(descending: bool) -> Fn:
    def operator(runtime: Runtime, items: Ordered, pick: Fn, comparer: Comparer | None = None) -> Ordered:
        return _ordered(runtime, _source(items).source, [*items.keys, (pick, descending, comparer)])

    return operator


# -- grouping and joining ----------------------------------------------------------------------------------------


def _groups(
    runtime: Runtime, types: Types, items: Any, pick: Fn, element: Fn | None, comparer: Comparer | None
) -> list[Grouping]:
    found: dict[Any, Grouping] = {}
    for one in runtime.each(_source(items)):
        key = pick(one)
        place = comparer.fold(key) if comparer is not None and key is not None else key
        group = found.get(place)
        if group is None:
            group = found[place] = Grouping(key, CsList((), types[2] if element is not None else types[0]))
        group.items.append(one if element is None else element(one))
    return list(found.values())


def _group_by(
    runtime: Runtime, types: Types, items: Any, pick: Fn, element: Fn | None = None, comparer: Any = None
) -> Sequence:
    _source(items)
    return Sequence(lambda: iter(_groups(runtime, types, items, pick, element, comparer)))


def _group_result(runtime: Runtime, types: Types, items: Any, pick: Fn, result: Fn) -> Sequence:
    _source(items)
    return Sequence(lambda: (result(g.key, g) for g in _groups(runtime, types, items, pick, None, None)))


def _join(runtime: Runtime, items: Any, inner: Any, outer_key: Fn, inner_key: Fn, result: Fn) -> Iterator[Any]:
    lookup: dict[Any, list[Any]] = {}
    for one in runtime.each(inner):
        lookup.setdefault(inner_key(one), []).append(one)
    for one in runtime.each(items):
        key = outer_key(one)
        for match in lookup.get(key, ()) if key is not None else ():
            runtime.step()
            yield result(one, match)


def _group_join(
    runtime: Runtime, types: Types, items: Any, inner: Any, outer_key: Fn, inner_key: Fn, result: Fn
) -> Sequence:
    def start() -> Iterator[Any]:
        lookup: dict[Any, list[Any]] = {}
        for one in runtime.each(inner):
            lookup.setdefault(inner_key(one), []).append(one)
        for one in runtime.each(items):
            yield result(one, CsList(lookup.get(outer_key(one), ()), types[1]))

    _source(items)
    return Sequence(start)


# -- to something ------------------------------------------------------------------------------------------------


def _to_list(runtime: Runtime, types: Types, items: Any) -> CsList:
    made = CsList(runtime.each(_source(items)), types[0])
    check_items(len(made))
    return made


def _to_array(runtime: Runtime, types: Types, items: Any) -> CsArray:
    made = CsArray(runtime.each(_source(items)), types[0])
    check_items(len(made))
    return made


def _to_dictionary(
    runtime: Runtime, types: Types, items: Any, key: Fn, value: Fn | None = None, comparer: Any = None
) -> CsDict:
    made = CsDict(types[1], types[2] if value is not None else types[0], comparer)
    for one in runtime.each(_source(items)):
        made.add(key(one), one if value is None else value(one))
    return made


def _to_set(runtime: Runtime, types: Types, items: Any, comparer: Comparer | None = None) -> CsSet:
    made = CsSet(types[0], comparer)
    for one in runtime.each(_source(items)):
        made.add(one)
    return made


# -- one element -------------------------------------------------------------------------------------------------

_EMPTY: Final = "Sequence contains no elements"
_NO_MATCH: Final = "Sequence contains no matching element"


def _first(runtime: Runtime, items: Any, test: Fn | None = None) -> Any:
    for one in runtime.each(_source(items)):
        if test is None or test(one):
            return one
    raise invalid_operation(_EMPTY if test is None else _NO_MATCH)


def _first_or_default(runtime: Runtime, types: Types, items: Any, test: Fn | None = None) -> Any:
    for one in runtime.each(_source(items)):
        if test is None or test(one):
            return one
    return default_of(types[0])


def _last(runtime: Runtime, items: Any, test: Fn | None = None) -> Any:
    found = [one for one in runtime.each(_source(items)) if test is None or test(one)]
    if not found:
        raise invalid_operation(_EMPTY if test is None else _NO_MATCH)
    return found[-1]


def _last_or_default(runtime: Runtime, types: Types, items: Any, test: Fn | None = None) -> Any:
    found = [one for one in runtime.each(_source(items)) if test is None or test(one)]
    return found[-1] if found else default_of(types[0])


def _single(runtime: Runtime, items: Any, test: Fn | None = None) -> Any:
    found = [one for one in runtime.each(_source(items)) if test is None or test(one)]
    if len(found) > 1:
        more = (
            "Sequence contains more than one element"
            if test is None
            else "Sequence contains more than one matching element"
        )
        raise invalid_operation(more)
    if not found:
        raise invalid_operation(_EMPTY if test is None else _NO_MATCH)
    return found[0]


def _single_or_default(runtime: Runtime, types: Types, items: Any, test: Fn | None = None) -> Any:
    found = [one for one in runtime.each(_source(items)) if test is None or test(one)]
    return _single(runtime, CsList(found)) if found else default_of(types[0])


def _element_at(runtime: Runtime, items: Any, index: int) -> Any:
    if index >= 0:
        for i, one in enumerate(runtime.each(_source(items))):
            if i == index:
                return one
    raise out_of_range(
        "index", "Index was out of range. Must be non-negative and less than the size of the collection."
    )


def _element_at_or_default(runtime: Runtime, types: Types, items: Any, index: int) -> Any:
    if index >= 0:
        for i, one in enumerate(runtime.each(_source(items))):
            if i == index:
                return one
    return default_of(types[0])


# -- questions and figures -----------------------------------------------------------------------------------------


def _any(runtime: Runtime, items: Any, test: Fn | None = None) -> bool:
    return any(True for one in runtime.each(_source(items)) if test is None or test(one))


def _all(runtime: Runtime, items: Any, test: Fn) -> bool:
    return all(test(one) for one in runtime.each(_source(items)))


def _count(runtime: Runtime, items: Any, test: Fn | None = None) -> int:
    return sum(1 for one in runtime.each(_source(items)) if test is None or test(one))


def _contains(runtime: Runtime, items: Any, wanted: Any, comparer: Comparer | None = None) -> bool:
    if comparer is not None and wanted is not None:
        place = comparer.fold(wanted)
        return any(one is not None and comparer.fold(one) == place for one in runtime.each(_source(items)))
    return any(one == wanted for one in runtime.each(_source(items)))


def _sequence_equal(runtime: Runtime, items: Any, other: Any) -> bool:
    return list(runtime.each(_source(items))) == list(runtime.each(_source(other)))


def _sum(kind: str, picked: bool) -> Fn:
    low, high = (-(2**31), 2**31 - 1) if kind == "int" else (-(2**63), 2**63 - 1)

    def run(runtime: Runtime, items: Any, *pick: Any) -> Any:
        values = runtime.each(_source(items))
        numbers = [v for v in (map(pick[0], values) if pick else values) if v is not None]
        if kind in ("double", "float"):
            return float(sum(numbers))
        if kind == "decimal":
            return fit_decimal(sum(numbers, Decimal(0)))
        total = sum(numbers)
        if not low <= total <= high:
            raise CsException("OverflowException", "Arithmetic operation resulted in an overflow.")
        return total

    return run


def _average(kind: str, optional: bool) -> Fn:
    def run(runtime: Runtime, items: Any, *pick: Any) -> Any:
        values = runtime.each(_source(items))
        numbers = [v for v in (map(pick[0], values) if pick else values) if v is not None]
        if not numbers:
            if optional:
                return None
            raise invalid_operation(_EMPTY)
        if kind == "decimal":
            return divide_decimal(sum(numbers, Decimal(0)), Decimal(len(numbers)))
        return float(sum(numbers)) / len(numbers)

    return run


def _extreme(largest: bool) -> Fn:
    """Min and Max: null elements are passed over; an empty sequence of values is an error, of references null."""

    def run(runtime: Runtime, types: Types, items: Any, *pick: Any) -> Any:
        values = runtime.each(_source(items))
        kind = types[-1]
        found = [v for v in (map(pick[0], values) if pick else values) if v is not None]
        if not found:
            if kind.is_value and kind.name != "Nullable":
                raise invalid_operation(_EMPTY)
            return None
        try:
            return (max if largest else min)(found, key=sort_key)
        except TypeError:
            raise CsException("ArgumentException", "At least one object must implement IComparable.") from None

    return run


def _aggregate(runtime: Runtime, items: Any, fold: Fn) -> Any:
    iterator = runtime.each(_source(items))
    try:
        value = next(iter(iterator))
    except StopIteration:
        raise invalid_operation(_EMPTY) from None
    rest = list(runtime.each(items))[1:]
    for one in rest:
        value = fold(value, one)
    return value


def _aggregate_seed(runtime: Runtime, items: Any, seed: Any, fold: Fn, result: Fn | None = None) -> Any:
    value = seed
    for one in runtime.each(_source(items)):
        value = fold(value, one)
    return value if result is None else result(value)


def _range(runtime: Runtime, start: int, count: int) -> Sequence:
    if count < 0 or start + count - 1 > 2**31 - 1:
        raise out_of_range("count", "Specified argument was out of the range of valid values.")
    return Sequence(lambda: iter(range(start, start + count)))


def _repeat(value: Any, count: int) -> Sequence:
    if count < 0:
        raise out_of_range("count", "Specified argument was out of the range of valid values.")
    return Sequence(lambda: (value for _ in range(count)))


define("IOrderedEnumerable<T>", kind="interface", bases=["IEnumerable<T>"], namespace="System.Linq")
define(
    "IGrouping<K, T>",
    kind="interface",
    bases=["IEnumerable<T>"],
    namespace="System.Linq",
    members={"K Key": lambda g: g.key},
)
define("ILookup<K, T>", kind="interface", bases=["IEnumerable<IGrouping<K, T>>"], namespace="System.Linq")
_E = "IEnumerable<T>"
_CMP = "IEqualityComparer<T>"
_TABLE: dict[str, Any] = {
    f"!{_E} Where<T>({_E}, Func<T, bool>)": lazy(_where),
    f"!{_E} Where<T>({_E}, Func<T, int, bool>)": lazy(_where_index),
    f"!IEnumerable<R> Select<T, R>({_E}, Func<T, R>)": lazy(_select),
    f"!IEnumerable<R> Select<T, R>({_E}, Func<T, int, R>)": lazy(_select_index),
    f"!IEnumerable<R> SelectMany<T, R>({_E}, Func<T, IEnumerable<R>>)": lazy(_select_many),
    f"!IEnumerable<R> SelectMany<T, C, R>({_E}, Func<T, IEnumerable<C>>, Func<T, C, R>)": lazy(_select_many_result),
    f"!{_E} Skip<T>({_E}, int)": lazy(_skip),
    f"!{_E} Take<T>({_E}, int)": lazy(_take),
    f"!{_E} SkipWhile<T>({_E}, Func<T, bool>)": lazy(_skip_while),
    f"!{_E} TakeWhile<T>({_E}, Func<T, bool>)": lazy(_take_while),
    f"!{_E} Concat<T>({_E}, {_E})": lazy(_concat),
    f"!{_E} Distinct<T>({_E})": lazy(_distinct),
    f"!{_E} Distinct<T>({_E}, {_CMP})": lazy(_distinct),
    f"!{_E} Union<T>({_E}, {_E})": lazy(_union),
    f"!{_E} Union<T>({_E}, {_E}, {_CMP})": lazy(_union),
    f"!{_E} Intersect<T>({_E}, {_E})": lazy(_intersect),
    f"!{_E} Intersect<T>({_E}, {_E}, {_CMP})": lazy(_intersect),
    f"!{_E} Except<T>({_E}, {_E})": lazy(_except),
    f"!{_E} Except<T>({_E}, {_E}, {_CMP})": lazy(_except),
    f"!{_E} Reverse<T>({_E})": lazy(_reverse),
    f"!IEnumerable<R> Zip<T, U, R>({_E}, IEnumerable<U>, Func<T, U, R>)": lazy(_zip),
    f"!{_E} Append<T>({_E}, T)": lazy(_append),
    f"!{_E} Prepend<T>({_E}, T)": lazy(_prepend),
    f"!^{_E} DefaultIfEmpty<T>({_E})": _default_if_empty,
    f"!^{_E} DefaultIfEmpty<T>({_E}, T)": _default_if_empty,
    "!^IEnumerable<R> Cast<R>(IEnumerableOfObject)": _cast,
    "!^IEnumerable<R> OfType<R>(IEnumerableOfObject)": _of_type,
    f"!IOrderedEnumerable<T> OrderBy<T, K>({_E}, Func<T, K>)": _order(False),
    f"!IOrderedEnumerable<T> OrderBy<T, K>({_E}, Func<T, K>, IComparer<K>)": _order(False),
    f"!IOrderedEnumerable<T> OrderByDescending<T, K>({_E}, Func<T, K>)": _order(True),
    f"!IOrderedEnumerable<T> OrderByDescending<T, K>({_E}, Func<T, K>, IComparer<K>)": _order(True),
    "!IOrderedEnumerable<T> ThenBy<T, K>(IOrderedEnumerable<T>, Func<T, K>)": _then(False),
    "!IOrderedEnumerable<T> ThenBy<T, K>(IOrderedEnumerable<T>, Func<T, K>, IComparer<K>)": _then(False),
    "!IOrderedEnumerable<T> ThenByDescending<T, K>(IOrderedEnumerable<T>, Func<T, K>)": _then(True),
    "!IOrderedEnumerable<T> ThenByDescending<T, K>(IOrderedEnumerable<T>, Func<T, K>, IComparer<K>)": _then(True),
    f"!^IEnumerable<IGrouping<K, T>> GroupBy<T, K>({_E}, Func<T, K>)": _group_by,
    f"!^IEnumerable<IGrouping<K, T>> GroupBy<T, K>({_E}, Func<T, K>, IEqualityComparer<K>)": lambda r, t, s, p, c: (
        _group_by(r, t, s, p, None, c)
    ),
    f"!^IEnumerable<IGrouping<K, E>> GroupBy<T, K, E>({_E}, Func<T, K>, Func<T, E>)": _group_by,
    f"!^IEnumerable<R> GroupBy<T, K, R>({_E}, Func<T, K>, Func<K, IEnumerable<T>, R>)": _group_result,
    f"!^ILookup<K, T> ToLookup<T, K>({_E}, Func<T, K>)": _group_by,
    f"!IEnumerable<R> Join<T, I, K, R>({_E}, IEnumerable<I>, Func<T, K>, Func<I, K>, Func<T, I, R>)": lazy(_join),
    f"!^IEnumerable<R> GroupJoin<T, I, K, R>({_E}, IEnumerable<I>, Func<T, K>, Func<I, K>, "
    "Func<T, IEnumerable<I>, R>)": _group_join,
    f"!^List<T> ToList<T>({_E})": _to_list,
    f"!^T[] ToArray<T>({_E})": _to_array,
    f"!^HashSet<T> ToHashSet<T>({_E})": _to_set,
    f"!^HashSet<T> ToHashSet<T>({_E}, {_CMP})": _to_set,
    f"!^Dictionary<K, T> ToDictionary<T, K>({_E}, Func<T, K>)": _to_dictionary,
    f"!^Dictionary<K, T> ToDictionary<T, K>({_E}, Func<T, K>, IEqualityComparer<K>)": lambda r, t, s, k, c: (
        _to_dictionary(r, t, s, k, None, c)
    ),
    f"!^Dictionary<K, V> ToDictionary<T, K, V>({_E}, Func<T, K>, Func<T, V>)": _to_dictionary,
    f"!^Dictionary<K, V> ToDictionary<T, K, V>({_E}, Func<T, K>, Func<T, V>, IEqualityComparer<K>)": _to_dictionary,
    f"!T First<T>({_E})": _first,
    f"!T First<T>({_E}, Func<T, bool>)": _first,
    f"!^T FirstOrDefault<T>({_E})": _first_or_default,
    f"!^T FirstOrDefault<T>({_E}, Func<T, bool>)": _first_or_default,
    f"!T Last<T>({_E})": _last,
    f"!T Last<T>({_E}, Func<T, bool>)": _last,
    f"!^T LastOrDefault<T>({_E})": _last_or_default,
    f"!^T LastOrDefault<T>({_E}, Func<T, bool>)": _last_or_default,
    f"!T Single<T>({_E})": _single,
    f"!T Single<T>({_E}, Func<T, bool>)": _single,
    f"!^T SingleOrDefault<T>({_E})": _single_or_default,
    f"!^T SingleOrDefault<T>({_E}, Func<T, bool>)": _single_or_default,
    f"!T ElementAt<T>({_E}, int)": _element_at,
    f"!^T ElementAtOrDefault<T>({_E}, int)": _element_at_or_default,
    f"!bool Any<T>({_E})": _any,
    f"!bool Any<T>({_E}, Func<T, bool>)": _any,
    f"!bool All<T>({_E}, Func<T, bool>)": _all,
    f"!int Count<T>({_E})": _count,
    f"!int Count<T>({_E}, Func<T, bool>)": _count,
    f"!long LongCount<T>({_E})": _count,
    f"!bool Contains<T>({_E}, T)": _contains,
    f"!bool Contains<T>({_E}, T, {_CMP})": _contains,
    f"!bool SequenceEqual<T>({_E}, {_E})": _sequence_equal,
    f"!^T Min<T>({_E})": _extreme(False),
    f"!^T Max<T>({_E})": _extreme(True),
    f"!^R Min<T, R>({_E}, Func<T, R>)": _extreme(False),
    f"!^R Max<T, R>({_E}, Func<T, R>)": _extreme(True),
    f"!T Aggregate<T>({_E}, Func<T, T, T>)": _aggregate,
    f"!A Aggregate<T, A>({_E}, A, Func<A, T, A>)": _aggregate_seed,
    f"!R Aggregate<T, A, R>({_E}, A, Func<A, T, A>, Func<A, R>)": _aggregate_seed,
    f"{_E} AsEnumerable<T>({_E})": lambda s: s,
}
for _kind in ("int", "long", "float", "double", "decimal"):
    _mean = _kind if _kind in ("decimal", "float") else "double"
    for _mark in ("", "?"):
        _TABLE[f"!{_kind}{_mark} Sum(IEnumerable<{_kind}{_mark}>)"] = _sum(_kind, False)
        _TABLE[f"!{_kind}{_mark} Sum<T>({_E}, Func<T, {_kind}{_mark}>)"] = _sum(_kind, True)
        _TABLE[f"!{_mean}{_mark} Average(IEnumerable<{_kind}{_mark}>)"] = _average(_kind, bool(_mark))
        _TABLE[f"!{_mean}{_mark} Average<T>({_E}, Func<T, {_kind}{_mark}>)"] = _average(_kind, bool(_mark))
define("IEnumerableOfObject", kind="interface", namespace="System.Collections")
DEFINITIONS["IEnumerable"].bases = ("IEnumerableOfObject",)
extend(_TABLE)
define(
    "Enumerable",
    kind="static",
    namespace="System.Linq",
    members={
        "!static IEnumerable<int> Range(int, int)": _range,
        "static IEnumerable<T> Repeat<T>(T, int)": _repeat,
        "^static IEnumerable<T> Empty<T>()": lambda types: CsArray((), types[0]),
        **{
            f"{key[: len(key) - len(key.lstrip('!^~'))]}static {key.lstrip('!^~')}": value
            for key, value in _TABLE.items()
        },
    },
)
