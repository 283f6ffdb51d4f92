"""Message bodies: what As<T> gives, and form fields read and written."""

from __future__ import annotations

import urllib.parse
from typing import Any

from apimpolicy.expressions.context import (
    Body,
)
from apimpolicy.expressions.errors import CsException, argument_null, invalid_cast, null_reference
from apimpolicy.expressions.json_values import JToken
from apimpolicy.expressions.library.json_types import parse_array, parse_object
from apimpolicy.expressions.library.numeric import byte_array
from apimpolicy.expressions.runtime_types import describe, dotnet_name, instance_check
from apimpolicy.expressions.types import (
    INTEGRAL_RANGES,
    STRING,
    CType,
    define,
    extend,
    make,
    strip_nullable,
)
from apimpolicy.expressions.values import CsDict, CsList, Runtime


def unbox_as(value: Any, target: CType) -> Any:
    """A variable as T: the cast GetValueOrDefault<T> makes. Raises InvalidCastException."""
    inner = strip_nullable(target)
    if value is None:
        if target.is_value and target.name != "Nullable":
            raise null_reference()
        return None
    if not instance_check(inner)(value):
        raise invalid_cast(describe(value), dotnet_name(target))
    return int(value) if inner.name in INTEGRAL_RANGES and inner.name != "int" else value


def body_as(runtime: Runtime, types: tuple[CType, ...], body: Body, preserve: bool) -> Any:
    """Body.As<T>(preserveContent). A consumed body reads as null (as empty text for string).

    Assumed: APIM does not document what the second read of a consumed body gives.
    """
    target = types[0]
    raw = body.read(preserve)
    runtime.charge((len(raw) >> 10) if raw else 0)
    if target.name == "[]" and target.args[0].name == "byte":
        return byte_array(raw or b"")
    if target.name in ("string", "object"):
        return _decode(raw or b"")
    if raw is None:
        return None
    text = _decode(raw)
    if target.name == "JObject":
        return parse_object(runtime, text)
    if target.name == "JArray":
        return parse_array(runtime, text)
    if target.name in ("JToken", "JValue", "JContainer"):
        token = _parse_token(runtime, text)
        return token if instance_check(target)(token) else unbox_as(token, target)
    if target.name in ("XElement", "XDocument", "XNode"):
        from apimpolicy.expressions.library.xml import parse_document, parse_element

        return parse_element(text) if target.name == "XElement" else parse_document(text)
    raise CsException("NotSupportedException", f"a body cannot be read as '{target}'")


def _decode(raw: bytes) -> str:
    return raw.decode("utf-8-sig", "replace")


def _parse_token(runtime: Runtime, text: str) -> JToken:
    from apimpolicy.expressions.library.json_types import _charged_parse

    return _charged_parse(runtime, text)


def _form_text(form: CsDict | None) -> str:
    """Form fields as `application/x-www-form-urlencoded` text."""
    if form is None:
        raise argument_null("content")
    return urllib.parse.urlencode([(pair.key, value) for pair in form.pairs() for value in pair.value])


extend({"string ToFormUrlEncodedContent(IDictionary<string, IList<string>>)": _form_text})


def _form(body: Body, preserve: bool) -> CsDict:
    raw = body.read(preserve) or b""
    made = CsDict(STRING, make("IList", STRING))
    for name, value in urllib.parse.parse_qsl(raw.decode("utf-8", "replace"), keep_blank_values=True):
        if made.has(name):
            made.get(name).append(value)
        else:
            made.add(name, CsList([value], STRING))
    return made


define(
    "IMessageBody",
    kind="interface",
    namespace="",
    members={
        "!^T As<T>(bool preserveContent=false)": body_as,
        "IDictionary<string, IList<string>> AsFormUrlEncodedContent(bool preserveContent=false)": _form,
        "IDictionary<string, IList<string>> FormUrlEncodedContent": lambda b: _form(b, True),
    },
)
