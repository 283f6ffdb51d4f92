"""`python -m tests.policy.expressions.oracle`: compare with Mono; `--record` writes its answers down."""

from __future__ import annotations

import sys

from tests.policy.expressions.oracle import mono, ours
from tests.policy.expressions.oracle.explained import EXPLAINED


def main(arguments: list[str]) -> int:
    missing = mono.missing_tools()
    if missing:
        print(f"skipped: {', '.join(missing)} not installed (mono-mcs, mono-csharp-shell, libnewtonsoft-json5.0-cil)")
        return 0
    if "--record" in arguments:
        print(f"{mono.record()} answers written to {mono.EXPECTED.name}")
        return 0
    cases = mono.read_cases()
    unexplained = 0
    for (text, kind), expected in zip(cases, mono.ask_mono(cases), strict=True):
        line = mono.case_line(text, kind)
        found = ours.answer(text, kind)
        if found != expected and line not in EXPLAINED:
            unexplained += 1
            print(f"{line}\n  C#:   {expected}\n  ours: {found}")
    print(
        f"{len(cases)} expressions, {unexplained} unexplained differences, {len(EXPLAINED)} explained"
        f" ({mono.mono_version()})"
    )
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
