"""Recipes by name: of kerasseq, of other packages, and registered ones."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import kerasseq
from kerasseq import registry
from tests.toy import Toy, ToySettings, toy

ROOT = Path(__file__).parents[1]


@pytest.fixture
def named() -> Iterator[None]:
    yield
    registry.unregister("another")


def test_a_registered_recipe_is_an_attribute_with_a_task() -> None:
    assert kerasseq.toy is toy
    assert "toy" in dir(kerasseq)
    assert registry.get("toy") is toy
    assert isinstance(registry.task("toy"), Toy)
    assert registry.summary("toy") == "Train the toy, on `numbers()` unless other data is given."


@pytest.mark.parametrize("name", ["sentiment", "tune", "predict", "load", "forecast", "count"])
def test_names_of_kerasseq_and_of_its_shell_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}"):
        kerasseq.register(kerasseq.recipe(ToySettings, Toy, name=name))
    assert registry.get("sentiment").__module__ == "kerasseq.recipes.sentiment"


def test_a_name_is_given_once(named: None) -> None:
    first = kerasseq.register(kerasseq.recipe(ToySettings, Toy, name="another"))
    again = kerasseq.recipe(ToySettings, Toy, name="another")
    assert kerasseq.register(again) is again  # the module was run again, in a notebook say
    other = kerasseq.recipe(ToySettings, Toy, name="another")
    other.__module__ = "elsewhere"
    with pytest.raises(ValueError, match="there is a recipe 'another' already"):
        kerasseq.register(other)
    assert registry.get("another") is not first


def test_what_is_no_recipe_is_refused() -> None:
    with pytest.raises(ValueError, match=r"must be a function that kerasseq\.recipe has made"):
        kerasseq.register(len)
    with pytest.raises(ValueError, match=r"There is no recipe 'juggling'. .*forecasting"):
        registry.get("juggling")


@pytest.mark.thorough
def test_another_package_offers_recipes_by_entry_points(tmp_path: Path) -> None:
    info = tmp_path / "offer-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: offer\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[kerasseq.recipes]\nparity = offer:parity\n")
    (tmp_path / "offer.py").write_text(
        "import kerasseq\nfrom tests.toy import Toy, ToySettings\n"
        "parity = kerasseq.recipe(ToySettings, Toy, name='parity')\n"
    )
    code = f"""
import sys
sys.path[:0] = [{str(tmp_path)!r}, {str(ROOT)!r}]
import kerasseq
assert "parity" in dir(kerasseq)
assert "offer" not in sys.modules
run = kerasseq.parity(epochs=1)
run.save({str(tmp_path / "run")!r})
assert kerasseq.load({str(tmp_path / "run")!r}).recipe == "parity"
assert kerasseq.tune("parity", trials=1, epochs=1, quiet=True).recipe == "parity"
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
