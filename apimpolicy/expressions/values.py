"""How C# values live in Python while an expression runs, and the budget they live under.

int, string, bool, double and decimal are Python's int, str, bool, float and Decimal; null is None. The other
numeric types are plain ints while their static type is known, and wear a tag (`Long`, `Byte`, ...) once boxed into
`object`. Collections are small classes of our own, so that nothing of Python's shows through.

This room may not know syntax trees or types' member tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from apimpolicy.expressions.errors import BudgetExceeded, CsException, argument, invalid_operation

if TYPE_CHECKING:
    from apimpolicy.expressions.types import CType

MAX_TEXT: Final = 4_000_000
"""Longest string an expression may build, in characters. Assumed: APIM's own limit is not published."""
MAX_ITEMS: Final = 1_000_000
"""Most elements a collection may hold. Assumed likewise."""


class Char(str):
    """One UTF-16 character."""

    __slots__ = ()


class Boxed(int):
    """An integer boxed with a type other than int."""

    __slots__ = ()


class Long(Boxed):
    __slots__ = ()


class ULong(Boxed):
    __slots__ = ()


class UInt(Boxed):
    __slots__ = ()


class Short(Boxed):
    __slots__ = ()


class UShort(Boxed):
    __slots__ = ()


class Byte(Boxed):
    __slots__ = ()


class SByte(Boxed):
    __slots__ = ()


class Single(float):
    """A 32-bit float boxed; its value is already rounded to 32 bits."""

    __slots__ = ()


BOXES: Final[dict[str, type]] = {
    "long": Long,
    "ulong": ULong,
    "uint": UInt,
    "short": Short,
    "ushort": UShort,
    "byte": Byte,
    "sbyte": SByte,
    "float": Single,
}


class Runtime:
    """One evaluation: its context, what is left of its budget, and the value a `return` left behind."""

    __slots__ = ("context", "deadline", "monotonic", "returned", "steps", "ticks", "value")

    def __init__(self, context: Any, steps: int, deadline: float | None, monotonic: Callable[[], float] | None) -> None:
        self.context = context
        self.steps = steps
        self.deadline = deadline
        self.monotonic = monotonic
        self.ticks = 0
        self.returned = 0
        self.value: Any = None

    def step(self) -> None:
        """One statement, iteration or call."""
        self.steps -= 1
        if self.steps < 0:
            raise BudgetExceeded("the expression took more steps than its budget allows")
        if self.deadline is not None:
            self.ticks += 1
            if self.ticks & 63 == 0:
                self.check_time()

    def charge(self, count: int) -> None:
        """Work whose amount is known beforehand: `count` elements or characters-by-the-hundred."""
        self.steps -= count
        if self.steps < 0:
            raise BudgetExceeded("the expression took more steps than its budget allows")
        if self.deadline is not None and count > 64:
            self.check_time()

    def check_time(self) -> None:
        if self.deadline is not None and self.monotonic is not None and self.monotonic() > self.deadline:
            raise BudgetExceeded("the expression took more time than its budget allows")

    def each(self, source: Any) -> Iterator[Any]:
        """The elements of any C# sequence; every element counts as a step."""
        if type(source) is CsArray:
            self.charge(len(source))
            return iter(source)
        return self._counted(iterate(source))

    def _counted(self, items: Iterator[Any]) -> Iterator[Any]:
        step = self.step
        for item in items:
            step()
            yield item


def check_text(length: int) -> None:
    if length > MAX_TEXT:
        raise BudgetExceeded(f"the expression built a string of more than {MAX_TEXT:,} characters")


def check_items(count: int) -> None:
    if count > MAX_ITEMS:
        raise BudgetExceeded(f"the expression built a collection of more than {MAX_ITEMS:,} elements")


class CsArray(list[Any]):
    """T[]; fixed length by C#'s rules, which its members enforce."""

    __slots__ = ("element",)

    def __init__(self, items: Iterable[Any] = (), element: CType | None = None) -> None:
        super().__init__(items)
        self.element = element

    def __hash__(self) -> int:  # type: ignore[override]
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other


