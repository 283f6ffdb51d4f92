"""Which base URL stands for an Azure host: private endpoints, port-forwards and the embedded Azure alike. Pure.

An entry's key is a host, or `*.suffix` for a family; `{host}` in its URL stands for the host's own name. Exact names
win over families, longer families over shorter ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})


def is_loopback(url: str) -> bool:
    """Whether a URL stays on this machine."""
    return (urlsplit(url).hostname or "") in LOOPBACK_HOSTS


@dataclass(frozen=True, slots=True)
class Resolved:
    """Where a request goes. `host`: the name it was meant for, None when nothing was rewritten."""

    url: str
    host: str | None = None


class ResolveTable:
    """A profile's `[resolve]` table."""

    def __init__(self, entries: Mapping[str, str]) -> None:
        self._exact = {key.lower(): url for key, url in entries.items() if not key.startswith("*")}
        families = ((key[1:].lower(), url) for key, url in entries.items() if key.startswith("*"))
        self._families = sorted(families, key=lambda entry: -len(entry[0]))

    def base_url(self, host: str) -> str | None:
        """The base URL that stands for a host, None when it stands for itself."""
        name = host.lower()
        base = self._exact.get(name)
        if base is None:
            base = next((url for suffix, url in self._families if name.endswith(suffix)), None)
        return None if base is None else base.replace("{host}", name).rstrip("/")

    def resolve(self, url: str) -> Resolved:
        """The URL to ask instead of `url`: path and query stay, scheme and host become the entry's."""
        parts = urlsplit(url)
        base = self.base_url(parts.hostname or "")
        if base is None:
            return Resolved(url)
        target = urlsplit(base)
        return Resolved(
            urlunsplit((target.scheme, target.netloc, target.path + parts.path, parts.query, "")), parts.hostname
        )
