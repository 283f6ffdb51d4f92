"""Lists of Resource Manager that have no client of their own here: paging and decoding. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import msgspec

from console.azure.session import AzureSession
from console.errors import UnreadableAnswer

T = TypeVar("T")

PAGES_LIMIT = 100


class _Page(msgspec.Struct):
    value: list[msgspec.Raw] = []
    nextLink: str | None = None


async def fetch_list(
    session: AzureSession,
    path: str,
    item_type: type[T],
    *,
    api_version: str,
    what: str,
    remedy: str = "",
    query: Mapping[str, str] | None = None,
) -> list[T]:
    """All items of an ARM list, following `nextLink` (null and "" end it).

    Raises:
        ConsoleError: Azure refused, nobody answered, or the answer has another shape.
    """
    items: list[T] = []
    next_link: str | None = path
    for _ in range(PAGES_LIMIT):
        if not next_link:
            break
        body = await session.get_arm(next_link, api_version=api_version, what=what, remedy=remedy, query=query)
        page = decode(body, _Page, what=what, where=path)
        items += [decode(raw, item_type, what=what, where=path) for raw in page.value]
        next_link = page.nextLink
    return items


def decode(body: bytes | msgspec.Raw, shape: type[T], *, what: str, where: str) -> T:
    """JSON to a wire struct.

    Raises:
        UnreadableAnswer: it is not JSON, or not of that shape.
    """
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.MsgspecError as error:
        raise UnreadableAnswer(
            f"{what}: the answer has an unknown shape, {error}", where=where, remedy="Look at it with --debug-log FILE."
        ) from error
