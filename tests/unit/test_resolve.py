"""The resolve table: exact names before families, longer families before shorter ones, path and query kept."""

from __future__ import annotations

import pytest

from console.azure.resolve import ResolveTable, is_loopback

TABLE = ResolveTable(
    {
        "management.azure.com": "http://127.0.0.1:8443/",
        "*.openai.azure.com": "http://127.0.0.1:8443/hosts/{host}",
        "*.eu.openai.azure.com": "https://10.0.0.4",
        "one.openai.azure.com": "https://10.0.0.9:444/front",
    }
)


@pytest.mark.parametrize(
    ("url", "resolved"),
    [
        ("https://management.azure.com/subscriptions?a=b", "http://127.0.0.1:8443/subscriptions?a=b"),
        ("https://Two.openai.azure.com/openai", "http://127.0.0.1:8443/hosts/two.openai.azure.com/openai"),
        ("https://x.eu.openai.azure.com/v", "https://10.0.0.4/v"),
        ("https://one.openai.azure.com/v", "https://10.0.0.9:444/front/v"),
        ("https://elsewhere.example/v?q=1", "https://elsewhere.example/v?q=1"),
        ("https://openai.azure.com/", "https://openai.azure.com/"),
    ],
)
def test_a_host_is_found_where_the_profile_says(url: str, resolved: str) -> None:
    assert TABLE.resolve(url).url == resolved


def test_a_resolved_url_is_not_resolved_again() -> None:
    once = TABLE.resolve("https://two.openai.azure.com/openai").url
    assert TABLE.resolve(once).url == once


@pytest.mark.parametrize(
    ("url", "answer"),
    [
        ("http://127.0.0.1:1/x", True),
        ("http://[::1]/x", True),
        ("http://127.0.0.1.evil.example/", False),
        ("/x", False),
    ],
)
def test_loopback_is_this_machine_and_nothing_that_looks_like_it(url: str, answer: bool) -> None:
    assert is_loopback(url) is answer
