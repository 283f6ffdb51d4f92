"""How numbers read: counts, shares, times, ages, bars and trends as cells.

Pure. None is `–`, never 0. A stale figure is dim with its age beside it; a lost source puts a word where the number
was. Thresholds come from `console.domain.health`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from console.domain.health import BUSY_UTILIZATION_RATIO, FAILING_RATIO, THROTTLED_RATIO
from console.domain.load import Figure, Series
from console.domain.snapshot import FeedStatus, GatewaySnapshot
from screens.spans import NO_DATA, Cell, Span, Tone, text_of, tint, width_of

STALE_SECONDS = 600.0
"""Data of this age is stale even when its feed reports on time: Azure's own lag rarely passes ten minutes."""

FEED_OF_SOURCE = {"metrics": "metrics", "gateway logs": "traffic", "probe": "probes"}
"""Which feed reads a source, to tell a lost source from one without data."""

_LEVELS = "▁▂▃▄▅▆▇"


def format_count(value: float) -> str:
    """Counts a minute: `4.2`, `255`, `1,204`, `12.3k`, `1.2M`."""
    if value < 0:
        return f"-{format_count(-value)}"
    if value == 0:
        return "0"
    if value < 9.95:
        return f"{value:.1f}".removesuffix(".0")
    if value < 9_999.5:
        return f"{value:,.0f}"
    if value < 999_500:
        return f"{value / 1000:.1f}k" if value < 99_950 else f"{value / 1000:.0f}k"
    return f"{value / 1_000_000:.1f}M" if value < 999.5e6 else f"{value / 1e9:.1f}G"


def format_share(ratio: float) -> str:
    """A ratio as a percentage with one decimal: `0.0%`, `34.1%`, `100%`; what is above 0 never reads as 0."""
    percent = ratio * 100
    if 0 < percent < 0.05:
        return "<0.1%"
    if percent >= 99.95:
        return f"{percent:.0f}%"
    return f"{percent:.1f}%"


def format_percent(ratio: float) -> str:
    """A ratio as a whole percentage: `104%`; what is above 0 never reads as 0."""
    return "<1%" if 0 < ratio < 0.005 else f"{ratio * 100:.0f}%"


def format_milliseconds(value: float) -> str:
    """A latency: `85ms`, `1.8s`, `12s`, `2m`."""
    if value < 99.5:
        return f"{value:.0f}ms"
    if value < 9_950:
        return f"{value / 1000:.1f}s"
    return f"{value / 1000:.0f}s" if value < 119_500 else f"{value / 60_000:.0f}m"


def format_age(seconds: float) -> str:
    """How long ago: `22s`, `3m`, `2h`, `4d`."""
    if seconds < 60:
        return f"{seconds:.0f}s" if seconds < 59.5 else "1m"
    if seconds < 3600:
        return f"{seconds // 60:.0f}m"
    return f"{seconds // 3600:.0f}h" if seconds < 86_400 else f"{seconds // 86_400:.0f}d"


def format_seconds(seconds: float) -> str:
    """A configured duration in words of a rule: `10 s`, `1 min`, `1 min 30 s`, `2 h`."""
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    parts = [f"{hours} h" if hours else "", f"{minutes} min" if minutes else "", f"{rest} s" if rest else ""]
    return " ".join(part for part in parts if part) or "0 s"


def format_time(at: datetime) -> str:
    """Hours and minutes, UTC."""
    return at.strftime("%H:%M")


@dataclass(frozen=True, slots=True)
class Freshness:
    """What is needed to judge a figure's age: the time of the look and how the feeds fare."""

    now: datetime
    feeds: Mapping[str, FeedStatus]
    _words: dict[datetime, str] = field(default_factory=dict, compare=False, repr=False)

    def age_words(self, at: datetime) -> str:
        """How long ago in words: all that a drawn cell depends on of the time that passes."""
        known = self._words.get(at)
        if known is None:
            known = self._words[at] = format_age(max(0.0, (self.now - at).total_seconds()))
        return known

    @classmethod
    def of(cls, snapshot: GatewaySnapshot, now: datetime) -> Freshness:
        """The freshness of a snapshot looked at `now`."""
        return cls(now, {feed.name: feed for feed in snapshot.feeds})

    def feed_of(self, figure: Figure) -> FeedStatus | None:
        """The feed that reads the figure's source, None when it is not known."""
        source = figure.source.lower()
        name = FEED_OF_SOURCE.get(source)
        if name is None:
            name = next((feed for word, feed in FEED_OF_SOURCE.items() if word in source), source)
        return self.feeds.get(name)

    def is_stale(self, figure: Figure) -> bool:
        """Whether the figure is older than it should be by now."""
        age = figure.age_seconds(self.now)
        if age is None:
            return False
        feed = self.feed_of(figure)
        return age >= STALE_SECONDS or (feed is not None and feed.is_late)

    def is_lost(self, figure: Figure) -> bool:
        """Whether there is no number because its source does not answer."""
        feed = self.feed_of(figure)
        return figure.value is None and feed is not None and feed.last_error is not None


