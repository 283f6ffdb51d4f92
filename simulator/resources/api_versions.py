"""Which api-versions each provider answers to.

Source: the versions published for each provider in the Azure REST API specifications. A provider that is not listed
accepts any well-formed version.
"""

from __future__ import annotations

import re

from simulator.resources.errors import ArmError

KNOWN_VERSIONS: dict[str, tuple[str, ...]] = {
    "microsoft.apimanagement": (
        "2021-08-01",
        "2021-12-01-preview",
        "2022-08-01",
        "2022-09-01-preview",
        "2023-03-01-preview",
        "2023-05-01-preview",
        "2023-09-01-preview",
        "2024-05-01",
        "2024-06-01-preview",
        "2024-10-01-preview",
        "2025-03-01-preview",
        "2025-09-01-preview",
    ),
    "microsoft.cognitiveservices": (
        "2022-12-01",
        "2023-05-01",
        "2023-10-01-preview",
        "2024-04-01-preview",
        "2024-06-01-preview",
        "2024-10-01",
        "2025-04-01-preview",
        "2025-06-01",
        "2025-09-01",
        "2025-10-01-preview",
        "2025-12-01",
        "2026-03-01",
        "2026-05-01",
        "2026-05-15-preview",
    ),
}
_SHAPE = re.compile(r"^\d{4}-\d{2}-\d{2}(-[a-z]+)?$", re.IGNORECASE)


def check_api_version(version: str | None, namespace: str, resource_type: str) -> None:
    """Refuse a missing, malformed or unknown version.

    Source: Resource Manager error codes `MissingApiVersionParameter`, `InvalidApiVersionParameter`,
    `NoRegisteredProviderFound`.

    Raises:
        ArmError: 400.
    """
    if not version:
        raise ArmError(
            400,
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        )
    known = KNOWN_VERSIONS.get(namespace.lower())
    if known is not None and version.lower() not in known:
        raise ArmError(
            400,
            "NoRegisteredProviderFound",
            f"No registered resource provider found for location 'global' and API version '{version}' for type "
            f"'{resource_type}'. The supported api-versions are '{', '.join(known)}'.",
        )
    if known is None and not _SHAPE.match(version):
        raise ArmError(
            400,
            "InvalidApiVersionParameter",
            f"The api-version '{version}' is invalid. It must be of the form YYYY-MM-DD.",
        )
