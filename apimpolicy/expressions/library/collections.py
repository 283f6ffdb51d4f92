"""Arrays, List, Dictionary, HashSet, Queue, Stack, KeyValuePair, Tuple and the interfaces they share."""

from __future__ import annotations

from collections.abc import Callable
from functools import cmp_to_key
from typing import Any, Final

from apimpolicy.expressions.defaults import DEFAULTS, default_of
from apimpolicy.expressions.errors import CsException, argument_null, invalid_operation, out_of_range
from apimpolicy.expressions.library.strings import cultural_key
from apimpolicy.expressions.types import DEFINITIONS, CType, define
from apimpolicy.expressions.values import (
    Anonymous,
    Char,
    Comparer,
    CsArray,
    CsDict,
    CsList,
    CsQueue,
    CsSet,
    CsStack,
    CsTuple,
    KeyValuePair,
    Runtime,
    ValueTuple,
    check_items,
)

_MISSING: Final = object()
_GENERIC = "System.Collections.Generic"
_RANGE_MESSAGE = "Index was out of range. Must be non-negative and less than the size of the collection."


def sort_key(value: Any) -> Any:
    """Comparer<T>.Default: null first, strings by the invariant culture."""
    if value is None:
        return (0,)
    if type(value) is str:
        return (1, cultural_key(value))
    if isinstance(value, (CsTuple, ValueTuple)):
        return (1, tuple(sort_key(one) for one in value))
    if not hasattr(type(value), "__lt__") or isinstance(value, (Anonymous, KeyValuePair, list)):
        raise invalid_operation("Failed to compare two elements in the array.")
    comparable = getattr(value, "comparable", None)
    return (1, value if comparable is None else comparable())


def by_comparison(compare: Callable[[Any, Any], int]) -> Callable[[Any], Any]:
    return cmp_to_key(compare)


def array_get(items: list[Any], index: int) -> Any:
    if 0 <= index < len(items):
        return items[index]
    raise CsException("IndexOutOfRangeException", "Index was outside the bounds of the array.")


def array_set(items: list[Any], index: int, value: Any) -> None:
    if not 0 <= index < len(items):
        raise CsException("IndexOutOfRangeException", "Index was outside the bounds of the array.")
    items[index] = value


def list_get(items: list[Any], index: int) -> Any:
    if 0 <= index < len(items):
        return items[index]
    raise out_of_range("index", _RANGE_MESSAGE)


def list_set(items: list[Any], index: int, value: Any) -> None:
    if not 0 <= index < len(items):
        raise out_of_range("index", _RANGE_MESSAGE)
    items[index] = value


def list_add(items: list[Any], value: Any) -> None:
    if type(items) is CsArray:
        raise CsException("NotSupportedException", "Collection was of a fixed size.")
    items.append(value)
    if len(items) & 1023 == 0:
        check_items(len(items))


def add_range(runtime: Runtime, items: list[Any], more: Any) -> None:
    if more is None:
        raise argument_null("collection")
    for one in list(runtime.each(more)):
        list_add(items, one)


def position(items: list[Any], wanted: Any, start: int = 0) -> int:
    for index in range(start, len(items)):
        if items[index] == wanted:
            return index
    return -1


def last_position(items: list[Any], wanted: Any) -> int:
    return next((i for i in range(len(items) - 1, -1, -1) if items[i] == wanted), -1)


def list_remove(items: list[Any], wanted: Any) -> bool:
    index = position(items, wanted)
    if index >= 0:
        del items[index]
    return index >= 0


def list_insert(items: list[Any], index: int, value: Any) -> None:
    if not 0 <= index <= len(items):
        raise out_of_range("index", "Index must be within the bounds of the List.")
    items.insert(index, value)
    check_items(len(items))


def insert_range(runtime: Runtime, items: list[Any], index: int, more: Any) -> None:
    if not 0 <= index <= len(items):
        raise out_of_range("index", "Index must be within the bounds of the List.")
    items[index:index] = list(runtime.each(more))
    check_items(len(items))


