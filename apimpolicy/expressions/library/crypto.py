"""Hashes and HMACs. Ciphers by name are in `ciphers.py`; cipher objects are refused."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from typing import Any, Final

from apimpolicy.expressions.errors import argument_null
from apimpolicy.expressions.library.numeric import byte_array
from apimpolicy.expressions.library.values_of_system import source_of_chance
from apimpolicy.expressions.types import define
from apimpolicy.expressions.values import CsArray, Runtime

_NAMES: Final = {"MD5": "md5", "SHA1": "sha1", "SHA256": "sha256", "SHA384": "sha384", "SHA512": "sha512"}


class Hasher:
    """A hash algorithm, keyed or not."""

    __slots__ = ("algorithm", "key", "last")

    def __init__(self, algorithm: str, key: bytes | None = None) -> None:
        self.algorithm = algorithm
        self.key = key
        self.last: CsArray | None = None

    def compute(self, data: bytes) -> CsArray:
        if self.key is None:
            digest = hashlib.new(self.algorithm, data, usedforsecurity=False).digest()
        else:
            digest = hmac.new(self.key, data, self.algorithm).digest()
        self.last = byte_array(digest)
        return self.last


def _compute(runtime: Runtime, one: Hasher, data: CsArray | None) -> CsArray:
    if data is None:
        raise argument_null("buffer")
    runtime.charge(len(data) >> 6)
    return one.compute(bytes(data))


def _compute_part(runtime: Runtime, one: Hasher, data: CsArray, start: int, count: int) -> CsArray:
    return one.compute(bytes(data[start : start + count]))


def _keyed(algorithm: str) -> Callable[[CsArray | None], Hasher]:
    def make(key: CsArray | None) -> Hasher:
        if key is None:
            raise argument_null("key")
        return Hasher(algorithm, bytes(key))

    return make


_MEMBERS: dict[str, Any] = {
    "!byte[] ComputeHash(byte[])": _compute,
    "!byte[] ComputeHash(byte[], int, int)": _compute_part,
    "byte[] Hash": lambda h: h.last,
    "int HashSize": lambda h: hashlib.new(h.algorithm, usedforsecurity=False).digest_size * 8,
    "void Dispose()": lambda h: None,
    "void Clear()": lambda h: None,
    "void Initialize()": lambda h: None,
}
_SPACE: Final = "System.Security.Cryptography"
define("HashAlgorithm", namespace=_SPACE, members=_MEMBERS)
define("KeyedHashAlgorithm", bases=["HashAlgorithm"], namespace=_SPACE)


def _set_key(one: Hasher, key: CsArray | None) -> None:
    if key is None:
        raise argument_null("key")
    one.key = bytes(key)


def _random_key(algorithm: str) -> Callable[[Runtime], Hasher]:
    """An HMAC made without a key has a random one, of the length of the algorithm's block."""

    def make(runtime: Runtime) -> Hasher:
        source = source_of_chance(runtime)
        block = 128 if algorithm in ("sha384", "sha512") else 64
        return Hasher(algorithm, bytes(source.getrandbits(8) for _ in range(block)))

    return make


define(
    "HMAC",
    bases=["KeyedHashAlgorithm"],
    namespace=_SPACE,
    members={"byte[] Key": (lambda h: byte_array(h.key), _set_key)},
)
for _name, _algorithm in _NAMES.items():
    _make = (lambda a: lambda: Hasher(a))(_algorithm)
    define(_name, bases=["HashAlgorithm"], namespace=_SPACE, members={f"static {_name} Create()": _make})
    for _variant in ("Managed", "CryptoServiceProvider"):
        define(f"{_name}{_variant}", bases=[_name], namespace=_SPACE, members={f"{_name}{_variant} new()": _make})
    _constructors = {
        f"HMAC{_name} new(byte[])": _keyed(_algorithm),
        f"!HMAC{_name} new()": _random_key(_algorithm),
    }
    define(f"HMAC{_name}", bases=["HMAC"], namespace=_SPACE, members=_constructors)
