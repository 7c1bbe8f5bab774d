"""Measures what this library promises to be fast at: ``python tests/benchmarks/run.py [NAME ...] [--json FILE]``.

Ratios in one run, on this machine, now; nothing here passes or fails. Run it on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path

from figures import Row, as_json, load_average, machine, markdown

BENCHMARKS = {
    "002": "loops:document_002",
    "000": "loops:document_000",
    "overhead": "overhead:overhead",
    "memory": "memory:second_trial",
    "analysis": "results_folder:analysis",
    "scale": "scale:scale",
}


def main() -> None:
    """Runs the benchmarks that are named, or all, and prints their table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(BENCHMARKS)}; none is all")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"no benchmark {unknown[0]!r}; there are {', '.join(BENCHMARKS)}")
    before, rows = load_average(), []
    for name in arguments.names or BENCHMARKS:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        rows += _benchmark(name)()
    print(markdown(rows))
    print(f"\n{_line(before)}")
    if arguments.json:
        arguments.json.write_text(json.dumps(as_json(rows), indent=1) + "\n")


def _benchmark(name: str) -> Callable[[], list[Row]]:
    module, _, function = BENCHMARKS[name].partition(":")
    found: Callable[[], list[Row]] = getattr(importlib.import_module(module), function)
    return found


def _line(before: str) -> str:
    here = machine()
    return (
        f"{here['processor']}{' with bf16' if here['bf16'] else ''}, {here['threads']} threads, "
        f"torch {here['torch']}, Python {here['python']}, {here['date']}, "
        f"load average {before} before and {here['load_average']} after"
    )


if __name__ == "__main__":
    main()