def remove_at(items: list[Any], index: int) -> None:
    if not 0 <= index < len(items):
        raise out_of_range("index", _RANGE_MESSAGE)
    del items[index]


def _check_span(items: list[Any], index: int, count: int) -> None:
    if index < 0 or count < 0:
        raise out_of_range("index", "Non-negative number required.")
    if index + count > len(items):
        raise CsException(
            "ArgumentException",
            "Offset and length were out of bounds for the array or count is greater than the number of elements "
            "from index to the end of the source collection.",
        )


def remove_range(items: list[Any], index: int, count: int) -> None:
    _check_span(items, index, count)
    del items[index : index + count]


def get_range(items: Any, index: int, count: int) -> CsList:
    _check_span(items, index, count)
    return CsList(items[index : index + count], items.element)


def remove_all(items: list[Any], test: Callable[[Any], bool]) -> int:
    kept = [one for one in items if not test(one)]
    removed = len(items) - len(kept)
    items[:] = kept
    return removed


def _sort(runtime: Runtime, items: list[Any], key: Callable[[Any], Any] = sort_key) -> None:
    runtime.charge(len(items) * 4)
    try:
        items.sort(key=key)
    except TypeError:
        raise invalid_operation("Failed to compare two elements in the array.") from None


def _sort_by(runtime: Runtime, items: list[Any], comparison: Callable[[Any, Any], int]) -> None:
    items.sort(key=cmp_to_key(comparison))


def _sort_comparer(runtime: Runtime, items: list[Any], comparer: Comparer | None) -> None:
    _sort(runtime, items, sort_key if comparer is None else comparer.order)


def _find(items: Any, test: Callable[[Any], bool]) -> Any:
    for one in items:
        if test(one):
            return one
    element = getattr(items, "element", None)
    return None if element is None else default_of(element)


def _find_last(items: Any, test: Callable[[Any], bool]) -> Any:
    for one in reversed(items):
        if test(one):
            return one
    return None if items.element is None else default_of(items.element)


def _find_index(items: Any, test: Callable[[Any], bool]) -> int:
    return next((i for i, one in enumerate(items) if test(one)), -1)


def _each(items: Any, action: Callable[[Any], Any]) -> None:
    count = len(items)
    for one in list(items):
        action(one)
        if len(items) != count:
            raise invalid_operation("Collection was modified; enumeration operation may not execute.")


def _copy_to(items: list[Any], target: list[Any], at: int = 0) -> None:
    if target is None:
        raise argument_null("array")
    if at < 0 or at + len(items) > len(target):
        raise CsException("ArgumentException", "Destination array was not long enough.")
    target[at : at + len(items)] = list(items)


def _copy(source: list[Any], source_at: int, target: list[Any], target_at: int, count: int) -> None:
    if (
        count < 0
        or source_at < 0
        or target_at < 0
        or source_at + count > len(source)
        or target_at + count > len(target)
    ):
        raise CsException("ArgumentException", "Source array was not long enough.")
    target[target_at : target_at + count] = source[source_at : source_at + count]


def _reverse(items: list[Any]) -> None:
    items.reverse()


def _clear_array(items: CsArray, index: int, count: int) -> None:
    empty = default_of(items.element) if items.element is not None else None
    for at in range(index, index + count):
        array_set(items, at, empty)


def _read_only(items: Any) -> Any:
    return items


define(
    "ICollection<T>",
    kind="interface",
    bases=["IEnumerable<T>"],
    namespace=_GENERIC,
    members={
        "int Count": len,
        "void Add(T)": list_add,
        "bool Contains(T)": lambda c, v: position(list(c), v) >= 0,
        "bool Remove(T)": list_remove,
        "void Clear()": lambda c: c.clear(),
    },
)
define(
    "IReadOnlyCollection<T>",
    kind="interface",
    bases=["IEnumerable<T>"],
    namespace=_GENERIC,
    members={"int Count": lambda c: count_of(c)},
)
define(
    "IList<T>",
    kind="interface",
    bases=["ICollection<T>"],
    namespace=_GENERIC,
    members={
        "T this[int]": (list_get, list_set),
        "int IndexOf(T)": position,
        "void Insert(int, T)": list_insert,
        "void RemoveAt(int)": remove_at,
    },
)
define(
    "IReadOnlyList<T>",
    kind="interface",
    bases=["IReadOnlyCollection<T>"],
    namespace=_GENERIC,
    members={"T this[int]": list_get},
)
define("ISet<T>", kind="interface", bases=["ICollection<T>"], namespace=_GENERIC)


