"""Run every benchmark of this folder, or those named: `python -m bench [NAME ...]`.

A benchmark is a module here with a `main() -> None` that prints its figures.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys

import bench


def main(names: list[str]) -> int:
    """Run the benchmarks called `names`, all of them when empty. Returns the exit code."""
    known = sorted(module.name for module in pkgutil.iter_modules(bench.__path__) if not module.name.startswith("_"))
    unknown = sorted(set(names) - set(known))
    if unknown:
        print(f"no such benchmark: {', '.join(unknown)} (there are: {', '.join(known)})", file=sys.stderr)
        return 2
    for name in names or known:
        print(f"\n== {name}", flush=True)
        importlib.import_module(f"bench.{name}").main()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
