"""Writes the tables of the README and of docs/: `python -m benchmarks.readme [--check]`.

Between `<!-- table:NAME -->` and `<!-- /table -->` on any page goes the result of
`benchmarks.NAME.table(rows)`; `NAME/PART` passes PART on, as `table(rows, PART)`. Two tables come
from elsewhere: `recipes` has one line of each recipe's benchmark, `cells` lists all cells.
"""

from __future__ import annotations

import argparse
import importlib
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import rows
from kerasseq import params, registry
from kerasseq.io import atomic

PAGES = sorted([*rows.ROOT.glob("*.md"), *(rows.ROOT / "docs").glob("*.md")])
#: Benchmarks that have another name than their recipe.
NAMES = {"sequence_classification": "sequences"}
TABLE = re.compile(r"<!-- table:(?P<name>[\w/-]+) -->\n(?P<body>.*?)<!-- /table -->", re.S)


def render(name: str) -> str:
    """The table of that name, as Markdown."""
    if name in OTHERS:
        return OTHERS[name]()
    benchmark, _, part = name.partition("/")
    measured = rows.load(benchmark)
    if not measured:
        raise ValueError(f"No rows for table {name!r}: run python -m benchmarks.{benchmark}.")
    table = importlib.import_module(f"benchmarks.{benchmark}").table
    return str(table(measured, part) if part else table(measured)).strip()


def rewrite(page: str) -> str:
    """The text of a page, with its tables written anew."""
    return TABLE.sub(
        lambda found: f"<!-- table:{found['name']} -->\n{render(found['name'])}\n<!-- /table -->",
        page,
    )


def _recipes() -> str:
    """The headline of each recipe's benchmark, and a link to its page."""
    header = ["recipe", "from, to", "data", "metric", "kerasseq", "baseline", "published"]
    lines = [[f"[`{name}`](docs/{name}.md)", *_headline(name)] for name in registry.builtin()]
    return rows.markdown(header, lines, left=len(header))


def _headline(recipe: str) -> list[str]:
    """The result of `benchmarks.RECIPE.headline(rows)`, or of a benchmark with another name."""
    recipe = NAMES.get(recipe, recipe)
    measured = rows.load(recipe)
    if not measured:
        return ["", "not measured yet", "", "", "", ""]
    found: list[str] = importlib.import_module(f"benchmarks.{recipe}").headline(measured)
    return found


def _cells() -> str:
    return params.cells().render("markdown")


OTHERS: dict[str, Callable[[], str]] = {"recipes": _recipes, "cells": _cells}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="change nothing; fail if it would")
    check = parser.parse_args(argv).check
    outdated = {page: new for page in PAGES if (new := _outdated(page)) is not None}
    if not check:
        for page, new in outdated.items():
            atomic.write_text(page, new)
        return 0
    for page in outdated:
        print(f"{page.name} is not what the rows say: run python -m benchmarks.readme.")
    return 1 if outdated else 0


def _outdated(page: Path) -> str | None:
    """The text that a page should have; None where it has it."""
    text = page.read_text(encoding="utf-8")
    new = rewrite(text)
    return None if new == text else new


if __name__ == "__main__":
    sys.exit(main())