def count_of(items: Any) -> int:
    if isinstance(items, (CsDict, CsSet)):
        return len(items.items)
    return len(items)


DEFINITIONS["[]"].add(
    {
        "T this[int]": (array_get, array_set),
        "int Length": len,
        "long LongLength": len,
        "int Rank": lambda a: 1,
        "int GetLength(int)": lambda a, d: len(a),
        "void CopyTo(T[], int)": _copy_to,
        "object Clone()": lambda a: CsArray(a, a.element),
    }
)
define(
    "Array",
    kind="static",
    members={
        "static int IndexOf<T>(T[], T)": lambda a, v: position(a, v),
        "static int IndexOf<T>(T[], T, int)": lambda a, v, s: position(a, v, s),
        "static int LastIndexOf<T>(T[], T)": last_position,
        "!static void Sort<T>(T[])": _sort,
        "!static void Sort<T>(T[], Comparison<T>)": _sort_by,
        "!static void Sort<T>(T[], IComparer<T>)": _sort_comparer,
        "static void Reverse<T>(T[])": _reverse,
        "static void Clear<T>(T[], int, int)": _clear_array,
        "static void Copy<T>(T[], T[], int)": lambda s, t, n: _copy(s, 0, t, 0, n),
        "static void Copy<T>(T[], int, T[], int, int)": _copy,
        "^static T[] Empty<T>()": lambda types: CsArray((), types[0]),
        "static bool Exists<T>(T[], Predicate<T>)": lambda a, t: _find_index(a, t) >= 0,
        "static T Find<T>(T[], Predicate<T>)": _find,
        "static T[] FindAll<T>(T[], Predicate<T>)": lambda a, t: CsArray([v for v in a if t(v)], a.element),
        "static int FindIndex<T>(T[], Predicate<T>)": _find_index,
        "static bool TrueForAll<T>(T[], Predicate<T>)": lambda a, t: all(t(v) for v in a),
        "static void ForEach<T>(T[], Action<T>)": _each,
        "^static U[] ConvertAll<T, U>(T[], Func<T, U>)": lambda types, a, f: CsArray([f(v) for v in a], types[1]),
    },
)


def _new_list(types: tuple[CType, ...], capacity: int = 0) -> CsList:
    if capacity < 0:
        raise out_of_range("capacity", "Non-negative number required.")
    return CsList((), types[0])


def _list_of(runtime: Runtime, types: tuple[CType, ...], source: Any) -> CsList:
    if source is None:
        raise argument_null("collection")
    return CsList(runtime.each(source), types[0])


