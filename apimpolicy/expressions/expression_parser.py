"""C# expressions, read again by C#'s own precedence.

The grammar gives statements, blocks and strings reliably, but it binds `?.` looser than `==`, reads `(a) - b` as a
cast, `x is null || y` as a pattern, and `(string)a.As<T>(true)` as two comparisons. So every expression it finds is
parsed anew from its tokens here; the result has the grammar's node names, so that the binder sees one kind of tree.
Ambiguities (casts, generic calls) are settled by the rules of the C# specification ("Grammar ambiguities", "Cast
expressions"). This room knows no types and evaluates nothing.
"""

from __future__ import annotations

from typing import Final

from apimpolicy.expressions.syntax_nodes import ExpressionSyntaxError, Syn, SyntaxNode
from apimpolicy.expressions.token_reader import PREDEFINED, Token, TokenReader

_LITERAL_WORDS: Final = {"true": "boolean_literal", "false": "boolean_literal", "null": "null_literal"}
_PRECEDENCE: Final[dict[str, int]] = {
    "??": 2,
    "||": 3,
    "&&": 4,
    "|": 5,
    "^": 6,
    "&": 7,
    "==": 8,
    "!=": 8,
    "<": 9,
    ">": 9,
    "<=": 9,
    ">=": 9,
    "is": 9,
    "as": 9,
    "<<": 10,
    ">>": 10,
    "+": 11,
    "-": 11,
    "*": 12,
    "/": 12,
    "%": 12,
}
_ASSIGNMENTS: Final = frozenset(["=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>=", "??="])
_AFTER_GENERIC: Final = frozenset(
    ["(", ")", "]", "}", ":", ";", ",", ".", "?", "==", "!=", "?.", "??", "&&", "||", "|", "^", "&"]
)


