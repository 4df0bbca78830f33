"""The native kernel in programs: training, threads, forks, saved models; where it is missing."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import subprocess
import sys
import threading
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from kerasseq import cells, kernels
from kerasseq.kernels import CallContext, native
from kerasseq.kernels.native import library
from kerasseq.layers import RNN
from tests.cells import gradients, statement
from tests.cells.harness import BACKEND, DTYPE, close, layer_of, make, numpy, sequences, variant
from tests.kernels.harness import threads

ROOT = Path(__file__).parents[2]
built = pytest.mark.skipif(native.status() is not None, reason=str(native.status()))
on_tensorflow = pytest.mark.skipif(BACKEND != "tensorflow", reason="it is about TensorFlow")
on_torch = pytest.mark.skipif(BACKEND != "torch", reason="it is about PyTorch")

LARGE = (70, 12, 17)  # enough work to be split over threads


def backend_module() -> Any:
    return importlib.import_module(f"kerasseq.kernels.native.on_{BACKEND}")


def native_layer(kind: str, units: int = 4) -> RNN:
    return RNN(cells.get(kind)(units), kernel="native")


def small_model() -> keras.Model:
    embedded = keras.layers.Embedding(20, 17, mask_zero=True)
    cell = cells.get("lstm")(33, recurrent_dropout=0.2)
    first = RNN(cell, kernel="native", return_sequences=True)
    levels = [first, native_layer("mingru", 9), keras.layers.Dense(1)]
    return keras.Sequential([keras.Input((12,)), embedded, *levels])


TOKENS = np.random.default_rng(1).integers(0, 20, (140, 12))


# Training


@pytest.mark.thorough
@built
def test_training_twice_gives_the_same_bits() -> None:
    def trained() -> list[np.ndarray]:
        keras.utils.set_random_seed(3)
        model = small_model()
        before = model.get_weights()
        model.compile("adam", "mse")
        model.fit(TOKENS, TOKENS[:, :1] / 20, epochs=2, batch_size=70, verbose=0)
        assert {level.kernel.name for level in model.layers[1:3]} == {"native"}
        after = model.get_weights()
        assert not any(map(np.array_equal, before, after))
        return after

    with threads(3):
        assert all(map(np.array_equal, trained(), trained()))


@built
@pytest.mark.parametrize("kind", ["gru", "mingru"])
def test_second_derivatives_are_refused_with_a_remedy(kind: str) -> None:
    layer = native_layer(kind)
    x = ops.convert_to_tensor(sequences(2, 3, 4).astype("float32"))
    layer(x)
    with pytest.raises(NotImplementedError, match=r"no second derivatives.*kernel='scan'"):
        penalty(layer, x)
    slow = RNN(layer.cell, kernel="scan")
    assert np.abs(penalty(slow, x)).max() > 0
    with kernels.portable():
        close(penalty(layer, x), penalty(slow, x), tolerance=1e-5)


def penalty(layer: Any, x: Any) -> np.ndarray:
    """The gradient of a gradient's size."""
    if BACKEND == "torch":
        torch = importlib.import_module("torch")
        x = x.detach().requires_grad_()
        (slope,) = torch.autograd.grad(layer(x).sum(), x, create_graph=True)
        return numpy(torch.autograd.grad((slope**2).sum(), x)[0])
    if BACKEND == "jax":
        jax = importlib.import_module("jax")

        def size_of(x: Any) -> Any:
            return ops.sum(jax.grad(lambda x: ops.sum(layer(x, training=True)))(x) ** 2)

        return numpy(jax.grad(size_of)(x))
    tf = importlib.import_module("tensorflow")
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            value = tf.reduce_sum(layer(x))
        size = tf.reduce_sum(inner.gradient(value, x) ** 2)
    return numpy(outer.gradient(size, x))


@built
@on_tensorflow
def test_what_xla_is_to_compile_is_traced_as_portable_code() -> None:
    tf = importlib.import_module("tensorflow")
    layer = native_layer("lstm")
    x = sequences(2, 3, 4).astype("float32")
    expected = numpy(layer(x))
    assert not layer.supports_jit
    with kernels.portable():
        assert layer.supports_jit
        close(tf.function(layer, jit_compile=True)(x), expected, tolerance=1e-5)


