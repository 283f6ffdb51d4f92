"""Bytes encrypted by a policy are what any other party decrypts, and a bad key fails as it does in .NET."""

from __future__ import annotations

import base64

import pytest

from apimpolicy.expressions import EvaluationError, ExpressionError
from tests.policy.expressions.requests import run

KEY = base64.b64encode(bytes(range(16))).decode()
VECTOR = base64.b64encode(bytes(16)).decode()
SETUP = f'var key = Convert.FromBase64String("{KEY}"); var iv = Convert.FromBase64String("{VECTOR}");'


def test_what_is_encrypted_can_be_decrypted() -> None:
    text = f'{{ {SETUP} var sealed = Encoding.UTF8.GetBytes("a session").Encrypt("Aes", key, iv); '
    assert run(text + "return sealed.Length; }") == 16
    assert run(text + 'return Encoding.UTF8.GetString(sealed.Decrypt("Aes", key, iv)); }') == "a session"


def test_a_known_answer_of_aes_128_cbc() -> None:
    # With a zero vector the first block is what AES itself makes of sixteen zero bytes under the key 00..0f.
    text = f'{{ {SETUP} return BitConverter.ToString(new byte[16].Encrypt("AES", key, iv)).Replace("-", ""); }}'
    assert run(text).startswith("C6A13B37878F5B826F4F8162A1C8D879")


def test_triple_des_has_blocks_of_eight() -> None:
    text = 'new byte[] {1}.Encrypt("TripleDES", Encoding.UTF8.GetBytes("0123456789abcdefghijklmn"), new byte[8]).Length'
    assert run(text) == 8


@pytest.mark.parametrize(
    ("call", "exception"),
    [
        ('new byte[16].Encrypt("Aes", new byte[5], new byte[16])', "CryptographicException"),
        ('new byte[16].Encrypt("Aes", new byte[16], new byte[8])', "CryptographicException"),
        ('new byte[15].Decrypt("Aes", new byte[16], new byte[16])', "CryptographicException"),
        ('new byte[16].Decrypt("Aes", new byte[16], new byte[16])', "CryptographicException"),
        ('new byte[16].Encrypt("Blowfish", new byte[16], new byte[16])', "NotSupportedException"),
        ('new byte[16].Encrypt("Aes", null, new byte[16])', "ArgumentNullException"),
    ],
)
def test_a_bad_key_or_text_fails_as_in_dotnet(call: str, exception: str) -> None:
    with pytest.raises(EvaluationError) as raised:
        run(call)
    assert raised.value.exception_type.endswith(exception)


def test_a_cipher_object_is_refused_by_name() -> None:
    with pytest.raises(ExpressionError, match="Aes is not modelled"):
        run("Aes.Create()")
