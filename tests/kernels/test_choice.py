"""Which kernel runs, and why not a faster one."""

from __future__ import annotations

import copy
import dataclasses
import re
import warnings
from typing import Any

import keras
import numpy as np
import pytest

from kerasseq import cells, kernels
from kerasseq.kernels import CallContext, crossovers, cudnn, fused, scan
from kerasseq.layers import RNN
from kerasseq.layers.recurrent.bidirectional import Bidirectional
from tests.cells.harness import BACKEND, KINDS, LINEAR, sequences, variant

BACKENDS = ["tensorflow", "jax", "torch"]
OURS = ["scan", "keras"]  # what needs neither a backend nor an extension
FUSED = ["lstm", "gru", "simple_rnn"]


def test_the_names_go_from_the_fastest_to_the_one_that_takes_all() -> None:
    assert kernels.names() == ["cudnn", "fused", "native", "associative", "scan", "keras"]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_faster_kernel_says_why_it_does_not_run(kind: str, backend: str) -> None:
    cell = cells.get(kind)(4)
    choice = kernels.choose(cell, CallContext(backend, 10))
    faster = kernels.names()[: kernels.names().index(choice.name)]
    assert list(choice.reasons) == faster
    assert all(choice.reasons.values())
    lines = [f"  not {name}: {choice.reasons[name]}" for name in faster]
    assert str(choice) == "\n".join([choice.name, *lines])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("timesteps", [10, None])
@pytest.mark.parametrize("kind", KINDS)
def test_linear_cells_are_scanned_and_the_others_looped_over(
    kind: str, timesteps: int | None, backend: str
) -> None:
    cell = cells.get(kind)(4)
    with kernels.portable():
        choice = kernels.choose(cell, CallContext(backend, timesteps))
    for name in ("cudnn", "fused"):
        assert choice.reasons[name] == "kernels.portable() is active"
    assert choice.name == ("associative" if kind in LINEAR else "scan")
    if kind not in LINEAR:
        why = f"{type(cell).__name__} is of the form '{cell.form}', and only linear cells can"
        assert choice.reasons["associative"] == why


@pytest.mark.parametrize("kind", KINDS)
def test_pytorch_has_functions_for_three_cells(kind: str) -> None:
    reason = fused.why_not(cells.get(kind)(4), CallContext("torch", 10))
    assert (reason is None) == (kind in FUSED)
    assert reason is None or "none of the fused ones (lstm, gru, simple_rnn)" in reason


@pytest.mark.parametrize("kernel", [cudnn, fused])
@pytest.mark.parametrize(
    ("kind", "options", "reason"),
    [
        ("lstm", {"recurrent_dropout": 0.2}, "recurrent_dropout=0.2 acts inside .*use weight_drop"),
        ("gru", {"recurrent_dropout": 0.2, "variational": False}, "recurrent_dropout=0.2 acts"),
        ("gru", {"zoneout": 0.1}, "zoneout=0.1 acts inside the loop; use weight_drop"),
        ("lstm", {"zoneout": (0.0, 0.1)}, r"zoneout=\(0.0, 0.1\) acts inside the loop"),
        ("lstm", {"projection": 2}, "projection=2 changes the state .*put a Dense layer behind"),
        ("gru", {"reset_after": False}, "compute reset_after=False; use reset_after=True"),
        ("lstm", {"activation": "relu"}, "compute activation='relu'; use 'tanh'"),
        ("gru", {"recurrent_activation": "hard_sigmoid"}, "='hard_sigmoid'; use 'sigmoid'"),
        ("lstm", {"activation": lambda x: x}, "activation='<lambda>'; use 'tanh'"),
    ],
)  # fmt: skip
def test_what_a_fused_recurrence_cannot_says_so_and_what_to_do(
    kernel: Any, kind: str, options: dict[str, Any], reason: str
) -> None:
    backend = "torch" if kernel is fused else "tensorflow"
    context = CallContext(backend, 10, device="gpu", training=True)
    assert kernel.why_not(cells.get(kind)(4), context) is None
    assert re.search(reason, str(kernel.why_not(cells.get(kind)(4, **options), context)))


