"""object, the exceptions, and what is refused by name."""

from __future__ import annotations

from typing import Any

from apimpolicy.expressions.errors import CsException
from apimpolicy.expressions.library.strings import string_hash
from apimpolicy.expressions.runtime_types import describe
from apimpolicy.expressions.text import to_text
from apimpolicy.expressions.types import DEFINITIONS, REFUSED, define
from apimpolicy.expressions.values import Anonymous, CsTuple, KeyValuePair, ValueTuple, wrap_int


def hash_of(value: Any) -> int:
    """GetHashCode of any value: equal values give equal numbers; only string's is the framework's own."""
    if isinstance(value, str):
        return string_hash(value)
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int):
        return wrap_int(value)
    if isinstance(value, (Anonymous, CsTuple, KeyValuePair, ValueTuple)):
        return wrap_int(string_hash(to_text(value)))
    custom = getattr(value, "cs_hash", None)
    return custom() if custom is not None else string_hash(to_text(value)) if isinstance(value, float) else 1


def objects_equal(left: Any, right: Any) -> bool:
    """object.Equals: by value for values and strings of one type, by identity otherwise."""
    if left is None or right is None:
        return left is right
    custom = getattr(left, "cs_equals", None)
    if custom is not None:
        return bool(custom(right))
    return type(left) is type(right) and bool(left == right)


DEFINITIONS["object"].add(
    {
        "string ToString()": to_text,
        "bool Equals(object)": objects_equal,
        "int GetHashCode()": hash_of,
        "object new()": object,
        "static bool Equals(object, object)": objects_equal,
        "static bool ReferenceEquals(object, object)": lambda a, b: a is b,
        "Type GetType()": lambda v: TypeObject(v),
    }
)


