"""Where a published description is known to contradict the service it describes, with the evidence for it.

Each slip excuses one kind of complaint at one kind of operation, nothing else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Slip:
    """`operation` and `complaint` are regular expressions; `reason` says why the service is believed instead."""

    operation: str
    complaint: str
    reason: str

    def excuses(self, operation_id: str, complaint: str) -> bool:
        """Whether a complaint about an operation is this slip."""
        return bool(re.fullmatch(self.operation, operation_id) and re.search(self.complaint, complaint))


SLIPS = (
    Slip(
        r"Backend_.*",
        r"at \$\.(value\[\d+\]\.)?properties: '(url|protocol)' is a required property",
        "`url` and `protocol` are described as required, yet the description's own pool examples leave them out",
    ),
    Slip(
        r"(Api)?Diagnostic_.*",
        r"\('largeLanguageModel' was unexpected\)",
        "a property of a newer api-version, which the embedded Azure shows at older ones too; assumed",
    ),
    Slip(
        r"Query_.*",
        r"at \$\.(responses\[\d+\]\.body\.)?tables\[\d+\]\.rows\[\d+\]\[\d+\]: .* is not of type 'string'",
        "cells are described as strings; the service sends numbers and booleans, as the reference pages show",
    ),
    Slip(
        r"Query_.*",
        r"at \$\.error(\.innererror)*: .*\('(correlationId|line|line', 'pos', 'token)' (was|were) unexpected\)",
        "the service also gives a correlation id and, for a syntax error, where it is",
    ),
    Slip(
        r"DeploymentOperations_.*",
        r"\('trackingId' was unexpected\)",
        "operations carry a tracking id, which every client shows and the description lacks",
    ),
    Slip(
        r"ChatCompletions_Create",
        r"('completion_tokens_details', 'prompt_tokens_details' were unexpected|"
        r"'created', 'id', 'model', 'object', 'system_fingerprint', 'usage' were unexpected)",
        "token details came with api-version 2024-10-21; the description at hand is of 2024-06-01",
    ),
)
