"""Regex: .NET's syntax taken to Python's `re`, or refused by name where the two differ.

`re` cannot be interrupted, so patterns are judged before they run: one that can backtrack exponentially only gets
short input, one that can backtrack polynomially gets bounded input. More is a BudgetExceeded.
"""

from __future__ import annotations

import re
import re._constants as sre  # type: ignore[import-not-found]
import re._parser as sre_parser  # type: ignore[import-not-found]
import warnings
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, Final

from apimpolicy.expressions.errors import BudgetExceeded, CsException, argument, argument_null
from apimpolicy.expressions.runtime_types import CLASSES
from apimpolicy.expressions.text import TEXT
from apimpolicy.expressions.types import STRING, define, define_enum
from apimpolicy.expressions.values import CsArray, CsList, Runtime, check_text

define_enum(
    "RegexOptions",
    {
        "None": 0,
        "IgnoreCase": 1,
        "Multiline": 2,
        "ExplicitCapture": 4,
        "Compiled": 8,
        "Singleline": 16,
        "IgnorePatternWhitespace": 32,
        "RightToLeft": 64,
        "ECMAScript": 256,
        "CultureInvariant": 512,
    },
    "System.Text.RegularExpressions",
)
_CATEGORIES: Final = {
    "L": r"[^\W\d_]",
    "Lu": "[A-ZÀ-ÖØ-ÞĀ-Ż]",
    "Ll": "[a-zß-öø-ÿ]",
    "N": r"\d",
    "Nd": r"\d",
    "P": r"[^\w\s]",
    "Z": r"\s",
}
_MAX_EXPONENTIAL: Final = 28
_MAX_POLYNOMIAL: Final = {0: 1_000_000, 1: 1_000_000, 2: 50_000, 3: 5_000}


class Pattern:
    """A translated pattern: `groups` lists .NET's group numbers and names in .NET's order."""

    __slots__ = ("compiled", "limit", "names", "order", "source")

    def __init__(self, source: str, options: int) -> None:
        self.source = source
        text = translate(source, options)
        flags = 0
        for bit, flag in ((1, re.I), (2, re.M), (16, re.S), (32, re.X), (256, re.A)):
            flags |= flag if options & bit else 0
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self.compiled = re.compile(text, flags)
                self.limit = input_limit(text, flags)
        except (re.error, OverflowError, RecursionError) as error:
            raise _refused(source, str(error)) from None
        named = self.compiled.groupindex
        unnamed = [i for i in range(1, self.compiled.groups + 1) if i not in named.values()]
        self.order: list[int] = [0, *unnamed, *named.values()]
        self.names: list[str] = [str(i) for i in range(len(unnamed) + 1)] + list(named)

    def check(self, runtime: Runtime, text: str | None) -> str:
        if text is None:
            raise argument_null("input")
        if len(text) > self.limit:
            raise BudgetExceeded(f"the regex '{self.source[:60]}' could backtrack too long on {len(text)} characters")
        runtime.charge(1 + (len(text) >> 4))
        return text


def _refused(source: str, why: str) -> CsException:
    if "look-behind" in why:
        return CsException(
            "NotSupportedException", f"a look-behind of variable width in the regex '{source}' is not modelled"
        )
    return argument(f'parsing "{source}" - {why}.')


_ESCAPED: Final = re.compile(
    r"\\(?:k[<'](?P<back>\w+)[>']|(?P<category>[pP])\{(?P<name>\w+)\}|(?P<other>[GZzeXRKhHNQEC]))"
    r"|\\(?P<plain>.)"
    r"|\(\?[<'](?P<group>[A-Za-z_]\w*)[>']"
    r"|(?P<balance>\(\?[<']\w*-\w+[>'])|(?P<numbered>\(\?[<']\d+[>'])"
    r"|(?P<inline>\(\?[a-z]*n[a-z]*(?:-[a-z]+)?[:)])"
    r"|(?P<opening>\((?!\?))"
    r"|(?P<subtraction>-\[)|(?P<open>\[\^?\]?)|(?P<close>\])",
    re.S,
)


def translate(source: str, options: int) -> str:
    """The pattern for `re`. Raises NotSupportedException naming what is not modelled."""
    if options & 64:
        raise CsException("NotSupportedException", "RegexOptions.RightToLeft is not modelled")
    in_class = False

    def one(match: re.Match[str]) -> str:
        nonlocal in_class
        if match["open"]:
            if in_class:
                return "\\" + match["open"] if match["open"] == "[" else match[0].replace("[", "\\[")
            in_class = True
            return match[0] if not match[0].endswith("]") else match[0][:-1] + "\\]"
        if match["close"]:
            in_class = False
            return "]"
        if match["subtraction"]:
            if in_class:
                raise CsException("NotSupportedException", "character class subtraction in a regex is not modelled")
            in_class = True
            return "-["
        if match["category"]:
            return _category(match["name"], match["category"] == "P", in_class)
        if match["plain"] is not None:
            return match[0]
        if in_class:
            return match[0]
        return _outside(match, options)

    return _ESCAPED.sub(one, source)


