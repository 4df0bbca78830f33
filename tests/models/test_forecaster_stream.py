"""A streamed forecaster is the one that reads everything again, and draws what it forecasts."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from kerasseq.models import Forecaster, Stream
from tests.models.windows import windows
from tests.thorough import first_of, one_in

EVERYTHING: dict[str, Any] = {
    "lookback": 10, "horizon": 4, "kind": "recursive", "units": 3, "depth": 2, "targets": 2,
    "past": 3, "future": 2, "static": 1, "series": 3, "masked": True, "output": "normal",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _seeded() -> None:
    keras.utils.set_random_seed(0)


def _rows(inputs: dict[str, np.ndarray], first: int, last: int) -> dict[str, np.ndarray]:
    names = ("history", "observed", "past")
    return {name: inputs[name][:, first:last] for name in names if name in inputs}


def _forecast(model: keras.Model, inputs: dict[str, np.ndarray]) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(model(inputs, training=False)))


@pytest.mark.parametrize("channels", ["apart", "together"])
@pytest.mark.parametrize("cell", first_of(["gru", "lstm", "lru"]))
def test_new_rows_leave_what_reading_all_of_them_leaves(cell: str, channels: str) -> None:
    sizes = Forecaster(**EVERYTHING, cell=cell, channels=channels, normalization="none")
    model, inputs = sizes.build(), windows(sizes)
    stream = Stream(sizes, model)
    state = stream.start({**inputs, **_rows(inputs, 0, 4)})
    for first, last in ((4, 5), (5, 6), (6, 10)):
        before = stream.forecast(state, inputs["future"])
        state = stream.update(state, _rows(inputs, first, last))
        assert not np.allclose(stream.forecast(state, inputs["future"]), before)
    forecast = stream.forecast(state, inputs["future"])
    np.testing.assert_allclose(forecast, _forecast(model, inputs), atol=1e-5)


@pytest.mark.parametrize("norm", one_in(3, ["none", "last", "seasonal", "instance"]))
def test_it_starts_where_the_model_does(norm: str) -> None:
    sizes = Forecaster(**EVERYTHING, normalization=norm, season=3)
    model, inputs = sizes.build(), windows(sizes)
    stream = Stream(sizes, model)
    forecast = stream.forecast(stream.start(inputs), inputs["future"])
    np.testing.assert_allclose(forecast, _forecast(model, inputs), atol=1e-5)


@pytest.mark.parametrize("norm", first_of(["last", "seasonal", "instance"]))
def test_windows_normalised_by_themselves_are_read_again(norm: str) -> None:
    sizes = Forecaster(**EVERYTHING, normalization=norm, season=3)
    inputs = windows(sizes)
    stream = Stream(sizes, sizes.build())
    with pytest.raises(ValueError, match=f"normalization='none'.*Received: normalization='{norm}'"):
        stream.update(stream.start(inputs), _rows(inputs, 0, 1))


def test_other_kinds_are_not_streamed() -> None:
    sizes = Forecaster(8, 4)
    with pytest.raises(ValueError, match=r"Only a 'recursive' forecaster.*kind='segment'"):
        Stream(sizes, sizes.build())


@pytest.mark.parametrize("norm", first_of(["seasonal", "none"]))
def test_paths_are_drawn_from_what_was_drawn_before(norm: str) -> None:
    sizes = Forecaster(**EVERYTHING, normalization=norm, season=3)
    model, inputs = sizes.build(), windows(sizes)
    stream = Stream(sizes, model)
    state = stream.start(inputs)
    paths = stream.paths(state, 300, inputs["future"], seed=1)
    assert paths.shape == (300, 4, 4, 2)
    np.testing.assert_array_equal(paths, stream.paths(state, 300, inputs["future"], seed=1))
    assert not np.array_equal(paths, stream.paths(state, 300, inputs["future"], seed=2))
    first = _forecast(model, inputs)[:, 0]
    np.testing.assert_allclose(paths[:, :, 0].mean(axis=0), first[..., 0], atol=0.3)
    np.testing.assert_allclose(paths[:, :, 0].std(axis=0), first[..., 1], rtol=0.2)


def test_narrow_paths_are_the_forecast() -> None:
    """With hardly any spread, what is drawn is what the model would have gone on from."""
    sizes = Forecaster(**EVERYTHING, normalization="seasonal", season=3, channels="together")
    model, inputs = sizes.build(), windows(sizes)
    head = model.get_layer("network").head
    kernel, bias = head.get_weights()
    kernel[:, 1::2], bias[1::2] = 0.0, -30.0
    head.set_weights([kernel, bias])
    stream = Stream(sizes, model)
    paths = stream.paths(stream.start(inputs), 2, inputs["future"])
    expected = np.stack([_forecast(model, inputs)[..., 0]] * 2)
    np.testing.assert_allclose(paths, expected, atol=0.05)
