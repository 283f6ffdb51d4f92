"""List envelopes and their pages.

Source: API Management REST reference 2024-05-01: `$top` (at least 1), `$skip` (at least 0), `{value, count, nextLink}`
with an empty `nextLink` on the last page; other providers answer `{value}` and `nextLink` only when there is more.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

from simulator.resources.errors import ArmError
from simulator.resources.router import ArmRequest, ArmResponse
from simulator.resources.settings import arm_settings


def answer_page(request: ArmRequest, entries: list[dict[str, Any]], *, extras: tuple[str, ...] = ()) -> ArmResponse:
    """One page of `entries`, cut by `$top` and `$skip`.

    Args:
        extras: what the envelope always carries besides `value`: `count`, an empty `nextLink`, both (API Management's
            usual one) or neither.

    Raises:
        ArmError: 400, when `$top` or `$skip` is no number in range.
    """
    size = arm_settings(request.world).page_size
    top = _number(request, "$top", minimum=1)
    skip = _number(request, "$skip", minimum=0) or 0
    taken = min(top, size) if top is not None else size
    page = entries[skip : skip + taken]
    limit = len(entries) if top is None else min(len(entries), skip + top)
    following = skip + len(page)
    more = bool(page) and following < limit
    body: dict[str, Any] = {"value": page}
    if "count" in extras:
        body["count"] = len(entries)
    if "nextLink" in extras:
        body["nextLink"] = ""
    if more:
        query = {name: value for name, value in request.query.items() if name not in ("$skip", "$top")}
        if top is not None:
            query["$top"] = str(top - len(page))
        query["$skip"] = str(following)
        body["nextLink"] = f"{request.base_url}{quote(request.path)}?{urlencode(query, safe='$')}"
    return ArmResponse(200, body)


def _number(request: ArmRequest, name: str, *, minimum: int) -> int | None:
    text = request.query.get(name)
    if text is None:
        return None
    try:
        value = int(text)
    except ValueError:
        value = minimum - 1
    if value < minimum:
        raise ArmError(
            400, "ValidationError", f"Invalid value for '{name}': '{text}'. It must be at least {minimum}.", name
        )
    return value
