"""Generate source from the recipes: static imports in `__init__.py`, and verbs in `names.py`.

Run `python -m kerasseq.cli.generate` after adding a recipe or a verb. Type checkers and editors
need the imports, since names are loaded on first use; the shell's help needs the verbs, since it
does not import recipes.
"""

from __future__ import annotations

import json
from pathlib import Path

from kerasseq.names import MODULES, PUBLIC
from kerasseq.registry import builtin, task

__all__ = ["FILES", "main", "written"]

_BEGIN, _END = "# Written by `python -m kerasseq.cli.generate`.\n", "# Until here.\n"


def imports() -> str:
    """Generate the static imports of `kerasseq/__init__.py`."""
    homes = dict.fromkeys(MODULES, "kerasseq") | PUBLIC
    homes |= {name: f"kerasseq.recipes.{name}" for name in builtin()}
    lines = sorted(f"    from {home} import {name} as {name}" for name, home in homes.items())
    return "".join(f"{_wrapped(line)}\n" for line in lines) + "\n    "


def _wrapped(line: str) -> str:
    """An import as the formatter writes it, in several lines if it is long."""
    if len(line) <= _LONGEST:
        return line
    module, _, names = line.partition(" import ")
    return f"{module} import (\n        {names},\n    )"


def verbs() -> str:
    """Generate the verbs of all runs, with their help."""
    help_by_verb = {"predict": "Predict with a run: its first verb."}
    for run in (task(name).run for name in builtin()):
        for verb in run.verbs:
            help_by_verb.setdefault(verb, (getattr(run, verb).__doc__ or "").partition("\n")[0])
    return f"VERBS = {json.dumps(help_by_verb, indent=4)}\n".replace('"\n}', '",\n}')


_LONGEST = 100  # columns of a line
_PACKAGE = Path(__file__).parents[1]
#: Files with generated lines, and the functions that generate them.
FILES = {_PACKAGE / "__init__.py": imports, _PACKAGE / "names.py": verbs}


def written(path: Path) -> str:
    """The source text of a file, with its generated lines updated."""
    before, begin, rest = path.read_text(encoding="utf-8").partition(_BEGIN)
    return before + begin + FILES[path]() + rest[rest.index(_END) :]


def main() -> None:
    """Write the generated lines."""
    for path in FILES:
        path.write_text(written(path), encoding="utf-8")


if __name__ == "__main__":
    main()