class CsList(list[Any]):
    """List<T>."""

    __slots__ = ("element",)

    def __init__(self, items: Iterable[Any] = (), element: CType | None = None) -> None:
        super().__init__(items)
        self.element = element

    def __hash__(self) -> int:  # type: ignore[override]
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other


class CsQueue(CsList):
    """Queue<T>: first in, first out."""

    __slots__ = ()


class CsStack(CsList):
    """Stack<T>: the last element of the Python list is the top."""

    __slots__ = ()


class Comparer:
    """An equality and ordering rule for strings: `fold` gives the key that is compared."""

    __slots__ = ("fold", "label", "order")

    def __init__(self, label: str, fold: Callable[[Any], Any], order: Callable[[Any], Any]) -> None:
        self.label = label
        self.fold = fold
        self.order = order


class CsDict:
    """Dictionary<K, V>; `items` maps the folded key to (key, value)."""

    __slots__ = ("fold", "items", "key", "read_only", "value")

    def __init__(self, key: CType | None = None, value: CType | None = None, comparer: Comparer | None = None) -> None:
        self.items: dict[Any, tuple[Any, Any]] = {}
        self.fold: Callable[[Any], Any] | None = comparer.fold if comparer is not None else None
        self.key = key
        self.value = value
        self.read_only = False

    def place(self, key: Any) -> Any:
        if key is None:
            raise CsException("ArgumentNullException", "Value cannot be null.\nParameter name: key")
        return key if self.fold is None else self.fold(key)

    def get(self, key: Any) -> Any:
        found = self.items.get(self.place(key))
        if found is None:
            raise CsException("KeyNotFoundException", f"The given key '{key}' was not present in the dictionary.")
        return found[1]

    def set(self, key: Any, value: Any) -> None:
        place = self.place(key)
        known = self.items.get(place)
        self.items[place] = (key if known is None else known[0], value)
        check_items(len(self.items))

    def add(self, key: Any, value: Any) -> None:
        place = self.place(key)
        if place in self.items:
            raise argument(f"An item with the same key has already been added. Key: {key}")
        self.items[place] = (key, value)
        check_items(len(self.items))

    def has(self, key: Any) -> bool:
        return self.place(key) in self.items

    def pairs(self) -> Iterator[KeyValuePair]:
        for key, value in self.items.values():
            yield KeyValuePair(key, value)


class CsSet:
    """HashSet<T>, in insertion order."""

    __slots__ = ("element", "fold", "items")

    def __init__(self, element: CType | None = None, comparer: Comparer | None = None) -> None:
        self.items: dict[Any, Any] = {}
        self.fold: Callable[[Any], Any] | None = comparer.fold if comparer is not None else None
        self.element = element

    def place(self, item: Any) -> Any:
        return item if self.fold is None or item is None else self.fold(item)

    def add(self, item: Any) -> bool:
        place = self.place(item)
        if place in self.items:
            return False
        self.items[place] = item
        check_items(len(self.items))
        return True


class KeyValuePair:
    """KeyValuePair<K, V>."""

    __slots__ = ("key", "value")

    def __init__(self, key: Any = None, value: Any = None) -> None:
        self.key = key
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KeyValuePair) and (self.key, self.value) == (other.key, other.value)

    def __hash__(self) -> int:
        return hash((self.key, self.value))


class Grouping:
    """IGrouping<K, T>, and one entry of a lookup."""

    __slots__ = ("items", "key")

    def __init__(self, key: Any, items: CsList) -> None:
        self.key = key
        self.items = items

    def __iter__(self) -> Iterator[Any]:
        return iter(self.items)


class CsTuple(tuple[Any, ...]):
    """Tuple<...>, a reference type with equality by value in Equals."""

    __slots__ = ()


class ValueTuple(tuple[Any, ...]):
    """(a, b)."""

    __slots__ = ()


