"""The answers: one line each, checked while one types, with what can be chosen below. Widgets only; asks nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.message import Message
from textual.suggester import Suggester
from textual.widgets import Input

from console.operations.deploy.parameters import Choices, Offer, problems_of
from console.operations.deploy.preflight import Surroundings
from screens.spans import Cell, Span, Tone, visible, wrap
from screens.widgets.span_view import SpanView

FIELDS: tuple[tuple[str, str, str], ...] = (
    ("username", "whose gateway", "one gateway for each name; names of resources are made from it"),
    ("location", "region", "of every resource"),
    ("ptu_endpoint", "PTU endpoint", "provisioned throughput, used first"),
    ("payg_endpoint_1", "PAYG endpoint 1", "pay-as-you-go, takes what spills over"),
    ("payg_endpoint_2", "PAYG endpoint 2", "pay-as-you-go in another region"),
    ("policy_fragment", "fragment", "how the API balances and retries"),
    ("sku", "tier", "of API Management; Developer when empty"),
    ("publisher_email", "publisher's mail", "where API Management sends notifications; may stay empty"),
)
LABEL_COLUMNS = 18


def _draw_label(label: str, width: int, height: int) -> list[Cell]:
    return [(Span(label, Tone.QUIET),)]


class AnswerInput(Input):
    """One answer. Enter and down go on, up goes back; right takes the suggestion."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "app.focus_next", "next", id="answer.next", tooltip="The next answer", show=False),
        Binding("up", "app.focus_previous", "previous", id="answer.previous", tooltip="The answer before", show=False),
    ]

    def __init__(self, field_name: str, value: str, suggester: Suggester) -> None:
        super().__init__(value, id=f"answer-{field_name}", suggester=suggester, select_on_focus=False)
        self.field_name = field_name


class Offered(Suggester):
    """Completes what is typed to something that can be chosen now."""

    def __init__(self, choices: Callable[[], Sequence[str]]) -> None:
        super().__init__(use_cache=False, case_sensitive=False)
        self._choices = choices

    async def get_suggestion(self, value: str) -> str | None:
        """The first choice that begins with it."""
        return next((choice for choice in self._choices() if choice.casefold().startswith(value)), None)


class AnswerForm(VerticalScroll):
    """All answers. Posts `Changed` as one types and `Done` when Enter was pressed on the last."""

    can_focus = False

    class Changed(Message):
        """An answer changed."""

        def __init__(self, choices: Choices) -> None:
            super().__init__()
            self.choices = choices

    class Done(Message):
        """Go on with these answers."""

    def __init__(self, choices: Choices, offer: Offer, found: Surroundings, *, id: str) -> None:
        super().__init__(id=id)
        self.choices = choices
        self.offer = offer
        self.found = found

    def compose(self) -> ComposeResult:
        """A label, the answer and what is wrong with it, for each."""
        for field_name, label, _ in FIELDS:
            value = str(getattr(self.choices, field_name) or "")
            with Horizontal(classes="answer"):
                yield SpanView(partial(_draw_label, label), classes="label")
                yield AnswerInput(field_name, value, Offered(partial(self.choices_for, field_name)))
            yield SpanView(partial(self._draw_problem, field_name), id=f"problem-{field_name}")
        yield SpanView(self._draw_advice, id="advice")

    def choices_for(self, field_name: str) -> tuple[str, ...]:
        """What the subscription and the template offer for an answer."""
        match field_name:
            case "location":
                return tuple(self.offer.regions or ())
            case "policy_fragment":
                return self.offer.fragments
            case "sku":
                return self.offer.skus
            case "ptu_endpoint":
                return tuple(self._urls(is_ptu=True))
            case "payg_endpoint_1" | "payg_endpoint_2":
                taken = {self.choices.ptu_endpoint, self.choices.payg_endpoint_1, self.choices.payg_endpoint_2}
                mine = getattr(self.choices, field_name)
                return tuple(url for url in self._urls(is_ptu=False) if url == mine or url not in taken)
        return ()

    def _urls(self, *, is_ptu: bool) -> Iterable[str]:
        for account in self.found.accounts:
            models = self.found.models.get(account.resource_id, ())
            host = next((host for host in account.hosts if ".openai.azure." in host), None)
            if host is not None and any(m.is_provisioned for m in models) is is_ptu:
                yield f"https://{host}"

    def _draw_problem(self, field_name: str, width: int, height: int) -> list[Cell]:
        value = getattr(self.choices, field_name)
        problem = problems_of(self.choices, self.offer).get(field_name, "") if value else ""
        return [(Span(" " * LABEL_COLUMNS), Span(f"! {visible(problem)}", Tone.WARN))] if problem else []

    @property
    def focused_field(self) -> str:
        """The answer that has the cursor, "" when none has."""
        focused = self.screen.focused if self.is_attached else None
        return focused.field_name if isinstance(focused, AnswerInput) else ""

    def _draw_advice(self, width: int, height: int) -> list[Cell]:
        name = self.focused_field
        about = next((words for field_name, _, words in FIELDS if field_name == name), "")
        lines: list[Cell] = [()]
        if about:
            lines += wrap((Span(visible(about), Tone.PLAIN),), width)
        choices = self.choices_for(name)
        if choices:
            told = "  ".join(choices[:16]) + ("  …" if len(choices) > 16 else "")
            lines += wrap((Span(visible(told), Tone.QUIET),), width, max_lines=5)
        if name == "policy_fragment":
            lines += [
                line
                for text in read_me_of(self.choices.policy_fragment)
                for line in wrap((Span(visible(text), Tone.QUIET),), width, max_lines=3)
            ]
        return lines

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        source = event.input
        if isinstance(source, AnswerInput):
            value: Any = event.value if source.field_name == "username" else event.value.strip()
            self.choices = replace(self.choices, **{source.field_name: value})
            for field_name, _, _ in FIELDS:
                self.query_one(f"#problem-{field_name}", SpanView).redraw()
            self.redraw_advice()
            self.post_message(self.Changed(self.choices))

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        if isinstance(event.input, AnswerInput) and event.input.field_name == FIELDS[-1][0]:
            self.post_message(self.Done())
        else:
            self.screen.focus_next()

    def on_descendant_focus(self) -> None:
        """Another answer: other advice."""
        self.redraw_advice()

    def redraw_advice(self) -> None:
        """Draw what can be chosen anew."""
        self.query_one("#advice", SpanView).redraw()


def read_me_of(fragment: str) -> list[str]:
    """What the README beside a fragment says of it, a few lines; nothing when there is none."""
    from console.operations.fragments.local import bundled_folder

    found = (
        next(bundled_folder().rglob(f"{fragment}.fragment.xml"), None) if fragment.replace("-", "").isalnum() else None
    )
    if found is None:
        return []
    try:
        lines = (found.parent / "README.md").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    title = next((line.lstrip("# ") for line in lines if line.startswith("#")), fragment)
    about = next((line for line in lines if line and not line.startswith(("#", "|", "-"))), "")
    row = next((line for line in lines if line.startswith(f"| `{fragment}`")), "")
    told = " · ".join(cell.strip() for cell in row.strip("|").split("|")[1:]).replace("`", "")
    return [f"{title}: {about}", *([told] if told else [])]
