"""From what Microsoft's clients raise to what an operator can act on. Loads no client: it looks at names and
attributes.

Source: ARM common error body (`error.code`, `error.message`, `details[]`), Logs query API "errors", azure-core
exceptions.
"""

from __future__ import annotations

import errno
import re
from typing import Any

from console.errors import (
    Conflict,
    ConsoleError,
    DeadlineExceeded,
    NotAllowed,
    NotFound,
    SignInError,
    Throttled,
    Unreachable,
    UnreadableAnswer,
)

_EXPIRED_CODES = frozenset({"ExpiredAuthenticationToken", "AuthenticationFailed", "InvalidAuthenticationToken"})
_BROKEN_OFF = ("payload is not completed", "Not enough data to satisfy")
"""How aiohttp says that fewer bytes came than were announced."""
_SECRETS = re.compile(
    r"(?i)(bearer\s+[\w.~+/-]+=*|eyJ[\w-]{8,}\.[\w.-]+|(api-?key|x-identity-header|secret)[\"'=: ]+\S+)"
)


def redact(text: str) -> str:
    """The text without anything that looks like a token or a key."""
    return _SECRETS.sub("[redacted]", text)


def one_line(text: str, limit: int = 240) -> str:
    """The first telling line of a message, redacted and cut to `limit` characters."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    line = redact(lines[0] if lines else "no message")
    return line if len(line) <= limit else line[: limit - 1] + "…"


def azure_code(error: BaseException) -> str:
    """Azure's own error code of a failed answer, the deepest one; "" when there is none."""
    inner = getattr(error, "error", None)
    code = str(getattr(inner, "code", "") or "")
    nested = getattr(inner, "innererror", None)
    while isinstance(nested, dict):
        code = str(nested.get("code") or code)
        nested = nested.get("innererror")
    return code


def azure_message(error: BaseException) -> str:
    """Azure's own sentence, with the first detail when the outer sentence only says that there are details."""
    inner = getattr(error, "error", None)
    message = str(getattr(inner, "message", "") or getattr(error, "message", "") or error)
    details = getattr(inner, "details", None) or ()
    first = next((str(getattr(detail, "message", "") or "") for detail in details), "")
    return one_line(f"{message} {first}" if first and first not in message else message)


def explain(error: BaseException, *, what: str, where: str, remedy: str, sign_in: str) -> ConsoleError:
    """The console's error for a failed request.

    Args:
        error: what the client raised.
        what: what could not be done ("The backends cannot be listed").
        where: resource, workspace or host.
        remedy: the role or setting that would allow it, used when Azure refuses.
        sign_in: what to do about a missing login.
    """
    if isinstance(error, ConsoleError):
        return error
    name = type(error).__name__
    if name in ("CredentialUnavailableError", "AuthenticationRequiredError"):
        return SignInError(f"{what}: no sign-in is available, {_attempts(error)}", where=where, remedy=sign_in)
    if isinstance(error, TimeoutError) or name in ("ServiceRequestTimeoutError", "ServiceResponseTimeoutError"):
        return DeadlineExceeded(f"{what}: no answer in time", where=where, remedy="Check the network, then try again.")
    if any(words in str(error) for words in _BROKEN_OFF):
        return Unreachable(
            f"{what}: the answer broke off in the middle", where=where, remedy="It is asked again later."
        )
    status = getattr(error, "status_code", None)
    if status is None and name == "ClientAuthenticationError":
        return SignInError(f"{what}: the sign-in failed, {azure_message(error)}", where=where, remedy=sign_in)
    if status is None and name in ("ServiceRequestError", "ServiceResponseError", "IncompleteReadError"):
        reason, todo = transport_trouble(error)
        return Unreachable(f"{what}: no connection, {reason}", where=where, remedy=todo)
    if status is None and name in ("InvalidURL", "InvalidUrlClientError", "UnicodeError", "UnicodeEncodeError"):
        reason, todo = transport_trouble(error)
        return Unreachable(f"{what}: no connection, {reason}", where=where, remedy=todo)
    if isinstance(status, int) and status >= 300:
        return _explain_status(error, status, what=what, where=where, remedy=remedy, sign_in=sign_in)
    return UnreadableAnswer(
        f"{what}: the answer cannot be read, {name}: {one_line(str(error))}",
        where=where,
        remedy="Run again with --debug-log FILE and look there.",
    )


