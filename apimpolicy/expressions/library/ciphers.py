"""Encrypting and decrypting bytes: the extensions APIM puts on byte[].

Source: learn.microsoft.com/azure/api-management/api-management-policy-expressions (Encrypt and Decrypt on byte[]).
Assumed: the algorithms by name are AES and triple DES with .NET's defaults, CBC with PKCS7 padding. Encrypting with a
certificate, or with an algorithm object, is refused by name.
"""

from __future__ import annotations

from typing import Any, Final

from apimpolicy.expressions.errors import CsException, argument_null
from apimpolicy.expressions.library.numeric import byte_array
from apimpolicy.expressions.types import extend
from apimpolicy.expressions.values import CsArray, Runtime

_AES: Final = frozenset({"aes", "rijndael", "aescryptoserviceprovider", "aesmanaged", "rijndaelmanaged"})
_TRIPLE_DES: Final = frozenset({"tripledes", "3des", "tripledescryptoserviceprovider"})
_AES_BLOCK: Final = 16
_DES_BLOCK: Final = 8


def _cipher(name: str, key: bytes, vector: bytes) -> tuple[Any, int]:
    """A CBC cipher and its block size in bytes. Raises CryptographicException as .NET does for a bad key or vector."""
    from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    plain = name.lower().rpartition(".")[2]
    sizes: tuple[int, ...] = (16, 24, 32)
    block = _AES_BLOCK
    if plain in _TRIPLE_DES:
        sizes, block = (16, 24), _DES_BLOCK
    elif plain not in _AES:
        raise CsException("NotSupportedException", f"the algorithm '{name}' is not modelled")
    if len(key) not in sizes:
        raise CsException("CryptographicException", "Specified key is not a valid size for this algorithm.")
    if len(vector) != block:
        message = "Specified initialization vector (IV) does not match the block size for this algorithm."
        raise CsException("CryptographicException", message)
    algorithm = algorithms.AES(key) if block == _AES_BLOCK else TripleDES(key)
    return Cipher(algorithm, modes.CBC(vector)), block


def _parts(data: CsArray | None, name: str | None, key: CsArray | None, vector: CsArray | None) -> tuple[bytes, bytes]:
    for value, parameter in ((data, "input"), (name, "alg"), (key, "key"), (vector, "iv")):
        if value is None:
            raise argument_null(parameter)
    return bytes(key or b""), bytes(vector or b"")


def encrypt(
    runtime: Runtime, data: CsArray | None, name: str | None, key: CsArray | None, vector: CsArray | None
) -> CsArray:
    """`data.Encrypt(name, key, iv)`."""
    secret, start = _parts(data, name, key, vector)
    plain = bytes(data or b"")
    runtime.charge(len(plain) >> 6)
    cipher, block = _cipher(name or "", secret, start)
    padding = block - len(plain) % block
    encryptor = cipher.encryptor()
    return byte_array(encryptor.update(plain + bytes([padding]) * padding) + encryptor.finalize())


def decrypt(
    runtime: Runtime, data: CsArray | None, name: str | None, key: CsArray | None, vector: CsArray | None
) -> CsArray:
    """`data.Decrypt(name, key, iv)`."""
    secret, start = _parts(data, name, key, vector)
    sealed = bytes(data or b"")
    runtime.charge(len(sealed) >> 6)
    cipher, block = _cipher(name or "", secret, start)
    if len(sealed) % block:
        raise CsException("CryptographicException", "Length of the data to decrypt is invalid.")
    if not sealed:
        return byte_array(b"")
    decryptor = cipher.decryptor()
    padded = decryptor.update(sealed) + decryptor.finalize()
    padding = padded[-1]
    if not 1 <= padding <= block or padded[-padding:] != bytes([padding]) * padding:
        raise CsException("CryptographicException", "Padding is invalid and cannot be removed.")
    return byte_array(padded[:-padding])


extend(
    {
        "!byte[] Encrypt(byte[], string, byte[], byte[])": encrypt,
        "!byte[] Decrypt(byte[], string, byte[], byte[])": decrypt,
    }
)