define(
    "List<T>",
    bases=["IList<T>", "IReadOnlyList<T>"],
    namespace=_GENERIC,
    members={
        "^List<T> new()": _new_list,
        "^List<T> new(int)": _new_list,
        "!^List<T> new(IEnumerable<T>)": _list_of,
        "T this[int]": (list_get, list_set),
        "int Count": len,
        "int Capacity": len,
        "void Add(T)": list_add,
        "!void AddRange(IEnumerable<T>)": add_range,
        "void Insert(int, T)": list_insert,
        "!void InsertRange(int, IEnumerable<T>)": insert_range,
        "bool Remove(T)": list_remove,
        "void RemoveAt(int)": remove_at,
        "void RemoveRange(int, int)": remove_range,
        "int RemoveAll(Predicate<T>)": remove_all,
        "void Clear()": lambda c: c.clear(),
        "bool Contains(T)": lambda c, v: position(c, v) >= 0,
        "int IndexOf(T)": position,
        "int IndexOf(T, int)": position,
        "int LastIndexOf(T)": last_position,
        "T[] ToArray()": lambda c: CsArray(c, c.element),
        "List<T> GetRange(int, int)": get_range,
        "void Reverse()": _reverse,
        "!void Sort()": _sort,
        "!void Sort(Comparison<T>)": _sort_by,
        "!void Sort(IComparer<T>)": _sort_comparer,
        "bool Exists(Predicate<T>)": lambda c, t: _find_index(c, t) >= 0,
        "T Find(Predicate<T>)": _find,
        "T FindLast(Predicate<T>)": _find_last,
        "List<T> FindAll(Predicate<T>)": lambda c, t: CsList([v for v in c if t(v)], c.element),
        "int FindIndex(Predicate<T>)": _find_index,
        "int FindLastIndex(Predicate<T>)": lambda c, t: next((i for i in range(len(c) - 1, -1, -1) if t(c[i])), -1),
        "bool TrueForAll(Predicate<T>)": lambda c, t: all(t(v) for v in c),
        "void ForEach(Action<T>)": _each,
        "void CopyTo(T[])": _copy_to,
        "void CopyTo(T[], int)": _copy_to,
        "^List<U> ConvertAll<U>(Func<T, U>)": lambda types, c, f: CsList([f(v) for v in c], types[0]),
        "IReadOnlyList<T> AsReadOnly()": _read_only,
        "int BinarySearch(T)": lambda c, v: _binary_search(c, v),
    },
)


def _binary_search(items: list[Any], wanted: Any) -> int:
    low, high, key = 0, len(items) - 1, sort_key(wanted)
    while low <= high:
        middle = (low + high) // 2
        here = sort_key(items[middle])
        if here == key:
            return middle
        if here < key:
            low = middle + 1
        else:
            high = middle - 1
    return ~low


# -- dictionaries ----------------------------------------------------------------------------------------------


def _new_dict(types: tuple[CType, ...], comparer: Comparer | None = None) -> CsDict:
    return CsDict(types[0], types[1], comparer)


def _dict_from(types: tuple[CType, ...], source: Any, comparer: Comparer | None = None) -> CsDict:
    made = _new_dict(types, comparer)
    if source is None:
        raise argument_null("dictionary")
    for key, value in source.items.values():
        made.add(key, value)
    return made


def _try_get(source: CsDict, key: Any) -> tuple[bool, Any]:
    found = source.items.get(source.place(key))
    if found is not None:
        return True, found[1]
    return False, None if source.value is None else default_of(source.value)


def _get_or_default(source: CsDict, key: Any, fallback: Any = None) -> Any:
    found = source.items.get(source.place(key))
    if found is not None:
        return found[1]
    if fallback is not None or source.value is None:
        return fallback
    return default_of(source.value)


def _dict_remove(source: CsDict, key: Any) -> bool:
    return source.items.pop(source.place(key), None) is not None


def _dict_keys(source: CsDict) -> CsList:
    return CsList([key for key, _ in source.items.values()], source.key)


def _dict_values(source: CsDict) -> CsList:
    return CsList([value for _, value in source.items.values()], source.value)


def _try_add(source: CsDict, key: Any, value: Any) -> bool:
    if source.has(key):
        return False
    source.add(key, value)
    return True


