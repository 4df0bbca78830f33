"""An ensemble is one model: counted in closed form, its output the mean of its members'."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from kerasseq.models import Forecaster, Stream
from tests.models.sizes import KINDS, OUTPUTS
from tests.models.windows import windows
from tests.thorough import covering

EVERYTHING: dict[str, Any] = {
    "lookback": 7, "horizon": 5, "units": 3, "targets": 2, "past": 3, "future": 2, "static": 1,
    "series": 3, "embedding": 2, "segment": 3, "season": 2, "masked": True, "members": 3,
}  # fmt: skip


def _forecast(model: keras.Model, inputs: dict[str, np.ndarray]) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(model(inputs, training=False)))


@pytest.mark.parametrize(("kind", "output"), covering([*KINDS, "hybrid"], OUTPUTS))
def test_the_output_is_the_mean_of_the_members(kind: str, output: str) -> None:
    norm = {"normalization": "additive"} if kind == "hybrid" else {}
    sizes = Forecaster(**EVERYTHING, kind=kind, output=output, **norm)
    single = replace(sizes, members=1)
    members = [single.build() for _ in range(sizes.members)]
    for number, member in enumerate(members):
        random = np.random.default_rng(number)
        member.set_weights([random.normal(size=w.shape) for w in member.get_weights()])
    ensemble, inputs = sizes.join(members), windows(sizes)
    forecasts = [_forecast(member, inputs) for member in members]
    assert not np.allclose(forecasts[0], forecasts[1])
    np.testing.assert_allclose(
        _forecast(ensemble, inputs), np.mean(forecasts, axis=0), rtol=1e-4, atol=1e-4
    )
    assert sizes.count() == ensemble.count_params() == 3 * single.count()
    assert sizes.macs() == 3 * single.macs()
    for member, again in zip(members, sizes.split(ensemble), strict=True):
        np.testing.assert_array_equal(_forecast(again, inputs), _forecast(member, inputs))


def test_a_saved_ensemble_has_its_members(tmp_path: Path) -> None:
    sizes = Forecaster(**EVERYTHING, kind="direct")
    model, inputs = sizes.build(), windows(sizes)
    model.save(tmp_path / "ensemble.keras")
    loaded = keras.saving.load_model(tmp_path / "ensemble.keras")
    np.testing.assert_array_equal(_forecast(loaded, inputs), _forecast(model, inputs))
    members = [_forecast(member, inputs) for member in sizes.split(loaded)]
    np.testing.assert_allclose(np.mean(members, axis=0), _forecast(model, inputs), atol=1e-5)


def test_a_single_forecaster_is_its_only_member() -> None:
    sizes = Forecaster(lookback=8, horizon=3, units=2, segment=2)
    model = sizes.build()
    assert sizes.split(model) == [model]


def test_members_are_trained_and_streamed_separately() -> None:
    sizes = Forecaster(8, 3, kind="recursive", units=2, normalization="none", members=2)
    assert not sizes.causal
    model = sizes.build()
    with pytest.raises(ValueError, match=r"members of an ensemble are trained separately.*=2"):
        sizes.training_model(model)
    with pytest.raises(ValueError, match=r"stream each of its members, see `Forecaster.split`"):
        Stream(sizes, model)
    with pytest.raises(ValueError, match="`members` must be a positive integer"):
        replace(sizes, members=0)
