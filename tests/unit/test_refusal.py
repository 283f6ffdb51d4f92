"""Azure's refusals as lines an operator can act on; tokens and keys never survive into them."""

from __future__ import annotations

import socket
from types import SimpleNamespace
from typing import Any

import pytest

from console.azure.refusal import azure_message, explain, one_line, redact
from console.errors import ConsoleError, DeadlineExceeded, NotAllowed, NotFound, SignInError, Throttled, Unreachable


class HttpResponseError(Exception):
    """Shaped like azure-core's: status, `error`, response."""

    def __init__(self, status: int, code: str = "", message: str = "no", **headers: str) -> None:
        super().__init__(message)
        self.status_code = status
        self.message = message
        self.error = SimpleNamespace(code=code, message=message, details=None, innererror=None)
        self.response = SimpleNamespace(headers=headers)


class ServiceRequestError(Exception):
    """Shaped like azure-core's: no answer, no status."""


class ClientAuthenticationError(Exception):
    """Shaped like azure-core's, raised before anything was sent."""


def told(error: BaseException) -> ConsoleError:
    return explain(
        error, what="The backends cannot be listed", where="apim", remedy="Ask for a role.", sign_in="Run az."
    )


@pytest.mark.parametrize(
    ("error", "kind", "exit_code"),
    [
        (HttpResponseError(401, "ExpiredAuthenticationToken"), SignInError, 4),
        (HttpResponseError(403, "InvalidAuthenticationToken"), SignInError, 4),
        (HttpResponseError(403, "AuthorizationFailed"), NotAllowed, 4),
        (HttpResponseError(404, "ResourceNotFound"), NotFound, 1),
        (HttpResponseError(429, "TooManyRequests"), Throttled, 1),
        (HttpResponseError(504), DeadlineExceeded, 5),
        (TimeoutError(), DeadlineExceeded, 5),
        (ServiceRequestError("Cannot connect"), Unreachable, 1),
        (ClientAuthenticationError("az login expired"), SignInError, 4),
        (HttpResponseError(500, "InternalServerError"), ConsoleError, 1),
    ],
)
def test_each_refusal_has_its_kind_and_exit_code(
    error: BaseException, kind: type[ConsoleError], exit_code: int
) -> None:
    result = told(error)
    assert type(result) is kind
    assert result.exit_code == exit_code
    assert result.line.startswith("The backends cannot be listed")
    assert "(apim)" in result.line
    assert "\n" not in result.line


def test_a_refusal_of_rights_names_the_role_and_a_missing_login_the_command() -> None:
    assert told(HttpResponseError(403, "AuthorizationFailed")).remedy == "Ask for a role."
    assert told(HttpResponseError(401)).remedy == "Run az."


def test_the_wait_that_azure_asks_for_is_kept() -> None:
    result = told(HttpResponseError(429, **{"Retry-After": "17"}))
    assert isinstance(result, Throttled)
    assert result.retry_after_seconds == 17.0
    assert told(HttpResponseError(429, **{"Retry-After": "soon"})).remedy == "It is asked again later."


def test_an_error_of_our_own_passes_through() -> None:
    mine = NotFound("No such thing")
    assert told(mine) is mine


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer eyJhbGciOi.eyJzdWIi.sig",
        "token eyJ0eXAiOiJKV1Qi.eyJhdWQi.c2ln refused",
        'api-key: "0123456789abcdef"',
        "X-IDENTITY-HEADER=abccb874e6b289d9",
    ],
)
def test_nothing_that_looks_like_a_secret_is_repeated(text: str) -> None:
    shown = redact(text)
    assert "[redacted]" in shown
    assert not any(part in shown for part in ("eyJ", "0123456789abcdef", "abccb874e6b289d9"))


def test_a_long_traceback_becomes_one_short_line() -> None:
    assert one_line("\n\n  ERROR: first\nTraceback (most recent call last):\n  x\n") == "ERROR: first"
    assert len(one_line("x" * 5000)) == 240


def test_the_telling_detail_is_taken_along() -> None:
    error: Any = HttpResponseError(400, "ValidationError", "One or more fields contain incorrect values:")
    error.error.details = [SimpleNamespace(message="Error in element 'choose' on line 3, column 5: no.")]
    assert "line 3, column 5" in azure_message(error)


@pytest.mark.parametrize(
    ("library_text", "meaning"),
    [
        ("Cannot connect to host a.b:443 ssl:default [Name or service not known]", "the name does not resolve"),
        ("Cannot connect to host a.b:443 ssl:default [Connect call failed ('127.0.0.1', 443)]", "was refused"),
        ("Connection timeout to host https://a.b", "timed out"),
        ("[Errno 104] Connection reset by peer", "was reset"),
        ("Server disconnected", "was reset"),
        ("encoding with 'idna' codec failed (UnicodeError: label empty or too long)", "host name is invalid"),
        (
            "Cannot connect to host a.b:443 ssl:True [SSLCertVerificationError: CERTIFICATE_VERIFY_FAILED]",
            "not trusted",
        ),
        ("Cannot connect to host a.b:443 ssl:default [something new]", "cannot be reached"),
    ],
)
def test_transport_troubles_are_told_without_the_librarys_words(library_text: str, meaning: str) -> None:
    result = told(ServiceRequestError(library_text))
    assert type(result) is Unreachable
    assert meaning in result.what
    assert result.remedy
    for library_word in ("ssl:", "[", "Errno", "codec", "Connect call"):
        assert library_word not in result.line


@pytest.mark.parametrize(
    ("cause", "meaning"),
    [
        (socket.gaierror(-2, "nobody knows"), "the name does not resolve"),
        (ConnectionRefusedError(111, "no"), "was refused"),
        (ConnectionResetError(104, "no"), "was reset"),
        (UnicodeError("label too long"), "host name is invalid"),
        (TimeoutError(110, "Connect call failed"), "timed out"),
        (OSError(101, "Connect call failed"), "no route"),
    ],
)
def test_the_class_of_the_cause_counts_where_the_words_say_nothing(cause: Exception, meaning: str) -> None:
    error = ServiceRequestError("Something went wrong")
    error.__cause__ = cause
    assert meaning in told(error).what
