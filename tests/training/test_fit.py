"""Training is repeatable, keeps its best epoch, and goes on after an interruption."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseq.training import (
    Batches,
    Examples,
    FitResult,
    Repeated,
    TrainingConfig,
    fit,
    outputs,
    read_stamp,
    setting_to_json,
)
from tests.thorough import first_of

LONGEST = 20
THOROUGH = pytest.mark.thorough


def _examples(rows: int = 120, seed: int = 0) -> Examples:
    """Texts of two words; the class says which of them is the more frequent."""
    random = np.random.default_rng(seed)
    lengths = random.integers(1, LONGEST + 1, rows)
    tokens = random.integers(1, 3, (rows, LONGEST)).astype(np.int32)
    tokens[np.arange(LONGEST) >= lengths[:, None]] = 0
    targets = ((tokens == 2).sum(1) > (tokens == 1).sum(1)).astype(np.float32)[:, None]
    return Examples({"tokens": tokens}, targets, {"tokens": lengths})


def _model(seed: int = 0) -> keras.Model:
    keras.utils.set_random_seed(seed)
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    hidden = keras.layers.Embedding(3, 8, mask_zero=True, name="embedding")(tokens)
    hidden = keras.layers.Dropout(0.3, name="dropout")(hidden)
    hidden = keras.layers.GlobalAveragePooling1D(name="mean")(hidden)
    return keras.Model({"tokens": tokens}, keras.layers.Dense(1, name="logit")(hidden))


def _plan(**changes: Any) -> TrainingConfig:
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    accuracy = keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)
    given = {"epochs": 3, "batch_size": 16, "learning_rate": 0.02, **changes}
    return TrainingConfig(loss=loss, metrics=[accuracy], **given)


def _fit(model: keras.Model, config: TrainingConfig | None = None, **options: Any) -> FitResult:
    train, validation = _examples(), _examples(40, seed=1)
    return fit(model, train, validation, config or _plan(), **{"quiet": True, **options})


class _Interrupt(keras.callbacks.Callback):
    """Interrupts in the middle of an epoch."""

    def __init__(self, epoch: int) -> None:
        super().__init__()
        self.epoch, self.now = epoch, 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.now = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.now == self.epoch and batch == 2:
            raise KeyboardInterrupt


def _same(one: keras.Model, other: keras.Model) -> bool:
    pairs = zip(one.get_weights(), other.get_weights(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


# Batches


@given(st.integers(1, 90), st.integers(1, 40), st.sampled_from([None, 0, 7]), st.integers(0, 3))
def test_batches_hold_every_row_once_and_whole(
    rows: int, size: int, seed: int | None, epoch: int
) -> None:
    examples = _examples(rows)
    batches = Batches(examples, size, seed)
    batches.epoch = epoch
    np.testing.assert_array_equal(np.sort(batches.order), np.arange(rows))
    seen = 0
    for inputs, targets in (batches[i] for i in range(len(batches))):
        here = batches.order[seen : seen + len(targets)]
        seen += len(targets)
        assert 1 <= len(targets) <= size
        np.testing.assert_array_equal(targets, examples.targets[here])
        width = inputs["tokens"].shape[1]
        np.testing.assert_array_equal(inputs["tokens"], examples.inputs["tokens"][here, :width])
        assert examples.lengths["tokens"][here].max() <= width
    assert seen == rows


def test_batches_are_cut_to_their_length() -> None:
    examples = _examples()
    widths = {Batches(examples, 16)[i][0]["tokens"].shape[1] for i in range(8)}
    assert widths <= {8, 12, 16, 20}
    assert len(widths) > 2


def test_targets_that_are_padded_are_cut_too() -> None:
    words = np.triu(np.ones((40, 40), dtype=np.int32))[::-1]  # rows of 1 to 40 words, and zeros
    lengths = dict.fromkeys(("tokens", "targets"), words.sum(axis=1))
    examples = Examples({"tokens": words}, 2 * words, lengths)
    for batches in (Batches(examples, 8), Batches(examples, 8, seed=0)):
        for inputs, targets in batches:
            np.testing.assert_array_equal(targets, 2 * inputs["tokens"])
    alone = Examples(examples.inputs, lengths=lengths)  # as outputs are asked for
    assert len(Batches(alone, 8)[0]) == 1


def test_the_first_two_batches_show_which_axes_vary() -> None:
    random = np.random.default_rng(0)
    lengths = {"tokens": random.integers(1, 60, 200), "ngrams": random.integers(1, 90, 200)}
    inputs = {name: np.zeros((200, 96), dtype=np.int32) for name in lengths}
    for seed in (None, *range(20)):
        batches = Batches(Examples(inputs, np.zeros(200), lengths), 16, seed)
        widths = [{k: v.shape[1] for k, v in batches[i][0].items()} for i in range(len(batches))]
        for name in lengths:
            every = [width[name] for width in widths]
            assert every[0] == min(every)
            assert every[1] == max(every)


def test_the_order_is_another_in_each_epoch_and_the_same_on_every_run() -> None:
    orders = []
    for epoch in (0, 1, 0):
        batches = Batches(_examples(), 16, seed=3)
        batches.epoch = epoch
        orders.append(batches.order.tolist())
    assert orders[0] == orders[2] != orders[1]
    assert Batches(_examples(), 16, seed=4).order.tolist() != orders[0]


def test_examples_without_lengths_are_not_cut() -> None:
    examples = Examples({"x": np.arange(10.0)[:, None]}, np.arange(10), weights=np.ones(10))
    batch = Batches(examples, 4)[0]
    assert len(batch) == 3
    assert batch[0]["x"].shape == (4, 1)


class _Drawn:
    """Rows that are made when they are asked for."""

    def __init__(self, rows: int) -> None:
        self._rows, self.asked = rows, 0

    def __len__(self) -> int:
        return self._rows

    def batch(self, rows: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
        self.asked = max(self.asked, len(rows))
        whole = _examples(self._rows)
        return {"tokens": whole.inputs["tokens"][rows]}, whole.targets[rows]


def test_rows_that_are_generated_are_asked_for_batch_by_batch() -> None:
    drawn = _Drawn(90)
    batches = Batches(drawn, 16, seed=3)
    batches.epoch = 2
    np.testing.assert_array_equal(np.sort(batches.order), np.arange(90))
    inputs, targets = batches[0]
    rows = batches.order[: len(targets)]
    np.testing.assert_array_equal(inputs["tokens"], _examples(90).inputs["tokens"][rows])
    assert drawn.asked == 16


@pytest.mark.thorough
def test_generated_rows_train_as_those_in_memory_do() -> None:
    whole = _examples(90)
    memory = Examples(whole.inputs, whole.targets)  # of one length
    models = [_model(), _model()]
    found = [
        fit(model, rows, _examples(40, seed=1), _plan(), quiet=True)
        for model, rows in zip(models, (_Drawn(90), memory))
    ]
    assert found[0].history == found[1].history
    assert _same(*models)
    np.testing.assert_array_equal(outputs(models[0], _Drawn(90)), outputs(models[0], memory))


def test_outputs_come_in_the_order_of_the_rows() -> None:
    model, examples = _model(), _examples()
    found = outputs(model, examples, batch_size=16)
    whole = np.asarray(model(examples.inputs))
    np.testing.assert_allclose(found, whole, atol=1e-6)


def test_outputs_of_one_row() -> None:
    assert outputs(_model(), _examples(1)).shape == (1, 1)


# Training


def test_equal_seeds_give_equal_runs_bit_for_bit() -> None:
    models = [_model(), _model()]
    histories = [_fit(model).history for model in models]
    assert histories[0] == histories[1]
    assert _same(*models)


@pytest.mark.thorough
def test_another_order_gives_another_run() -> None:
    models = [_model(), _model()]
    for seed, model in enumerate(models):
        _fit(model, _plan(seed=seed))
    assert not _same(*models)


def test_training_learns() -> None:
    history = _fit(_model(), _plan(epochs=10)).history
    assert history["val_accuracy"][-1] > 0.9
    assert history["loss"][-1] < history["loss"][0]
    assert len(history["loss"]) == len(history["val_loss"]) <= 10


def test_the_best_epoch_is_kept_and_training_stops_after_patience() -> None:
    model = _model()
    kept: dict[int, list[np.ndarray]] = {}

    class Keep(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            kept[epoch + 1] = self.model.get_weights()

    # A step so long that validation soon gets worse.
    trained = _fit(model, _plan(epochs=30, patience=2, learning_rate=1.5), callbacks=[Keep()])
    losses = trained.history["val_loss"]
    assert trained.best_epoch == int(np.argmin(losses)) + 1
    assert len(losses) == trained.best_epoch + 2 < 30
    for weight, best in zip(model.get_weights(), kept[trained.best_epoch], strict=True):
        np.testing.assert_array_equal(weight, best)


def test_a_metric_may_decide_which_epoch_is_best() -> None:
    trained = _fit(_model(), _plan(monitor="val_accuracy", epochs=5))
    assert trained.best_epoch == int(np.argmax(trained.history["val_accuracy"])) + 1


def test_an_unknown_monitor_is_answered_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"one of .*val_loss.*Received: monitor='val_los'"):
        _fit(_model(), _plan(monitor="val_los"))


@pytest.mark.thorough
def test_weights_decide_what_is_learnt() -> None:
    train = _examples()
    wrong = Examples(
        {"tokens": np.concatenate([train.inputs["tokens"]] * 2)},
        np.concatenate([train.targets, 1 - train.targets]),
        weights=np.repeat([1.0, 0.0], len(train)).astype(np.float32),
    )
    model = _model()
    fit(model, wrong, _examples(40, seed=1), _plan(epochs=10), quiet=True)
    found = outputs(model, train) > 0
    assert np.mean(found == train.targets) > 0.9


def test_the_cosine_schedule_ends_at_nothing() -> None:
    rates: list[float] = []

    class Rate(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            rates.append(float(np.asarray(self.model.optimizer.learning_rate)))

    _fit(_model(), _plan(schedule="cosine"), callbacks=[Rate()])
    assert rates == sorted(rates, reverse=True)
    assert rates[0] == pytest.approx(0.02)
    assert rates[-1] < 0.001


def test_a_schedule_of_keras_is_taken_and_described() -> None:
    schedule = keras.optimizers.schedules.ExponentialDecay(0.02, 10, 0.5)
    assert _fit(_model(), _plan(schedule=schedule)).history["loss"]
    assert setting_to_json(schedule)["class_name"] == "ExponentialDecay"


def test_an_unknown_schedule_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'constant', 'cosine'.*Received: schedule='linear'"):
        _fit(_model(), _plan(schedule="linear"))


@pytest.mark.parametrize("folder", first_of(["run/deep", "run"]))
def test_a_loss_that_is_no_number_stops_training_and_leaves_nothing(
    tmp_path: Path, folder: str
) -> None:
    class Poison(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            if epoch == 1:
                weights = self.model.get_weights()
                self.model.set_weights([np.full_like(weight, np.nan) for weight in weights])

    checkpoint = tmp_path / folder / "checkpoint.npz"
    with pytest.raises(ValueError, match=r"the loss became nan in epoch 2.*learning_rate"):
        _fit(_model(), callbacks=[Poison()], checkpoint=checkpoint)
    assert not checkpoint.parent.exists()


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="counts traces of TensorFlow")
@pytest.mark.parametrize("branches", [("deep", "wide"), pytest.param((), marks=THOROUGH)])
def test_a_training_step_is_traced_once(
    branches: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    x = keras.Input((2,), name="x")
    deep = keras.layers.Dense(1, name="deep")(keras.layers.Dense(3, "tanh")(x))
    wide = keras.layers.Dense(1, name="wide")(x)
    model = keras.Model({"x": x}, keras.layers.Average(name="logit")([deep, wide]))
    random = np.random.default_rng(0)
    values = random.normal(size=(32, 2)).astype(np.float32)
    examples = Examples({"x": values}, (values[:, :1] > 0).astype(np.float32))
    step, traced = keras.Model.train_step, []

    def counted(self: Any, data: Any) -> Any:
        traced.append(data)
        return step(self, data)

    monkeypatch.setattr(keras.Model, "train_step", counted)
    fit(model, examples, examples, _plan(branches=branches), quiet=True)
    assert len(traced) == 1


# Interruptions


@pytest.mark.parametrize("epoch", first_of([1, 3]))
def test_an_interrupted_run_goes_on_as_if_it_had_not_been(tmp_path: Path, epoch: int) -> None:
    config = _plan(epochs=5, schedule="cosine")
    whole, broken = _model(), _model()
    uninterrupted = _fit(whole, config)
    checkpoint = tmp_path / "run" / "checkpoint.npz"
    with pytest.raises(KeyboardInterrupt):
        _fit(broken, config, callbacks=[_Interrupt(epoch)], checkpoint=checkpoint, stamp={"a": 1})
    stamp = read_stamp(checkpoint)
    assert stamp.pop("seconds") > 0
    assert stamp == {"a": 1, "epochs": epoch}
    again = _model(seed=99)  # what it starts from does not matter
    resumed = _fit(again, config, checkpoint=checkpoint)
    assert resumed.resumed_after == epoch
    assert resumed.history == uninterrupted.history
    assert resumed.best_epoch == uninterrupted.best_epoch
    assert _same(again, whole)


class _Weights(keras.callbacks.Callback):
    """Records the weights after each step, and at the end of each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[list[np.ndarray]] = []
        self.epochs: list[list[np.ndarray]] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.steps.append(self.model.get_weights())

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.epochs.append(self.model.get_weights())


