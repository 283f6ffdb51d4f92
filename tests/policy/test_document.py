"""Policy text as people write it: reads, positions, decoding, printing, and errors that name the place."""

from __future__ import annotations

import pytest

from apimpolicy.document import (
    Comment,
    Element,
    PolicySyntaxError,
    canonical,
    inner_markup,
    is_expression,
    named_values_in,
    parse,
    print_document,
    same_meaning,
    substitute_named_values,
)
from apimpolicy.position import Position


def only(text: str) -> Element:
    """The first element inside `<fragment>` around `text`."""
    return parse(f"<fragment>{text}</fragment>").root.elements[0]


@pytest.mark.parametrize(
    "value",
    [
        '@(context.Request.Headers.GetValueOrDefault("x", "") == "a)b")',
        '@(context.Variables.GetValueOrDefault<int>("n") < 3 && true)',
        '@{ var l = new List<string>(); if (l.Count < 1 && !false) { return "}"; } return l[0]; }',
        '@{\n  // it\'s a "comment" with ) and }\n  return 1;\n}',
        '@{ /* } ) " */ return @"c:\\temp""quoted"""; }',
        '@($"https://{context.Request.Url.Host}/{(true ? "a" : "b")}/{{literal}}")',
        '@($@"{context.Api.Id}\n""{{x}}""")',
        "@('\"' == '(' || '\\'' == ')')",
        "  @(1 + 2)\r\n\t",
    ],
)
def test_an_expression_may_hold_anything_csharp_holds_in_attributes_and_in_text(value: str) -> None:
    element = only(f'<set-variable name="v" value="{value}" />')
    assert element.get("value") == value
    assert is_expression(value)
    assert only(f"<set-body>{value}</set-body>").text_content == value


def test_an_apostrophe_attribute_holds_raw_quotes() -> None:
    assert only("""<when condition='@(context.Request.Method == "GET")' />""").get("condition") == (
        '@(context.Request.Method == "GET")'
    )


@pytest.mark.parametrize(
    ("raw", "meaning"),
    [
        ("@(a == &quot;x)&quot; &amp;&amp; b)", '@(a == "x)" && b)'),
        ("@(a &lt; 3)", "@(a < 3)"),
        ('@("&lt;b&gt;")', '@("&lt;b&gt;")'),  # a fine C# string as it stands
        ('@(a == "raw" &amp;&amp; b == &quot;escaped&quot;)', '@(a == "raw" && b == "escaped")'),
        ('@(x == "&quot;" &amp;&amp; y)', '@(x == "&quot;" && y)'),  # decoding all of it would break the string
        ("@(a && b)", "@(a && b)"),
        ("@(a &amp;&amp; {{switch}})", "@(a && {{switch}})"),
        ("a &amp; b &#65; &nbsp; & c", "a & b A &nbsp; & c"),
    ],
)
def test_entities_are_decoded_only_where_csharp_needs_it(raw: str, meaning: str) -> None:
    assert only(f'<when condition="{raw}" />').get("condition") == meaning


def test_the_expression_knows_its_kind_and_where_its_csharp_begins() -> None:
    document = parse('<fragment>\r\n\t<set-variable name="a"\r\n\t\tvalue=" @{ return 1; }" />\r\n</fragment>')
    attribute = document.root.elements[0].attribute("value")
    assert attribute is not None
    assert (attribute.position, attribute.value_position) == (Position(3, 3), Position(3, 10))
    source = attribute.expression
    assert source is not None
    assert (source.kind, source.text, source.position) == ("block", " return 1; ", Position(3, 13))
    body = only("<set-body>\n  @(1 + 1)\n</set-body>").expression
    assert body is not None
    assert (body.kind, body.text, body.position) == ("inline", "1 + 1", Position(2, 5))


def test_a_byte_order_mark_a_declaration_and_comments_may_come_first() -> None:
    text = '\ufeff<?xml version="1.0"?>\r\n<!-- a -- b <inbound> -->\n<policies><inbound /></policies>\n<!-- end -->\n'
    document = parse(text)
    assert document.root.name == "policies"
    assert document.root.position == Position(3, 1)
    assert [node.value for node in document.prologue if isinstance(node, Comment)] == [" a -- b <inbound> "]
    assert print_document(document) == text


def test_literals_in_a_body_may_hold_braces_angle_brackets_and_ampersands() -> None:
    element = only('<set-body>{"a": 1 < 2, "b": "x & y", "mail": "a@(b"}</set-body>')
    assert element.text_content == '{"a": 1 < 2, "b": "x & y", "mail": "a@(b"}'


def test_a_liquid_template_is_one_text_whatever_markup_it_holds() -> None:
    element = only(
        '<set-body template="liquid">{% if a<b %}<x>{{body.y}}</z>{% endif %}<![CDATA[</set-body>]]></set-body>'
    )
    assert element.elements == []
    assert element.text_content == "{% if a<b %}<x>{{body.y}}</z>{% endif %}</set-body>"


