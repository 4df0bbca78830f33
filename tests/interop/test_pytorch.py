"""Weights of PyTorch's recurrent layers mean the same in ours, and the other way."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import kerasseq
from kerasseq.io import safetensors
from kerasseq.layers import SimpleRNN
from kerasseq.params import report
from tests.layers.harness import array, assert_close, randomize, sequences

torch = pytest.importorskip("torch")

CASES: list[tuple[str, dict[str, Any]]] = [
    ("LSTM", {}),
    ("LSTM", {"num_layers": 2, "bidirectional": True}),
    ("LSTM", {"proj_size": 2, "num_layers": 2}),
    ("LSTM", {"bias": False}),
    ("GRU", {"num_layers": 2}),
    ("GRU", {"bidirectional": True}),
    ("GRU", {"bias": False}),
    ("RNN", {"nonlinearity": "relu", "bidirectional": True}),
]


def theirs(kind: str, **options: Any) -> Any:
    torch.manual_seed(0)
    return getattr(torch.nn, kind)(3, 4, batch_first=True, **options).cpu()


def outputs(module: Any, x: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        result: np.ndarray = module(torch.from_numpy(x))[0].numpy()
    return result


@pytest.mark.parametrize(("kind", "options"), CASES, ids=str)
def test_weights_go_in_and_out(kind: str, options: dict[str, Any], tmp_path: Path) -> None:
    with torch.device("cpu"):
        module, other = theirs(kind, **options), theirs(kind, **options)
        x = sequences()
        layer = kerasseq.from_torch(module, return_sequences=True)
        assert_close(layer(x), outputs(module, x))
        randomize(layer)
        path = tmp_path / "layer.safetensors"
        kerasseq.to_torch(layer, path, prefix="encoder.rnn")
        kerasseq.to_torch(layer, other)
        assert_close(outputs(other, x), layer(x))
        activation = {"activation": "relu"} if "nonlinearity" in options else {}
        again = kerasseq.from_torch(path, return_sequences=True, **activation)
        assert_close(again(x), layer(x))
        (entry,) = report(path).entries
        assert entry.layer == "encoder.rnn"
        assert kind in entry.class_name
        assert entry.params == sum(p.numel() for p in module.parameters())


def test_a_layer_inside_a_module_is_named() -> None:
    with torch.device("cpu"):
        both = torch.nn.ModuleDict({"a": theirs("LSTM"), "b": theirs("GRU")})
        with pytest.raises(ValueError, match=r"`prefix` must be .* one of 'a', 'b'"):
            kerasseq.from_torch(both)
        assert isinstance(kerasseq.from_torch(both, "b"), kerasseq.layers.GRU)
        assert isinstance(
            kerasseq.from_torch(torch.nn.ModuleDict({"only": theirs("RNN")})), SimpleRNN
        )
        with pytest.raises(ValueError, match=r"`source` must have a recurrent layer.* Received: "):
            kerasseq.from_torch(torch.nn.Linear(2, 2))


def test_layers_of_keras_go_out_too() -> None:
    layer = keras.layers.Bidirectional(keras.layers.GRU(4, return_sequences=True))
    layer.build((None, 5, 3))
    randomize(layer)
    with torch.device("cpu"):
        module = theirs("GRU", bidirectional=True)
        kerasseq.to_torch(layer, module)
        assert_close(outputs(module, sequences()), array(layer(sequences())))
        with pytest.raises(ValueError, match="`target` must be a module of the same sizes"):
            kerasseq.to_torch(layer, theirs("GRU"))


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (lambda: kerasseq.rnn("mgu", 4), "no MGUCell"),
        (lambda: kerasseq.gru(4, reset_after=False), "reset_after=True"),
        (lambda: kerasseq.lstm(4, activation="relu"), "activation='tanh' alone. Received: relu"),
        (lambda: kerasseq.gru(3, depth=2, residual=True), "no `residual` connections"),
        (lambda: kerasseq.gru(4, bidirectional=True, merge="sum"), "merge_mode='sum'"),
    ],
)
def test_what_pytorch_does_not_have_is_refused(layer: Any, reason: str) -> None:
    built = layer()
    built.build((None, None, 3))
    with pytest.raises(ValueError, match=reason):
        kerasseq.to_torch(built)


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is a pickle, which can run any code"):
        kerasseq.from_torch(tmp_path / "model.pt")
    with pytest.raises(FileNotFoundError, match="There is no file"):
        kerasseq.from_torch(tmp_path / "none.safetensors")
    path = tmp_path / "a.safetensors"
    for content in (b"", b"no header at all", struct.pack("<Q", 2) + b"[]"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"is no \.safetensors file, or damaged"):
            kerasseq.from_torch(path)
    safetensors.write(path, {"weight_hh_l0": np.ones((4, 4)), "weight_ih_l0": np.ones((4, 3))})
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(ValueError, match="lies outside of it"):
        report(path)
    path.write_bytes(whole.replace(b"[4, 4]", b"[4, 5]"))
    with pytest.raises(ValueError, match="whose shape does not fit its bytes"):
        report(path)
    safetensors.write(path, {"weight_hh_l0": np.ones((8, 4)), "weight_ih_l0": np.ones((8, 3))})
    with pytest.raises(ValueError, match=r"with 4, 3 or 1 gates. Received: weight_hh_l0 of shape"):
        kerasseq.from_torch(path)
    with pytest.raises(ValueError, match="`layer` must be a built recurrent layer"):
        kerasseq.to_torch(kerasseq.lstm(4))


def test_files_of_weights_have_their_ending_and_are_not_replaced_unasked(tmp_path: Path) -> None:
    layer = kerasseq.gru(2)
    layer.build((None, None, 3))
    with pytest.raises(ValueError, match=r"must be a \.safetensors file, or a module.*: .*a\.pt"):
        kerasseq.to_torch(layer, tmp_path / "a.pt")
    assert not [*tmp_path.iterdir()]
    path = tmp_path / "a.safetensors"
    kerasseq.to_torch(layer, path)
    before = path.read_bytes()
    layer.set_weights([value + 1 for value in layer.get_weights()])
    with pytest.raises(ValueError, match=r"is there already: .*overwrite=True"):
        kerasseq.to_torch(layer, path)
    assert path.read_bytes() == before
    kerasseq.to_torch(layer, path, overwrite=True)
    assert path.read_bytes() != before


def test_bfloat16_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    values = np.array([1.0, -2.5, 3.140625], "float32")
    halves = (values.view("<u4") >> 16).astype("<u2").tobytes()
    text = b'{"a":{"dtype":"BF16","shape":[3],"data_offsets":[0,6]}}'
    path.write_bytes(struct.pack("<Q", len(text)) + text + halves)
    np.testing.assert_array_equal(safetensors.read(path)["a"], values)
