"""Files of LiteRT have the outputs of the model in Keras."""

from __future__ import annotations

import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from keras import layers

import kerasseq
from kerasseq import cells
from kerasseq.interop.litert import process
from tests.interop.onnx.harness import TOKENS
from tests.layers.harness import draw, randomize
from tests.thorough import first_of, one_in

if keras.backend.backend() != "tensorflow":
    pytest.skip("LiteRT's converter reads functions of TensorFlow", allow_module_level=True)

from kerasseq.interop.litert import converting
from kerasseq.interop.litert.converting import to_litert
from tests.interop.litert.harness import FUSED, LOOP, check, expected, kinds, outputs

SEQUENCES = draw(4, 6, 3)


def words(*stack: Any) -> Any:
    """A model of tokens, whose mask excludes the zeros."""
    first = [keras.Input((None,), dtype="int32", name="tokens")]
    return keras.Sequential([*first, layers.Embedding(10, 3, mask_zero=True), *stack])


def numbers(*stack: Any) -> Any:
    """A model of sequences of three numbers."""
    return keras.Sequential([keras.Input((None, 3), name="sequences"), *stack])


@pytest.mark.parametrize(
    ("backwards", "zeros", "kind"),
    one_in(7, product([False, True], [False, True], ["LSTM", "GRU", "SimpleRNN"])),
)
def test_layers_of_keras_with_any_mask(backwards: bool, zeros: bool, kind: str) -> None:
    options = {"go_backwards": backwards, "zero_output_for_mask": zeros}
    layer = getattr(layers, kind)
    stack = [layer(4, return_sequences=True, **options), layer(3, go_backwards=backwards)]
    content = check(words(*stack), {"tokens": TOKENS})
    assert kinds(content) == [FUSED if kind == "LSTM" else LOOP] * 2


@pytest.mark.parametrize("batch", first_of([1, 3, None]))
def test_both_directions_for_any_batch(batch: int | None) -> None:
    deep = kerasseq.lstm(4, depth=2, bidirectional=True)
    content = check(words(deep, layers.Dense(2)), {"tokens": TOKENS}, batch)
    assert kinds(content) == [FUSED if batch else LOOP] * 4


@pytest.mark.parametrize(("cell", "batch"), one_in(28, product(sorted(cells.names()), [None, 1])))
def test_every_cell_can_be_exported(cell: str, batch: int | None) -> None:
    options = {"zoneout": 0.1, "projection": 3, "trainable_initial_state": True}
    layer = kerasseq.rnn(cell, 4, depth=2, residual=True, return_sequences=True, **options)
    assert kinds(check(words(layer), {"tokens": TOKENS}, batch)) == [LOOP, LOOP]


def test_one_unit_and_one_channel() -> None:
    """LiteRT's LSTM of one unit is wrong, so it is a loop."""
    one = [layers.LSTM(1, return_sequences=True), layers.LSTM(3, use_bias=False)]
    assert kinds(check(numbers(*one), {"sequences": SEQUENCES})) == [LOOP, FUSED]


@pytest.mark.thorough
@pytest.mark.parametrize("batch", [None, 1])
def test_several_cells_of_keras(batch: int | None) -> None:
    several = [layers.LSTMCell(4), layers.GRUCell(3, reset_after=False)]
    check(numbers(layers.RNN(several, return_sequences=True)), {"sequences": SEQUENCES}, batch)


def test_a_fused_lstm_does_not_clip_its_state() -> None:
    """TensorFlow's converter lets it clip the cell state at 10."""
    model = numbers(kerasseq.lstm(2, return_sequences=True))
    kernel = np.zeros((3, 8))
    kernel[0, 4:6] = -30
    model.set_weights([kernel, np.zeros((2, 8)), np.repeat([9, 9, 9, 0], 2)])
    steps = np.zeros((1, 40, 3), "float32")
    steps[:, 20:, 0] = 1  # up to 20, and down again
    content = to_litert(model)
    assert kinds(content) == [FUSED]
    (values,) = outputs(model, content, {"sequences": steps})
    np.testing.assert_allclose(values, expected(model, {"sequences": steps})[0], atol=1e-5)


def test_states_come_in_and_go_out() -> None:
    x = keras.Input((None, 3), name="x-1")
    states = [keras.Input((4,), name=name) for name in "hc"]
    results = kerasseq.lstm(4, return_state=True, name="reader")(x, initial_state=states)
    model = keras.Model([x, *states], results)
    inputs = {"x-1": SEQUENCES, "h": draw(4, 4), "c": draw(4, 4, seed=2)}
    assert kinds(check(model, inputs)) == [LOOP]