def test_the_average_of_the_weights_is_validated_and_kept() -> None:
    weights, model = _Weights(), _model()
    result = _fit(model, _plan(ema_momentum=0.8, monitor=None), callbacks=[weights])
    average, *steps = weights.steps
    per_epoch = len(weights.steps) // 3
    averages = [average]
    for step in steps:
        pairs = zip(averages[-1], step, strict=True)
        averages.append([0.8 * before + 0.2 * now for before, now in pairs])
    for epoch, kept in enumerate(weights.epochs):
        for one, other in zip(kept, averages[(epoch + 1) * per_epoch - 1], strict=True):
            np.testing.assert_allclose(one, other, atol=1e-6)
    assert all(map(np.array_equal, model.get_weights(), weights.epochs[-1]))
    # The steps themselves are those of a training without averages.
    plain = _Weights()
    _fit(_model(), _plan(monitor=None), callbacks=[plain])
    for one, other in zip(weights.steps, plain.steps, strict=True):
        for value, expected in zip(one, other, strict=True):
            np.testing.assert_allclose(value, expected, atol=1e-6)
    model.compile(loss=keras.losses.BinaryCrossentropy(from_logits=True))
    validation = _examples(40, seed=1)
    loss = model.evaluate(validation.inputs, validation.targets, verbose=0)
    assert result.history["val_loss"][-1] == pytest.approx(loss, rel=1e-5)


