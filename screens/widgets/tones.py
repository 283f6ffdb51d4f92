"""Colours of the tones: two themes of our own, and the way from spans to a strip of the terminal.

One accent; red only for harm to callers, amber for harm to come, everything else quiet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.theme import Theme

from screens.spans import Span, Tone

if TYPE_CHECKING:
    from textual.app import App

DARK = Theme(
    name="genaigw-dark",
    primary="#7aa2c8",
    secondary="#4d6a85",
    accent="#7fb4d9",
    warning="#e3b04b",
    error="#ef6a6a",
    success="#8fb78a",
    foreground="#d4d8dd",
    background="#15181c",
    surface="#1b1f24",
    panel="#22272d",
    dark=True,
    variables={
        "tone-strong": "#f3f5f7",
        "tone-quiet": "#8d96a0",
        "tone-faint": "#535c66",
        "tone-stale": "#6d7680",
        "tone-good": "#8fb78a",
        "tone-head": "#8d96a0",
        "tone-on-badge": "#15181c",
        "tone-production": "#d79bd0",
        "tone-trend": "#54809f",
        "tone-area": "#48718f",
        "tone-area-warn": "#a17f38",
        "tone-area-harm": "#b05558",
        "cursor-line": "#2b3742",
        "group-line": "#1d2227",
        "production-line": "#38243a",
        "block-cursor-text-style": "none",
        "footer-background": "#1b1f24",
    },
)

LIGHT = Theme(
    name="genaigw-light",
    primary="#2d6a9a",
    secondary="#6f93b0",
    accent="#1f6ea8",
    warning="#96650a",
    error="#b3261e",
    success="#3d7a3a",
    foreground="#22272d",
    background="#fafbfc",
    surface="#f0f2f5",
    panel="#e4e8ec",
    dark=False,
    variables={
        "tone-strong": "#0b0e11",
        "tone-quiet": "#5c6670",
        "tone-faint": "#a3abb3",
        "tone-stale": "#848d96",
        "tone-good": "#3d7a3a",
        "tone-head": "#5c6670",
        "tone-on-badge": "#ffffff",
        "tone-production": "#8a2f7f",
        "tone-trend": "#6d9fc4",
        "tone-area": "#7faed0",
        "tone-area-warn": "#cfa44c",
        "tone-area-harm": "#d97f79",
        "cursor-line": "#d5e4f0",
        "group-line": "#eef1f4",
        "production-line": "#f3dff0",
        "block-cursor-text-style": "none",
        "footer-background": "#f0f2f5",
    },
)

_cache: WeakKeyDictionary[App[Any], tuple[str, Mapping[Tone, Style]]] = WeakKeyDictionary()


def tone_styles(app: App[Any]) -> Mapping[Tone, Style]:
    """The style of every tone under the app's theme, without backgrounds except for badges."""
    known = _cache.get(app)
    if known is not None and known[0] == app.theme:
        return known[1]
    colour = {**LIGHT.variables, **DARK.variables, **app.theme_variables}
    on_badge = colour["tone-on-badge"]

    def badge(background: str) -> Style:
        return Style(color=on_badge, bgcolor=background, bold=True)

    styles = {
        Tone.PLAIN: Style(),
        Tone.STRONG: Style(color=colour["tone-strong"], bold=True),
        Tone.QUIET: Style(color=colour["tone-quiet"]),
        Tone.FAINT: Style(color=colour["tone-faint"]),
        Tone.STALE: Style(color=colour["tone-stale"], italic=True),
        Tone.ACCENT: Style(color=_solid(colour["accent"])),
        Tone.TREND: Style(color=colour["tone-trend"]),
        Tone.AREA: Style(color=colour["tone-area"]),
        Tone.AREA_WARN: Style(color=colour["tone-area-warn"]),
        Tone.AREA_HARM: Style(color=colour["tone-area-harm"]),
        Tone.GOOD: Style(color=colour["tone-good"]),
        Tone.WARN: Style(color=_solid(colour["warning"])),
        Tone.HARM: Style(color=_solid(colour["error"]), bold=True),
        Tone.HEAD: Style(color=colour["tone-head"]),
        Tone.BADGE: badge(colour["tone-quiet"]),
        Tone.BADGE_PRODUCTION: badge(colour["tone-production"]),
        Tone.BADGE_SIMULATED: badge(_solid(colour["accent"])),
        Tone.BADGE_READ_ONLY: badge(colour["tone-good"]),
        Tone.KEY: Style(color=_solid(colour["accent"]), bold=True),
    }
    _cache[app] = (app.theme, styles)
    return styles


def _solid(colour: str) -> str:
    """A colour without the alpha some themes add."""
    return colour[:7] if colour.startswith("#") else "default"


def to_strip(spans: Iterable[Span], styles: Mapping[Tone, Style], base: Style, width: int) -> Strip:
    """One line of exactly `width` columns: spans over `base`, cut or padded at the end."""
    segments = []
    for text, tone, action in spans:
        style = base + styles[tone]
        if action is not None:
            style += Style.from_meta({"@click": action})
        segments.append(Segment(text, style))
    return Strip(segments).adjust_cell_length(width, base)
