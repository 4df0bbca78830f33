"""The native kernel under the transformations of JAX: jit, grad, vmap, loops, donated buffers."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from kerasseq import kernels
from kerasseq.kernels import CallContext, native
from kerasseq.kernels.native import Recurrence, library
from kerasseq.layers import RNN
from kerasseq.layers.recurrent.bidirectional import Bidirectional
from tests.cells.harness import BACKEND, MASK, close, layer_of, make, numpy, sequences, states
from tests.kernels.harness import precision

pytestmark = [
    pytest.mark.skipif(BACKEND != "jax", reason="it is about JAX"),
    pytest.mark.skipif(native.status() is not None, reason=str(native.status())),
]

ROOT = Path(__file__).parents[2]
KINDS = ["lstm", "gru", "mingru"]


@pytest.fixture(scope="module")
def jax() -> Any:
    return importlib.import_module("jax")


def called(layer: Any) -> Any:
    """The outputs of a layer as a function of weights and inputs."""
    others = [weight.value for weight in layer.non_trainable_variables]

    def outputs(weights: Any, x: Any) -> Any:
        return layer.stateless_call(weights, others, x)[0]

    return outputs


def of(kind: str, kernel: str = "native") -> tuple[Any, list[Any]]:
    """A layer as such a function, and its weights."""
    layer = RNN(make(kind), kernel=kernel, return_sequences=True)
    layer(sequences(1, 2, 3).astype("float32"))
    return called(layer), [weight.value for weight in layer.trainable_variables]


def inputs(*shape: int) -> np.ndarray:
    return sequences(*shape).astype("float32")


@pytest.mark.parametrize("kind", KINDS)
def test_vmap_gives_what_calls_one_by_one_give(jax: Any, kind: str) -> None:
    outputs, weights = of(kind)
    x = inputs(3, 2, 5, 3)
    each = jax.vmap(outputs, in_axes=(None, 0))(weights, x)
    close(each, np.stack([outputs(weights, part) for part in x]))

    def loss(weights: Any, x: Any) -> Any:
        return (outputs(weights, x[None]) ** 2).sum()

    # Gradients by example, of weights that all examples share and of weights of their own.
    gradient = jax.grad(loss, argnums=(0, 1))
    alone = [gradient(weights, row) for row in x[0]]
    expected = [np.stack(parts) for parts in zip(*([*w, g] for w, g in alone), strict=True)]
    actual, slopes = jax.vmap(gradient, in_axes=(None, 0))(weights, x[0])
    close([*actual, slopes], expected)
    own = [jax.numpy.stack([weight] * 2) for weight in weights]
    actual, slopes = jax.vmap(gradient)(own, x[0])
    close([*actual, slopes], expected)


@pytest.mark.parametrize("kind", KINDS)
def test_it_runs_in_loops_and_is_computed_again_where_asked(jax: Any, kind: str) -> None:
    outputs, weights = of(kind)
    x = inputs(4, 2, 5, 3)

    def total(weights: Any, once: Any) -> Any:
        def body(carried: Any, part: Any) -> Any:
            return carried + once(weights, part).sum(), None

        return jax.lax.scan(body, 0.0, x)[0]

    value, actual = jax.value_and_grad(total)(weights, jax.checkpoint(outputs))
    expected = jax.value_and_grad(lambda weights: outputs(weights, x.reshape(8, 5, 3)).sum())
    close([value, actual], list(expected(weights)))


@pytest.mark.parametrize("kind", ["lstm", "lru"])
def test_a_compiled_program_hands_its_buffers_over_as_they_are(jax: Any, kind: str) -> None:
    outputs, weights = of(kind)

    def step(weights: Any, x: Any) -> Any:
        actual = jax.grad(lambda weights: (outputs(weights, x) ** 2).sum())(weights)
        return [weight - 0.1 * slope for weight, slope in zip(weights, actual, strict=True)]

    x = inputs(4, 6, 3)
    expected = jax.jit(step)(weights, x)
    program = jax.jit(step, donate_argnums=0)
    if kind == "lstm":
        text = program.lower(weights, x).compile().as_text()
        assert "kerasseq_forward" in text
        assert not [line for line in text.splitlines() if " copy(" in line and "4,6," in line]
    given = [weight.copy() for weight in weights]
    actual = program(given, x)
    assert all(weight.is_deleted() for weight in given)
    assert all(map(np.array_equal, numpy(actual), numpy(expected)))


def test_only_the_gradients_that_are_asked_for_are_computed(jax: Any) -> None:
    outputs, weights = of("lstm")
    x = inputs(4, 6, 3)

    def program(wanted: int) -> str:
        gradient = jax.grad(lambda w, x: outputs(w, x).sum(), argnums=wanted)
        return str(jax.jit(gradient).lower(weights, x).as_text())

    of_x = "tensor<4x6x3xf32>"
    lines = [
        [line for line in program(wanted).splitlines() if "kerasseq_backward" in line]
        for wanted in (0, 1)
    ]
    results = [line.rsplit("->", 1)[1] for (line,) in lines]
    assert of_x not in results[0]
    assert of_x in results[1]
    assert "tensor<3x16xf32>" in results[0]
    assert "tensor<3x16xf32>" not in results[1]


@pytest.mark.parametrize("kind", KINDS)
def test_bidirectional_layers_give_the_same_bits_each_time(jax: Any, kind: str) -> None:
    forward, weights = of(kind)
    x = inputs(70, 12, 3)

    @jax.jit
    def both(weights: Any, x: Any) -> Any:  # XLA may run the two at the same time
        return forward(weights, x), forward(weights, x[:, ::-1])

    first = numpy(both(weights, x))
    for _ in range(5):
        assert all(map(np.array_equal, first, numpy(both(weights, x))))


def test_fit_gives_the_weights_that_keras_layers_give() -> None:
    x, y = inputs(8, 6, 3), inputs(8, 1, 1)[:, 0]
    x[::2, 4:] = 0  # what Masking hides
    ours = Bidirectional(RNN(make("lstm", units=5), kernel="native"))
    theirs = keras.layers.Bidirectional(keras.layers.LSTM(5))
    models = []
    for layer in (ours, theirs):
        levels = [keras.layers.Masking(), layer, keras.layers.Dense(1)]
        models.append(keras.Sequential([keras.Input((6, 3)), *levels]))
        models[-1].compile(keras.optimizers.SGD(0.5), "mse")
    models[1].set_weights(models[0].get_weights())
    before = models[0].get_weights()
    for model in models:
        model.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0)
    assert ours.forward_layer.kernel.name == "native"
    assert not any(map(np.array_equal, before, models[0].get_weights()))
    close(models[0].get_weights(), models[1].get_weights(), tolerance=1e-5)


# In double precision


def plain(jax: Any, kind: str, mask: Any, go_backwards: bool) -> Any:
    """The three recurrences of Keras in JAX alone: (x, kernel, recurrent, bias, *states)."""
    jnp, sigmoid = jax.numpy, jax.nn.sigmoid

    def lstm(p: Any, states: Any, recurrent: Any, _: Any) -> Any:
        i, f, g, o = jnp.split(p + states[0] @ recurrent, 4, axis=-1)
        c = sigmoid(f) * states[1] + sigmoid(i) * jnp.tanh(g)
        return [sigmoid(o) * jnp.tanh(c), c]

    def gru(p: Any, states: Any, recurrent: Any, bias: Any) -> Any:
        (h,) = states
        z, r, n = jnp.split(p, 3, axis=-1)
        hz, hr, hn = jnp.split(h @ recurrent + bias, 3, axis=-1)
        z, r = sigmoid(z + hz), sigmoid(r + hr)
        return [z * h + (1 - z) * jnp.tanh(n + r * hn)]

    def simple_rnn(p: Any, states: Any, recurrent: Any, _: Any) -> Any:
        return [jnp.tanh(p + states[0] @ recurrent)]

    step = {"lstm": lstm, "gru": gru, "simple_rnn": simple_rnn}[kind]

    def run(x: Any, kernel: Any, recurrent: Any, bias: Any, *states: Any) -> Any:
        first, second = bias if kind == "gru" else (bias, None)
        outputs, shown = [], jnp.zeros_like(states[0])
        for t in reversed(range(x.shape[1])) if go_backwards else range(x.shape[1]):
            new = step(x[:, t] @ kernel + first, states, recurrent, second)
            counts = mask[:, t, None]
            states = [jnp.where(counts, n, s) for n, s in zip(new, states, strict=True)]
            shown = jnp.where(counts, states[0], shown)
            outputs.append(shown)
        return jnp.stack(outputs, axis=1), list(states)

    return run


@pytest.mark.parametrize("go_backwards", [False, True])
@pytest.mark.parametrize("kind", ["lstm", "gru", "simple_rnn"])
def test_double_precision_is_that_of_plain_jax(jax: Any, kind: str, go_backwards: bool) -> None:
    with precision("float64"):
        cell = make(kind, units=7, dtype="float64")
        x, first = sequences(*MASK.shape, 3), states(cell, len(MASK), 5)
        given = [jax.numpy.asarray(part) for part in (x, *cell.get_weights(), *first)]
        assert all(part.dtype == "float64" for part in given)
        how = Recurrence(kind, "tanh", "sigmoid", go_backwards, False, True, True)
        on_jax = importlib.import_module("kerasseq.kernels.native.on_jax")

        def ours(x: Any, kernel: Any, recurrent: Any, bias: Any, *states: Any) -> Any:
            weights = {"kernel": kernel, "recurrent_kernel": recurrent, "bias": bias}
            more = {"extra": None, "states": states, "mask": MASK, "recurrent_mask": None}
            return on_jax.run(how, sequences=x, **weights, **more)

        theirs = plain(jax, kind, jax.numpy.asarray(MASK), go_backwards)
        results, backs = zip(*(jax.vjp(run, *given) for run in (ours, theirs)), strict=True)
        close(results[0], results[1], tolerance=1e-12)
        weigh = [sequences(*part.shape, random=7) for part in [results[0][0], *results[0][1]]]
        upstream = (weigh[0], weigh[1:])
        close(list(backs[0](upstream)), list(backs[1](upstream)), tolerance=1e-12)


# What does not fit

SHAPES = {
    **{"x": (2, 3, 4), "kernel": (4, 20), "recurrent": (5, 20), "bias": (20,), "extra": (15,)},
    **{"h": (2, 5), "c": (2, 5), "mask": (2, 3), "recurrent_mask": (2, 5)},
}


@pytest.mark.parametrize("name", SHAPES)
def test_the_functions_check_sizes_and_types(jax: Any, name: str) -> None:
    tensors = {
        n: jax.numpy.zeros(shape, bool if n == "mask" else "float32") for n, shape in SHAPES.items()
    }
    results = [(2, 3, 5), (2, 5), (2, 5), (0,)]
    settings = np.array([library.CELLS.index("peephole_lstm"), 0, 1, 0, 0, 1, 1, 0], "int32")

    def call(shapes: Any = results, settings: Any = settings) -> Any:
        expected = [jax.ShapeDtypeStruct(shape, "float32") for shape in shapes]
        return jax.ffi.ffi_call("kerasseq_forward", expected)(*tensors.values(), settings=settings)

    assert [part.shape for part in call()] == results
    with pytest.raises(Exception, match="an output of 5 elements"):
        call([(2, 3, 5), (1, 5), (2, 5), (0,)])
    with pytest.raises(Exception, match="array of 32-bit integers"):
        call(settings=settings[:-1])
    right = tensors[name]
    if name not in ("x", "recurrent"):  # which the others are measured by
        tensors[name] = jax.numpy.zeros((7,) * right.ndim, right.dtype)
        with pytest.raises(Exception, match="elements of type"):
            call()
    tensors[name] = right.astype("int8")
    with pytest.raises(Exception, match="elements of type"):
        call()


# Where it gives way


def test_a_program_of_any_size_takes_a_kernel_that_can(jax: Any) -> None:
    layer = layer_of(make("lstm"), return_state=False)
    x = inputs(2, 5, 3)
    expected = numpy(layer(x))
    assert layer.kernel.name == "native"
    sizes = jax.ShapeDtypeStruct(jax.export.symbolic_shape("batch, 5, 3"), "float32")
    jax.eval_shape(layer, sizes)
    assert layer.kernel.name == "scan"
    assert "traced for any size" in layer.kernel.reasons["native"]
    program = jax.export.export(jax.jit(lambda x: layer(x)))(sizes)
    assert "exported" in layer.kernel.reasons["native"]
    close(program.call(x), expected)


def test_portable_code_calls_nothing_of_ours(jax: Any) -> None:
    layer = layer_of(make("gru"), return_state=False)
    x = inputs(2, 5, 3)
    with kernels.portable():
        assert "kerasseq" not in jax.jit(lambda x: layer(x)).lower(x).as_text()
    assert "kerasseq" in jax.jit(lambda x: layer(x)).lower(x).as_text()


DEVICES = """
import numpy as np, jax, keras, kerasseq
layer = kerasseq.lstm(4)
print(layer(np.ones((4, 3, 2), "float32")).shape[0], layer.kernel)
"""


def test_with_several_devices_the_scan_is_taken() -> None:
    flags = "--xla_force_host_platform_device_count=2"
    result = subprocess.run(
        [sys.executable, "-c", DEVICES],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
        env={**os.environ, "XLA_FLAGS": flags, "KERAS_BACKEND": "jax"},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("4 scan")
    assert "JAX has 2 devices" in result.stdout


def test_a_jax_that_does_not_take_it_is_named(jax: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise RuntimeError("API version 9.9")

    monkeypatch.setattr(jax.ffi, "register_ffi_target", refuse)
    library.load.cache_clear()
    try:
        assert f"JAX {jax.__version__} does not take it: API version 9.9" in str(native.status())
        reason = kernels.choose(make("lstm"), CallContext("jax", 10)).reasons["native"]
        assert "does not take it" in reason
    finally:
        library.load.cache_clear()