def test_a_fused_lstm_goes_on_unless_it_is_reset() -> None:
    model = numbers(layers.LSTM(4, name="reader"))
    randomize(model)
    interpreter = Interpreter(model_content=to_litert(model))
    interpreter.allocate_tensors()
    predict = interpreter.get_signature_runner()
    first, second = SEQUENCES[:1], SEQUENCES[1:2, :4]  # of another length
    predict(sequences=first)
    went_on = predict(sequences=first)["reader"]
    both = np.concatenate([first, first], axis=1)
    np.testing.assert_allclose(went_on, expected(model, {"sequences": both})[0], atol=1e-5)
    for sequences in (first, second, first):
        interpreter.reset_all_variables()
        anew = predict(sequences=sequences)["reader"]
        np.testing.assert_allclose(anew, expected(model, {"sequences": sequences})[0], atol=1e-5)


@pytest.mark.parametrize("batch", first_of([1, None]))
def test_a_layer_for_each_timestep(batch: int | None) -> None:
    """The map over timesteps that Keras makes is wrong in LiteRT."""
    stack = [layers.GRU(4, return_sequences=True), layers.TimeDistributed(layers.Dense(2))]
    check(numbers(*stack), {"sequences": SEQUENCES}, batch)


@pytest.mark.thorough
def test_other_layers() -> None:
    stack = [
        layers.Conv1D(4, 3, padding="same"),
        layers.LayerNormalization(),
        kerasseq.gru(4, return_sequences=True),
        kerasseq.layers.SequencePooling("attention"),
        layers.Dense(2, activation="softmax"),
    ]
    check(numbers(*stack), {"sequences": SEQUENCES})


@pytest.mark.parametrize("quantize", first_of(["int8", "float16"]))
def test_quantized_weights_take_less_space(quantize: str) -> None:
    # Matrices of fewer than 1,024 numbers stay as they are in int8.
    model = keras.Sequential([keras.Input((None, 40), name="x"), kerasseq.lstm(40)])
    randomize(model)
    content = to_litert(model, quantize=quantize)
    assert kinds(content) == [FUSED]
    assert len(content) < 0.75 * len(to_litert(model))
    x = draw(4, 6, 40)
    (values,) = outputs(model, content, {"x": x})
    np.testing.assert_allclose(values, expected(model, {"x": x})[0], atol=0.05)


def test_weights_that_are_not_quantized_are_told_in_one_sentence() -> None:
    small = keras.Sequential([keras.Input((None, 3)), kerasseq.lstm(4)], name="small")
    with pytest.warns(UserWarning, match="quantize='int8' leaves 'small' in float32: none of"):
        process.to_litert(small, quantize="int8")
    large = keras.Sequential([keras.Input((None, 40)), kerasseq.gru(40)])
    process.to_litert(large, quantize="int8")
    process.to_litert(numbers(layers.Dense(2)), quantize="float16")


# Refusals


def test_layers_that_cannot_be_written_are_listed() -> None:
    model = keras.Sequential(
        [
            keras.Input(batch_shape=(1, None, 3)),
            layers.LSTM(4, stateful=True, return_sequences=True, name="first"),
            layers.GRU(4, dtype="float16", name="second"),
        ]
    )
    with pytest.raises(ValueError, match=r"2 layers .*first \(it is stateful.*second .*float16"):
        to_litert(model)


class Spectrum(layers.Layer):
    """A layer with an operation that LiteRT does not have."""

    def call(self, sequences: Any) -> Any:
        return keras.ops.erfinv(sequences)


def test_an_operation_that_the_format_lacks_is_named(capfd: pytest.CaptureFixture[str]) -> None:
    model = numbers(Spectrum(), layers.LSTM(4))
    with pytest.raises(ValueError, match="no operation for Erfinv of TensorFlow"):
        to_litert(model)
    assert capfd.readouterr() == ("", "")


def test_an_interpreter_is_made_without_a_word(tmp_path: Path) -> None:
    """In a process of its own: LiteRT speaks once in each."""
    file = tmp_path / "model.tflite"
    file.write_bytes(to_litert(keras.Sequential([keras.Input((3,)), layers.Dense(2)])))
    program = (
        "import os, sys; from session import InferenceSession as Session; Session(sys.argv[1]); "
        "os.write(2, b'after')"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, str(file)],
        cwd=Path(process.__file__).parent, capture_output=True, check=True,
    )  # fmt: skip
    assert result.stderr == b"after"


def test_a_file_with_other_outputs_is_refused() -> None:
    model = numbers(layers.GRU(4))
    randomize(model)
    content = to_litert(model)
    converting._check_outputs(content, model, 1)
    model.set_weights([-weight for weight in model.get_weights()])
    with pytest.raises(ValueError, match="other outputs than the model"):
        converting._check_outputs(content, model, 1)


@pytest.mark.thorough
def test_another_backend_converts_in_a_process_on_tensorflow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = words(kerasseq.lstm(4, bidirectional=True))
    randomize(model)
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    content = process.to_litert(model, batch=1)
    monkeypatch.undo()
    (values,) = outputs(model, content, {"tokens": TOKENS})
    np.testing.assert_allclose(values, expected(model, {"tokens": TOKENS})[0], atol=1e-5)
