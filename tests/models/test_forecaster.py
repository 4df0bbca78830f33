"""A forecaster is counted as it is built, sees what it is given and nothing else, and learns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given

from kerasseq.models import Forecaster
from tests.models.sizes import KINDS, NORMS, OUTPUTS, forecasters
from tests.models.windows import targets, windows
from tests.thorough import covering, examples, first_of

CELLS = ("gru", "lstm", "simple_rnn", "mgu", "layernorm_lstm", "mingru", "lru")

EVERYTHING: dict[str, Any] = {
    "lookback": 7, "horizon": 5, "units": 3, "targets": 2, "past": 3, "future": 2, "static": 1,
    "series": 3, "embedding": 2, "segment": 3, "season": 2, "masked": True,
}  # fmt: skip


EVERY_KIND = (*KINDS, "hybrid")


def _everything(kind: str, **own: Any) -> Forecaster:
    """A forecaster of a kind with all inputs."""
    norm = {"normalization": "additive"} if kind == "hybrid" else {}
    return Forecaster(**{**EVERYTHING, "kind": kind, **norm, **own})


@pytest.fixture(autouse=True)
def _seeded() -> None:
    keras.utils.set_random_seed(0)


def _forecast(model: keras.Model, inputs: dict[str, np.ndarray]) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(model(inputs, training=False)))


# Sizes


@given(forecasters(CELLS, [{}, {"projection": 2}, {"zoneout": 0.1}]))
@examples(60)
def test_the_closed_form_is_what_is_built(sizes: Forecaster) -> None:
    model = sizes.build()
    assert sizes.count() == model.count_params()
    parameters = {
        "point": (),
        "quantiles": (len(sizes.quantiles),),
        "student_t": (3,),
    }.get(sizes.output, (2,))
    assert model.output_shape == (None, sizes.horizon, sizes.targets, *parameters)


def test_targets_apart_need_no_vectors() -> None:
    sizes = Forecaster(8, 3, targets=3, embedding=0)
    assert sizes.count() == sizes.build().count_params()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"horizon": 0}, "`horizon` must be a positive integer. Received: horizon=0"),
        ({"lookback": -1}, "`lookback` must be a positive integer"),
        ({"past": -1}, "`past` must not be negative. Received: past=-1"),
        ({"kind": "magic"}, "`kind` must be one of direct, recursive, seq2seq, segment"),
        ({"channels": "mixed"}, "`channels` must be one of apart, together"),
        (
            {"normalization": "batch"},
            "`normalization` must be one of none, last, seasonal",
        ),
        ({"output": "gamma"}, "`output` must be one of point, quantiles, normal"),
        ({"output": "quantiles", "quantiles": (0.9, 0.1)}, "each above the one before"),
        ({"error": "rmse"}, "`error` must be one of mse, mae, huber"),
        ({"future": 2}, "`past` counts the columns of `future` too.*past=0, future=2"),
        ({"series": 5, "embedding": 0}, "`embedding` must be positive where series have a vector"),
        ({"normalization": "seasonal", "season": 9}, "`lookback` must hold a season"),
        ({"attention": True}, "`attention` is of the kind 'seq2seq'. Received: kind='segment'"),
        ({"kind": "direct", "linear": True}, "`linear` is of the kind 'segment'"),
        (
            {"kind": "hybrid", "normalization": "last"},
            "'additive' or 'multiplicative' for the kind 'hybrid'.*normalization='last'",
        ),
        ({"normalization": "additive"}, "and for no other. Received: .*kind='segment'"),
        (
            {"kind": "hybrid", "normalization": "additive", "season": 5},
            "`lookback` must hold two seasons for the kind 'hybrid'.*lookback=8, season=5",
        ),
        ({"scheduled_sampling": 2.0}, "`scheduled_sampling` must be a share from 0 to 1"),
        ({"kind": "recursive", "options": {"bidirectional": True}}, "cannot be bidirectional"),
    ],
)
def test_sizes_that_cannot_be_are_named(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Forecaster(**{"lookback": 8, "horizon": 3, **wrong})


# What a forecast depends on


@pytest.mark.parametrize(("kind", "channels"), covering(EVERY_KIND, ["apart", "together"]))
def test_every_input_has_a_part_in_the_forecast(kind: str, channels: str) -> None:
    sizes = _everything(kind, channels=channels, attention=kind == "seq2seq")
    model, inputs = sizes.build(), windows(sizes)
    model.set_weights([np.random.default_rng(1).normal(size=w.shape) for w in model.get_weights()])
    inputs["series"][:] = 0
    forecast = _forecast(model, inputs)
    for name, values in inputs.items():
        other = 1 - values if name == "observed" else values + 1
        assert not np.allclose(_forecast(model, {**inputs, name: other}), forecast), name


@pytest.mark.parametrize(("kind", "norm"), covering(KINDS, NORMS))
def test_what_was_not_observed_has_no_part(kind: str, norm: str) -> None:
    sizes = Forecaster(**EVERYTHING, kind=kind, normalization=norm)
    model, inputs = sizes.build(), windows(sizes)
    other = {**inputs, "history": np.where(inputs["observed"], inputs["history"], 99.0)}
    np.testing.assert_allclose(_forecast(model, other), _forecast(model, inputs), atol=1e-5)


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_targets_apart_do_not_see_each_other(kind: str) -> None:
    sizes = _everything(kind)
    model, inputs = sizes.build(), windows(sizes)
    changed = inputs["history"] + np.array([0.0, 1.0], "float32")
    forecast = _forecast(model, {**inputs, "history": changed}) - _forecast(model, inputs)
    np.testing.assert_allclose(forecast[..., 0], 0, atol=1e-6)
    assert np.abs(forecast[..., 1]).min() > 0


MOVES: dict[str, tuple[float, list[float]]] = {
    "last": (1.0, [30.0]),
    "seasonal": (1.0, [10.0, -20.0]),
    "instance": (7.0, [30.0]),
}


@pytest.mark.parametrize(("norm", "kind", "output"), covering([*MOVES], KINDS, OUTPUTS[:-1]))
def test_a_forecast_stays_where_its_window_is(norm: str, kind: str, output: str) -> None:
    """Window and forecast move, and with `instance` stretch, together."""
    scale, level = MOVES[norm]
    sizes = Forecaster(8, 5, kind=kind, units=3, normalization=norm, season=2, output=output)
    model, inputs = sizes.build(), windows(sizes)
    shape = (1, -1, 1)
    before = np.resize(level, 8).reshape(shape)
    after = np.resize(level, 5).reshape(shape)
    moved = {"history": (scale * inputs["history"] + before).astype("float32")}
    forecast, expected = _forecast(model, moved), _forecast(model, inputs)
    if output == "point":
        expected = scale * expected + after
    elif output == "quantiles":
        expected = scale * expected + after[..., None]
    else:
        expected[..., 0] = scale * expected[..., 0] + after
        expected[..., 1] *= scale
    np.testing.assert_allclose(forecast, expected, rtol=1e-3, atol=1e-3)


# Training


@pytest.mark.parametrize(("kind", "output"), covering(EVERY_KIND, OUTPUTS))
def test_it_trains_on_targets_some_of_which_are_missing(kind: str, output: str) -> None:
    sampled = {"scheduled_sampling": 0.5} if kind == "recursive" else {}
    sizes = _everything(kind, **sampled, output=output, dropout=0.1)
    model = sizes.build()
    training_model, inputs, expected = (
        sizes.training_model(model),
        windows(sizes, 8),
        targets(sizes, 8),
    )
    if kind == "recursive":
        inputs = {**inputs, "ahead": expected}
    training_model.compile("adam", sizes.loss(), run_eagerly=True)
    before = [np.array(weight) for weight in model.get_weights()]
    history = training_model.fit(inputs, expected, epochs=2, batch_size=4, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    changed = [not np.array_equal(a, b) for a, b in zip(before, model.get_weights())]
    assert all(changed), (
        "the model is trained with the training_model, and every weight has a gradient"
    )


@pytest.mark.parametrize("kind", first_of(KINDS))
def test_it_learns_a_wave_on_a_slope(kind: str) -> None:
    sizes = Forecaster(24, 12, kind=kind, units=16, segment=6, normalization="last")
    time = np.arange(36) + np.random.default_rng(0).uniform(0, 500, (512, 1))
    series = (np.sin(time / 12 * 2 * np.pi) + 0.01 * time)[..., None].astype("float32")
    inputs, expected = {"history": series[:, :24]}, series[:, 24:]
    model = sizes.build()
    training_model = sizes.training_model(model)
    given = {**inputs, "ahead": expected} if kind == "recursive" else inputs
    training_model.compile(keras.optimizers.Adam(0.01), sizes.loss())
    training_model.fit(given, expected, epochs=15, batch_size=32, verbose=0)
    error = np.mean(np.square(_forecast(model, inputs) - expected))
    last = np.mean(np.square(series[:, 23:24] - expected))
    assert error < 0.1 * last


# Hybrid


@pytest.mark.parametrize("mode", ["additive", "multiplicative"])
def test_before_training_it_is_exponential_smoothing(mode: str) -> None:
    sizes = Forecaster(
        13, 5, kind="hybrid", units=3, season=4, normalization=mode, future=1, past=1
    )
    model, inputs = sizes.build(), windows(sizes)
    inputs["history"] = np.abs(inputs["history"]) + 1
    _, centre, _ = model.get_layer("norm")(inputs["history"])
    expected = np.asarray(keras.ops.convert_to_numpy(centre))
    np.testing.assert_allclose(_forecast(model, inputs), expected, rtol=1e-5)


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_the_closed_form_holds_with_everything(kind: str) -> None:
    sizes = _everything(kind)
    assert sizes.count() == sizes.build().count_params()


# Recursive


def test_it_goes_on_from_its_own_forecast() -> None:
    sizes = Forecaster(6, 4, kind="recursive", units=3, targets=2, normalization="none")
    model, inputs = sizes.build(), windows(sizes)
    one = replace(sizes, horizon=1)
    history, forecast = inputs["history"], []
    for _ in range(4):
        step = replace(one, lookback=history.shape[1]).build()
        step.set_weights(model.get_weights())
        forecast.append(_forecast(step, {"history": history}))
        history = np.concatenate([history, forecast[-1]], axis=1)
    expected = np.concatenate(forecast, axis=1)
    np.testing.assert_allclose(_forecast(model, inputs), expected, atol=1e-5)


def test_taught_it_goes_on_from_what_was_observed() -> None:
    sizes = Forecaster(6, 4, kind="recursive", units=3, normalization="none")
    model, inputs = sizes.build(), windows(sizes)
    training_model, wanted = sizes.training_model(model), targets(sizes)
    inputs = {**inputs, "ahead": np.nan_to_num(wanted)}
    forecast = np.asarray(keras.ops.convert_to_numpy(training_model(inputs, training=True)))
    for step in range(4):
        history = np.concatenate([inputs["history"], inputs["ahead"][:, :step]], axis=1)
        one = replace(sizes, lookback=6 + step, horizon=1).build()
        one.set_weights(model.get_weights())
        expected = _forecast(one, {"history": history})[:, 0]
        np.testing.assert_allclose(forecast[:, step], expected, atol=1e-5)


def test_outside_of_training_it_does_not_look_ahead() -> None:
    sizes = Forecaster(**EVERYTHING, kind="recursive")
    model, inputs = sizes.build(), windows(sizes)
    given = {**inputs, "ahead": targets(sizes)}
    forecast = _forecast(sizes.training_model(model), given)
    np.testing.assert_array_equal(forecast, _forecast(model, inputs))


def test_scheduled_it_goes_on_from_its_own_forecasts_in_part() -> None:
    sizes = Forecaster(6, 4, kind="recursive", units=3, scheduled_sampling=1.0)
    model, inputs = sizes.build(), windows(sizes)
    given = {**inputs, "ahead": np.nan_to_num(targets(sizes))}
    training_model = sizes.training_model(model)
    ahead = given["ahead"].copy()
    ahead[:, 1] += 5.0
    first, second = (
        np.asarray(keras.ops.convert_to_numpy(training_model({**given, "ahead": a}, training=True)))
        for a in (given["ahead"], ahead)
    )
    # What was observed is seen in the first pass alone, whose forecasts are those of a step later.
    np.testing.assert_allclose(first[:, :3], second[:, :3], atol=1e-6)


# Files


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_it_comes_back_from_a_file(kind: str, tmp_path: Path) -> None:
    sizes = _everything(kind, depth=2, attention=kind == "seq2seq")
    model, inputs = sizes.build(), windows(sizes)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(_forecast(loaded, inputs), _forecast(model, inputs))
    assert sizes.training_model(loaded).count_params() == sizes.count()
