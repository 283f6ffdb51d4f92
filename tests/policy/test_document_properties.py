"""Promises about any text: reading ends, raises only its own error, and printing loses nothing."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apimpolicy.document import Document, PolicySyntaxError, canonical, parse, print_document, same_meaning
from apimpolicy.lint import lint

MODERATE = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])

PIECES = st.sampled_from(
    [
        *"<>/=\"'@(){}[]&;!-?$\\ \n\r\t",
        "<a>",
        "</a>",
        "<a ",
        'b="',
        "@(",
        "@{",
        "{{n}}",
        "<!--",
        "-->",
        "&quot;",
        "//",
        "/*",
        "<![CDATA[",
        "]]>",
        "<policies>",
        "</policies>",
        "<inbound>",
        "set-body",
        ' template="liquid"',
        '$"{',
        '@"',
        "x",
    ]
)
SOUP = st.lists(PIECES, max_size=60).map("".join)

NAMES = st.sampled_from(["base", "choose", "when", "set-header", "value", "set-body", "xsl:template", "retry"])
LITERALS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"], exclude_characters="<>&\"'@{}"), max_size=12
)
EXPRESSIONS = st.sampled_from(
    [
        '@(a < b && "x)" == c)',
        '@{ var l = new List<string>(); return "}"; }',
        "@(1)",
        '@($"{a["k"]}{{n}}")',
        "@{\n// it's\nreturn 1;\n}",
    ]
)
VALUES = st.one_of(LITERALS, EXPRESSIONS, st.just("{{name}}"))


@st.composite
def elements(draw: st.DrawFn, depth: int = 3) -> str:
    name = draw(NAMES)
    keys = draw(st.lists(st.sampled_from(["name", "value", "condition", "id"]), unique=True, max_size=3))
    attributes = "".join(f'{draw(st.sampled_from([" ", chr(10)]))}{key}="{draw(VALUES)}"' for key in keys)
    inside = draw(
        st.lists(st.one_of(VALUES, st.just("<!-- a -- b -->"), elements(depth - 1)) if depth else VALUES, max_size=3)
    )
    if not inside and draw(st.booleans()):
        return f"<{name}{attributes} />"
    return f"<{name}{attributes}>{' '.join(inside)}</{name}>"


def read(text: str) -> Document | PolicySyntaxError:
    try:
        return parse(text)
    except PolicySyntaxError as error:
        return error


@MODERATE
@given(st.one_of(SOUP, st.text(max_size=80)))
def test_any_text_is_read_or_refused_with_a_place(text: str) -> None:
    outcome = read(text)
    if isinstance(outcome, PolicySyntaxError):
        assert outcome.position is not None
        assert outcome.position.line >= 1
        assert outcome.position.column >= 1
    else:
        assert print_document(outcome) == text


@MODERATE
@given(elements())
def test_printing_and_reading_again_keeps_the_meaning(text: str) -> None:
    document = parse(text)
    assert print_document(document) == text
    again = parse(print_document(document))
    assert again == document
    assert same_meaning(document, again)
    assert canonical(document) == canonical(again)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(SOUP, elements().map(lambda inner: f"<policies><inbound>{inner}</inbound></policies>")))
def test_lint_answers_any_text_with_findings_that_have_a_place(text: str) -> None:
    for finding in lint(text, kind="policy", scope="api"):
        assert finding.message
        assert finding.position.line >= 1


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "text", ["<a>" + "@(" * 30_000, '<a b="' + "x@{" * 20_000, "<a>" + '@("' * 20_000, "<a>" + "<" * 50_000]
)
def test_a_hostile_text_ends_in_reasonable_time(text: str) -> None:
    with pytest.raises(PolicySyntaxError):
        parse(text)
