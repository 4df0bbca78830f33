"""Writes the README's tables from the measured rows: `python -m benchmarks.readme [--check]`.

Between `<!-- table:NAME -->` and `<!-- /table -->` goes what `benchmarks.NAME.table(rows)` gives;
`NAME/PART` passes PART on, as `table(rows, PART)`.
"""

from __future__ import annotations

import argparse
import importlib
import re
import sys
from collections.abc import Sequence

from benchmarks import rows
from kerasseq.io import atomic

README = rows.ROOT / "README.md"
TABLE = re.compile(r"<!-- table:(?P<name>[\w/-]+) -->\n(?P<body>.*?)<!-- /table -->", re.S)


def render(name: str) -> str:
    """The table of that name, as Markdown."""
    benchmark, _, part = name.partition("/")
    measured = rows.load(benchmark)
    if not measured:
        raise ValueError(f"No rows for table {name!r}: run python -m benchmarks.{benchmark}.")
    table = importlib.import_module(f"benchmarks.{benchmark}").table
    return str(table(measured, part) if part else table(measured)).strip()


def rewrite(page: str) -> str:
    """The page with each of its tables as the rows have it."""
    return TABLE.sub(
        lambda found: f"<!-- table:{found['name']} -->\n{render(found['name'])}\n<!-- /table -->",
        page,
    )


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="change nothing; fail if it would")
    check = parser.parse_args(argv).check
    page = README.read_text(encoding="utf-8")
    new = rewrite(page)
    if new == page:
        return 0
    if check:
        print("README.md is not what the rows say: run python -m benchmarks.readme.")
        return 1
    atomic.write_text(README, new)
    return 0


if __name__ == "__main__":
    sys.exit(main())