class Anonymous:
    """new { A = 1 }: names and values in order; equality by value."""

    __slots__ = ("names", "values")

    def __init__(self, names: tuple[str, ...], values: tuple[Any, ...]) -> None:
        self.names = names
        self.values = values

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Anonymous) and (self.names, self.values) == (other.names, other.values)

    def __hash__(self) -> int:
        return hash((self.names, self.values))


class Sequence:
    """A lazy IEnumerable: every enumeration starts anew, as C#'s do."""

    __slots__ = ("start",)

    def __init__(self, start: Callable[[], Iterator[Any]]) -> None:
        self.start = start

    def __iter__(self) -> Iterator[Any]:
        return self.start()


class Ordered(Sequence):
    """IOrderedEnumerable: keeps its source and its keys so that ThenBy can add one."""

    __slots__ = ("keys", "source")

    def __init__(self, start: Callable[[], Iterator[Any]], source: Any, keys: list[tuple[Any, bool, Any]]) -> None:
        super().__init__(start)
        self.source = source
        self.keys = keys


class Builder:
    """StringBuilder."""

    __slots__ = ("length", "parts")

    def __init__(self, text: str = "") -> None:
        self.parts: list[str] = [text] if text else []
        self.length = len(text)

    def append(self, text: str) -> None:
        self.parts.append(text)
        self.length += len(text)
        check_text(self.length)

    def text(self) -> str:
        if len(self.parts) > 1:
            self.parts = ["".join(self.parts)]
        return self.parts[0] if self.parts else ""

    def replace_all(self, text: str) -> None:
        check_text(len(text))
        self.parts = [text]
        self.length = len(text)


def iterate(source: Any) -> Iterator[Any]:
    """The elements of any value that C# can enumerate; a change while enumerating is C#'s error."""
    kind = type(source)
    if kind is CsArray or kind is CsTuple:
        return iter(source)
    if kind is CsList or kind is CsQueue:
        return _guarded(source, source)
    if kind is str:
        return map(Char, source)
    if kind is CsStack:
        return _guarded(source, reversed(source))
    if kind is CsDict:
        return _guarded(source.items, source.pairs())
    if kind is CsSet:
        return _guarded(source.items, source.items.values())
    if source is None:
        raise CsException("NullReferenceException", "Object reference not set to an instance of an object.")
    if kind is dict:
        return (KeyValuePair(key, value) for key, value in source.items())
    return iter(source.cs_iterate()) if hasattr(kind, "cs_iterate") else iter(source)


def _guarded(sized: Any, items: Iterable[Any]) -> Iterator[Any]:
    count = len(sized)
    try:
        for item in items:
            yield item
            if len(sized) != count:
                raise invalid_operation("Collection was modified; enumeration operation may not execute.")
    except RuntimeError as error:
        if "changed size" not in str(error):
            raise
        raise invalid_operation("Collection was modified; enumeration operation may not execute.") from None


def wrap_int(value: int) -> int:
    """int32, unchecked."""
    return value if -2147483648 <= value <= 2147483647 else (value + 0x80000000 & 0xFFFFFFFF) - 0x80000000


def wrap_long(value: int) -> int:
    """int64, unchecked."""
    if -0x8000000000000000 <= value <= 0x7FFFFFFFFFFFFFFF:
        return value
    return (value + 0x8000000000000000 & 0xFFFFFFFFFFFFFFFF) - 0x8000000000000000


WRAPS: Final[dict[str, Callable[[int], int]]] = {
    "int": wrap_int,
    "long": wrap_long,
    "uint": lambda v: v & 0xFFFFFFFF,
    "ulong": lambda v: v & 0xFFFFFFFFFFFFFFFF,
    "short": lambda v: (v + 0x8000 & 0xFFFF) - 0x8000,
    "ushort": lambda v: v & 0xFFFF,
    "byte": lambda v: v & 0xFF,
    "sbyte": lambda v: (v + 0x80 & 0xFF) - 0x80,
}
