"""The recurrences in C++ give what `keras.layers` gives: outputs, states and every gradient."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from kerasseq.kernels import native
from kerasseq.kernels.native.library import ACTIVATIONS, CELLS
from kerasseq.layers import RNN
from tests.cells import gradients, statement
from tests.cells.harness import (
    BACKEND,
    DTYPE,
    LINEAR,
    MASK,
    close,
    layer_of,
    make,
    numpy,
    sequences,
    states,
    twin,
)
from tests.kernels.harness import precision, threads
from tests.thorough import covering, examples, one_in

pytestmark = pytest.mark.skipif(native.status() is not None, reason=str(native.status()))

THEIRS = {
    "lstm": keras.layers.LSTM,
    "gru": keras.layers.GRU,
    "simple_rnn": keras.layers.SimpleRNN,
}
KINDS = [*CELLS, *LINEAR]
SHARE = {"float32": 1e-5, "float64": 1e-12}  # of a tensor's largest magnitude
SMOOTH = ["tanh", "sigmoid", "linear"]
GATES = ["sigmoid", "hard_sigmoid"]  # others amplify what they let through, rounding too
# What a kernel without keras.ops around it computes in float64 on JAX and PyTorch too.
WIDE = {kind: DTYPE if kind in LINEAR else "float64" for kind in KINDS}
EXAMPLES = 10 if BACKEND == "jax" else 100  # JAX compiles each example anew
Result = tuple[list[np.ndarray], list[np.ndarray]]
FORMS = ["none", "whole", "right", "left", "holes", "empty", "any"]


def mask_of(form: str, batch: int, time: int, random: int) -> np.ndarray | None:
    """A mask whose rows are of one form, or of any."""
    draw = np.random.default_rng(random)
    lengths, steps = draw.integers(0, time + 1, (batch, 1)), np.arange(time)
    masks = {
        "whole": np.ones((batch, time), bool),
        "right": steps < lengths,
        "left": steps >= lengths,
        "holes": draw.random((batch, time)) < 0.5,
        "empty": np.zeros((batch, time), bool),
    }
    masks["any"] = np.stack(list(masks.values()))[draw.integers(0, 5, batch), np.arange(batch)]
    return masks.get(form)


@dataclass(frozen=True)
class Case:
    """A layer and what it is called on."""

    kind: str
    shape: tuple[int, int, int]
    units: int
    own: dict[str, Any]  # what the cell is told
    shared: dict[str, Any]  # what the layer is told
    form: str
    started: bool
    training: bool
    threads: int
    random: int

    @property
    def smooth(self) -> bool:
        return all(self.own.get(name, "tanh") in SMOOTH for name in self.own if "act" in name)

    def cell(self, dtype: str) -> Any:
        own = {**self.own, "dtype": dtype}
        cell = make(self.kind, inputs=self.shape[2], units=self.units, random=self.random, **own)
        # Of single precision, whatever the dtype.
        weights = [2 * w / len(w) ** 0.5 if w.ndim > 1 else w for w in cell.get_weights()]
        cell.set_weights([w.astype("float32") for w in weights])
        return cell

    def ours(self, dtype: str) -> Result:
        cell = self.cell(dtype)
        with threads(self.threads):
            return self.run(RNN(cell, kernel="native", return_state=True, **self.shared), cell)

    def theirs(self, dtype: str) -> Result:
        """What Keras makes of it: its own layer, or its loop over the cell."""
        cell, shared = self.cell(dtype), {**self.shared, "return_state": True, "dtype": dtype}
        if self.kind not in THEIRS:
            return self.run(keras.layers.RNN(cell, **shared), cell)
        layer = THEIRS[self.kind](self.units, **self.own, **shared)
        layer.build(self.shape)
        layer.set_weights(cell.get_weights())
        return self.run(layer, cell)

    def run(self, layer: Any, cell: Any) -> Result:
        """Output and final states; the gradients of weights, inputs and initial states."""
        x = sequences(*self.shape, random=self.random).astype("float32")
        batch, time, _ = self.shape
        mask = mask_of(self.form, batch, time, self.random)
        masked = {} if mask is None else {"mask": ops.convert_to_tensor(mask)}
        first = [s.astype("float32") for s in states(cell, batch)] if self.started else None

        def loss(result: Any) -> Any:
            weigh = [sequences(*part.shape).astype("float32") for part in result]
            parts = zip(result, weigh, strict=True)
            return sum(ops.sum(part * ops.cast(factor, part.dtype)) for part, factor in parts)

        shown, actual = gradients.with_result(
            layer, loss, x, first, training=self.training, **masked
        )
        return list(shown), keras.tree.flatten(actual)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    kind = draw(st.sampled_from(KINDS))
    # One or two numbers lose all but their signs where they are normalised: gradients cancel.
    least = 3 if kind == "layernorm_lstm" else 1
    shape = draw(st.tuples(st.integers(1, 300), st.integers(1, 12), st.integers(least, 33)))
    own: dict[str, Any] = {}
    if kind not in LINEAR:
        own["activation"] = draw(st.sampled_from(ACTIVATIONS))
        if kind != "simple_rnn":
            gates = GATES if shape[1] > 3 else ACTIVATIONS
            own["recurrent_activation"] = draw(st.sampled_from(gates))
        if kind != "layernorm_lstm":
            own["use_bias"] = draw(st.booleans())
    names = ("return_sequences", "go_backwards", "zero_output_for_mask")
    return Case(
        kind=kind,
        shape=shape,
        units=draw(st.integers(least, 33)),
        own=own,
        shared={name: draw(st.booleans()) for name in names},
        form=draw(st.sampled_from(FORMS)),
        started=draw(st.booleans()),
        training=draw(st.booleans()),
        threads=draw(st.integers(1, 4)),
        random=draw(st.integers(0, 99)),
    )


def apart(got: list[np.ndarray], wanted: list[np.ndarray]) -> float:
    """The largest difference, as a share of each tensor's largest magnitude."""
    worst = 0.0
    for ours, theirs in zip(got, wanted, strict=True):
        assert ours.shape == theirs.shape
        most = np.abs(ours - theirs).max(initial=0)
        worst = max(worst, float(most / np.abs(theirs).max()) if most else 0.0)
    return worst