def figure_cell(
    figure: Figure,
    render: Callable[[float], str],
    freshness: Freshness,
    tone: Callable[[float], Tone] | None = None,
    room: int | None = None,
) -> Cell:
    """The number; dim with its age when stale (the age only where `room` columns allow); `lost` or `–` without one."""
    if figure.value is None:
        return (Span("lost", Tone.WARN),) if freshness.is_lost(figure) else NO_DATA
    text = render(figure.value)
    if not freshness.is_stale(figure):
        return (Span(text, tone(figure.value) if tone else Tone.PLAIN),)
    age = figure.age_seconds(freshness.now)
    aged = f"{text} {format_age(age)}" if age is not None else text
    return (Span(aged if room is None or len(aged) <= room else text, Tone.STALE),)


def tone_of_utilization(ratio: float) -> Tone:
    """Amber from the point where the next burst is refused."""
    return Tone.WARN if ratio >= BUSY_UTILIZATION_RATIO else Tone.PLAIN


def tone_of_model_throttled(ratio: float) -> Tone:
    """What models refuse may still be served elsewhere: amber at most."""
    if ratio >= THROTTLED_RATIO:
        return Tone.WARN
    return Tone.PLAIN if ratio > 0 else Tone.QUIET


def tone_of_caller_throttled(ratio: float) -> Tone:
    """What callers were refused hurts: red from the throttled threshold on."""
    if ratio >= THROTTLED_RATIO:
        return Tone.HARM
    return Tone.PLAIN if ratio > 0 else Tone.QUIET


def tone_of_errors(ratio: float) -> Tone:
    """Failed answers reach callers: red from the failing threshold on."""
    if ratio >= FAILING_RATIO:
        return Tone.HARM
    return Tone.PLAIN if ratio > 0 else Tone.QUIET


def bar(ratio: float, width: int) -> str:
    """A horizontal bar of at most `width` columns in halves, full at 1.0; what is above 0 shows at least one half."""
    halves = min(width * 2, max(round(ratio * width * 2), 1 if ratio > 0 else 0))
    full, rest = divmod(halves, 2)
    return "━" * full + ("╸" if rest else "")


def utilization_cell(figure: Figure, freshness: Freshness, width: int) -> Cell:
    """Bar and percentage in `width` columns; the percentage alone when there is no room for a bar."""
    number = figure_cell(figure, format_percent, freshness, tone_of_utilization, room=width)
    bar_width = width - 5
    if figure.value is None or bar_width < 3 or width_of(number) > 4:
        return (Span(" " * max(0, width - width_of(number))), *number)
    tone = number[0].tone
    filled = bar(figure.value, bar_width)
    track = Span("·" * (bar_width - len(filled)), Tone.FAINT)
    bar_tone = Tone.ACCENT if tone is Tone.PLAIN else tone
    return Span(filled, bar_tone), track, Span(text_of(number).rjust(5), tone)


def resample(values: Sequence[float | None], width: int) -> list[float | None]:
    """The values in `width` columns: means where several share a column, steps where one spans several."""
    count = len(values)
    if not count or width <= 0:
        return [None] * max(0, width)
    columns: list[float | None] = []
    for column in range(width):
        first = column * count // width
        last = max(first + 1, (column + 1) * count // width)
        known = [value for value in values[first:last] if value is not None]
        columns.append(sum(known) / len(known) if known else None)
    return columns


def sparkline(series: Series | None, width: int, throttled: Series | None = None) -> Cell:
    """The series in `width` columns of seven levels; gaps where nothing is known.

    Columns whose share of `throttled` passes the throttled threshold are amber (the 429 columns say the number).
    """
    if series is None or not any(value is not None for value in series.values):
        return NO_DATA
    columns = resample(series.values, width)
    refused: Sequence[float | None] = [None] * width
    if throttled is not None and len(throttled.values) == len(series.values):
        refused = resample(throttled.values, width)
    top = max((value for value in columns if value is not None), default=0.0)
    spans: list[Span] = []
    for value, part in zip(columns, refused, strict=True):
        if value is None:
            char, tone = " ", Tone.FAINT
        elif not value or not top:
            char, tone = "▁", Tone.FAINT
        else:
            char = _LEVELS[min(6, int(value / top * 6.999))]
            tone = Tone.WARN if part is not None and part / value >= THROTTLED_RATIO else Tone.TREND
        if spans and spans[-1].tone is tone:
            spans[-1] = Span(spans[-1].text + char, tone)
        else:
            spans.append(Span(char, tone))
    return tuple(spans)


def age_cell(figures: Sequence[Figure], freshness: Freshness) -> Cell:
    """The age of the oldest of the figures that have a number."""
    known = [figure for figure in figures if figure.value is not None and figure.observed_at is not None]
    if not known:
        return NO_DATA
    oldest = max(known, key=lambda figure: figure.age_seconds(freshness.now) or 0.0)
    age = Span(format_age(oldest.age_seconds(freshness.now) or 0.0), Tone.QUIET)
    return tint((age,), Tone.WARN) if freshness.is_stale(oldest) else (age,)
