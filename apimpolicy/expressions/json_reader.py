"""Newtonsoft's lenient reading of JSON: single quotes, unquoted names, comments, trailing commas.

Only text that a strict reader refuses comes here; errors name the path, line and position as Newtonsoft's do.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from apimpolicy.expressions.errors import CsException
from apimpolicy.expressions.json_values import JArray, JObject, JProperty, JToken, JValue, string_token

_NUMBER: Final = re.compile(r"[-+]?(?:0[xX][0-9a-fA-F]+|[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?\.?)")
_WORD: Final = re.compile(r"[A-Za-z_$][\w$-]*")
_SPACE: Final = re.compile(r"(?:\s|//[^\n]*|/\*.*?\*/)*", re.S)
_ESCAPES: Final = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "\\": "\\", "/": "/", "'": "'", '"': '"'}
_WORDS: Final[dict[str, Any]] = {
    "true": True,
    "false": False,
    "null": None,
    "NaN": float("nan"),
    "Infinity": float("inf"),
    "undefined": None,
}


class LenientReader:
    """One text, read once."""

    def __init__(self, text: str) -> None:
        self.text = text.lstrip("\ufeff")
        self.at = 0
        self.path: list[str] = []

    def document(self) -> JToken:
        self._space()
        if self.at >= len(self.text):
            raise CsException(
                "JsonReaderException", "Error reading JToken from JsonReader. Path '', line 0, position 0."
            )
        token = self._value()
        self._space()
        if self.at < len(self.text):
            raise self._error(f"Additional text encountered after finished reading JSON content: {self.text[self.at]}.")
        return token

    def _space(self) -> None:
        match = _SPACE.match(self.text, self.at)
        if match is not None:
            self.at = match.end()

    def _error(self, message: str) -> CsException:
        before = self.text[: self.at]
        line = before.count("\n") + 1
        column = self.at - (before.rfind("\n") + 1)
        path = "".join(self.path).lstrip(".")
        return CsException("JsonReaderException", f"{message} Path '{path}', line {line}, position {column}.")

    def _peek(self) -> str:
        if self.at >= len(self.text):
            raise self._error("Unexpected end of content while loading JObject.")
        return self.text[self.at]

    def _value(self) -> JToken:
        char = self._peek()
        if char == "{":
            return self._object()
        if char == "[":
            return self._array()
        if char in "'\"":
            return string_token(self._string())
        number = _NUMBER.match(self.text, self.at)
        if number is not None and number[0] not in ("", "-", "+"):
            return self._number(number)
        word = _WORD.match(self.text, self.at + (char == "-"))
        if word is not None and word[0] in _WORDS:
            self.at = word.end()
            value = _WORDS[word[0]]
            return JValue(-value) if char == "-" and isinstance(value, float) else JValue(value)
        raise self._error(f"Unexpected character encountered while parsing value: {char}.")

    def _number(self, match: re.Match[str]) -> JValue:
        text = match[0]
        self.at = match.end()
        if "x" in text.lower():
            return JValue(int(text, 16))
        digits = text.lstrip("+-")
        if re.fullmatch(r"0[0-7]+", digits):
            return JValue(int(text, 8))
        try:
            return JValue(int(text)) if re.fullmatch(r"[-+]?\d+", text) else JValue(float(Decimal(text)))
        except (ValueError, InvalidOperation):
            raise self._error(f"Input string '{text}' is not a valid number.") from None

    def _string(self) -> str:
        quote = self.text[self.at]
        self.at += 1
        out: list[str] = []
        while True:
            if self.at >= len(self.text):
                raise self._error(f"Unterminated string. Expected delimiter: {quote}.")
            char = self.text[self.at]
            self.at += 1
            if char == quote:
                return "".join(out).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            if char != "\\":
                out.append(char)
                continue
            code = self.text[self.at : self.at + 1]
            self.at += 1
            if code == "u":
                digits = self.text[self.at : self.at + 4]
                if not re.fullmatch(r"[0-9a-fA-F]{4}", digits):
                    raise self._error("Unexpected end while parsing unicode character.")
                out.append(chr(int(digits, 16)))
                self.at += 4
            elif code in _ESCAPES:
                out.append(_ESCAPES[code])
            else:
                raise self._error(f"Bad JSON escape sequence: \\{code}.")

    def _object(self) -> JObject:
        made = JObject()
        self.at += 1
        while True:
            self._space()
            char = self._peek()
            if char == "}":
                self.at += 1
                return made
            if char in "'\"":
                name = self._string()
            else:
                word = _WORD.match(self.text, self.at)
                if word is None:
                    raise self._error(f"Invalid property identifier character: {char}.")
                name = word[0]
                self.at = word.end()
            self.path.append(f".{name}")
            self._space()
            if self._peek() != ":":
                raise self._error(
                    f"Invalid character after parsing property name. Expected ':' but got: {self._peek()}."
                )
            self.at += 1
            self._space()
            value = self._value()
            known = made.properties.get(name)
            if known is not None:
                known.put(value)
            else:
                made.attach(JProperty(name, value))
            self._separator("}")
            self.path.pop()

    def _array(self) -> JArray:
        made = JArray()
        self.at += 1
        while True:
            self._space()
            if self._peek() == "]":
                self.at += 1
                return made
            self.path.append(f"[{len(made.items)}]")
            made.add(self._value())
            self._separator("]")
            self.path.pop()

    def _separator(self, closing: str) -> None:
        self._space()
        char = self._peek()
        if char == ",":
            self.at += 1
        elif char != closing:
            raise self._error(f"After parsing a value an unexpected character was encountered: {char}.")