# Threads and processes


@built
@on_tensorflow
def test_it_takes_as_many_threads_as_tensorflow_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    tf = importlib.import_module("tensorflow")
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    monkeypatch.setattr(tf.config.threading, "get_intra_op_parallelism_threads", lambda: 0)
    assert backend_module().threads() == library.cores()
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "3")
    assert backend_module().threads() == 3
    monkeypatch.setattr(tf.config.threading, "get_intra_op_parallelism_threads", lambda: 5)
    for kind, name in (("gru", "Kerasseq>Recurrence"), ("lru", "Kerasseq>Linear")):
        layer = RNN(make(kind), kernel="native")
        traced = tf.function(layer).get_concrete_function(tf.TensorSpec((2, 6, 3), DTYPE))
        (result,) = (op for op in traced.graph.get_operations() if op.type == name)
        assert result.get_attr("threads") == 5


@built
@on_torch
def test_it_takes_as_many_threads_as_pytorch_has(monkeypatch: pytest.MonkeyPatch) -> None:
    call, seen = library.call, []

    def note(name: str, problem: Any, wide: bool) -> None:
        seen.append((name, problem.threads))
        call(name, problem, wide)

    monkeypatch.setattr(library, "call", note)
    monkeypatch.setattr("torch.get_num_threads", lambda: 5)
    for kind in ("gru", "lru"):
        gradients.of_layer(RNN(make(kind), kernel="native"), ops.sum, sequences(2, 6, 3))
    assert seen == [(name, 5) for name in ("forward", "backward", "linear", "linear_gradient")]


@built
def test_callers_at_a_time_get_what_each_gets_alone() -> None:
    x = sequences(*LARGE)
    kinds = ("lstm", "gru", "mingru")
    layers = [layer_of(make(kind, inputs=17, units=33), kernel="native") for kind in kinds]

    def run(layer: RNN) -> list[np.ndarray]:
        actual = gradients.of_layer(layer, lambda result: ops.sum(ops.square(result[0])), x)
        return keras.tree.flatten(actual)

    def caller(start: int) -> None:
        for n in range(start, start + 9):
            alone, meanwhile = expected[n % 3], run(layers[n % 3])
            agree.append(all(map(np.array_equal, alone, meanwhile)))

    agree: list[bool] = []
    callers = [threading.Thread(target=caller, args=(n,), daemon=True) for n in range(4)]
    with threads(3):
        expected = [run(layer) for layer in layers]
        for one in callers:
            one.start()
        for one in callers:
            one.join(timeout=60)
    assert agree == [True] * 36


@built
@on_tensorflow
def test_it_runs_in_a_pipeline_of_tf_data() -> None:
    tf = importlib.import_module("tensorflow")
    layer = layer_of(make("lstm", inputs=17, units=33), kernel="native", return_state=False)
    x = sequences(4 * LARGE[0], *LARGE[1:])
    batches = tf.data.Dataset.from_tensor_slices(x).batch(LARGE[0])
    with threads(3):
        got = list(batches.map(layer, num_parallel_calls=4).as_numpy_iterator())
        expected = [numpy(layer(part)) for part in np.split(x, 4)]
    assert all(map(np.array_equal, got, expected))


def forward() -> np.ndarray:
    """Outputs of a simple cell, with neither Keras nor a backend."""
    (batch, time, inputs), units = LARGE, 33
    x, kernel, recurrent = (
        0.2 * sequences(*shape).astype("float32")
        for shape in (LARGE, (inputs, units), (units, units))
    )
    y = np.full((batch, time, units), np.nan, "float32")
    given = {"x": x, "kernel": kernel, "recurrent": recurrent, "y": y}
    sizes = {"batch": batch, "time": time, "inputs": inputs, "units": units}
    cell = library.CELLS.index("simple_rnn")
    pointers = {name: array.ctypes.data for name, array in given.items()}
    library.call("forward", library.Problem(cell=cell, threads=3, **sizes, **pointers), False)
    return y


