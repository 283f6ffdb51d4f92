"""The member tables: what each type can do, one file per subject.

Loading this package registers every type. A member that stands in no table does not exist for a policy.
"""

from __future__ import annotations


def load() -> None:
    """Register all types; cheap to call again."""
    from apimpolicy.expressions.library import (  # noqa: F401
        basics,
        bodies,
        ciphers,
        collections,
        crypto,
        gateway,
        json_types,
        linq,
        numeric,
        regex,
        strings,
        texts,
        times,
        tokens,
        values_of_system,
        xml,
        xml_sequences,
    )
