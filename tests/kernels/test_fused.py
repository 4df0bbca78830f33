"""PyTorch's own recurrences give what `keras.layers` gives, outputs and every gradient."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from kerasseq.layers import RNN
from tests.cells import gradients, statement
from tests.cells.harness import BACKEND, MASK, close, make, numpy, sequences, states, variant
from tests.thorough import examples

pytestmark = pytest.mark.skipif(BACKEND != "torch", reason="the functions are PyTorch's")

THEIRS = {
    "lstm": keras.layers.LSTM,
    "gru": keras.layers.GRU,
    "simple_rnn": keras.layers.SimpleRNN,
}
SHARE = {"float32": 1e-5, "float64": 1e-12}


def mask_of(form: str, batch: int, time: int, random: int) -> np.ndarray | None:
    draw = np.random.default_rng(random)
    lengths = draw.integers(0, time + 1, (batch, 1))
    return {
        "none": None,
        "full": np.ones((batch, time), bool),
        "right": np.arange(time) < lengths,
        "left": np.arange(time) >= lengths,
        "holes": draw.random((batch, time)) < 0.5,
        "empty": np.zeros((batch, time), bool),
    }[form]


class Loop(keras.layers.Layer):
    """The recurrences step by step in float64, which keras.ops leaves for float32 on PyTorch."""

    def __init__(self, kind: str, cell: Any, options: dict[str, bool]) -> None:
        super().__init__(dtype="float64")
        self.kind, self.cell, self.options = kind, cell, options

    def call(self, x: Any, initial_state: Any = None, mask: Any = None) -> Any:
        import torch

        cell, flip = self.cell, self.options["go_backwards"]
        w, u, *rest = (weight.value for weight in cell.weights)
        b = rest[0] if rest else torch.zeros((2, w.shape[1]), dtype=x.dtype)
        n, states = cell.units, list(initial_state or cell.get_initial_state(x.shape[0]))
        shown, outputs = torch.zeros_like(states[0]), []
        for t in reversed(range(x.shape[1])) if flip else range(x.shape[1]):
            h = states[0]
            if self.kind == "gru":
                p, r = x[:, t] @ w + b[0], h @ u + b[1]
                z = torch.sigmoid(p[:, :n] + r[:, :n])
                reset = torch.sigmoid(p[:, n : 2 * n] + r[:, n : 2 * n])
                new = [z * h + (1 - z) * torch.tanh(p[:, 2 * n :] + reset * r[:, 2 * n :])]
            elif self.kind == "lstm":
                i, f, g, o = (x[:, t] @ w + h @ u + (b if rest else 0.0 * b[0])).chunk(4, 1)
                c = torch.sigmoid(f) * states[1] + torch.sigmoid(i) * torch.tanh(g)
                new = [torch.sigmoid(o) * torch.tanh(c), c]
            else:
                total = x[:, t] @ w + h @ u + (b if rest else 0.0 * b[0])
                new = [torch.relu(total) if "relu" in str(cell.activation) else torch.tanh(total)]
            counts = torch.ones_like(h[:, :1]) > 0 if mask is None else mask[:, t, None]
            states = [torch.where(counts, a, s) for a, s in zip(new, states, strict=True)]
            shown = torch.where(counts, states[0], shown)
            outputs.append(shown)
        whole = torch.stack(outputs, 1)
        return (whole if self.options["return_sequences"] else whole[:, -1], *states)


@examples(60)
@given(
    kind=st.sampled_from(sorted(THEIRS)),
    dtype=st.sampled_from(sorted(SHARE)),
    sizes=st.tuples(st.integers(1, 300), st.integers(1, 9), st.integers(1, 9), st.integers(1, 17)),
    form=st.sampled_from(["none", "full", "right", "left", "holes", "empty"]),
    started=st.booleans(),
    options=st.fixed_dictionaries(
        {"return_sequences": st.booleans(), "go_backwards": st.booleans()},
        optional={"use_bias": st.just(False)},
    ),
    relu=st.booleans(),
    random=st.integers(0, 99),
)
def test_outputs_and_gradients_are_those_of_a_loop(
    kind: str,
    dtype: str,
    sizes: tuple[int, int, int, int],
    form: str,
    started: bool,
    options: dict[str, bool],
    relu: bool,
    random: int,
) -> None:
    batch, time, inputs, units = sizes
    own = {"activation": "relu"} if relu and kind == "simple_rnn" else {}
    own |= {"use_bias": options["use_bias"]} if "use_bias" in options else {}
    shared = {key: value for key, value in options.items() if key != "use_bias"}
    shared |= {"return_state": True, "dtype": dtype}
    cell = make(kind, inputs=inputs, units=units, random=random, dtype=dtype, **own)
    cell.set_weights([w / max(1, units**0.5) for w in cell.get_weights()])
    ours = RNN(cell, kernel="fused", **shared)
    if dtype == "float64":
        theirs: Any = Loop(kind, cell, options)
    else:
        theirs = THEIRS[kind](units, **own, **shared)
        theirs.build((batch, time, inputs))
        theirs.set_weights(cell.get_weights())
    x = sequences(batch, time, inputs, random=random)
    first = states(cell, batch) if started else None
    mask = mask_of(form, batch, time, random)
    given = {} if mask is None else {"mask": ops.convert_to_tensor(mask)}
    start = None if first is None else [ops.convert_to_tensor(s, dtype) for s in first]
    got, expected = (layer(x, initial_state=start, **given) for layer in (ours, theirs))
    agree(got, expected, SHARE[dtype])
    weigh = [ops.convert_to_tensor(sequences(*r.shape), dtype) for r in got]

    def loss(result: Any) -> Any:
        return sum(ops.sum(r * w) for r, w in zip(result, weigh, strict=True))

    got, expected = (
        gradients.of_layer(layer, loss, x.astype(dtype), first, **given) for layer in (ours, theirs)
    )
    agree(got, expected, SHARE[dtype])


def agree(got: Any, wanted: Any, share: float) -> None:
    """Within a share of each tensor's largest magnitude."""
    flat = (keras.tree.flatten(numpy(part)) for part in (got, wanted))
    for ours, theirs in zip(*flat, strict=True):
        assert ours.shape == theirs.shape
        assert np.abs(ours - theirs).max() <= share * np.abs(theirs).max()


