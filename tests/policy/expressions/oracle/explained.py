"""Where we differ from Mono on purpose, and why. An entry nobody can explain does not belong here."""

from __future__ import annotations

EXPLAINED: dict[str, str] = {
    "0xFF + 0b11 + 1_000": "Mono's compiler reads the separator of 1_000 as a further zero",
    '$@"a\\b""{1}"""': "the grammar takes the closing quotes for a raw string: refused, never misread",
    "(object)1 == (object)1": "two boxes of one number differ in C#; here a boxed number has no identity",
}