@built
def test_a_forked_process_runs_it_too() -> None:
    expected = forward()
    assert np.isfinite(expected).all()

    def child() -> None:
        os._exit(0 if np.array_equal(forward(), expected) else 1)

    for _ in range(3):
        process = multiprocessing.get_context("fork").Process(target=child)
        process.start()
        process.join(timeout=60)
        if process.is_alive():
            process.kill()
        assert process.exitcode == 0
    assert np.array_equal(forward(), expected)


@built
@on_torch
def test_workers_of_a_data_loader_run_it() -> None:
    data = importlib.import_module("torch.utils.data")
    layer = layer_of(make("gru", inputs=17, units=33), kernel="native", return_state=False)
    x = ops.convert_to_tensor(sequences(4, *LARGE).astype("float32"))
    expected = numpy([layer(part) for part in x])

    class Outputs(data.Dataset):
        def __len__(self) -> int:
            return len(x)

        def __getitem__(self, index: int) -> Any:
            return layer(x[index]).detach()

    context = {"num_workers": 2, "multiprocessing_context": "fork", "timeout": 60}
    for batch, reference in zip(data.DataLoader(Outputs(), **context), expected, strict=True):
        close(batch[0], reference)


# What does not fit


@built
@pytest.mark.parametrize("kind", [*library.CELLS, "mingru", "lru"])
def test_what_does_not_fit_the_layer_is_refused(kind: str) -> None:
    layer = layer_of(make(kind), kernel="native")
    x = sequences(2, 5, 3)
    count = len(layer.cell.state_size)
    layer(x, initial_state=[np.zeros((2, 4))] * count, mask=np.ones((2, 5), bool))
    faults: list[tuple[Any, dict[str, Any]]] = [
        (sequences(2, 5, 3000), {}),
        (x, {"initial_state": [np.zeros((3, 4))] * count}),
        (x, {"initial_state": [np.zeros((2, 5))] * count}),
        (x, {"mask": np.ones((2, 4), bool)}),
        (x, {"mask": np.ones((3, 5), bool)}),
    ]
    for sequence, given in faults:
        given = keras.tree.map_structure(ops.convert_to_tensor, given)
        with pytest.raises(Exception, match=r"(?i)expected|must be|incompatible|shape|size"):
            layer(sequence, **given)


@built
@on_tensorflow
@pytest.mark.parametrize("left_out", [True, False])
@pytest.mark.parametrize(
    "name",
    [
        *("kernel", "recurrent", "bias", "extra", "h", "c"),
        *("mask", "recurrent_mask"),
        *("reserve", "doutputs"),
    ],
)
def test_the_operations_check_sizes(name: str, left_out: bool) -> None:
    tf = importlib.import_module("tensorflow")
    module = library.operations()
    shapes = {
        **{"x": (2, 3, 4), "kernel": (4, 20), "recurrent": (5, 20), "bias": (20,), "extra": (15,)},
        **{"h": (2, 5), "c": (2, 5), "mask": (2, 3), "recurrent_mask": (2, 5)},
    }
    tensors = {
        n: tf.zeros(shape, tf.bool if n == "mask" else "float32") for n, shape in shapes.items()
    }
    names = "cell activation recurrent_activation go_backwards zero_output threads sequences keep"
    settings = {**dict.fromkeys(names.split(), 1), "cell": library.CELLS.index("peephole_lstm")}
    y, h, c, reserve = module.kerasseq_recurrence(**tensors, **settings)
    tensors |= {"reserve": reserve, "doutputs": y, "dlast_h": h, "dlast_c": c}
    gradient = module.kerasseq_recurrence_gradient
    assert gradient(**tensors, **settings)[0].shape == (2, 3, 4)
    old = tensors[name]
    shape = [0 if left_out else 7] * len(old.shape)
    tensors[name] = tf.zeros(shape, old.dtype)
    optional = ("bias", "h", "c", "mask", "recurrent_mask", "doutputs")
    if left_out and name in optional:
        assert gradient(**tensors, **settings)[0].shape == (2, 3, 4)
        return
    with pytest.raises(tf.errors.InvalidArgumentError, match="elements, where"):
        gradient(**tensors, **settings)
    if name in shapes:
        given = {n: tensors[n] for n in shapes}
        with pytest.raises(tf.errors.InvalidArgumentError, match="elements, where"):
            module.kerasseq_recurrence(**given, **settings)


