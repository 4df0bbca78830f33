"""What holds for every recipe, whatever it is about."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import kerasseq

ROOT = Path(__file__).parents[2]
NAMES = sorted(path.stem for path in (ROOT / "recipes").glob("[!_]*.py"))

every_recipe = pytest.mark.parametrize("name", NAMES)


@every_recipe
def test_its_docstring_has_every_argument(name: str) -> None:
    recipe = getattr(kerasseq, name)
    text = inspect.getdoc(recipe) or ""
    arguments = text.partition("Args:")[2].partition("Returns:")[0]
    names = [line.split(":")[0].strip() for line in arguments.splitlines() if line[4:5].strip()]
    assert names == list(inspect.signature(recipe).parameters)


@every_recipe
def test_importing_it_is_cheap(name: str) -> None:
    code = (
        f"import sys, kerasseq.recipes.{name}\n"
        "heavy = {'keras', 'pandas', 'sklearn', 'tensorflow', 'PIL', 'sacrebleu'}\n"
        "assert heavy.isdisjoint(sys.modules), heavy & {*sys.modules}"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
