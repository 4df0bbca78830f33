"""A recipe in the hands of KerasTuner's own tuners."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras_tuner
import numpy as np
import pytest

import kerasseq
from tests.thorough import first_of
from tests.toy import toy


@pytest.mark.thorough
@pytest.mark.parametrize("kind", first_of(["RandomSearch", "Hyperband"]))
def test_any_tuner_takes_a_recipe(tmp_path: Path, kind: str) -> None:
    model = kerasseq.hypermodel(toy, space={"units": [2, 3]}, epochs=2)
    options: dict[str, Any] = {"directory": str(tmp_path), "objective": "val_loss", "seed": 3}
    most = {"max_epochs": 3} if kind == "Hyperband" else {"max_trials": 2}
    tuner = getattr(keras_tuner, kind)(model, **most, **options)
    tuner.search(verbose=0)
    (best,) = tuner.get_best_hyperparameters()
    assert best["units"] in (2, 3)
    assert 1e-3 <= best["learning_rate"] <= 1e-1
    (trained,) = tuner.get_best_models()
    assert trained.count_params() == 4 * best["units"] + 1
    assert np.isfinite(trained.predict({"x": np.zeros((2, 2))}, verbose=0)).all()
    assert all(trial.score is not None for trial in tuner.oracle.trials.values())


def test_the_score_is_that_of_the_best_epoch() -> None:
    model = kerasseq.hypermodel(toy, space={"units": [3, 4]}, learning_rate=0.05, epochs=3)
    hp = keras_tuner.HyperParameters()
    values = model.fit(hp, model.build(hp))
    assert values["val_loss"] == min(toy(epochs=3).history["val_loss"])


def test_other_data_is_refused() -> None:
    model = kerasseq.hypermodel(toy)
    hp = keras_tuner.HyperParameters()
    with pytest.raises(TypeError, match="the data was given to hypermodel"):
        model.fit(hp, model.build(hp), np.zeros((2, 2)))


@pytest.mark.thorough
def test_what_follows_the_branches_of_a_model_sees_its_own_metrics(tmp_path: Path) -> None:
    space = {"units": [2, 3]}
    model = kerasseq.hypermodel("sentiment", space=space, epochs=1, embedding=4, ngrams=1)
    objective = keras_tuner.Objective("val_accuracy", "max")
    tuner = keras_tuner.RandomSearch(model, objective, max_trials=1, directory=str(tmp_path))
    tuner.search(verbose=0)
    (trial,) = tuner.oracle.trials.values()
    assert 0.3 < trial.score <= 1.0