_CHECK_NETWORK = "Check DNS, proxy and private endpoints."
_TROUBLES: tuple[tuple[frozenset[str], tuple[str, ...], str, str], ...] = (
    (
        frozenset({"InvalidURL", "InvalidUrlClientError", "UnicodeError", "UnicodeEncodeError", "LocationParseError"}),
        ("label empty or too long", "Invalid URL", "encoding with 'idna'", "host name is invalid"),
        "the host name is invalid",
        "Correct the host name where it is configured.",
    ),
    (
        frozenset({"SSLCertVerificationError", "ClientConnectorCertificateError"}),
        ("CERTIFICATE_VERIFY_FAILED",),
        "its certificate is not trusted here",
        "Name its certificate authority in SSL_CERT_FILE.",
    ),
    (
        frozenset({"gaierror", "ClientConnectorDNSError"}),
        (
            "Name or service not known",
            "getaddrinfo",
            "name resolution",
            "No address associated",
            "nodename nor servname",
        ),
        "the name does not resolve",
        "Check the name, DNS and private DNS zones.",
    ),
    (
        frozenset({"ConnectionRefusedError"}),
        ("Connection refused", "Connect call failed", "actively refused"),
        "the connection was refused",
        "Check that something listens there, proxy and firewall.",
    ),
    (
        frozenset({"TimeoutError", "ServerTimeoutError", "ConnectionTimeoutError", "SocketTimeoutError"}),
        ("timed out", "Timeout"),
        "the connection timed out",
        _CHECK_NETWORK,
    ),
    (
        frozenset({"ConnectionResetError", "ConnectionAbortedError", "BrokenPipeError", "ServerDisconnectedError"}),
        ("reset by peer", "Server disconnected", "Connection aborted", "lost the connection", "Broken pipe"),
        "the connection was reset",
        _CHECK_NETWORK,
    ),
    (
        frozenset(),
        ("not permitted for non-TLS protected",),
        "a token is never sent over plain http",
        "Give an https address in the profile's resolve table; http is for loopback only.",
    ),
    (
        frozenset({"ClientConnectorSSLError", "ClientSSLError", "SSLError"}),
        ("SSLError", "[SSL", "TLS"),
        "no secure connection could be agreed on",
        "Check proxy and TLS inspection on the way.",
    ),
    (
        frozenset(),
        ("Network is unreachable", "No route to host", "Host is unreachable", "Network unreachable"),
        "there is no route to the host",
        _CHECK_NETWORK,
    ),
)
"""Exception names, telling words, and what both mean to an operator; the first that fits counts."""


def transport_trouble(error: BaseException) -> tuple[str, str]:
    """Why no connection came about, and what to do, in an operator's words; the library's own go to the debug log."""
    chain = _causes(error)
    names = {type(one).__name__ for one in chain}
    if {getattr(one, "errno", None) for one in chain} & {errno.ENETUNREACH, errno.EHOSTUNREACH}:
        return "there is no route to the host", _CHECK_NETWORK
    said = " ".join(str(one) for one in chain).lower()
    # The class of the cause knows better than its words: a refusal and a timeout may share a sentence.
    by_class = [(meaning, todo) for classes, _, meaning, todo in _TROUBLES if names & classes]
    by_words = [(m, todo) for _, words, m, todo in _TROUBLES if any(word.lower() in said for word in words)]
    return next(iter(by_class + by_words), ("the host cannot be reached", _CHECK_NETWORK))


def _causes(error: BaseException) -> list[BaseException]:
    """The error and what it was raised for, outermost first; clients keep that in several attributes."""
    found: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting and len(found) < 20:
        one = waiting.pop(0)
        if isinstance(one, BaseException) and one not in found:
            found.append(one)
            named = ("inner_exception", "__cause__", "__context__", "os_error", "certificate_error")
            waiting += [getattr(one, name, None) for name in named]
            waiting += list(one.args)
    return found


def _explain_status(
    error: BaseException, status: int, *, what: str, where: str, remedy: str, sign_in: str
) -> ConsoleError:
    code, message = azure_code(error), azure_message(error)
    if status == 401 or (status == 403 and code in _EXPIRED_CODES):
        return SignInError(f"{what}: the sign-in is missing or has expired", where=where, remedy=sign_in)
    if status == 403:
        return NotAllowed(f"{what}: not allowed, {message}", where=where, remedy=remedy)
    if status == 404:
        return NotFound(f"{what}: {message}", where=where, remedy="Check the names in the profile.")
    if status == 429:
        wait = retry_after_seconds(error)
        return Throttled(
            f"{what}: Azure throttles this principal",
            where=where,
            remedy=f"It is asked again in {wait:.0f} s." if wait else "It is asked again later.",
            retry_after_seconds=wait,
        )
    if status in (409, 412):
        return Conflict(f"{what}: {message}", where=where, remedy="Read it again and repeat.")
    if status in (408, 504):
        return DeadlineExceeded(f"{what}: no answer in time", where=where, remedy="It is asked again later.")
    remedy = "It is asked again later." if status >= 500 else "Run again with --debug-log FILE and look there."
    return ConsoleError(f"{what}: HTTP {status} {code}, {message}".replace(" ,", ","), where=where, remedy=remedy)


def _attempts(error: BaseException) -> str:
    text = str(getattr(error, "message", "") or error)
    reasons = [part.strip() for part in text.splitlines() if ":" in part and "Credential" in part]
    return "; ".join(one_line(reason, 120) for reason in reasons[:3]) or one_line(text)


def retry_after_seconds(error: BaseException) -> float | None:
    """What a refused answer asked to wait, in seconds; None when it did not say."""
    headers: Any = getattr(getattr(error, "response", None), "headers", None)
    if headers is None:
        return None
    milliseconds = headers.get("retry-after-ms") or headers.get("x-ms-retry-after-ms")
    seconds = headers.get("Retry-After")
    try:
        if milliseconds is not None:
            return float(milliseconds) / 1000
        return None if seconds is None else float(seconds)
    except ValueError:
        return None
