"""Sequences of XML elements and simple XPath, as policies in front of SOAP services use them."""

from __future__ import annotations

import pytest

from apimpolicy.expressions import EvaluationError
from tests.policy.expressions.requests import run

SOAP = (
    "<s:Envelope xmlns:s='urn:soap'><s:Body><Prices xmlns='urn:shop'><Price sku='a'>1</Price><Price sku='b'>2</Price>"
    "</Prices></s:Body></s:Envelope>"
)
PLAIN = "<shop><row n='1'><name>x</name></row><row n='2'><name>y</name></row></shop>"


def block(text: str, source: str) -> object:
    """The value of a block that finds the document in `d` and two namespaces in `s` and `p`."""
    return run(
        f'{{ XNamespace s = "urn:soap"; XNamespace p = "urn:shop"; var d = XDocument.Parse("{source}"); {text} }}'
    )


def test_elements_of_elements_are_followed_by_name() -> None:
    path = 'd.Elements(s + "Envelope").Elements(s + "Body").Elements(p + "Prices").Elements(p + "Price")'
    assert block(f"return {path}.Last().Value;", SOAP) == "2"
    assert block(f'return string.Join(",", {path}.Attributes("sku").Select(a => a.Value));', SOAP) == "a,b"
    assert block('return d.Elements().Descendants(p + "Price").Count();', SOAP) == 2


@pytest.mark.parametrize(
    ("call", "value"),
    [
        ("d.XPathSelectElement(\"//row[@n='2']/name\").Value", "y"),
        ('d.XPathSelectElement("/shop/row[1]/name").Value', "x"),
        ('d.Root.Element("row").XPathSelectElement("/shop/row[2]").Attribute("n").Value', "2"),
        ('d.XPathSelectElements("shop/row").Count()', 2),
        ('d.XPathSelectElement("shop/none") == null', True),
    ],
)
def test_a_path_finds_what_it_names(call: str, value: object) -> None:
    assert block(f"return {call};", PLAIN) == value


def test_a_path_beyond_the_simple_ones_fails_by_name() -> None:
    with pytest.raises(EvaluationError, match="not modelled") as raised:
        block('return d.XPathSelectElement("//row[last(").Value;', PLAIN)
    assert raised.value.exception_type == "System.Xml.XPath.XPathException"