@pytest.mark.parametrize("kind", sorted(THEIRS))
def test_a_masked_step_holds_or_shows_zeros(kind: str) -> None:
    cell = variant(kind)
    x, first = sequences(*MASK.shape, 3), states(cell, len(MASK))
    for zeros in (False, True):
        expected = statement.run(cell, x, mask=MASK, states=first, zero_output_for_mask=zeros)
        options = {"return_state": True, "zero_output_for_mask": zeros, "kernel": "fused"}
        mask = ops.convert_to_tensor(MASK)
        output, *final = RNN(cell, return_sequences=True, **options)(x, first, mask)
        close((output, final), (expected.outputs, expected.states))
        close(RNN(cell, **options)(x, first, mask)[0], expected.last)


@pytest.mark.parametrize("kind", sorted(THEIRS))
def test_not_a_number_behind_a_mask_reaches_no_gradient(kind: str) -> None:
    x = sequences(*MASK.shape, 3)
    spoilt = np.where(MASK[..., None], x, np.nan)
    layer = RNN(variant(kind), kernel="fused", return_sequences=True)
    weights, inputs, _ = gradients.of_layer(
        layer, ops.sum, spoilt, mask=ops.convert_to_tensor(MASK)
    )
    assert all(np.isfinite(weight).all() for weight in weights)
    assert not inputs[~MASK].any()


@pytest.mark.parametrize("kind", sorted(THEIRS))
def test_what_is_not_finite_gives_what_is_not_finite(kind: str) -> None:
    x = sequences(2, 4, 3)
    x[0, 1, 0] = np.nan
    output = numpy(RNN(variant(kind), kernel="fused", return_sequences=True)(x))
    assert np.isnan(output[0, 1:]).all()
    assert np.isfinite(output[0, 0]).all()
    assert np.isfinite(output[1]).all()


def test_weight_drop_and_input_dropout_are_drawn_as_in_a_loop() -> None:
    x = sequences(3, 5, 3)
    cell = variant("lstm", weight_drop=0.5, dropout=0.3, seed=7)
    results = []
    for kernel in ("fused", "scan"):
        cell.seed_generator.state.assign(np.array([1, 2], "uint32"))
        results.append(numpy(RNN(cell, kernel=kernel)(x, training=True)))
    close(*results)


def test_the_state_behind_padding_is_kept_by_a_stateful_layer() -> None:
    cell = variant("lstm")
    x, mask = sequences(*MASK.shape, 3), ops.convert_to_tensor(MASK)
    layer = RNN(cell, stateful=True, kernel="fused", return_sequences=True)
    layer(x, mask=mask)
    close([state.value for state in layer.states], statement.run(cell, x, mask=MASK).states)


def test_a_model_of_unknown_length_is_built_and_trained() -> None:
    ours = RNN(variant("gru", dtype="float32"), kernel="fused")
    layers = [keras.layers.Embedding(9, 3, mask_zero=True), ours]
    model = keras.Sequential([keras.Input((None,)), *layers, keras.layers.Dense(1)])
    model.compile(loss="mse", optimizer="sgd")
    tokens = np.array([[1, 2, 3, 0], [4, 0, 0, 0], [0, 0, 0, 0]])
    before = ours.cell.get_weights()
    model.fit(tokens, np.ones((3, 1)), verbose=0)
    assert ours.kernel.name == "fused"
    after = ours.cell.get_weights()
    assert all(not np.array_equal(b, a) for b, a in zip(before, after, strict=True))


def test_no_rows_give_no_rows() -> None:
    layer = RNN(variant("lstm"), kernel="fused", return_sequences=True)
    assert layer(np.zeros((0, 4, 3), "float32")).shape == (0, 4, 4)
