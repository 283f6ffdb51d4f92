# ruff: noqa: E501 - templates are written as people write them
"""Liquid templates of set-body: what stands in them is what the backend gets."""

from __future__ import annotations

import json

import pytest

from simulator.gateway import unmodelled
from simulator.gateway.liquid import LiquidError, parse_template
from simulator.gateway.liquid.objects import parse_body
from tests.simulator.gateway_bench import Bench, chat, json_of

ORDER = {"id": 7, "who": "Ada & Co", "lines": [{"sku": "a", "n": 2}, {"sku": "b", "n": 3}], "note": None, "paid": True}


def render(template: str) -> str:
    return parse_template(template).render(body=ORDER, context={"Request": {"Method": "POST"}})


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{body.id}}|{{ body.who | Escape }}|{{body.lines[1].sku}}|{{body.LINES.size}}", "7|Ada &amp; Co|b|2"),
        ("{{body.note}}-{{ body.gone.further }}-{{body.paid}}-{{context.Request.Method}}", "--true-POST"),
        ("{% if body.id == 7 and body.who contains 'Ada' %}yes{% else %}no{% endif %}", "yes"),
        ("{% if body.id > 9 %}a{% elsif body.note == nil %}b{% endif %}{% unless body.paid %}c{% endunless %}", "b"),
        (
            "{% for l in body.lines %}{{forloop.index}}{{l.sku}}{% unless forloop.last %};{% endunless %}{% endfor %}",
            "1a;2b",
        ),
        ('[{% JSONArrayFor l in body.lines %}"{{l.sku}}"{% endJSONArrayFor %}]', '["a","b"]'),
        ("{% for i in (1..5) offset:1 limit:3 reversed %}{{i}}{% endfor %}", "432"),
        (
            "{% for i in (1..5) %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 4 %}{% break %}{% endif %}{{i}}{% endfor %}",
            "13",
        ),
        ("{% for l in body.gone %}x{% else %}none{% endfor %}", "none"),
        ("{% case body.id %}{% when 1 %}one{% when 5, 7 %}many{% else %}other{% endcase %}", "many"),
        (
            "{% assign total = body.id | Plus: 3 | Times: 2 %}{{total}}{% capture x %}<{{total}}>{% endcapture %}{{x}}",
            "20<20>",
        ),
        ("{% comment %}{{ nothing }}{% endcomment %}{% raw %}{{ kept }}{% endraw %}", "{{ kept }}"),
        ("a  {%- if true -%}  b  {%- endif -%}  c", "abc"),
        ("{{ 'a,b,c' | Split: ',' | Join: '-' | Upcase }}{{ 7 | DividedBy: 2 }}{{ 2.567 | Round: 1 }}", "A-B-C32.6"),
        ("{{ body.note | Default: 'none' }}{{ body.who | Replace: 'Ada', 'Bo' | Truncate: 5, '..' }}", "noneBo .."),
        (
            "{{ body.lines | Map: 'sku' | Last }}{{ 'x' | append: 'y' | Prepend: 'w' }}{{ 'é b' | UrlEncode }}",
            "bwxy%C3%A9+b",
        ),
        ('{{ "2026-01-02T03:04:05Z" | Date: "yyyy/MM/dd" }}', "2026/01/02"),
    ],
)
def test_a_template_says_what_liquid_says(template: str, text: str) -> None:
    assert render(template) == text


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{% include 'x' %}", "include"),
        ("{{ body.id | Frobnicate }}", "Frobnicate"),
        ("{% if body.id %}never ended", "endif"),
        ("{% for broken %}{% endfor %}", "loop"),
        ("{{ body..id }}", "value"),
    ],
)
def test_what_no_template_may_hold_is_refused_by_name(template: str, says: str) -> None:
    with pytest.raises(LiquidError, match=says):
        parse_template(template)


def test_a_template_ends_within_its_budget() -> None:
    loops = "{% for a in (1..9000) %}{% for b in (1..9000) %}{{a}}{% endfor %}{% endfor %}"
    with pytest.raises(LiquidError, match="more steps"):
        parse_template(loops).render()


def test_bodies_bind_by_their_content_type() -> None:
    xml = b'<o:order xmlns:o="urn:o" kind="x"><line>1</line><line>2</line></o:order>'
    assert parse_body(xml, "application/xml; charset=utf-8") == {"order": {"kind": "x", "line": ["1", "2"]}}
    assert parse_body(b'{"a": 1}', "application/problem+json") == {"a": 1}
    assert parse_body(b"not json", "application/json") == {}


def test_the_backend_gets_what_the_template_made() -> None:
    bench = Bench()
    template = '{"said": "{{body.messages[0].content}}", "to": "{{context.Request.OriginalUrl.Host}}"}'
    bench.set_policy(
        f'<set-body template="liquid">{template}</set-body><set-variable name="b" value="@(context.Request.Body.As<string>(true))" />'
        '<return-response><set-status code="200" /><set-body>@((string)context.Variables["b"])</set-body></return-response>'
    )
    answer = json_of(bench.call(body=chat("hello")))
    assert answer["said"] == "hello"
    assert answer["to"].endswith("azure-api.net")


def test_a_template_nobody_can_render_is_named_and_the_body_stays() -> None:
    bench = Bench()
    line = '<set-body template="liquid">{% frobnicate %}</set-body>'
    bench.set_policy(
        f"{line}<return-response><set-body>@(context.Request.Body.As<string>())</set-body></return-response>"
    )
    assert "messages" in json.loads(bench.call().body)
    assert any("frobnicate" in text for _, text in bench.world.log)
    assert unmodelled(f"<fragment>{line}</fragment>") == [("set-body", 1)]
    assert unmodelled('<fragment><set-body template="liquid">{{body.a}}</set-body></fragment>') == []


def test_a_body_said_to_be_no_template_is_plain() -> None:
    bench = Bench()
    bench.set_policy('<return-response><set-body template="none">{"a": "{% b %}"}</set-body></return-response>')
    assert json_of(bench.call()) == {"a": "{% b %}"}


def test_a_template_sees_json_kept_in_a_variable() -> None:
    bench = Bench()
    bench.set_policy(
        '<set-variable name="order" value="@(JObject.Parse("{\\"id\\": 7, \\"lines\\": [1, 2]}"))" />'
        """<set-body template="liquid">{% assign o = context.Variables["order"] %}{{ o['id'] }}/{{ o.lines.size }}</set-body>"""
        "<return-response><set-body>@(context.Request.Body.As<string>())</set-body></return-response>"
    )
    assert bench.call().body == b"7/2"
