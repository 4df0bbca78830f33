"""A recipe from outside the package, with an optimizer that only Python code can give."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import kerasseq
from kerasseq.cli import main
from kerasseq.training import optimizers
from kerasseq.tuning.journal import read
from tests.toy import numbers, toy

pytestmark = pytest.mark.thorough  # for its two workers, which are processes

TUNE: dict[str, Any] = {"trials": 2, "space": {"units": [2, 4]}, "epochs": 1, "quiet": True}


def _momentum(rate: float = 0.05) -> keras.Optimizer:
    return keras.optimizers.SGD(rate, momentum=0.9, name="momentum")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> tuple[kerasseq.Run, Path]:
    """A run, and a search by two workers."""
    folder = tmp_path_factory.mktemp("outside")
    run = toy(out=folder / "run", epochs=1)
    kerasseq.tune(toy, workers=2, optimizer=_momentum(), out=folder / "search", **TUNE)
    return run, folder


def test_it_is_called_saved_and_loaded_as_any_other(shared: tuple[kerasseq.Run, Path]) -> None:
    run, folder = shared
    again = kerasseq.load(folder / "run")
    assert type(again) is type(run)
    rows = numbers()["x"]
    np.testing.assert_array_equal(again.predict(rows)["y"], run.predict(rows)["y"])
    assert kerasseq.toy is toy


def test_two_workers_tune_it(shared: tuple[kerasseq.Run, Path]) -> None:
    result = kerasseq.tuned(shared[1] / "search")
    assert result.trials["status"].tolist() == ["completed"] * 3, result.trials["reason"].tolist()
    searched = result.trials.query("trial != 'default'")
    assert sorted(searched["units"]) == [2, 4]
    began = [event for event in result.events if event["event"] == "began"]
    assert {event["worker"] for event in began} <= {"worker-0", "worker-1", "tuner"}
    assert result.best.metrics["test"].keys() == {"error"}
    expected = json.loads(json.dumps(keras.saving.serialize_keras_object(_momentum())))
    del expected["config"]["name"]
    assert result.best.settings["optimizer"] == expected


def test_the_best_run_is_what_the_recipe_gives_that_learns_from_the_validation_part(
    tmp_path: Path,
) -> None:
    one = {**TUNE, "trials": 1, "space": {"units": [4]}}
    best = kerasseq.tune(toy, out=tmp_path / "search", **one).best
    assert best.settings["final"] == "validation"
    run = toy(units=4, epochs=1, final="validation")
    for name in ("test", "baselines", "rows"):
        assert best.metrics[name] == run.metrics[name]


def test_the_shell_shows_its_search(
    shared: tuple[kerasseq.Run, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tuned", str(shared[1] / "search")]) == 0
    assert capsys.readouterr().out.startswith("toy: 2 trials, by error on the validation part\n")


def test_each_training_has_a_fresh_copy_of_an_optimizer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    optimizer, make, made = _momentum(), optimizers.make, []

    def spied(*given: Any, **options: Any) -> keras.Optimizer:
        own = make(*given, **options)
        made.append((own, (int(own.iterations), own.built)))
        return own

    monkeypatch.setattr(optimizers, "make", spied)
    result = kerasseq.tune(toy, optimizer=optimizer, out=tmp_path / "search", **TUNE)
    trainings = 3 + 2  # of the trials with the default one, and the two in the end
    assert len({id(own) for own, _ in made} - {id(optimizer)}) == len(made) == trainings
    assert {begun for _, begun in made} == {(0, False)}
    assert all(int(own.iterations) > 0 for own, _ in made)
    assert (int(optimizer.iterations), optimizer.built) == (0, False)
    assert "learning_rate" not in result.trials  # which is the optimizer's own
    for row in result.trials.itertuples():
        (ended,) = (e for e in result.events if e["event"] == "ended" and e["trial"] == row.trial)
        run = toy(optimizer=_momentum(), units=row.units, epochs=1)
        assert ended["curve"] == run.history["val_loss"]


def test_an_optimizer_is_part_of_what_a_search_is(
    tmp_path: Path, quick: list[dict[str, Any]]
) -> None:
    folder = tmp_path / "search"
    kerasseq.tune(toy, optimizer=_momentum(), out=folder, **TUNE)
    about = read(folder)[0]
    config = about["settings"]["optimizer"]["config"]
    assert (config["momentum"], config["learning_rate"]) == (0.9, pytest.approx(0.05))
    assert "learning_rate" in about["settings"]
    assert len(quick) == 3
    kerasseq.tune(toy, optimizer=_momentum(), out=folder, **TUNE)
    assert len(quick) == 3  # it is the same search, which is finished
    with pytest.raises(ValueError, match="holds a search with optimizer="):
        kerasseq.tune(toy, optimizer=_momentum(0.1), out=folder, **TUNE)