class TypeObject:
    """The answer of GetType(): only its names; policy expressions have no reflection."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


def _full_name(one: TypeObject) -> str:
    return describe(one.value)


define(
    "Type",
    members={
        "string Name": lambda t: _full_name(t).split("[")[0].rsplit(".", 1)[-1],
        "string FullName": _full_name,
        "string ToString()": _full_name,
    },
)


def _with_parameter(name: str, second_is_message: bool) -> Any:
    def make(parameter: str | None = None, message: str | None = None) -> CsException:
        text = message or "Value cannot be null." if name == "ArgumentNullException" else message
        text = text or "Specified argument was out of the range of valid values."
        return CsException(name, f"{text}\nParameter name: {parameter}" if parameter else text)

    return make


def _exception(name: str) -> dict[str, Any]:
    generic = f"Exception of type 'System.{name}' was thrown."
    default = _DEFAULT_MESSAGES.get(name, generic)

    def make(message: str | None = None, inner: CsException | None = None) -> CsException:
        return CsException(name, message if message is not None else default, inner)

    return {f"{name} new()": make, f"{name} new(string)": make, f"{name} new(string, Exception)": make}


_DEFAULT_MESSAGES = {
    "ArgumentException": "Value does not fall within the expected range.",
    "InvalidOperationException": "Operation is not valid due to the current state of the object.",
    "NotSupportedException": "Specified method is not supported.",
    "NotImplementedException": "The method or operation is not implemented.",
    "FormatException": "One of the identified items was in an invalid format.",
    "TimeoutException": "The operation has timed out.",
    "UnauthorizedAccessException": "Attempted to perform an unauthorized operation.",
    "KeyNotFoundException": "The given key was not present in the dictionary.",
    "InvalidCastException": "Specified cast is not valid.",
    "NullReferenceException": "Object reference not set to an instance of an object.",
    "DivideByZeroException": "Attempted to divide by zero.",
    "OverflowException": "Arithmetic operation resulted in an overflow.",
    "IndexOutOfRangeException": "Index was outside the bounds of the array.",
}
define(
    "Exception",
    members={
        **_exception("Exception"),
        "string Message": lambda e: e.text,
        "Exception InnerException": lambda e: e.inner,
        "Exception GetBaseException()": lambda e: e if e.inner is None else e.inner,
        "string StackTrace": lambda e: None,
        "string Source": lambda e: None,
        "int HResult": lambda e: -2146233088,
    },
)
_HIERARCHY = {
    "SystemException": "Exception",
    "ArgumentException": "SystemException",
    "ArithmeticException": "SystemException",
    "OverflowException": "ArithmeticException",
    "DivideByZeroException": "ArithmeticException",
    "FormatException": "SystemException",
    "InvalidCastException": "SystemException",
    "InvalidOperationException": "SystemException",
    "NullReferenceException": "SystemException",
    "IndexOutOfRangeException": "SystemException",
    "NotSupportedException": "SystemException",
    "NotImplementedException": "SystemException",
    "TimeoutException": "SystemException",
    "UnauthorizedAccessException": "SystemException",
    "ApplicationException": "Exception",
}
for _name, _base in _HIERARCHY.items():
    define(_name, bases=[_base], members=_exception(_name))
DEFINITIONS["ArgumentException"].add(
    {
        "ArgumentException new(string, string)": lambda message, parameter: CsException(
            "ArgumentException", f"{message}\nParameter name: {parameter}" if parameter else message
        )
    }
)
define("ArgumentNullException", bases=["ArgumentException"])
define("ArgumentOutOfRangeException", bases=["ArgumentException"])
for _name in ("ArgumentNullException", "ArgumentOutOfRangeException"):
    _make = _with_parameter(_name, True)
    DEFINITIONS[_name].add(
        {f"{_name} new()": _make, f"{_name} new(string)": _make, f"{_name} new(string, string)": _make}
    )
define("UriFormatException", bases=["FormatException"], members=_exception("UriFormatException"))
define(
    "KeyNotFoundException",
    bases=["SystemException"],
    namespace="System.Collections.Generic",
    members=_exception("KeyNotFoundException"),
)
define("JsonException", bases=["Exception"], namespace="Newtonsoft.Json", members=_exception("JsonException"))
for _name in ("JsonReaderException", "JsonSerializationException", "JsonWriterException"):
    define(_name, bases=["JsonException"], namespace="Newtonsoft.Json", members=_exception(_name))
define(
    "CryptographicException",
    bases=["SystemException"],
    namespace="System.Security.Cryptography",
    members=_exception("CryptographicException"),
)
define("XmlException", bases=["SystemException"], namespace="System.Xml", members=_exception("XmlException"))
define("RegexMatchTimeoutException", bases=["TimeoutException"], namespace="System.Text.RegularExpressions")
define("DecoderFallbackException", bases=["ArgumentException"], namespace="System.Text")

REFUSED.update(
    {
        name: name
        for name in (
            "RSA",
            "RSACryptoServiceProvider",
            "RSAParameters",
            "RSACng",
            "RSASignaturePadding",
            "RSAEncryptionPadding",
            "RSAPKCS1SignatureFormatter",
            "ECDsa",
            "ECDsaCng",
            "X509Certificate",
            "X509Chain",
            "X509NameType",
            "X509ContentType",
            "X509Store",
            "Aes",
            "AesManaged",
            "AesCryptoServiceProvider",
            "Rijndael",
            "RijndaelManaged",
            "TripleDES",
            "DES",
            "SymmetricAlgorithm",
            "AsymmetricAlgorithm",
            "ICryptoTransform",
            "CryptoStream",
            "PaddingMode",
            "CipherMode",
            "OaepHashMode",
            "Rfc2898DeriveBytes",
            "RNGCryptoServiceProvider",
            "RandomNumberGenerator",
            "HashAlgorithmName",
            "SignedXml",
            "TimeZone",
            "TimeZoneInfo",
            "JConstructor",
            "JRaw",
            "JsonSerializerSettings",
            "JsonSerializer",
            "StringReader",
            "StringWriter",
            "MemoryStream",
            "StreamReader",
            "Stream",
            "XmlDocument",
            "XmlNode",
            "XmlNodeType",
            "XPathDocument",
            "XslCompiledTransform",
            "IPAddress",
            "Activator",
            "Enum",
            "Lazy",
            "Lookup",
            "XmlReader",
            "IEnumerator",
            "LinkedList",
            "SortedDictionary",
            "SortedList",
            "SortedSet",
            "ConcurrentDictionary",
            "ArrayList",
            "Hashtable",
            "BigInteger",
            "Stopwatch",
            "IDisposable",
            "XStreamingElement",
        )
    }
)
REFUSED.update(
    {name: name for name in ("File", "Directory", "HttpClient", "Task", "Thread", "Environment", "Process", "Console")}
)
