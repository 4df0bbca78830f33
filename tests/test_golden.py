"""Files that earlier versions saved still load, with the same outputs and answers.

A failure is a fault of the code that reads, not of the golden: see `tests/golden/make.py`.
"""

from __future__ import annotations

import importlib
import json
import math
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import kerasseq
from tests.golden.replay import (
    GOLDEN,
    LAYERS,
    RUNS,
    SEARCHES,
    answer,
    classes_in,
    outputs,
    proposed,
    read,
    shown,
)

ROOT = GOLDEN.parents[1]
REGISTERED = """
import json
import keras
import kerasseq.models
from tests.golden.replay import registered

imported = [name for name in keras.saving.get_custom_objects() if name.startswith("kerasseq>")]
print(json.dumps({"imported": imported, "all": [*registered()]}))
"""
WITHIN = 1e-5  # relative and absolute: processors and kernels round differently
MODELS = sorted(path.stem for path in LAYERS.glob("*.keras"))
FOLDERS = sorted(path.stem for path in RUNS.glob("*.json"))
#: The run of each recipe that loads the fastest.
OFTEN = (
    *("captioning-features", "forecasting", "language-model", "sentiment", "sequences", "tagging"),
)
SEARCHED = sorted(path.stem for path in SEARCHES.glob("*.json"))
LARGEST = 100_000  # bytes of a file
ALL_TOGETHER = 700_000

needs_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="runs and searches are of TensorFlow"
)


@pytest.fixture(autouse=True)
def _beside_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths in calls and settings are relative to the goldens."""
    monkeypatch.chdir(GOLDEN)


def _apart(expected: Any, found: Any, where: str = "") -> Iterator[str]:
    """Where two JSON values differ; numbers with a fraction may by a little."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for name in {**expected, **found}:
            if name not in expected or name not in found:
                yield f"{where}/{name} is in one of them alone"
            else:
                yield from _apart(expected[name], found[name], f"{where}/{name}")
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for place, (one, other) in enumerate(zip(expected, found)):
            yield from _apart(one, other, f"{where}[{place}]")
    elif isinstance(expected, float) and isinstance(found, int | float):
        if not math.isclose(expected, found, rel_tol=WITHIN, abs_tol=WITHIN):
            yield f"{where}: {found!r}, and it was {expected!r}"
    elif type(expected) is not type(found) or expected != found:
        yield f"{where}: {found!r}, and it was {expected!r}"


def test_differences_are_seen() -> None:
    was = {"a": [1.0, "x", None], "b": {"c": 2}}
    assert [*_apart(was, {"a": [1.0 + 1e-7, "x", None], "b": {"c": 2}})] == []
    now = {"a": [1.1, "y", 0.0], "b": {"c": 3, "d": 4}}
    told = " ".join(_apart(was, now))
    assert all(where in told for where in ("/a[0]", "/a[1]", "/a[2]", "/b/c", "/b/d"))
    assert [*_apart(was, {"a": [1.0, "x"], "b": {"c": 2}})] != []


# Layers