define(
    "KeyValuePair<K, V>",
    kind="struct",
    namespace=_GENERIC,
    members={
        "KeyValuePair<K, V> new(K, V)": KeyValuePair,
        "K Key": lambda p: p.key,
        "V Value": lambda p: p.value,
        "string ToString()": lambda p: _text(p),
    },
)
_READING: dict[str, Any] = {
    "V this[K]": lambda d, k: d.get(k),
    "int Count": lambda d: len(d.items),
    "bool ContainsKey(K)": lambda d, k: d.has(k),
    "bool TryGetValue(K, out V)": _try_get,
    "V GetValueOrDefault(K)": _get_or_default,
    "V GetValueOrDefault(K, V)": _get_or_default,
}
define(
    "IReadOnlyDictionary<K, V>",
    kind="interface",
    namespace=_GENERIC,
    bases=["IReadOnlyCollection<KeyValuePair<K, V>>"],
    members={**_READING, "IEnumerable<K> Keys": _dict_keys, "IEnumerable<V> Values": _dict_values},
)
_WRITING: dict[str, Any] = {
    **_READING,
    "V this[K]": (lambda d, k: d.get(k), lambda d, k, v: d.set(k, v)),
    "void Add(K, V)": lambda d, k, v: d.add(k, v),
    "bool Remove(K)": _dict_remove,
    "void Clear()": lambda d: d.items.clear(),
}
define(
    "IDictionary<K, V>",
    kind="interface",
    namespace=_GENERIC,
    bases=["ICollection<KeyValuePair<K, V>>"],
    members={**_WRITING, "ICollection<K> Keys": _dict_keys, "ICollection<V> Values": _dict_values},
)
define(
    "Dictionary<K, V>",
    namespace=_GENERIC,
    bases=["IDictionary<K, V>", "IReadOnlyDictionary<K, V>"],
    members={
        "^Dictionary<K, V> new()": _new_dict,
        "^Dictionary<K, V> new(int)": lambda types, n: _new_dict(types),
        "^Dictionary<K, V> new(IEqualityComparer<K>)": _new_dict,
        "^Dictionary<K, V> new(int, IEqualityComparer<K>)": lambda types, n, c: _new_dict(types, c),
        "^Dictionary<K, V> new(IDictionary<K, V>)": _dict_from,
        "^Dictionary<K, V> new(IDictionary<K, V>, IEqualityComparer<K>)": _dict_from,
        **_WRITING,
        "bool ContainsValue(V)": lambda d, v: any(one == v for _, one in d.items.values()),
        "bool TryAdd(K, V)": _try_add,
        "ICollection<K> Keys": _dict_keys,
        "ICollection<V> Values": _dict_values,
    },
)


# -- sets, queues, stacks ----------------------------------------------------------------------------------------


def _set_from(runtime: Runtime, types: tuple[CType, ...], source: Any, comparer: Comparer | None = None) -> CsSet:
    made = CsSet(types[0], comparer)
    for one in runtime.each(source):
        made.add(one)
    return made


def _places(runtime: Runtime, target: CsSet, other: Any) -> dict[Any, Any]:
    return {target.place(one): one for one in runtime.each(other)}


def _union_with(runtime: Runtime, target: CsSet, other: Any) -> None:
    for one in list(runtime.each(other)):
        target.add(one)


def _keep(runtime: Runtime, target: CsSet, other: Any, present: bool) -> None:
    places = _places(runtime, target, other)
    target.items = {place: one for place, one in target.items.items() if (place in places) is present}


def _subset(runtime: Runtime, target: CsSet, other: Any) -> bool:
    places = _places(runtime, target, other)
    return all(place in places for place in target.items)


def _superset(runtime: Runtime, target: CsSet, other: Any) -> bool:
    return all(place in target.items for place in _places(runtime, target, other))


define(
    "HashSet<T>",
    namespace=_GENERIC,
    bases=["ISet<T>", "IReadOnlyCollection<T>"],
    members={
        "^HashSet<T> new()": lambda types: CsSet(types[0]),
        "^HashSet<T> new(IEqualityComparer<T>)": lambda types, c: CsSet(types[0], c),
        "!^HashSet<T> new(IEnumerable<T>)": _set_from,
        "!^HashSet<T> new(IEnumerable<T>, IEqualityComparer<T>)": _set_from,
        "int Count": lambda s: len(s.items),
        "bool Add(T)": lambda s, v: s.add(v),
        "bool Contains(T)": lambda s, v: s.place(v) in s.items,
        "bool Remove(T)": lambda s, v: s.items.pop(s.place(v), _MISSING) is not _MISSING,
        "void Clear()": lambda s: s.items.clear(),
        "!void UnionWith(IEnumerable<T>)": _union_with,
        "!void IntersectWith(IEnumerable<T>)": lambda r, s, o: _keep(r, s, o, True),
        "!void ExceptWith(IEnumerable<T>)": lambda r, s, o: _keep(r, s, o, False),
        "!bool IsSubsetOf(IEnumerable<T>)": _subset,
        "!bool IsSupersetOf(IEnumerable<T>)": _superset,
        "!bool Overlaps(IEnumerable<T>)": lambda r, s, o: any(p in s.items for p in _places(r, s, o)),
        "!bool SetEquals(IEnumerable<T>)": lambda r, s, o: s.items.keys() == _places(r, s, o).keys(),
    },
)