@pytest.mark.thorough
@pytest.mark.skipif(BACKEND != "tensorflow", reason="keras.ops computes float64 in float32 there")
@examples(EXAMPLES)
@given(case=cases())
def test_it_is_keras_in_double_precision(case: Case) -> None:
    for ours, theirs in zip(case.ours("float64"), case.theirs("float64"), strict=True):
        assert apart(ours, theirs) <= SHARE["float64"]


@pytest.mark.thorough
# The same draws in every run: where a sum cancels, no precision is left to compare.
@examples(EXAMPLES, derandomize=True)
@given(case=cases())
def test_it_is_keras_in_single_precision(case: Case) -> None:
    ours, theirs = case.ours("float32"), case.theirs("float32")
    if not case.smooth:  # rounding decides on which side of a kink a slope is taken
        ours, theirs = ours[:1], theirs[:1]
    if max(map(apart, ours, theirs)) > SHARE["float32"]:
        # Keras is further from the exact result than that (where a layer is normalised).
        exact = case.theirs("float64") if BACKEND == "tensorflow" else case.ours("float64")
        assert max(map(apart, ours, exact)) <= SHARE["float32"]


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_the_statement_and_its_finite_differences(kind: str) -> None:
    with precision(WIDE[kind]):
        compare_with_statement(kind)


def compare_with_statement(kind: str) -> None:
    cell = make(kind, units=3, dtype=WIDE[kind])
    x, first = sequences(*MASK.shape, 3), states(cell, len(MASK), 5)
    shared = {"go_backwards": True, "zero_output_for_mask": kind != "gru"}
    layer = layer_of(cell, kernel="native", **shared)
    mask = ops.convert_to_tensor(MASK)
    expected = statement.run(cell, x, mask=MASK, states=first, **shared)
    reference = [expected.outputs, *expected.states]
    given = [ops.convert_to_tensor(part, cell.compute_dtype) for part in (x, *first)]
    share, slack = (1e-12, 2e-7) if cell.compute_dtype == "float64" else (2e-5, 1e-3)
    close(list(layer(given[0], given[1:], mask)), reference, tolerance=share)
    weigh = [sequences(*part.shape, random=7) for part in reference]

    def loss(result: Any) -> Any:
        return sum(
            ops.sum(part * ops.convert_to_tensor(factor, part.dtype))
            for part, factor in zip(result, weigh, strict=True)
        )

    def value(outcome: statement.Outcome) -> float:
        parts = zip([outcome.outputs, *outcome.states], weigh, strict=True)
        return float(sum((part * factor).sum() for part, factor in parts))

    got = gradients.of_layer(layer, loss, x, first, mask=mask)
    slopes = gradients.of_statement(cell, value, x, first, mask=MASK, **shared)
    close(got, slopes, tolerance=slack)


@pytest.mark.parametrize("kind", one_in(3, KINDS))
def test_noise_is_drawn_as_in_a_loop(kind: str) -> None:
    rates = {"dropout": 0.3, "recurrent_dropout": 0.4, "seed": 3}
    rates |= {"zoneout": 0.2} if kind in LINEAR else {"weight_drop": 0.3}
    cell = make(kind, units=5, **rates)
    x, first, mask = sequences(*MASK.shape, 3), states(cell, len(MASK)), ops.convert_to_tensor(MASK)
    results = []
    for kernel, one in (("native", twin(cell)), ("scan", twin(cell))):
        layer = layer_of(one, kernel=kernel)

        def loss(result: Any) -> Any:
            return sum(ops.sum(ops.square(part)) for part in result)

        actual = gradients.with_result(layer, loss, x, first, mask=mask, training=True)
        results.append(keras.tree.flatten(actual))
    quiet = numpy(layer_of(cell, kernel="native")(x, initial_state=first, mask=mask))
    assert not np.allclose(results[0][0], quiet[0], atol=1e-3)
    assert apart(*results) <= SHARE[DTYPE]


