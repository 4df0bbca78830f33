"""A run whose weights are not finite answers nothing, whatever it is asked, and says why."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest

import kerasseq
from tests.golden.replay import GOLDEN, RUNS
from tests.thorough import first_of

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="the saved runs are of TensorFlow"
)
SERIES = "data/series.csv"
NEW = pd.DataFrame({"month": ["2022-01-01"] * 2, "sold": [20.0, 200.0], "shop": ["north", "south"]})


@pytest.mark.parametrize(
    ("name", "verb", "arguments"),
    first_of(
        [
            ("sentiment", "predict", {"data": ["a great film"]}),
            ("sentiment", "evaluate", {"data": "data/reviews.csv"}),
            ("forecasting", "forecast", {}),
            ("forecasting-seasons", "update", {"rows": NEW}),
            ("captioning-features", "predict", {"data": "data/features.npz", "beam_width": 1}),
            ("sentiment", "predict", {"data": ["qwertz"]}),
            ("sentiment-subwords", "predict", {"data": ["a great film"]}),
            ("forecasting", "forecast", {"history": SERIES}),
            ("forecasting", "evaluate", {"data": SERIES}),
            ("forecasting-seasons", "forecast", {"paths": 2}),
            ("captioning", "predict", {"data": ["data/images/0.png"]}),
            (
                "captioning-features",
                "evaluate",
                {"data": "data/captions.csv", "features": "data/features.npz"},
            ),
        ],
        5,
    ),
)
def test_weights_that_are_not_finite_are_named(
    name: str, verb: str, arguments: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(GOLDEN)
    run = kerasseq.load(RUNS / name)
    for weight in run.model.weights:
        weight.assign(np.full(weight.shape, np.nan, dtype="float32"))
    state = dict(run.state)
    first = run.model.weights[0].path
    match = rf"no finite numbers for \d+ of \d+ rows, since its weight {first} holds NaN"
    with pytest.raises(ValueError, match=match) as info:
        getattr(run, verb)(**arguments)
    assert "\n" not in str(info.value)
    assert run.state.keys() == state.keys()


def test_a_recipe_from_outside_is_held_to_it() -> None:
    from tests.toy import numbers, toy

    run = toy(epochs=1)
    with pytest.raises(ValueError, match=r"for 1 of 2 rows, the first of them row 1 .*finite"):
        run.predict([[1.0, 2.0], [np.inf, -np.inf]])
    run.model.weights[0].assign(np.full((2, 3), np.inf))
    with pytest.raises(ValueError, match="its weight hidden/kernel holds NaN or infinity"):
        run.evaluate(numbers(5) | {"x": np.zeros((5, 2), np.float32)})