# Saved models

ELSEWHERE = """
import sys
import numpy as np
folder, tokens = sys.argv[1], np.load(sys.argv[1] + "/tokens.npy")
if sys.argv[2] == "tensorflow":
    import tensorflow as tf
    exported = tf.saved_model.load(folder + "/exported")
    np.save(folder + "/exported.npy", exported.serve(tokens))
    assert "kerasseq" not in sys.modules
import keras
from kerasseq.kernels.native import library
library.PATH = library.PATH.with_name("missing")
import kerasseq.layers
model = keras.models.load_model(folder + "/model.keras")
np.save(folder + "/loaded.npy", model.predict(tokens, verbose=0))
print(*(level.kernel.name for level in model.layers[1:3]))
"""


@pytest.mark.thorough
@built
def test_a_saved_model_runs_where_there_is_no_extension(tmp_path: Path) -> None:
    model = small_model()
    expected = model.predict(TOKENS, verbose=0)
    assert model.layers[1].kernel.name == "native"
    model.save(tmp_path / "model.keras")
    if BACKEND == "tensorflow":
        with kernels.portable():
            model.export(tmp_path / "exported", verbose=False)
    np.save(tmp_path / "tokens.npy", TOKENS.astype("float32"))
    result = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, str(tmp_path), BACKEND],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
        env={**os.environ, "KERAS_BACKEND": BACKEND},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == ["fused" if BACKEND == "torch" else "scan", "associative"]
    assert "kernel='native' cannot run the layer" in result.stderr
    close(np.load(tmp_path / "loaded.npy"), expected, tolerance=1e-5)
    if BACKEND == "tensorflow":
        close(np.load(tmp_path / "exported.npy"), expected, tolerance=1e-5)


# Where it is missing


@pytest.fixture
def missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Where the extension is looked for, and is not."""
    path = tmp_path / "recurrence.so.2"
    monkeypatch.setattr(library, "PATH", path)
    library.load.cache_clear()
    yield path
    library.load.cache_clear()


REMEDY = r"install a C\+\+ compiler .* install kerasseq again .*pip install"


def test_where_it_was_not_built_another_kernel_runs_and_says_how_to_build(missing: Path) -> None:
    cell = variant("peephole_lstm")
    choice = kernels.choose(cell, CallContext(BACKEND, 10))
    assert choice.name == "scan"
    assert choice.reasons["native"].startswith(
        "the extension was not built; install a C++ compiler"
    )
    layer = layer_of(cell)
    x = sequences(2, 5, 3)
    close(layer(x)[0], statement.run(cell, x).outputs)
    assert layer.kernel.name == "scan"
    message = f"kernel='native' cannot run this layer: the extension was not built; {REMEDY}"
    with pytest.raises(ValueError, match=message):
        RNN(cell, kernel="native")


def test_what_is_no_library_is_said_to_be_none(missing: Path) -> None:
    missing.write_bytes(b"nothing of the kind")
    reason = kernels.choose(variant("mingru"), CallContext(BACKEND, 10)).reasons["native"]
    assert reason.startswith("the extension cannot be loaded (")
    assert "install kerasseq again" in reason


@on_tensorflow
def test_a_tensorflow_that_does_not_take_it_is_named(
    monkeypatch: pytest.MonkeyPatch, missing: Path
) -> None:
    tf = importlib.import_module("tensorflow")
    missing.write_bytes(b"nothing of the kind")
    library.operations.cache_clear()
    monkeypatch.setattr(tf, "load_op_library", lambda path: types.SimpleNamespace())
    assert f"TensorFlow {tf.__version__} does not take it" in str(native.status())
    library.operations.cache_clear()
