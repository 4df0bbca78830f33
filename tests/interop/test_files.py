"""Saved models are converted: .keras files, whole models of Keras 2, and what is neither."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

import kerasseq
from kerasseq.cli import main
from kerasseq.interop.convert import conversion
from kerasseq.interop.inside import recurrent_layers
from kerasseq.params import report
from tests.interop.models import MODELS
from tests.layers.harness import EAGERLY, assert_close, randomize

ROOT = Path(__file__).parents[2]
KERAS2 = Path(__file__).parent / "keras2"
OLD = sorted(path.stem for path in KERAS2.glob("*.h5"))


@pytest.fixture(scope="module")
def predictions() -> dict[str, np.ndarray]:
    with np.load(KERAS2 / "predictions.npz", allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


@pytest.mark.parametrize("name", OLD)
def test_files_of_keras_2_predict_as_they_did(
    name: str, predictions: dict[str, np.ndarray], tmp_path: Path
) -> None:
    path = KERAS2 / f"{name}.h5"
    if name == "activations":  # with a function that Keras does not have
        assert main(["convert", str(path), str(tmp_path / "new.keras")]) == 0
        model = keras.models.load_model(tmp_path / "new.keras")
    else:
        model = conversion(path).model
    inputs = [predictions[key] for key in predictions if key.startswith(f"{name}/")]
    names = [layer.name for layer in model.layers if isinstance(layer, keras.layers.InputLayer)]
    x = dict(zip(names, inputs)) if names else inputs[0]  # a Sequential lists no input
    assert_close(model(x), predictions[name])
    layers = [layer for layer, _ in recurrent_layers(model)]
    assert layers
    assert all(isinstance(layer, kerasseq.layers.RNN) for layer in layers)
    counted = report(path)
    # cuDNN has two biases, whose sum Keras keeps for an LSTM.
    assert counted.total == model.count_params() + (16 if name == "cudnn" else 0)
    assert counted.trainable == counted.total - {"seq2seq": 8, "shared": 6}.get(name, 0)


def test_a_keras_file_of_keras_2_is_translated_too(predictions: dict[str, np.ndarray]) -> None:
    done = conversion(KERAS2 / "shared.keras")
    x = {name: predictions[f"shared/{place}"] for place, name in enumerate(("a", "b"))}
    assert_close(done.model(x), predictions["shared"])
    assert done.model.compiled
    assert isinstance(done.model.loss, keras.losses.BinaryCrossentropy)
    counted = report(KERAS2 / "shared.keras")
    assert counted.total == done.model.count_params() == report(KERAS2 / "shared.h5").total


def test_what_was_translated_is_told() -> None:
    with pytest.warns(UserWarning, match="hard_sigmoid' is that of Keras 2, by a func") as told:
        kerasseq.convert(KERAS2 / "activations.h5")
    assert any("time_major=False was dropped" in str(each.message) for each in told)
    assert "CuDNNGRU became GRU: cu_dnngru" in conversion(KERAS2 / "cudnn.h5").notes
    done = conversion(KERAS2 / "stacked.h5")
    assert "The state of the optimizer was not kept, only its settings" in done.notes
    assert done.model.compiled
    done.model.run_eagerly = EAGERLY
    done.model.train_on_batch(np.ones((2, 5)), np.zeros(2))


def test_a_report_opens_old_files_without_a_backend(tmp_path: Path) -> None:
    rows = {entry.layer: entry for entry in report(KERAS2 / "seq2seq.h5").entries}
    assert rows["head/batch_normalization"].frozen == 8
    assert rows["head/inner"].weights == ((4, 9), (3, 9), (2, 9))
    rows = {entry.layer: entry for entry in report(KERAS2 / "bidirectional.h5").entries}
    assert rows["reader/backward_lstm"].params == 128
    assert rows["time_distributed/dense"].params == 8
    assert report(KERAS2 / "stacked.h5").optimizer == 2 * 253 + 1
    code = (
        "import sys; from kerasseq.params import report;"
        f"total = report({str(KERAS2 / 'old.h5')!r}).total;"
        "print(total, {n.partition('.')[0] for n in sys.modules} & {'keras', 'tensorflow'})"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("196 set()", "")
    with h5py.File(KERAS2 / "old.h5") as old, h5py.File(tmp_path / "weights.h5", "w") as file:
        for name in old["model_weights"]:
            old.copy(f"model_weights/{name}", file)
        file.attrs["layer_names"] = [b"gru_1", b"lstm_1", b"dense_1"]
    assert (report(tmp_path / "weights.h5").total, report(tmp_path / "weights.h5").trainable) == (
        *(196, None),
    )


LAMBDA = {"class_name": "Lambda", "config": {"name": "code", "function_type": "lambda"}}


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return Path(shutil.copy(KERAS2 / "old.h5", tmp_path))


def configured(path: Path, change: Callable[[Any], Any]) -> None:
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        change(config)
        file.attrs["model_config"] = json.dumps(config)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda c: c["config"][0]["config"].update(time_major=True), "time_major=True, which Ker"),
        (lambda c: c["config"][0]["config"].update(output_dim=4), "gru_1 was written by Keras 1"),
        (lambda c: c["config"][2].update(class_name="Mine"), "Unknown layer: 'Mine'"),
        (lambda c: c["config"][2].update(class_name="TFOpLambda"), "a function of TensorFlow that"),
        (lambda c: c["config"][2].update(LAMBDA), "is a Lambda with Python code, which is not run"),
        (lambda c: c.update(config=[]), "its model_config describes no model"),
        (lambda c: c["config"][0]["config"].update(units=5), "cannot be loaded"),
    ],
)
def test_an_old_file_that_cannot_be_translated_is_one_sentence(
    old: Path, change: Callable[[Any], Any], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    configured(old, change)
    new = old.with_name("new.keras")
    assert main(["convert", str(old), str(new)]) == 2
    message = capsys.readouterr().err
    assert reason in message
    assert message.count("\n") == 1
    assert sorted(path.name for path in old.parent.iterdir()) == ["old.h5"]


def test_damaged_old_files_are_refused(old: Path) -> None:
    with h5py.File(old, "r+") as file:
        group = file["model_weights/gru_1"]
        del group["gru_1/bias:0"]
        group["gru_1/bias:0"] = h5py.ExternalLink("other.h5", "/bias")
    for read in (report, kerasseq.explain, conversion):
        with pytest.raises(ValueError, match="it has no gru_1/bias:0, which it lists"):
            read(old)
    with h5py.File(old, "r+") as file:
        del file["model_weights"]["gru_1"]["gru_1/bias:0"]
        file["model_weights/gru_1"].create_dataset(
            "gru_1/bias:0", shape=(30_000, 30_000), dtype="f4", chunks=True
        )
    with pytest.raises(ValueError, match=r"its weights holds 3,6\d\d,\d{3},\d{3} bytes"):
        report(old)
    with h5py.File(old, "r+") as file:
        del file.attrs["model_config"]
    with pytest.raises(ValueError, match="it holds weights alone"):
        conversion(old)


@pytest.mark.parametrize("fault", ["cut off", "damaged"])
def test_a_broken_old_file_is_told_without_the_insides_of_hdf5(old: Path, fault: str) -> None:
    content = old.read_bytes()
    broken = content[:-100] if fault == "cut off" else content[:512] + bytes(200) + content[712:]
    old.write_bytes(broken)
    for read in (report, conversion):
        with pytest.raises(ValueError, match=rf": it is {fault}; restore it from a copy\.$"):
            read(old)


def test_a_pointer_of_git_lfs_is_told_as_such(tmp_path: Path) -> None:
    pointer = tmp_path / "model.keras"
    pointer.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n")
    for read in (report, kerasseq.explain, conversion):
        with pytest.raises(ValueError, match=r"pointer of Git LFS, \d+ bytes of .*git lfs pull"):
            read(pointer)


@pytest.mark.thorough
def test_a_file_of_keras_3_is_converted_and_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, x = MODELS["sequential"]()
    randomize(model)
    model.layers[-2].moving_variance.assign(keras.ops.ones(4))
    model.compile("adam", "mse")
    model.save(tmp_path / "old.keras")
    old, new, plain = (str(tmp_path / f"{name}.keras") for name in ("old", "new", "plain"))
    assert main(["convert", old, new, "--format", "csv"]) == 0
    assert "reader,keras.layers.Bidirectional,kerasseq.layers.Bidirectional" in (
        capsys.readouterr().out
    )
    faster = keras.models.load_model(new)
    assert faster.compiled
    assert_close(faster(x), model(x))
    assert main(["convert", new, plain, "--back"]) == 0
    assert_close(keras.models.load_model(plain)(x), model(x))
    assert main(["convert", old, new]) == 2
    assert "is there already" in capsys.readouterr().err
    assert main(["convert", old, new, "--overwrite"]) == 0
    assert main(["convert", old, str(tmp_path / "new.h5")]) == 2
    assert "`new` must be a .keras file" in capsys.readouterr().err


def test_lambdas_in_a_file_stay_closed(tmp_path: Path) -> None:
    hidden = [keras.layers.Lambda(lambda x: x + 1), keras.layers.GRU(3)]
    keras.Sequential([keras.Input((5, 3)), *hidden]).save(tmp_path / "old.keras")
    with pytest.raises(ValueError, match=r"old\.keras' cannot be loaded: .*[Ll]ambda"):
        conversion(tmp_path / "old.keras")


class Doubling(keras.layers.Layer):
    """A layer that is not registered."""

    def call(self, x: Any) -> Any:
        """Twice the input."""
        return 2 * x


def _halved(x: Any) -> Any:
    return x / 2


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (Doubling(), "it has the class 'Doubling', which Keras does not know here"),
        (keras.layers.Dense(2, activation=_halved), "it has the function '_halved', which Keras"),
        (keras.layers.Lambda(lambda x: x + 1), "it has a Lambda layer"),
    ],
)
def test_what_a_file_may_not_or_cannot_bring_is_one_sentence(
    layer: Any, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = str(tmp_path / "old.keras")
    inner = keras.Sequential([keras.Input((5, 3)), layer])
    keras.Sequential([keras.Input((5, 3)), inner, keras.layers.GRU(2)]).save(old)
    for command in (["convert", old, f"{tmp_path}/new.keras"], ["explain", old], ["export", old]):
        assert main(command) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert f"old.keras' cannot be loaded: {words}" in line
        assert not re.search(r"config=|shared_object_id|safe_mode| at 0x", line)
    with keras.saving.custom_object_scope({"Doubling": Doubling, "_halved": _halved}):
        if not isinstance(layer, keras.layers.Lambda):
            assert [each.before for each in conversion(old).layers] == ["keras.layers.GRU"]


def test_a_class_that_a_package_registered_is_named_with_it(tmp_path: Path) -> None:
    name = "shop>Registered"
    scale = keras.saving.register_keras_serializable("shop")(type("Registered", (Doubling,), {}))
    layers = [scale(), keras.layers.GRU(2)]
    keras.Sequential([keras.Input((5, 3)), *layers]).save(tmp_path / "old.keras")
    objects = keras.saving.get_custom_objects()
    registered = objects.pop(name)
    with pytest.raises(ValueError, match=rf"class 'Registered'.*get_custom_objects.*'{name}'"):
        conversion(tmp_path / "old.keras")
    objects[name] = registered
    try:
        assert len(conversion(tmp_path / "old.keras").layers) == 1
    finally:
        del objects[name]


def test_explain_says_what_a_conversion_would_do(tmp_path: Path) -> None:
    hidden = [keras.layers.LSTM(4, name="a"), keras.layers.Dense(1)]
    keras.Sequential([keras.Input((5, 3)), *hidden]).save(tmp_path / "old.keras")
    (row,) = kerasseq.explain(tmp_path / "old.keras").layers
    faster = kerasseq.convert(tmp_path / "old.keras").layers[0].kernel.name
    assert "kerasseq.convert(model) gives kerasseq.layers.LSTM" in row.reasons[faster]
    assert [row.layer for row in kerasseq.explain(KERAS2 / "old.h5").layers] == ["gru_1", "lstm_1"]