def _outside(match: re.Match[str], options: int) -> str:
    if match["back"]:
        return f"\\{match['back']}" if match["back"].isdigit() else f"(?P={match['back']})"
    if match["other"]:
        known = {"z": "\\Z", "Z": "(?=\\n?\\Z)", "e": "\\x1b"}.get(match["other"])
        if known is None:
            raise CsException("NotSupportedException", f"'\\{match['other']}' in a regex is not modelled")
        return known
    if match["group"]:
        return f"(?P<{match['group']}>"
    if match["balance"] or match["numbered"] or match["inline"]:
        what = (
            "a balancing group"
            if match["balance"]
            else "a numbered group"
            if match["numbered"]
            else "the inline option n"
        )
        raise CsException("NotSupportedException", f"{what} in a regex is not modelled")
    if match["opening"] and options & 4:
        return "(?:"
    return match[0]


def _category(name: str, negated: bool, in_class: bool) -> str:
    found = _CATEGORIES.get(name)
    if found is None or (in_class and found.startswith("[^")) or (negated and not found.startswith(("\\", "["))):
        raise CsException("NotSupportedException", f"'\\p{{{name}}}' in a regex is not modelled")
    if in_class:
        return found.strip("[]") if found.startswith("[") else found.upper() if negated else found
    if not negated:
        return found
    return found.upper() if found.startswith("\\") else f"(?!{found})[\\s\\S]"


# -- how long a pattern may run ------------------------------------------------------------------------------------


def input_limit(text: str, flags: int) -> int:
    """The longest input this pattern may see."""
    degree = _degree(sre_parser.parse(text, flags))
    return _MAX_EXPONENTIAL if degree < 0 else _MAX_POLYNOMIAL.get(degree, 2_000)


def _degree(items: Any) -> int:
    """How many unbounded repeats can compete in a row; -1 when one repeats inside another without a clear border."""
    total = 0
    for operation, value in items:
        inner: list[Any] = []
        if operation in (sre.MAX_REPEAT, sre.MIN_REPEAT):
            low, high, body = value
            degree = _degree(body)
            if degree < 0:
                return -1
            unbounded = high == sre.MAXREPEAT or high > 64
            if unbounded and degree > 0 and not _bordered(body):
                return -1
            total += max(degree, 1) if unbounded else min(degree * max(low, 1), 4)
            continue
        if operation is sre.SUBPATTERN:
            inner = [value[-1]]
        elif operation is sre.BRANCH:
            inner = list(value[1])
        elif operation in (sre.ASSERT, sre.ASSERT_NOT):
            inner = [value[1]]
        elif operation is sre.ATOMIC_GROUP:
            inner = [value]
        degrees = [_degree(one) for one in inner]
        if any(one < 0 for one in degrees):
            return -1
        total += max(degrees, default=0)
    return total


def _bordered(body: Any) -> bool:
    """Whether each round of an outer repeat must pass a character that its inner repeats cannot take."""
    sequence = list(body)
    while len(sequence) == 1 and sequence[0][0] is sre.SUBPATTERN:
        sequence = list(sequence[0][1][-1])
    taken: list[Callable[[int], bool]] = []
    borders: list[int] = []
    for operation, value in sequence:
        if operation is sre.LITERAL:
            borders.append(value)
        elif operation in (sre.MAX_REPEAT, sre.MIN_REPEAT) and len(value[2]) == 1:
            taken.append(_accepts(value[2][0]))
        elif operation is sre.IN:
            continue
        else:
            return False
    return any(not any(accept(border) for accept in taken) for border in borders)


def _accepts(item: Any) -> Callable[[int], bool]:
    operation, value = item
    if operation is sre.LITERAL:
        return lambda c: c == value
    if operation is sre.NOT_LITERAL:
        return lambda c: c != value
    if operation is sre.IN:
        return _class_accepts(value)
    return lambda c: True


