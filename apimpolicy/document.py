"""The policy document: raw text to a tree with positions, and back. The one door to the rooms behind it.

Policy text is not XML, and no XML parser may touch it: expressions hold raw quotes, `<` and `&`, and an XML parser's
attribute normalisation would let a `//` comment swallow the rest of an expression.
"""

from __future__ import annotations

from apimpolicy.entities import decode_entities, encode_attribute, encode_text
from apimpolicy.named_values import fill_named_values, named_values_in, substitute_named_values
from apimpolicy.printer import canonical, canonical_code, inner_markup, print_document, print_node, same_meaning
from apimpolicy.reader import PolicySyntaxError, parse
from apimpolicy.tree import (
    Attribute,
    CData,
    Comment,
    Document,
    Element,
    ExpressionSource,
    Instruction,
    Node,
    Text,
    expression_of,
    is_expression,
)

__all__ = [
    "Attribute",
    "CData",
    "Comment",
    "Document",
    "Element",
    "ExpressionSource",
    "Instruction",
    "Node",
    "PolicySyntaxError",
    "Text",
    "canonical",
    "canonical_code",
    "decode_entities",
    "encode_attribute",
    "encode_text",
    "expression_of",
    "fill_named_values",
    "inner_markup",
    "is_expression",
    "named_values_in",
    "parse",
    "print_document",
    "print_node",
    "same_meaning",
    "substitute_named_values",
]