@pytest.fixture(scope="module")
def classes() -> dict[str, list[str]]:
    """The registered classes of a fresh process, in which no other test has imported anything."""
    result = subprocess.run(
        [sys.executable, "-c", REGISTERED], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stderr
    found: dict[str, list[str]] = json.loads(result.stdout.splitlines()[-1])
    return found


@pytest.mark.thorough
def test_every_registered_class_has_a_golden(classes: dict[str, list[str]]) -> None:
    missing = sorted({*classes["all"]} - _saved())
    assert not missing, f"no file in {LAYERS} has {', '.join(missing)}: see tests/golden/make.py"


@pytest.mark.thorough
def test_every_class_of_a_golden_is_registered_by_one_import(classes: dict[str, list[str]]) -> None:
    # `kerasseq.load` imports kerasseq.models and nothing else.
    gone = sorted(_saved() - {*classes["imported"]})
    assert not gone, f"import kerasseq.models does not register {', '.join(gone)}"


def _saved() -> set[str]:
    return set().union(*(classes_in(path) for path in LAYERS.glob("*.keras")))


@pytest.mark.parametrize("name", MODELS)
def test_a_model_loads_and_gives_the_same(name: str) -> None:
    importlib.import_module("kerasseq.models")  # registers the classes
    model = keras.saving.load_model(LAYERS / f"{name}.keras")
    with np.load(LAYERS / f"{name}.npz") as arrays:
        stored: dict[str, dict[str, np.ndarray]] = {}
        for path in arrays:
            kind, _, each = path.partition("/")
            stored.setdefault(kind, {})[each] = arrays[path]
    found = outputs(model, stored["inputs"])
    assert found.keys() == stored["outputs"].keys()
    for each, expected in stored["outputs"].items():
        np.testing.assert_allclose(found[each], expected, WITHIN, WITHIN, err_msg=each)
    for each, expected in stored.get("losses", {}).items():
        loss = model.loss[each](stored["targets"][each], stored["outputs"][each])
        assert float(loss) == pytest.approx(float(expected), WITHIN), each


# Runs


@needs_tensorflow
def test_every_recipe_has_a_golden() -> None:
    saved = {read(RUNS / name / "run.json")["recipe"] for name in FOLDERS}
    recipes = {path.stem for path in (ROOT / "recipes").glob("[!_]*.py")}
    missing = sorted(recipes - saved)
    assert not missing, f"no run in {RUNS} is of {', '.join(missing)}: see tests/golden/make.py"


@needs_tensorflow
@pytest.mark.parametrize(
    "name", [pytest.param(own, marks=[] if own in OFTEN else [pytest.mark.thorough])
             for own in FOLDERS]
)  # fmt: skip
def test_a_run_loads_and_answers_the_same(name: str) -> None:
    run = kerasseq.load(RUNS / name)
    for call in read(RUNS / f"{name}.json"):
        # An answer may have got further columns or entries since.
        found = {part: own for part, own in answer(run, call).items() if part in call["answer"]}
        assert [*_apart(call["answer"], found, call["verb"])] == []


# Searches


@needs_tensorflow
@pytest.mark.parametrize("name", SEARCHED)
def test_a_search_shows_the_same(name: str) -> None:
    stored = read(SEARCHES / f"{name}.json")["shown"]
    assert [*_apart(stored, shown(kerasseq.tuned(SEARCHES / name)))] == []


@needs_tensorflow
def test_the_runs_of_a_search_load() -> None:
    found = kerasseq.tuned(SEARCHES / "finished")
    for run in (found.best, found.default):
        assert run.predict(["The film was great"])["label"].item() in ("bad", "good")
    settings = found.settings
    assert {name: found.best.settings[name] for name in settings} == settings


@pytest.mark.thorough
@needs_tensorflow
def test_a_finished_search_is_not_done_again(tmp_path: Path) -> None:
    folder = tmp_path / "search"
    shutil.copytree(SEARCHES / "finished", folder)
    stored = read(SEARCHES / "finished.json")
    result = kerasseq.tune(**stored["call"], out=folder, quiet=True)
    assert [*_apart(stored["shown"], shown(result))] == []


@pytest.mark.thorough
@needs_tensorflow
def test_an_interrupted_search_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "search"
    shutil.copytree(SEARCHES / "interrupted", folder)
    journal = (folder / "journal.jsonl").read_bytes()
    stored = read(SEARCHES / "interrupted.json")
    result = kerasseq.tune(**stored["call"], out=folder, quiet=True)
    assert result.finished
    assert [*_apart(stored["proposed"], proposed(result))] == []
    assert (folder / "journal.jsonl").read_bytes().startswith(journal)


# All of them


def test_goldens_are_small() -> None:
    sizes = {path: path.stat().st_size for path in GOLDEN.rglob("*") if path.is_file()}
    assert [path for path, size in sizes.items() if size > LARGEST] == []
    assert sum(sizes.values()) < ALL_TOGETHER
