"""Write what follows from the recipes: static imports in `__init__.py`, and the verbs of runs.

`python -m kerasseq.cli.generate`, after a recipe or a verb was added. Type checkers and editors see
by it what is loaded on first use, and the help of the shell lists verbs without importing recipes.
"""

from __future__ import annotations

import json
from pathlib import Path

from kerasseq.names import MODULES, PUBLIC
from kerasseq.registry import builtin, task

__all__ = ["FILES", "main", "written"]

_BEGIN, _END = "# Written by `python -m kerasseq.cli.generate`.\n", "# Until here.\n"


def imports() -> str:
    """The static imports of `kerasseq/__init__.py`."""
    homes = dict.fromkeys(MODULES, "kerasseq") | PUBLIC
    homes |= {name: f"kerasseq.recipes.{name}" for name in builtin()}
    lines = sorted(f"    from {home} import {name} as {name}\n" for name, home in homes.items())
    return "".join(lines) + "\n    "


def verbs() -> str:
    """The verbs of the runs of kerasseq's recipes."""
    found = {"predict": "Predict with a run: its first verb."}
    for run in (task(name).run for name in builtin()):
        for verb in run.verbs:
            found.setdefault(verb, (getattr(run, verb).__doc__ or "").partition("\n")[0])
    return f"VERBS = {json.dumps(found, indent=4)}\n".replace('"\n}', '",\n}')


_PACKAGE = Path(__file__).parents[1]
#: The files with generated lines, and the functions that make these.
FILES = {_PACKAGE / "__init__.py": imports, _PACKAGE / "names.py": verbs}


def written(path: Path) -> str:
    """The source text of a file with its generated lines made anew."""
    before, begin, rest = path.read_text(encoding="utf-8").partition(_BEGIN)
    return before + begin + FILES[path]() + rest[rest.index(_END) :]


def main() -> None:
    """Write the generated lines."""
    for path in FILES:
        path.write_text(written(path), encoding="utf-8")


if __name__ == "__main__":
    main()