@pytest.mark.parametrize("epoch", first_of([1, 3]))
def test_averages_go_on_after_an_interruption(tmp_path: Path, epoch: int) -> None:
    config, checkpoint = _plan(epochs=5, ema_momentum=0.9), tmp_path / "checkpoint.npz"
    whole, again = _model(), _model(seed=99)
    uninterrupted = _fit(whole, config)
    with pytest.raises(KeyboardInterrupt):
        _fit(_model(), config, callbacks=[_Interrupt(epoch)], checkpoint=checkpoint)
    assert _fit(again, config, checkpoint=checkpoint).history == uninterrupted.history
    assert _same(again, whole)


def test_averaged_sgd_averages_from_the_epoch_on_that_does_not_improve() -> None:
    weights, model = _Weights(), _model()
    # A learning rate so high that the validation loss is no better in one of the first epochs.
    config = _plan(optimizer="asgd", learning_rate=4.0, clipnorm=None, epochs=6, patience=2)
    history = _fit(model, config, callbacks=[weights]).history["val_loss"]
    triggered = next(epoch for epoch in range(1, 6) if history[epoch] >= min(history[:epoch]))
    assert triggered < len(history) - 1, "nothing was averaged"
    per_epoch = len(weights.steps) // len(weights.epochs)
    for epoch, kept in enumerate(weights.epochs):
        first = min(epoch, triggered) + 1
        averaged = weights.steps[first * per_epoch - 1 : (epoch + 1) * per_epoch]
        for number, value in enumerate(kept):
            expected = np.mean([step[number] for step in averaged], axis=0)
            np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("epoch", first_of([2, 4]))
