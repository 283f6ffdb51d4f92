"""Policy text in tones: XML and the C# in it, line by line. Pure and cheap: one expression a line, no tree.

A line is coloured by itself; only a comment that spans lines is remembered.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from screens.spans import Cell, Span, Tone, visible

_KEYWORDS = (
    "as|bool|break|case|catch|const|continue|default|do|double|else|false|finally|for|foreach|if|in|int|is|long|new|null|"
    "object|out|return|string|switch|throw|true|try|typeof|using|var|while"
)
_TOKEN = re.compile(
    rf"""(?P<comment><!--.*?(?:-->|$))
    |(?P<tag></?[A-Za-z][\w.-]*|/?>)
    |(?P<name>[A-Za-z_][\w.:-]*(?==["']))
    |(?P<code>@[({{])
    |(?P<named>\{{\{{[\w.-]+\}}\}})
    |(?P<string>"[^"]*"|'[^']*')
    |(?P<keyword>\b(?:{_KEYWORDS})\b)
    |(?P<number>\b\d+(?:\.\d+)?\b)
    |(?P<note>//.*$)""",
    re.VERBOSE,
)
_TONES = {
    "comment": Tone.FAINT,
    "tag": Tone.ACCENT,
    "name": Tone.QUIET,
    "code": Tone.STRONG,
    "named": Tone.KEY,
    "string": Tone.GOOD,
    "keyword": Tone.STRONG,
    "number": Tone.TREND,
    "note": Tone.FAINT,
}
_LONGEST = 4000
"""Longer lines are shown plain: nobody reads colours there, and drawing must stay cheap."""


@dataclass(slots=True)
class Highlighter:
    """Colours the lines of one text, in order."""

    _in_comment: bool = False

    def line(self, text: str) -> Cell:
        """One line, made visible and coloured."""
        shown = visible(text.expandtabs(4))
        if len(shown) > _LONGEST:
            return (Span(shown),)
        spans: list[Span] = []
        at = 0
        if self._in_comment:
            end = shown.find("-->")
            at = len(shown) if end < 0 else end + 3
            spans.append(Span(shown[:at], Tone.FAINT))
            self._in_comment = end < 0
        for match in _TOKEN.finditer(shown, at):
            if match.start() > at:
                spans.append(Span(shown[at : match.start()]))
            kind = match.lastgroup or ""
            spans += self._attribute(match[0]) if kind == "string" else [Span(match[0], _TONES[kind])]
            if kind == "comment" and not match[0].endswith("-->"):
                self._in_comment = True
            at = match.end()
        if at < len(shown):
            spans.append(Span(shown[at:]))
        return tuple(spans)

    def _attribute(self, text: str) -> list[Span]:
        """A quoted value: as it is, or, when an expression begins in it, as code."""
        if "@(" not in text and "@{" not in text:
            return [Span(text, Tone.GOOD)]
        inner = text[1:-1]
        spans = [Span(text[0], Tone.GOOD)]
        at = 0
        for match in _TOKEN.finditer(inner):
            if match.start() > at:
                spans.append(Span(inner[at : match.start()]))
            spans.append(Span(match[0], _TONES[match.lastgroup or "code"]))
            at = match.end()
        return [*spans, Span(inner[at:]), Span(text[-1], Tone.GOOD)]
