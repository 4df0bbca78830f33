"""Groups of layers learn at rates of their own, and lower ones later."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from kerasseq.training import Examples, FitResult, LayerRates, TrainingConfig, fit
from tests.thorough import first_of

PATHS = [["middle/kernel", "middle/bias"], ["bottom/kernel", "bottom/bias"]]
Weights = dict[str, np.ndarray]


def _model() -> keras.Model:
    keras.utils.set_random_seed(0)
    x = keras.Input((3,), name="x")
    y = x
    for name, width in (("bottom", 4), ("middle", 4), ("top", 1)):
        y = keras.layers.Dense(width, name=name)(y)
    return keras.Model({"x": x}, y)


class _Weights(keras.callbacks.Callback):
    """Keeps the weights before the training and after each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.each: list[Weights] = []

    def on_train_begin(self, logs: Any = None) -> None:
        self.each.append({w.path: np.asarray(w).copy() for w in self.model.trainable_variables})

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.on_train_begin()

    @property
    def changes(self) -> list[Weights]:
        """The change of each weight in each epoch."""
        return [{n: a[n] - b[n] for n in a} for a, b in zip(self.each[1:], self.each)]


def _fit(rates: LayerRates | None, **changes: Any) -> tuple[_Weights, FitResult]:
    random = np.random.default_rng(0)
    x = random.normal(size=(32, 3)).astype(np.float32)
    data = Examples({"x": x}, x.sum(1, keepdims=True))
    names = ("callbacks", "checkpoint")
    options = {name: changes.pop(name) for name in names if name in changes}
    given = {"epochs": 1, "batch_size": 32, "learning_rate": 0.01, "clipnorm": None, **changes}
    config = TrainingConfig(keras.losses.MeanSquaredError(), layer_rates=rates, **given)
    weights = _Weights()
    callbacks = [weights, *options.pop("callbacks", ())]
    return weights, fit(_model(), data, data, config, callbacks=callbacks, quiet=True, **options)


@pytest.mark.parametrize("optimizer", first_of(["sgd", "adam"]))
def test_each_group_has_a_lower_rate_than_the_one_above(optimizer: str) -> None:
    (plain,) = _fit(None, optimizer=optimizer)[0].changes
    (layered,) = _fit(LayerRates(PATHS, decay=0.5), optimizer=optimizer)[0].changes
    factors = {"top": 1, "middle": 0.5, "bottom": 0.25}
    for path, change in layered.items():
        expected = factors[path.partition("/")[0]] * plain[path]
        assert np.abs(expected).max() > 0
        np.testing.assert_allclose(change, expected, rtol=1e-3, atol=1e-7)


def test_lower_groups_begin_to_learn_later() -> None:
    rates = LayerRates(PATHS, unfreeze=2)
    changes = _fit(rates, epochs=6, optimizer="adamw", weight_decay=0.1)[0].changes
    learning = [
        {path.partition("/")[0] for path, change in epoch.items() if np.any(change)}
        for epoch in changes
    ]
    first, second, third = {"top"}, {"top", "middle"}, {"top", "middle", "bottom"}
    assert learning == [first, first, second, second, third, third]


def test_training_does_not_stop_before_all_groups_learn() -> None:
    rates = LayerRates(PATHS, unfreeze=2)
    # At such a rate nothing changes, and the first epoch stays the best.
    changes: dict[str, Any] = {"epochs": 9, "patience": 1, "learning_rate": 1e-30}
    result = _fit(rates, **changes)[1]
    assert len(result.history["loss"]) == 5
    assert result.best_epoch == 1


def test_a_cosine_schedule_ends_at_zero_in_each_group() -> None:
    rates = LayerRates(PATHS, decay=0.5)
    changes = _fit(rates, epochs=4, schedule="cosine", optimizer="sgd")[0].changes
    for path in changes[0]:
        sizes = [np.abs(epoch[path]).max() for epoch in changes]
        assert 0 < sizes[-1] < 0.5 * sizes[0]


@pytest.mark.thorough
def test_an_interrupted_training_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    def stop(epoch: int, logs: Any) -> None:
        if epoch == 2:
            raise KeyboardInterrupt

    rates = LayerRates(PATHS, decay=0.5, unfreeze=1)
    whole, _ = _fit(rates, epochs=4)
    callback = keras.callbacks.LambdaCallback(on_epoch_begin=stop)
    checkpoint = tmp_path / "checkpoint.npz"
    with pytest.raises(KeyboardInterrupt):
        _fit(rates, epochs=4, callbacks=[callback], checkpoint=checkpoint)
    resumed, result = _fit(rates, epochs=4, checkpoint=checkpoint)
    assert result.resumed_after == 2
    for path, weight in whole.each[-1].items():
        np.testing.assert_array_equal(resumed.each[-1][path], weight)