def test_averaged_sgd_goes_on_after_an_interruption(tmp_path: Path, epoch: int) -> None:
    config = _plan(optimizer="asgd", learning_rate=4.0, clipnorm=None, epochs=6, patience=2)
    checkpoint, whole, again = tmp_path / "checkpoint.npz", _model(), _model(seed=99)
    uninterrupted = _fit(whole, config)
    assert len(uninterrupted.history["loss"]) > epoch + 1
    with pytest.raises(KeyboardInterrupt):
        _fit(_model(), config, callbacks=[_Interrupt(epoch)], checkpoint=checkpoint)
    assert _fit(again, config, checkpoint=checkpoint).history == uninterrupted.history
    assert _same(again, whole)


def test_an_interruption_in_the_first_epoch_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        _fit(_model(), callbacks=[_Interrupt(0)], checkpoint=tmp_path / "run" / "checkpoint.npz")
    assert list(tmp_path.iterdir()) == []


def test_a_finished_training_is_not_gone_on_with(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint.npz"
    model, again = _model(), _model(seed=99)
    first = _fit(model, checkpoint=checkpoint)
    second = _fit(again, checkpoint=checkpoint)
    assert second.history == first.history
    assert _same(model, again)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.npz"]


# Progress


def test_time_ends_in_the_middle_of_an_epoch_which_counts_as_one() -> None:
    steps: list[int] = []
    batch = keras.callbacks.LambdaCallback(on_train_batch_end=lambda step, logs: steps.append(step))
    trained = _fit(_model(), _plan(epochs=50), seconds=1e-6, callbacks=[batch])
    assert steps == [0]
    assert (len(trained.history["val_loss"]), trained.best_epoch) == (1, 1)


@pytest.mark.thorough
def test_time_that_is_not_up_changes_nothing() -> None:
    assert _fit(_model(), seconds=1e6).history == _fit(_model()).history


def test_a_line_for_each_epoch_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _fit(_model(), quiet=False)
    shown = capsys.readouterr()
    assert shown.out == ""
    lines = shown.err.splitlines()
    assert [line.split()[:2] for line in lines] == [["epoch", f"{i}/3"] for i in (1, 2, 3)]
    assert all("val_loss" in line and "accuracy" in line for line in lines)


@THOROUGH
def test_quiet_training_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    _fit(_model())
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    _fit(_model(), quiet=False)
    shown = capsys.readouterr().err
    assert "epoch 3/3" in shown
    assert "left" in shown
    assert "100%" in shown


def test_weight_decay_spares_every_bias() -> None:
    from kerasseq.training import optimizers

    cell = keras.layers.GRU(2)
    cell.build((None, None, 3))
    optimizer = optimizers.make("sgd", 1e-9, "constant", 1e8, None, None, steps=1)
    optimizers.exclude(optimizer, cell.trainable_variables)
    optimizer.build(cell.trainable_variables)
    kernel, recurrent, bias = cell.trainable_variables
    bias.assign(np.ones(bias.shape))
    before = [np.asarray(own) for own in (kernel, recurrent)]
    optimizer.apply([keras.ops.zeros(own.shape) for own in cell.trainable_variables])
    np.testing.assert_allclose(np.asarray(bias), 1.0)
    for one, other in zip(before, (kernel, recurrent), strict=True):
        np.testing.assert_allclose(np.asarray(other), 0.9 * one, rtol=1e-5)


def test_weight_decay_spares_the_gains_of_ngrams() -> None:
    from kerasseq.layers.ngrams import NgramVotes
    from kerasseq.training import optimizers

    votes = NgramVotes(3, per_class=True)
    votes.build((None, 2), (None, 2, 4))
    optimizer = optimizers.make("sgd", 1e-9, "constant", 1e8, None, None, steps=1)
    optimizers.exclude(optimizer, votes.trainable_variables)
    optimizer.build(votes.trainable_variables)
    optimizer.apply([keras.ops.zeros(weight.shape) for weight in votes.trainable_variables])
    np.testing.assert_allclose(np.asarray(votes.gain), 1.0)


def test_repeated_rows_all_come_as_often() -> None:
    class Rows:
        def __len__(self) -> int:
            return 5

        def batch(self, rows: np.ndarray) -> tuple[Any, ...]:
            return {"row": rows}, rows

    batches = Batches(Repeated(Rows(), 3), 4, seed=0)
    seen = np.concatenate([batches[i][0]["row"] for i in range(len(batches))])
    assert len(batches) == 4
    assert np.bincount(seen).tolist() == [3] * 5