@pytest.mark.parametrize("kind", one_in(3, KINDS))
def test_two_runs_agree_bit_for_bit(kind: str) -> None:
    case = Case(kind, (70, 12, 17), 33, {}, {"return_sequences": True}, "any", True, True, 3, 1)
    first, *others = (keras.tree.flatten(case.ours("float32")) for _ in range(4))
    for other in others:
        assert all(map(np.array_equal, first, other))


@pytest.mark.skipif(BACKEND != "tensorflow", reason="only TensorFlow traces unknown lengths")
@pytest.mark.parametrize("kind", one_in(3, KINDS))
def test_a_graph_of_any_shape_gives_the_same_bits_as_a_call(kind: str) -> None:
    tf = importlib.import_module("tensorflow")
    cell = make(kind, units=5)
    layer = layer_of(cell, kernel="native")
    weights = [weight.value for weight in cell.weights]

    def step(x: Any, mask: Any, *first: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch([x, *first])
            result = layer(x, initial_state=list(first), mask=mask, training=True)
            value = sum(tf.reduce_sum(part * part) for part in result)
        return result, tape.gradient(value, [x, *first, *weights])

    like = tf.TensorSpec((None, 5), DTYPE)
    spec = [tf.TensorSpec((None, None, 3), DTYPE), tf.TensorSpec((None, None), tf.bool)]
    traced = tf.function(step, input_signature=[*spec, *[like] * len(cell.state_size)])
    for batch, time in ((4, 6), (1, 1), (33, 2)):
        given = [ops.convert_to_tensor(sequences(batch, time, 3), DTYPE)]
        given.append(ops.convert_to_tensor(mask_of("any", batch, time, 1)))
        given += [ops.convert_to_tensor(s, DTYPE) for s in states(cell, batch)]
        flat = (keras.tree.flatten(numpy(run(*given))) for run in (traced, step))
        assert all(map(np.array_equal, *flat))
    # No steps: states pass through, and nothing else has a part in it.
    first = states(cell, 2)
    result, actual = numpy(traced(np.zeros((2, 0, 3)), np.zeros((2, 0), bool), *first))
    assert result[0].shape == (2, 0, 5)
    close(list(result[1:]), first)
    close(actual[1 : 1 + len(first)], [2 * state for state in first])
    assert not any(gradient.any() for gradient in actual[1 + len(first) :])


@pytest.mark.parametrize(
    ("own", "value"),
    covering(
        [
            *((kind, {}) for kind in KINDS),
            *(("simple_rnn", {"activation": name}) for name in ACTIVATIONS),
        ],
        [np.nan, np.inf, -np.inf, 1e30],
    ),
)
def test_what_is_not_finite_stays_in_its_row_and_shows_there(
    own: tuple[str, dict[str, str]], value: float
) -> None:
    kind, options = own
    cell = make(kind, units=5, dtype="float32", **options)
    layer, loop = layer_of(cell, kernel="native"), layer_of(cell, kernel="scan")
    x = sequences(9, 4, 3).astype("float32")
    clean = numpy(layer(x))
    x[3, 1, 0] = value
    outputs, *final = numpy(layer(x))
    rest = np.arange(9) != 3
    for got, kept in zip([outputs, *final], clean, strict=True):
        assert np.array_equal(got[rest], kept[rest])
    assert np.array_equal(outputs[3, 0], clean[0][3, 0])
    assert np.isnan(outputs[3, 1:]).all() or not np.isnan(value)
    for got, expected in zip([outputs, *final], numpy(loop(x)), strict=True):
        assert np.array_equal(np.isfinite(got), np.isfinite(expected))


@pytest.mark.parametrize("kind", ["lstm", "layernorm_lstm", "mingru"])
def test_training_on_what_is_not_finite_does_not_crash(kind: str) -> None:
    layer = layer_of(make(kind, dtype="float32"), kernel="native")
    x = np.full((70, 12, 3), np.nan)
    weights, inputs, _ = gradients.of_layer(layer, lambda result: ops.sum(result[0]), x)
    assert all(np.isnan(gradient).any() for gradient in [*weights, inputs])


@pytest.mark.parametrize("kind", ["gru", "lru"])
def test_inputs_may_be_integers(kind: str) -> None:
    cell = make(kind)
    x = np.arange(24).reshape(2, 4, 3) % 5
    given = ops.convert_to_tensor(x, "int32")
    close(layer_of(cell, kernel="native")(given)[0], statement.run(cell, 1.0 * x).outputs)


def test_an_empty_batch_gives_empty_outputs() -> None:
    for kind in KINDS:
        outputs, *final = layer_of(make(kind), kernel="native")(np.zeros((0, 5, 3), DTYPE))
        assert tuple(outputs.shape) == (0, 5, 4)
        assert {tuple(state.shape) for state in final} == {(0, 4)}