def test_noise_rules_a_fused_recurrence_out_where_it_is_drawn() -> None:
    cell = cells.get("lstm")(4, recurrent_dropout=0.2)
    assert fused.why_not(cell, CallContext("torch", 10, training=False)) is None
    assert fused.why_not(cell, CallContext("torch", 10, training=True))


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("lstm", {"weight_drop": 0.5, "dropout": 0.2}),
        ("gru", {"use_bias": False, "projection": 2, "trainable_initial_state": True}),
        ("simple_rnn", {"activation": "relu"}),
    ],
)
def test_what_acts_before_or_after_the_loop_rules_nothing_out(
    kind: str, options: dict[str, Any]
) -> None:
    context = CallContext("torch", 10, training=True)
    assert fused.why_not(cells.get(kind)(4, **options), context) is None


def test_half_precision_is_for_gpus() -> None:
    cell = cells.get("gru")(4, dtype="mixed_float16")
    assert "use 'float32'" in str(fused.why_not(cell, CallContext("torch", 10)))
    assert fused.why_not(cell, CallContext("torch", 10, device="gpu")) is None


class Other(cells.get("gru")):  # type: ignore[misc]
    """A cell whose step may be anything."""

    def step(self, projected: Any, recurrent: Any, states: Any) -> Any:
        return [states[0]]