def _class_accepts(items: Any) -> Callable[[int], bool]:
    checks: dict[Any, Callable[[str], bool]] = {
        sre.CATEGORY_DIGIT: str.isdigit,
        sre.CATEGORY_SPACE: str.isspace,
        sre.CATEGORY_WORD: lambda c: c.isalnum() or c == "_",
        sre.CATEGORY_NOT_DIGIT: lambda c: not c.isdigit(),
        sre.CATEGORY_NOT_SPACE: lambda c: not c.isspace(),
        sre.CATEGORY_NOT_WORD: lambda c: not (c.isalnum() or c == "_"),
    }

    def accept(code: int) -> bool:
        negated = False
        found = False
        for operation, value in items:
            if operation is sre.NEGATE:
                negated = True
            elif operation is sre.LITERAL:
                found = found or code == value
            elif operation is sre.RANGE:
                found = found or value[0] <= code <= value[1]
            elif operation is sre.CATEGORY:
                found = found or bool(checks[value](chr(code)))
        return found is not negated

    return accept


# -- what policies call ----------------------------------------------------------------------------------------------


@lru_cache(maxsize=512)
def pattern_of(source: str | None, options: int = 0) -> Pattern:
    if source is None:
        raise argument_null("pattern")
    return Pattern(source, options)


class Group:
    """Group, Capture or Match: `found` is None for a group that took no part."""

    __slots__ = ("found", "index", "name", "pattern", "text")

    def __init__(self, pattern: Pattern, found: re.Match[str] | None, index: int, name: str, text: str) -> None:
        self.pattern = pattern
        self.found = found
        self.index = index
        self.name = name
        self.text = text

    @property
    def success(self) -> bool:
        return self.found is not None and self.found.start(self.index) >= 0

    @property
    def value(self) -> str:
        return (self.found.group(self.index) or "") if self.found is not None else ""

    @property
    def at(self) -> int:
        return max(self.found.start(self.index), 0) if self.found is not None else 0

    def group(self, key: Any) -> Group:
        """Groups[1] or Groups["name"]; an unknown one is a failed group."""
        label = str(key)
        if label in self.pattern.names:
            place = self.pattern.order[self.pattern.names.index(label)]
            return Group(self.pattern, self.found, place, label, self.text)
        return Group(self.pattern, None, 0, label, self.text)

    def groups(self) -> list[Group]:
        return [self.group(name) for name in self.pattern.names]


def _match(runtime: Runtime, pattern: Pattern, text: str | None, start: int = 0) -> Group:
    subject = pattern.check(runtime, text)
    return Group(pattern, pattern.compiled.search(subject, start), 0, "0", subject)


def _next_match(runtime: Runtime, one: Group) -> Group:
    if one.found is None:
        return one
    start = one.found.end() + (one.found.end() == one.found.start())
    if start > len(one.text):
        return Group(one.pattern, None, 0, "0", one.text)
    return _match(runtime, one.pattern, one.text, start)


def _matches(runtime: Runtime, pattern: Pattern, text: str | None) -> CsList:
    subject = pattern.check(runtime, text)
    found: list[Group] = []
    for match in pattern.compiled.finditer(subject):
        runtime.step()
        found.append(Group(pattern, match, 0, "0", subject))
    return MatchList(found)


class MatchList(CsList):
    """MatchCollection and GroupCollection."""

    __slots__ = ()

    def cs_iterate(self) -> Iterator[Any]:
        return iter(list(self))


_SUBSTITUTION: Final = re.compile(r"\$(?:(\d+)|\{(\w+)\}|([$&`'_+]))")


def _expand(template: str, one: Group) -> str:
    def piece(match: re.Match[str]) -> str:
        key = match[1] or match[2]
        if key is not None:
            return one.group(key).value if key in one.pattern.names else match[0]
        assert one.found is not None
        symbol = match[3]
        if symbol == "+":
            return one.groups()[-1].value
        return {
            "$": "$",
            "&": one.value,
            "`": one.text[: one.found.start()],
            "'": one.text[one.found.end() :],
            "_": one.text,
        }[symbol]

    return _SUBSTITUTION.sub(piece, template)


def _replace(runtime: Runtime, pattern: Pattern, text: str | None, by: Callable[[Group], str], count: int = -1) -> str:
    subject = pattern.check(runtime, text)
    size = len(subject)

    def one(match: re.Match[str]) -> str:
        nonlocal size
        runtime.step()
        piece = by(Group(pattern, match, 0, "0", subject)) or ""
        size += len(piece)
        check_text(size)
        return piece

    return subject if count == 0 else pattern.compiled.sub(one, subject, count=max(count, 0))


def _template(text: str | None) -> Callable[[Group], str]:
    if text is None:
        raise argument_null("replacement")
    fixed = text
    return lambda one: _expand(fixed, one)


def _split(runtime: Runtime, pattern: Pattern, text: str | None, count: int = 0) -> CsArray:
    subject = pattern.check(runtime, text)
    parts: list[str] = []
    start = 0
    for match in pattern.compiled.finditer(subject):
        runtime.step()
        if count and len(parts) >= count - 1:
            break
        parts.append(subject[start : match.start()])
        parts.extend(one for one in match.groups() if one is not None)
        start = match.end()
    return CsArray([*parts, subject[start:]], STRING)