def _take_first(queue: CsQueue) -> Any:
    if not queue:
        raise invalid_operation("Queue empty.")
    return queue.pop(0)


def _take_last(stack: CsStack) -> Any:
    if not stack:
        raise invalid_operation("Stack empty.")
    return stack.pop()


def _peek(items: Any, index: int, name: str) -> Any:
    if not items:
        raise invalid_operation(f"{name} empty.")
    return items[index]


define(
    "Queue<T>",
    namespace=_GENERIC,
    bases=["IReadOnlyCollection<T>"],
    members={
        "^Queue<T> new()": lambda types: CsQueue((), types[0]),
        "!^Queue<T> new(IEnumerable<T>)": lambda r, types, s: CsQueue(r.each(s), types[0]),
        "int Count": len,
        "void Enqueue(T)": list_add,
        "T Dequeue()": _take_first,
        "T Peek()": lambda q: _peek(q, 0, "Queue"),
        "bool Contains(T)": lambda q, v: position(q, v) >= 0,
        "void Clear()": lambda q: q.clear(),
        "T[] ToArray()": lambda q: CsArray(q, q.element),
    },
)
define(
    "Stack<T>",
    namespace=_GENERIC,
    bases=["IReadOnlyCollection<T>"],
    members={
        "^Stack<T> new()": lambda types: CsStack((), types[0]),
        "!^Stack<T> new(IEnumerable<T>)": lambda r, types, s: CsStack(r.each(s), types[0]),
        "int Count": len,
        "void Push(T)": list_add,
        "T Pop()": _take_last,
        "T Peek()": lambda s: _peek(s, -1, "Stack"),
        "bool Contains(T)": lambda s, v: position(s, v) >= 0,
        "void Clear()": lambda s: s.clear(),
        "T[] ToArray()": lambda s: CsArray(reversed(s), s.element),
    },
)

# -- tuples ----------------------------------------------------------------------------------------------------


def _text(value: Any) -> str:
    from apimpolicy.expressions.text import to_text

    return to_text(value)


_NAMES = ("T1", "T2", "T3", "T4", "T5", "T6", "T7")
_LETTERS = ", ".join(_NAMES)
_ITEMS = {f"{name} Item{i + 1}": (lambda n: lambda t: t[n])(i) for i, name in enumerate(_NAMES)}
define("Tuple<T1, T2, T3, T4, T5, T6, T7>", members={**_ITEMS})
define("ValueTuple<T1, T2, T3, T4, T5, T6, T7>", kind="struct")
DEFINITIONS["ValueTuple"].add(
    {f"{name} Item{i + 1}": ((lambda n: lambda t: t[n])(i), None) for i, name in enumerate(_NAMES)}
)
for _count in range(1, 8):
    _given = ", ".join(_NAMES[:_count])
    DEFINITIONS["Tuple"].add(
        {
            f"static Tuple<{_given}> Create<{_given}>({_given})": lambda *items: CsTuple(items),
            f"Tuple<{_given}> new({_given})": lambda *items: CsTuple(items),
        }
    )
DEFAULTS["KeyValuePair"] = lambda kind: KeyValuePair(default_of(kind.args[0]), default_of(kind.args[1]))
DEFAULTS["ValueTuple"] = lambda kind: ValueTuple(default_of(arg) for arg in kind.args)
DEFAULTS["char"] = lambda kind: Char("\0")