def test_a_subclass_does_not_inherit_the_recurrence_of_its_parent() -> None:
    choice = kernels.choose(Other(4), CallContext("torch", 10))
    assert "the step of Other is none of the fused ones" in choice.reasons["fused"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_unrolling_asks_for_a_loop(backend: str) -> None:
    for kind in ("lru", "lstm"):
        choice = kernels.choose(cells.get(kind)(4), CallContext(backend, 10, unroll=True))
        assert choice.name == "scan"
    choice = kernels.choose(cells.get("lru")(4), CallContext(backend, 10, unroll=True))
    assert choice.reasons["associative"] == "unroll=True asks for a loop"


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_cell_of_keras_runs_in_the_loop_of_keras(backend: str) -> None:
    choice = kernels.choose(keras.layers.LSTMCell(4), CallContext(backend, 10))
    assert choice.name == "keras"
    assert list(choice.reasons) == kernels.names()[:-1]
    assert "'opaque'" in choice.reasons["associative"]
    assert "LSTMCell is not a kerasseq cell" in choice.reasons["scan"]


@pytest.mark.parametrize("name", ["associative", *OURS])
def test_a_kernel_can_be_asked_for(name: str) -> None:
    choice = kernels.choose(cells.get("minlstm")(4), CallContext("jax", 10), name)
    assert choice == kernels.KernelChoice(name)


def test_an_unknown_kernel_lists_the_kernels() -> None:
    message = "must be 'auto' or one of cudnn, fused, .*scan, keras. Received: kernel='fast'"
    with pytest.raises(ValueError, match=message):
        RNN(cells.get("gru")(4), kernel="fast")


@pytest.mark.parametrize(
    ("kernel", "cell", "reason"),
    [
        ("associative", "gru", "only linear cells can"),
        ("associative", keras.layers.GRUCell, "'opaque'"),
        ("scan", keras.layers.GRUCell, "GRUCell is not a kerasseq cell"),
        ("fused", "mgu", "fused ones" if BACKEND == "torch" else f"the backend is {BACKEND}"),
    ],
)
def test_a_kernel_that_cannot_run_is_refused_at_once(kernel: str, cell: str, reason: str) -> None:
    layer_cell = cells.get(cell)(4) if isinstance(cell, str) else cell(4)
    with pytest.raises(ValueError, match=f"kernel='{kernel}' cannot run this layer: .*{reason}"):
        RNN(layer_cell, kernel=kernel)


def test_a_layer_tells_which_kernel_ran() -> None:
    layer = RNN(variant("mingru"), kernel="associative")
    slow = RNN(variant("mingru"), kernel="scan")
    np.testing.assert_allclose(
        *[keras.ops.convert_to_numpy(one(sequences(2, 3, 3))) for one in (layer, slow)], rtol=1e-5
    )
    assert layer.kernel == kernels.KernelChoice("associative")
    assert slow.kernel == kernels.KernelChoice("scan")


def test_the_kernel_asked_for_is_saved_and_not_the_one_that_ran() -> None:
    for kernel in ("auto", "scan"):
        layer = RNN(variant("mingru"), kernel=kernel)
        layer(sequences(2, 3, 3))
        assert layer.get_config()["kernel"] == kernel
        assert RNN.from_config(layer.get_config()).get_config()["kernel"] == kernel


def test_a_kernel_that_is_missing_where_a_layer_is_loaded_gives_way() -> None:
    config = RNN(cells.get("mgu")(4), name="deep").get_config() | {"kernel": "associative"}
    message = "kernel='associative' cannot run the layer 'deep' here: .*'scan' runs instead"
    with pytest.warns(UserWarning, match=message):
        layer = RNN.from_config(copy.deepcopy(config))
    assert layer(sequences(2, 3, 3)).shape == (2, 4)
    assert layer.kernel.name == "scan"
    assert "only linear cells" in layer.kernel.reasons["associative"]
    assert layer.get_config()["kernel"] == "associative"
    with pytest.raises(ValueError, match="must be 'auto' or one of"):
        RNN.from_config(config | {"kernel": "fast"})


def test_a_config_of_the_removed_fastest_kernel_loads_as_auto() -> None:
    with pytest.raises(ValueError, match=r"must be 'auto' or one of .*'fastest'"):
        RNN(cells.get("mgu")(4), kernel="fastest")
    config = RNN(cells.get("mgu")(4)).get_config()
    layer = RNN.from_config(copy.deepcopy(config) | {"kernel": "fastest"})
    assert layer.get_config()["kernel"] == "auto"
    assert layer.kernel == RNN.from_config(config).kernel


# Measured


def rows(*rows: dict[str, Any]) -> Any:
    shared = {"backend": "torch", "device": "gpu", "cell": "gru", "ratio": 1.5}
    return lambda: {"rows": [{**shared, **row} for row in rows]}


def test_a_kernel_that_was_measured_to_be_faster_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    cell, context = cells.get("gru")(4), CallContext("torch", 10, device="gpu")
    monkeypatch.setattr(crossovers, "table", rows({"fastest": "scan"}))
    choice = kernels.choose(cell, context)
    assert choice.name == "scan"
    assert choice.reasons["fused"] == "measured faster: scan, 1.5 times"
    assert "only linear cells" in choice.reasons["associative"]
    assert kernels.choose(cell, context, "fused").name == "fused"
    monkeypatch.setattr(crossovers, "table", rows({"fastest": "associative"}))
    assert kernels.choose(cell, context).name == "fused"  # the faster one cannot


def test_the_first_row_that_fits_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    def fastest_kernel(units: int = 4, **known: Any) -> str | None:
        measured = crossovers.fastest(cells.get("gru")(units), CallContext("torch", 10, **known))
        return measured and measured.kernel

    table = rows(
        {"fastest": "a", "when": {"batch": [8, None], "training": True}},
        {"fastest": "b", "when": {"units": [None, 16], "timesteps": [10, 10], "masked": False}},
        {"fastest": "c", "cell": "lstm"},
        {"fastest": "d", "device": "cpu", "backend": "jax"},
    )
    monkeypatch.setattr(crossovers, "table", table)
    assert fastest_kernel(device="gpu", batch=8, training=True) == "a"
    assert fastest_kernel(device="gpu", batch=8) == "b"
    assert fastest_kernel(device="gpu", batch=7, training=True) == "b"
    assert fastest_kernel(device="gpu", training=True) == "b"  # the batch is unknown
    assert fastest_kernel(device="gpu", units=17) is None
    assert fastest_kernel(device="gpu", masked=True) is None
    assert fastest_kernel(batch=8, training=True) is None


def test_the_committed_table_says_where_it_comes_from_and_names_what_there_is() -> None:
    table = crossovers.table()
    assert {"processor", "command", "rows", "gradients"} == {*table}
    known = {field.name for field in dataclasses.fields(CallContext)} | {"units"}
    assert {row["fastest"] for row in table["rows"]} <= {*kernels.names()}
    assert {row["fastest"] for row in table["gradients"]} == {"backend"}
    for row in [*table["rows"], *table["gradients"]]:
        assert {*row} <= {"backend", "device", "cell", "fastest", "ratio", "when"}
        assert row["backend"] in BACKENDS
        assert row["cell"] in KINDS
        assert row["ratio"] > 1
        assert {*row.get("when", {})} <= known


# Portable


def test_portable_code_is_traced_while_it_lasts() -> None:
    cell = variant("lstm")
    layer = RNN(cell)
    usual = layer.kernel.name
    with kernels.portable():
        assert kernels.is_portable()
        assert layer.kernel.name == "scan"
        layer(sequences(2, 3, 3))
        assert layer.kernel.name == "scan"
        with kernels.portable():
            pass
        assert kernels.is_portable()
    assert not kernels.is_portable()
    layer(sequences(2, 3, 3))
    assert layer.kernel.name == usual


def test_an_error_ends_it_too() -> None:
    with pytest.raises(KeyError), kernels.portable():
        raise KeyError
    assert not kernels.is_portable()


def test_a_forced_kernel_gives_way_to_it() -> None:
    context = CallContext("torch", 10)
    assert kernels.choose(cells.get("gru")(4), context, "fused") == kernels.KernelChoice("fused")
    with kernels.portable():
        choice = kernels.choose(cells.get("gru")(4), context, "fused")
        assert choice.name == "scan"
        assert choice.reasons["fused"] == "kernels.portable() is active"
        assert kernels.choose(cells.get("gru")(4), context, "keras").name == "keras"
        with pytest.raises(ValueError, match="only linear cells can"):
            kernels.choose(cells.get("gru")(4), context, "associative")


# Situations


def test_a_kernel_is_told_what_is_known_of_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    contexts: list[CallContext] = []
    monkeypatch.setattr(scan, "why_not", lambda cell, context: contexts.append(context))
    layer = RNN(variant("mgu"), unroll=True)
    layer(sequences(2, 5, 3), mask=np.ones((2, 5), bool), training=True)
    device = kernels.sequence_call.device()
    assert contexts[-1] == CallContext(BACKEND, 5, True, device, True, True, 2, 3)
    layer(sequences(2, 5, 3))
    assert contexts[-1] == CallContext(BACKEND, 5, True, device, False, False, 2, 3)
    assert layer.choose() == layer.kernel


# XLA


@pytest.mark.parametrize("name", kernels.names())
def test_on_tensorflow_xla_compiles_what_is_made_of_its_own_operations(name: str) -> None:
    portable = name in ("associative", *OURS)
    assert kernels.compiles_with_xla(kernels.KernelChoice(name), "tensorflow") == portable
    assert kernels.compiles_with_xla(kernels.KernelChoice(name), "jax")


def test_a_layer_says_whether_xla_can_compile_it(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, loop = (RNN(variant("mingru"), kernel=kernel) for kernel in ("associative", "scan"))
    assert layer.supports_jit
    layer.supports_jit = False  # whoever else says that it cannot is heard
    assert not layer.supports_jit
    layer.supports_jit = True
    portable = {"scan"}
    monkeypatch.setattr(kernels, "compiles_with_xla", lambda choice, _: choice.name in portable)
    assert (layer.supports_jit, loop.supports_jit) == (False, True)
    if BACKEND == "torch":
        return
    for level, compiled in ((layer, False), (loop, True)):
        model = keras.Sequential([keras.Input((3, 3)), Bidirectional(level)])
        model.compile(loss="mse")
        assert model.jit_compile in (compiled, False)  # Keras leaves it off for reasons of its own
        if compiled:
            model.compile(loss="mse", jit_compile=True)
        else:
            with pytest.warns(UserWarning, match="doesn't support `jit_compile=True`"):
                model.compile(loss="mse", jit_compile=True)
        assert model.jit_compile == compiled


@pytest.mark.thorough
@pytest.mark.skipif(BACKEND != "tensorflow", reason="XLA leaves out operations on TensorFlow alone")
def test_a_model_trains_whether_xla_was_asked_for_or_not() -> None:
    x, y = sequences(4, 3, 3), np.ones((4, 1))
    for kernel in ("auto", "scan"):
        layer = RNN(variant("gru", dtype="float32"), kernel=kernel)
        model = keras.Sequential([keras.Input((3, 3)), layer, keras.layers.Dense(1)])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.compile(loss="mse", jit_compile=True)
        assert model.jit_compile == (layer.kernel.name == "scan")
        assert np.isfinite(model.fit(x, y, verbose=0).history["loss"]).all()
        assert layer.supports_jit == (layer.kernel.name == "scan")
        with kernels.portable():
            assert layer.supports_jit