def escape(text: str | None) -> str:
    """Regex.Escape: .NET's own list of characters."""
    if text is None:
        raise argument_null("str")
    named = {"\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", " ": "\\ "}
    return "".join(named.get(c) or (f"\\{c}" if c in "\\*+?|{[()^$.#" else c) for c in text)


CLASSES.update(Regex=Pattern, Match=Group, Group=Group, MatchCollection=MatchList)
TEXT[Group] = lambda one: one.value
TEXT[Pattern] = lambda one: one.source
_SPACE: Final = "System.Text.RegularExpressions"
define(
    "Capture",
    namespace=_SPACE,
    members={
        "string Value": lambda g: g.value,
        "int Index": lambda g: g.at,
        "int Length": lambda g: len(g.value),
        "string ToString()": lambda g: g.value,
    },
)
define(
    "Group",
    bases=["Capture"],
    namespace=_SPACE,
    members={"bool Success": lambda g: g.success, "string Name": lambda g: g.name},
)
define(
    "GroupCollection",
    bases=["IEnumerable<Group>"],
    namespace=_SPACE,
    members={
        "Group this[int]": lambda m, i: m.group(i),
        "Group this[string]": lambda m, n: m.group(n),
        "int Count": lambda m: len(m.pattern.names),
    },
)
define(
    "Match",
    bases=["Group"],
    namespace=_SPACE,
    members={
        "GroupCollection Groups": lambda m: GroupView(m),
        "!Match NextMatch()": _next_match,
        "string Result(string)": lambda m, t: _expand(t, m),
    },
)


class GroupView:
    """The groups of one match, by number, by name, or one after another."""

    __slots__ = ("match",)

    def __init__(self, match: Group) -> None:
        self.match = match

    @property
    def pattern(self) -> Pattern:
        return self.match.pattern

    def group(self, key: Any) -> Group:
        return self.match.group(key)

    def cs_iterate(self) -> Iterator[Any]:
        return iter(self.match.groups())


define(
    "MatchCollection",
    bases=["IEnumerable<Match>"],
    namespace=_SPACE,
    members={"int Count": len, "Match this[int]": lambda c, i: c[i]},
)
_STATIC: dict[str, Any] = {}
for _suffix, _make in (("", lambda p: pattern_of(p)), (", RegexOptions", lambda p, o: pattern_of(p, int(o)))):
    _build: Callable[..., Pattern] = _make
    _STATIC.update(
        {
            f"!static bool IsMatch(string, string{_suffix})": (lambda b: lambda r, s, *p: _match(r, b(*p), s).success)(
                _build
            ),
            f"!static Match Match(string, string{_suffix})": (lambda b: lambda r, s, *p: _match(r, b(*p), s))(_build),
            f"!static MatchCollection Matches(string, string{_suffix})": (
                lambda b: lambda r, s, *p: _matches(r, b(*p), s)
            )(_build),
            f"!static string Replace(string, string, string{_suffix})": (
                lambda b: lambda r, s, p, t, *o: _replace(r, b(p, *o), s, _template(t))
            )(_build),
            f"!static string Replace(string, string, Func<Match, string>{_suffix})": (
                lambda b: lambda r, s, p, f, *o: _replace(r, b(p, *o), s, f)
            )(_build),
            f"!static string[] Split(string, string{_suffix})": (lambda b: lambda r, s, *p: _split(r, b(*p), s))(
                _build
            ),
        }
    )
define(
    "Regex",
    namespace=_SPACE,
    members={
        "Regex new(string)": pattern_of,
        "Regex new(string, RegexOptions)": lambda p, o: pattern_of(p, int(o)),
        "Regex new(string, RegexOptions, TimeSpan)": lambda p, o, t: pattern_of(p, int(o)),
        **_STATIC,
        "static string Escape(string)": escape,
        "static string Unescape(string)": lambda s: re.sub(r"\\(.)", r"\1", s),
        "!bool IsMatch(string)": lambda r, p, s: _match(r, p, s).success,
        "!Match Match(string)": _match,
        "!Match Match(string, int)": _match,
        "!MatchCollection Matches(string)": _matches,
        "!string Replace(string, string)": lambda r, p, s, t: _replace(r, p, s, _template(t)),
        "!string Replace(string, string, int)": lambda r, p, s, t, n: _replace(r, p, s, _template(t), n),
        "!string Replace(string, Func<Match, string>)": _replace,
        "!string[] Split(string)": _split,
        "!string[] Split(string, int)": _split,
        "string ToString()": lambda p: p.source,
    },
)