def test_markup_and_cdata_in_a_body_keep_their_form() -> None:
    element = only('<set-body><s:Envelope xmlns:s="u"><!-- c --><s:Body>@(1 < 2)</s:Body></s:Envelope></set-body>')
    assert inner_markup(element) == '<s:Envelope xmlns:s="u"><!-- c --><s:Body>@(1 < 2)</s:Body></s:Envelope>'
    assert only("<set-body><![CDATA[<a> & b]]></set-body>").text_content == "<a> & b"


def test_printing_gives_back_every_character() -> None:
    text = (
        "<policies >\r\n  <inbound><base/><!-- -- -->\n<set-header name = 'x'\n exists-action=\"skip\"  >"
        '<value>@("a" + "<")</value ></set-header>\t</inbound>\n  <backend\n/></policies>'
    )
    assert print_document(parse(text)) == text


def test_what_the_server_may_rewrite_does_not_change_the_meaning() -> None:
    ours = parse('<fragment>\n  <when b="2" condition="@(a &amp;&amp; // why\n   b)"   ></when>\n</fragment>')
    theirs = parse("<!-- x --><fragment><when condition='@(a && b)' b=\"2\" /></fragment>")
    assert same_meaning(ours, theirs)
    assert not same_meaning(ours, parse("<fragment><when condition='@(a || b)' b=\"2\" /></fragment>"))
    assert canonical(parse(canonical(ours))) == canonical(ours)


def test_white_space_in_a_csharp_string_is_meaning() -> None:
    one, other = (parse(f'<fragment><a b="@("x{space}y")" /></fragment>') for space in (" ", "  "))
    assert not same_meaning(one, other)


def test_comments_count_only_when_asked_for() -> None:
    document = parse("<fragment><!-- why --><base /></fragment>")
    assert "why" not in canonical(document)
    assert "<!--why-->" in canonical(document, comments=True)


@pytest.mark.parametrize(
    ("text", "line", "column", "says"),
    [
        ('<fragment>\n <when condition="@(f(a)">\n </when></fragment>', 2, 25, "missing"),
        ("<policies>\n<inbound>\n</outbound></policies>", 3, 1, "'<inbound>' of line 2, column 1"),
        ('<a b=""x"/>', 1, 8, "quote doubled or missing"),
        ('<a b="1"c="2"/>', 1, 9, "expected a space"),
        ('<a b="@(x // y)"/>', 1, 11, "'//' comment hides"),
        ("<fragment>\n<set-body>@{ if (x) { }</set-body></fragment>", 2, 12, "not closed"),
        ('<a b="@(x})"/>', 1, 10, "'}' where ')'"),
        ("", 1, 1, "no root element"),
        ("policies", 1, 1, "expected the root element"),
        ("<a><b></a>", 1, 7, "does not match"),
        ("<a>", 1, 1, "never closed"),
        ("<a b=1/>", 1, 6, "expected a quoted value"),
        ("<a b/>", 1, 5, "expected '='"),
        ('<a b="1" b="2"/>', 1, 10, "stands twice"),
        ("<a/><b/>", 1, 5, "after the end of the root"),
        ("<!DOCTYPE x><a/>", 1, 1, "expected the root element"),
        ("<a><!-- x </a>", 1, 4, "never closed"),
        ('<a b="x></a>', 1, 6, "never closed"),
        ("<a><![CDATA[x</a>", 1, 4, "CDATA section is never closed"),
        ("<a ", 1, 4, "never closed"),
    ],
)
def test_an_author_mistake_is_named_with_its_place(text: str, line: int, column: int, says: str) -> None:
    with pytest.raises(PolicySyntaxError) as caught:
        parse(text)
    assert caught.value.position == Position(line, column)
    assert says in caught.value.message
    assert caught.value.expected
    assert str(caught.value).startswith(f"line {line}, column {column}: ")


def test_depth_has_a_limit_and_no_stack_to_overflow() -> None:
    with pytest.raises(PolicySyntaxError, match="nested more than"):
        parse("<a>" * 100_000)


def test_named_values_are_found_and_substituted_but_not_in_comments_or_liquid() -> None:
    text = (
        '<fragment><!-- {{no}} --><when condition="{{switch}}" />\n'
        '<set-variable name="n" value="@({{limit}} + "{{limit}}")" />'
        '<set-body template="liquid">{{body.x}}</set-body></fragment>'
    )
    assert [(name, position.line) for name, position in named_values_in(text)] == [
        ("switch", 1),
        ("limit", 2),
        ("limit", 2),
    ]
    assert named_values_in(text)[0][1] == Position(1, 43)
    done = substitute_named_values(text, {"limit": "3", "body.x": "never", "no": "never"})
    assert '"@(3 + "3")"' in done
    assert "{{switch}}" in done
    assert "{{body.x}}" in done
    assert "{{no}}" in done