class ExpressionParser(TokenReader):
    """Parses the tokens of one expression."""

    def parse(self) -> SyntaxNode:
        """The whole range as one expression. Raises ExpressionSyntaxError."""
        node = self._expression()
        if self.at < len(self.tokens):
            raise self._error(f"'{self.tokens[self.at].text}' is not expected here")
        return node

    # -- operators -------------------------------------------------------------------------------------------

    def _expression(self) -> SyntaxNode:
        start = self._start()
        if self._peek() == "throw":
            self._next()
            thrown = self._expression()
            return Syn("throw_expression", start, thrown.end_byte, [thrown])
        found = self._lambda()
        if found is not None:
            return found
        left = self._conditional()
        symbol = self._peek()
        shift = self._right_shift()
        if shift == ">>=" or symbol in _ASSIGNMENTS:
            token = self._shift(shift) if shift else self._symbol(self._next())
            right = self._initializer() if self._peek() == "{" else self._expression()
            fields: dict[str, SyntaxNode] = {"left": left, "operator": token, "right": right}
            return Syn("assignment_expression", start, right.end_byte, [left, token, right], fields)
        return left

    def _conditional(self) -> SyntaxNode:
        start = self._start()
        test = self._binary(2)
        if self._peek() != "?":
            return test
        self._next()
        yes = self._expression()
        self._expect(":")
        no = self._expression()
        return Syn(
            "conditional_expression",
            start,
            no.end_byte,
            [test, yes, no],
            {"condition": test, "consequence": yes, "alternative": no},
        )

    def _right_shift(self) -> str:
        """`>>` or `>>=` when the next two tokens, side by side, make one; else "". Type arguments end in `>` too."""
        if self._peek() != ">" or self._peek(1) not in (">", ">="):
            return ""
        return ">" + self._peek(1) if self.tokens[self.at].end == self.tokens[self.at + 1].start else ""

    def _shift(self, symbol: str) -> SyntaxNode:
        first, second = self._next(), self._next()
        return Syn(symbol, first.start, second.end, is_named=False)

    def _binary(self, floor: int) -> SyntaxNode:
        start = self._start()
        left = self._unary()
        while True:
            symbol = self._peek()
            shift = self._right_shift()
            power = {"": _PRECEDENCE.get(symbol, 0), ">>": _PRECEDENCE[">>"], ">>=": 0}[shift]
            if power < floor:
                return left
            if symbol in ("is", "as"):
                left = self._type_operator(start, left, symbol)
                continue
            token = self._shift(shift) if shift else self._symbol(self._next())
            if symbol == "??":
                right = self._expression() if self._peek() == "throw" else self._binary(2)
            else:
                right = self._binary(power + 1)
            fields: dict[str, SyntaxNode] = {"left": left, "operator": token, "right": right}
            left = Syn("binary_expression", start, right.end_byte, [left, token, right], fields)

    def _type_operator(self, start: int, left: SyntaxNode, symbol: str) -> SyntaxNode:
        self._next()
        if symbol == "as":
            kind = self._nullable_if_needed(self._type())
            return Syn("as_expression", start, kind.end_byte, [left, kind], {"left": left, "right": kind})
        pattern = self._pattern()
        if pattern.type == "type":
            kind = pattern.named_children[0]
            return Syn("is_expression", start, kind.end_byte, [left, kind], {"left": left, "right": kind})
        return Syn(
            "is_pattern_expression", start, pattern.end_byte, [left, pattern], {"expression": left, "pattern": pattern}
        )

    def _nullable_if_needed(self, kind: SyntaxNode) -> SyntaxNode:
        """`as int?` when what follows cannot begin the middle of `? :`."""
        if self._peek() == "?" and self._peek(1) in (
            "",
            ")",
            "]",
            "}",
            ",",
            ";",
            ":",
            "??",
            "&&",
            "||",
            "==",
            "!=",
            "?",
            ".",
        ):
            token = self._next()
            return Syn("nullable_type", kind.start_byte, token.end, [kind], {"type": kind})
        return kind

    def _pattern(self) -> SyntaxNode:
        start = self._start()
        word = self._peek()
        if word in ("{", "<", ">", "<=", ">=", "(") or word == "not":
            names = {"not": "negated_pattern", "{": "recursive_pattern", "(": "recursive_pattern"}
            raise ExpressionSyntaxError(
                f"a {names.get(word, 'relational_pattern').replace('_', ' ')} needs C# 8 or later;"
                " policy expressions are C# 7",
                start,
            )
        if word == "var":
            self._next()
            name = self._identifier()
            return Syn("var_pattern", start, name.end_byte, [name], {"name": name})
        mark = self.at
        kind = self._try_type()
        if kind is not None:
            kind = self._nullable_if_needed(kind)
            if self._name_token() and self._peek() not in ("and", "or", "when", "switch"):
                name = self._identifier()
                return Syn("declaration_pattern", start, name.end_byte, [kind, name], {"type": kind, "name": name})
            if kind.type not in ("identifier", "qualified_name"):
                return Syn("type", start, kind.end_byte, [kind])
            self.at = mark
        value = self._binary(10)
        return Syn("constant_pattern", start, value.end_byte, [value])

    def _unary(self) -> SyntaxNode:
        start = self._start()
        symbol = self._peek()
        if symbol in ("+", "-", "!", "~", "++", "--", "&", "*", "^"):
            token = self._symbol(self._next())
            operand = self._unary()
            return Syn("prefix_unary_expression", start, operand.end_byte, [token, operand])
        if symbol == "(":
            cast = self._cast()
            if cast is not None:
                return cast
        if symbol == "await" and self.tokens[self.at + 1 : self.at + 2] and self._peek(1) not in (")", ".", ",", "=="):
            return Syn("await_expression", start, self._next().end)
        return self._postfix(self._primary())

    def _cast(self) -> SyntaxNode | None:
        mark = self.at
        start = self._next().start
        kind = self._try_type()
        if kind is not None and self._peek() == "?" and self._peek(1) == ")":
            kind = Syn("nullable_type", kind.start_byte, self._next().end, [kind], {"type": kind})
        if kind is None or not self._accept(")") or not self._casts(kind):
            self.at = mark
            return None
        value = self._unary()
        return Syn("cast_expression", start, value.end_byte, [kind, value], {"type": kind, "value": value})

    def _casts(self, kind: SyntaxNode) -> bool:
        """Whether `(kind)` before the next token is a cast."""
        if self.at >= len(self.tokens):
            return False
        token = self.tokens[self.at]
        if kind.type not in ("identifier", "qualified_name", "alias_qualified_name"):
            return kind.type != "generic_name" or token.text not in (".", "?.", ")", ",", ";")
        if token.kind == "id":
            return token.text not in ("is", "as", "switch", "in")
        return token.kind != "op" or token.text in ("(", "~", "!")

    # -- primaries -------------------------------------------------------------------------------------------

    def _primary(self) -> SyntaxNode:
        if self.at >= len(self.tokens):
            raise self._error("an operand is missing")
        token = self.tokens[self.at]
        if token.kind == "op":
            if token.text == "(":
                return self._parenthesized()
            raise self._error(f"'{token.text}' is not expected here: an operand is missing")
        if token.kind in ("number", "string", "verbatim", "char", "interpolated"):
            return self._literal(self._next())
        word = token.text
        if word == "new":
            return self._new()
        if word in ("default", "typeof", "sizeof") and self._peek(1) == "(":
            self._next(), self._next()
            kind = self._nullable_if_needed(self._type())
            return Syn(f"{word}_expression", token.start, self._expect(")").end, [kind], {"type": kind})
        if word in ("checked", "unchecked"):
            self._next()
            self._expect("(")
            inner = self._expression()
            return Syn("checked_expression", token.start, self._expect(")").end, [inner])
        if word in _LITERAL_WORDS:
            self._next()
            return Syn(_LITERAL_WORDS[word], token.start, token.end)
        if word in PREDEFINED:
            self._next()
            return Syn("predefined_type", token.start, token.end)
        if word == "global" and self._peek(1) == "::":
            self._next(), self._next()
            return self._simple_name()
        if word == "from" and self._peek(2) == "in" and self.at + 2 < len(self.tokens):
            raise self._error("a query expression (from ... select) is not modelled; write it with Where and Select")
        if word in ("default", "stackalloc", "this", "base"):
            self._next()
            return Syn(f"{word}_expression", token.start, token.end)
        return self._simple_name()

    def _literal(self, token: Token) -> SyntaxNode:
        if token.kind == "interpolated":
            node = self.anchor(token.start, "interpolated_string_expression")
            assert node is not None
            return node
        if token.kind == "number":
            text = token.text.lower()
            real = not text.startswith("0x") and ("." in text or text[-1] in "fdm" or "e" in text)
            return Syn("real_literal" if real else "integer_literal", token.start, token.end)
        names = {"string": "string_literal", "verbatim": "verbatim_string_literal", "char": "character_literal"}
        return Syn(names[token.kind], token.start, token.end)

    def _simple_name(self) -> SyntaxNode:
        name = self._identifier()
        if self._peek() != "<":
            return name
        mark = self.at
        listed = self._type_arguments()
        if listed is None or (self._peek() not in _AFTER_GENERIC and self.at < len(self.tokens)):
            self.at = mark
            return name
        return Syn("generic_name", name.start_byte, listed.end_byte, [name, listed])

    def _parenthesized(self) -> SyntaxNode:
        start = self._next().start
        parts: list[SyntaxNode] = []
        while True:
            parts.append(self._argument())
            if not self._accept(","):
                break
        end = self._expect(")").end
        if len(parts) > 1:
            return Syn("tuple_expression", start, end, parts)
        return Syn("parenthesized_expression", start, end, parts[0].named_children)

    def _postfix(self, node: SyntaxNode) -> SyntaxNode:
        start = node.start_byte
        while True:
            symbol = self._peek()
            if symbol in (".", "?."):
                self._next()
                name = self._simple_name()
                if symbol == ".":
                    fields: dict[str, SyntaxNode] = {"expression": node, "name": name}
                    node = Syn("member_access_expression", start, name.end_byte, [node, name], fields)
                else:
                    binding = Syn("member_binding_expression", name.start_byte, name.end_byte, [name], {"name": name})
                    node = Syn(
                        "conditional_access_expression", start, name.end_byte, [node, binding], {"condition": node}
                    )
            elif symbol == "(":
                listed = self._argument_list("argument_list", "(", ")")
                node = Syn(
                    "invocation_expression",
                    start,
                    listed.end_byte,
                    [node, listed],
                    {"function": node, "arguments": listed},
                )
            elif symbol == "[":
                listed = self._argument_list("bracketed_argument_list", "[", "]")
                node = Syn(
                    "element_access_expression",
                    start,
                    listed.end_byte,
                    [node, listed],
                    {"expression": node, "subscript": listed},
                )
            elif symbol == "?" and self._peek(1) == "[" and self._index_follows():
                self._next()
                binding = self._argument_list("element_binding_expression", "[", "]")
                node = Syn(
                    "conditional_access_expression", start, binding.end_byte, [node, binding], {"condition": node}
                )
            elif symbol in ("++", "--") or (symbol == "!" and self._peek(1) in (".", "[", "(", ")", ";", ",", "")):
                token = self._symbol(self._next())
                node = Syn("postfix_unary_expression", start, token.end_byte, [node, token])
            elif symbol == "switch":
                raise self._error("a switch expression needs C# 8; policy expressions are C# 7")
            elif symbol == "..":
                raise self._error("a range needs C# 8; policy expressions are C# 7")
            else:
                return node

    def _index_follows(self) -> bool:
        """`a?[0]`, not the C# 12 collection in `a ? [0] : b`: the bracket touches the question mark."""
        return self.tokens[self.at].end == self.tokens[self.at + 1].start

    def _argument_list(self, type: str, opening: str, closing: str) -> Syn:
        start = self._expect(opening).start
        arguments: list[SyntaxNode] = []
        while self._peek() != closing:
            arguments.append(self._argument())
            if not self._accept(","):
                break
        return Syn(type, start, self._expect(closing).end, arguments)

    def _argument(self) -> Syn:
        start = self._start()
        children: list[SyntaxNode] = []
        fields: dict[str, SyntaxNode] = {}
        if self._name_token() and self._peek(1) == ":" and self._peek(2) != ":":
            name = self._identifier()
            self._next()
            children.append(name)
            fields["name"] = name
        if self._peek() in ("out", "ref", "in"):
            token = self._next()
            children.append(self._symbol(token))
            inner = (self._out_declaration() if token.text == "out" else None) or self._expression()
        else:
            inner = self._expression()
        return Syn("argument", start, inner.end_byte, [*children, inner], fields)

    def _out_declaration(self) -> SyntaxNode | None:
        mark = self.at
        start = self._start()
        if self._peek() == "var":
            token = self._next()
            kind: SyntaxNode | None = Syn("implicit_type", token.start, token.end)
        else:
            kind = self._try_type()
            if kind is not None and self._peek() == "?":
                kind = Syn("nullable_type", kind.start_byte, self._next().end, [kind], {"type": kind})
        if kind is None or not self._name_token():
            self.at = mark
            return None
        name = self._identifier()
        return Syn("declaration_expression", start, name.end_byte, [kind, name], {"type": kind, "name": name})

    # -- new -------------------------------------------------------------------------------------------------

    def _new(self) -> SyntaxNode:
        start = self._next().start
        if self._peek() == "{":
            return self._anonymous(start)
        if self._peek() == "[":
            self._next()
            self._expect("]")
            initializer = self._initializer()
            return Syn("implicit_array_creation_expression", start, initializer.end_byte, [initializer])
        if self._peek() == "(":
            listed = self._argument_list("argument_list", "(", ")")
            return Syn("implicit_object_creation_expression", start, listed.end_byte, [listed])
        kind = self._type(brackets=False)
        if self._peek() == "?" and self._peek(1) == "[":
            kind = Syn("nullable_type", kind.start_byte, self._next().end, [kind], {"type": kind})
        if self._peek() == "[":
            return self._new_array(start, kind)
        children: list[SyntaxNode] = [kind]
        fields: dict[str, SyntaxNode] = {"type": kind}
        if self._peek() == "(":
            fields["arguments"] = self._argument_list("argument_list", "(", ")")
            children.append(fields["arguments"])
        if self._peek() == "{":
            fields["initializer"] = self._initializer()
            children.append(fields["initializer"])
        if len(children) == 1:
            raise self._error("'(' is expected after the type of 'new'")
        return Syn("object_creation_expression", start, children[-1].end_byte, children, fields)

    def _new_array(self, start: int, kind: SyntaxNode) -> SyntaxNode:
        first = True
        while self._peek() == "[":
            opening = self._next()
            sizes: list[SyntaxNode] = []
            if first and self._peek() not in ("]", ","):
                sizes.append(self._expression())
            if self._peek() == ",":
                raise self._error("a multidimensional array is not modelled")
            closing = self._expect("]")
            rank = Syn("array_rank_specifier", opening.start, closing.end, sizes)
            kind = Syn("array_type", kind.start_byte, closing.end, [kind, rank], {"type": kind, "rank": rank})
            first = False
        children: list[SyntaxNode] = [kind]
        if self._peek() == "{":
            children.append(self._initializer())
        return Syn("array_creation_expression", start, children[-1].end_byte, children, {"type": kind})

    def _anonymous(self, start: int) -> SyntaxNode:
        self._expect("{")
        members: list[SyntaxNode] = []
        while self._peek() != "}":
            members.append(self._expression())
            if not self._accept(","):
                break
        return Syn("anonymous_object_creation_expression", start, self._expect("}").end, members)

    def _initializer(self) -> Syn:
        start = self._expect("{").start
        elements: list[SyntaxNode] = []
        while self._peek() != "}":
            elements.append(self._element())
            if not self._accept(","):
                break
        return Syn("initializer_expression", start, self._expect("}").end, elements)

    def _element(self) -> SyntaxNode:
        if self._peek() == "{":
            return self._initializer()
        if self._peek() != "[":
            return self._expression()
        left = self._argument_list("element_binding_expression", "[", "]")
        token = self._symbol(self._expect("="))
        right = self._initializer() if self._peek() == "{" else self._expression()
        fields: dict[str, SyntaxNode] = {"left": left, "operator": token, "right": right}
        return Syn("assignment_expression", left.start_byte, right.end_byte, [left, token, right], fields)

    # -- lambdas ---------------------------------------------------------------------------------------------

    def _lambda(self) -> SyntaxNode | None:
        start = self._start()
        if (self._peek() in ("async", "static") and self._peek(1) in ("(", "delegate")) or (
            self._peek() in ("async", "static") and self._peek(2) == "=>"
        ):
            raise self._error(f"a lambda with '{self._peek()}' is not modelled")
        if self._peek() == "delegate":
            return self._anonymous_method(start)
        if self._name_token() and self._peek(1) == "=>":
            name = self._next()
            parameter = Syn("implicit_parameter", name.start, name.end)
            self._next()
            return self._lambda_body(start, parameter)
        if self._peek() == "(" and self._arrow_after_parenthesis():
            parameters = self._parameters()
            self._expect("=>")
            return self._lambda_body(start, parameters)
        return None

    def _arrow_after_parenthesis(self) -> bool:
        depth = 0
        for index in range(self.at, len(self.tokens)):
            text = self.tokens[index].text if self.tokens[index].kind == "op" else ""
            depth += (text == "(") - (text == ")")
            if depth == 0:
                return index + 1 < len(self.tokens) and self.tokens[index + 1].text == "=>"
        return False

    def _parameters(self) -> Syn:
        start = self._expect("(").start
        listed: list[SyntaxNode] = []
        while self._peek() != ")":
            begin = self._start()
            fields: dict[str, SyntaxNode] = {}
            if not (self._name_token() and self._peek(1) in (",", ")")):
                fields["type"] = self._nullable_if_needed(self._type())
                if self._peek() == "?":
                    kind = fields["type"]
                    fields["type"] = Syn("nullable_type", kind.start_byte, self._next().end, [kind], {"type": kind})
            name = self._identifier()
            fields["name"] = name
            listed.append(Syn("parameter", begin, name.end_byte, list(fields.values()), fields))
            if not self._accept(","):
                break
        return Syn("parameter_list", start, self._expect(")").end, listed)

    def _lambda_body(self, start: int, parameters: SyntaxNode) -> SyntaxNode:
        body = self._block() if self._peek_block() else self._expression()
        fields: dict[str, SyntaxNode] = {"parameters": parameters, "body": body}
        return Syn("lambda_expression", start, body.end_byte, [parameters, body], fields)

    def _peek_block(self) -> bool:
        return self.at < len(self.tokens) and self.tokens[self.at].kind == "block"

    def _block(self) -> SyntaxNode:
        token = self._next()
        node = self.anchor(token.start, "block")
        if node is None:
            raise ExpressionSyntaxError("a block is expected", token.start)
        return node

    def _anonymous_method(self, start: int) -> SyntaxNode:
        self._next()
        if self._peek() != "(":
            raise self._error("an anonymous method needs its parameters")
        parameters = self._parameters()
        if not self._peek_block():
            raise self._error("a block is expected")
        body = self._block()
        return Syn("anonymous_method_expression", start, body.end_byte, [parameters, body], {"parameters": parameters})
