"""Every recurrent layer of a model is told of: what runs it, and why nothing faster does."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import keras
import pytest

import kerasseq
from kerasseq import kernels
from kerasseq.insight import timing
from kerasseq.insight.explain import Explanation, explain
from tests.cells.harness import BACKEND


def rows(x: Any) -> dict[str, Any]:
    return {row.layer: row for row in explain(x).layers}


@pytest.fixture
def model() -> keras.Model:
    inner = [kerasseq.rnn("mingru", 3, name="inner")]
    theirs = keras.layers.GRU(4, return_sequences=True, name="gru")
    layers = [
        keras.layers.Embedding(9, 3),
        kerasseq.rnn("mgu", 4, depth=2, bidirectional=True, return_sequences=True, name="deep"),
        kerasseq.rnn("lstm", 4, return_sequences=True, kernel="scan", name="forced"),
        keras.layers.Dense(3),
        keras.layers.Bidirectional(theirs, name="both"),
        keras.Sequential(inner, name="nested"),
    ]
    return keras.Sequential([keras.Input((5,)), *layers], name="model")


def test_layers_are_found_wherever_they_are(model: keras.Model) -> None:
    by_name = rows(model)
    names = ["deep/", "deep/", "deep/", "deep/", "forced", "both/", "both/", "nested/inner"]
    assert len(by_name) == 8
    assert all(name.startswith(start) for name, start in zip(by_name, names))
    assert list(by_name)[5:7] == ["both/forward_gru", "both/backward_gru"]
    assert [row.cell for row in by_name.values()] == (
        ["MGUCell"] * 4 + ["LSTMCell"] + ["GRUCell"] * 2 + ["MinGRUCell"]
    )
    assert {row.device for row in by_name.values()} == {kernels.sequence_call.device()}


def test_a_layer_on_its_own_and_a_shared_one_are_told_of_once() -> None:
    layer = kerasseq.gru(4, name="layer")
    assert list(rows(layer)) == ["layer"]
    both = keras.layers.Bidirectional(layer, name="both")
    assert {*rows(both)} == {"both/forward_layer", "both/backward_layer"}
    inputs = keras.Input((5, 3))
    shared = keras.Model(inputs, [layer(inputs), layer(inputs + 1.0)])
    assert list(rows(shared)) == ["layer"]


@pytest.mark.parametrize("kind", ["lstm", "gru", "mgu", "mingru"])
def test_the_kernel_and_the_reasons_are_those_of_the_layer_in_training(kind: str) -> None:
    layer = kerasseq.rnn(kind, 4, recurrent_dropout=0.2, variational=False, name="layer")
    row = rows(layer)["layer"]
    assert (row.kernel, row.reasons) == (layer.choose().name, layer.choose().reasons)


def test_where_another_kernel_runs_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    def why_not(cell: Any, context: Any) -> str | None:
        return "noise; leave it out" if context.training or context.masked else None

    monkeypatch.setattr(kernels.fused, "why_not", why_not)
    layer = kerasseq.rnn("mgu", 4, name="layer")
    row = rows(layer)["layer"]
    assert row.kernel == "scan"
    assert row.reasons["fused"] == "noise; leave it out"
    assert row.notes == ("in inference fused runs",)
    monkeypatch.setattr(kernels.fused, "why_not", lambda c, s: "a mask" if s.masked else None)
    assert rows(layer)["layer"].notes == ("with a mask scan runs: a mask",)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "SimpleRNN"])
def test_a_layer_of_keras_is_told_what_takes_its_weights(kind: str) -> None:
    row = rows(getattr(keras.layers, kind)(4, name="theirs"))["theirs"]
    ours = {"SimpleRNN": "simple_rnn"}.get(kind, kind.lower())
    faster = kernels.choose(
        kerasseq.cells.get(ours)(4), kernels.CallContext(BACKEND, 1, training=True)
    )
    assert row.kernel == "keras"
    assert row.reasons[faster.name] == (
        f"keras.layers.{kind} takes the path of Keras; kerasseq.convert(model) gives "
        f"kerasseq.layers.{kind}, with the same weights"
    )
    assert {**faster.reasons, faster.name: row.reasons[faster.name]} == row.reasons
    assert row.notes[0].startswith("Keras projects the inputs ")


@pytest.mark.parametrize(
    ("backend", "device", "layer", "path"),
    [
        ("tensorflow", "gpu", keras.layers.LSTM, "Keras calls cuDNN"),
        ("tensorflow", "gpu", keras.layers.GRU, "Keras calls cuDNN"),
        ("tensorflow", "cpu", keras.layers.GRU, "Keras projects the inputs at every step, in a"),
        ("jax", "gpu", keras.layers.LSTM, "Keras calls cuDNN, without a mask; with one it loops"),
        ("jax", "gpu", keras.layers.GRU, "Keras projects the inputs once, in a loop; with a mask"),
        ("jax", "cpu", keras.layers.LSTM, "Keras projects the inputs at every step, in a loop"),
        ("torch", "gpu", keras.layers.GRU, "Keras calls cuDNN, without a mask; with one it loops"),
        ("torch", "cpu", keras.layers.LSTM, "Keras projects the inputs once, in a Python loop"),
        ("torch", "cpu", keras.layers.SimpleRNN, "Keras projects the inputs at every step, in a P"),
    ],
)  # fmt: skip
def test_the_path_of_keras_is_that_of_its_release(
    monkeypatch: pytest.MonkeyPatch, backend: str, device: str, layer: Any, path: str
) -> None:
    monkeypatch.setattr("kerasseq.insight.explain.backend", lambda: backend)
    monkeypatch.setattr("kerasseq.insight.explain.device", lambda tensor=None: device)
    row = rows(layer(4, name="theirs"))["theirs"]
    assert row.notes[0].startswith(path)
    assert bool(row.reasons) == ("cuDNN" not in path)  # what is fast already needs no remedy
    options = {"recurrent_dropout": 0.1}
    slow = rows(layer(4, name="theirs", **options))["theirs"]
    assert slow.notes[0].startswith("Keras projects the inputs at every step")


class Mine(keras.layers.GRU):
    """A layer of somebody else."""


def test_a_plain_layer_over_one_of_our_cells_and_over_others() -> None:
    remedy = "kerasseq.convert(model) gives kerasseq.layers."
    ours = keras.layers.RNN(kerasseq.cells.get("mgu")(4), name="ours")
    assert f"{remedy}RNN" in rows(ours)["ours"].reasons["scan"]
    known = rows(keras.layers.RNN(keras.layers.GRUCell(4), name="known"))["known"]
    assert f"{remedy}RNN" in str(known.reasons)
    several = keras.layers.RNN([keras.layers.GRUCell(4), keras.layers.LSTMCell(3)], name="several")
    assert f"{remedy}Stack" in str(rows(several)["several"].reasons)
    row = rows(Mine(4, name="other"))["other"]
    assert row.kernel == "keras"
    assert "kerasseq.convert leaves it as it is: Mine is none of LSTM" in row.notes[1]


def test_it_prints_as_a_table_and_in_every_format(model: keras.Model) -> None:
    explanation = explain(model)
    text = str(explanation)
    assert text.splitlines()[0] == "model (Sequential)"
    assert text.count("nested/inner") == 1
    assert "both/forward_gru: Keras projects the inputs" in text
    as_json = json.loads(explanation.render("json"))
    assert [layer["layer"] for layer in as_json["layers"]] == [
        row.layer for row in explanation.layers
    ]
    assert as_json["layers"][0]["reasons"] == explanation.layers[0].reasons
    lines = list(csv.DictReader(io.StringIO(explanation.render("csv"))))
    assert (
        len(lines)
        == sum(max(1, len(row.reasons)) for row in explanation.layers)
        == len(explanation.to_frame())
    )
    assert all(line["layer"] for line in lines)
    for format in ("markdown", "latex"):
        assert "nested/inner" in explanation.render(format)
    with pytest.raises(ValueError, match="`format` must be one of table"):
        explanation.render("xml")


def test_a_model_without_recurrent_layers_says_so() -> None:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    assert "There is no recurrent layer." in str(explain(model))


def test_a_file_and_a_folder_tell_what_the_model_tells(model: keras.Model, tmp_path: Path) -> None:
    model.save(tmp_path / "model.keras")
    expected = explain(model)
    for place in (tmp_path, tmp_path / "model.keras", str(tmp_path)):
        explanation = explain(place)
        assert isinstance(explanation, Explanation)
        assert explanation.layers == expected.layers


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        TypeError, match=r"`explain` takes a Keras model .* Received: 3 of type int"
    ):
        explain(3)
    with pytest.raises(FileNotFoundError, match="There is no file"):
        explain(tmp_path / "none.keras")
    with pytest.raises(FileNotFoundError, match=r"holds no model\.keras"):
        explain(tmp_path)
    (tmp_path / "weights.h5").write_bytes(b"")
    with pytest.raises(ValueError, match=r"is no \.keras file.*: only these hold the layers"):
        explain(tmp_path / "weights.h5")
    (tmp_path / "model.keras").write_bytes(b"no zip")
    with pytest.raises(ValueError, match=r"model\.keras' is no Keras model, or damaged"):
        explain(tmp_path)


@pytest.mark.parametrize("units", [10**12, 10**30, [4], -1, None])
def test_a_model_that_cannot_be_built_is_refused_in_one_line(tmp_path: Path, units: Any) -> None:
    path = tmp_path / "model.keras"
    keras.Sequential([keras.Input((3, 2)), keras.layers.LSTM(4)]).save(path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    config["config"]["layers"][1]["config"]["units"] = units
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in {**members, "config.json": json.dumps(config)}.items():
            archive.writestr(name, content)
    with pytest.raises(ValueError, match=r"model\.keras' cannot be loaded: ") as told:
        explain(path)
    assert "\n" not in str(told.value)


def test_a_model_is_timed_beside_its_conversion() -> None:
    layer = keras.layers.SimpleRNN(2)
    model = keras.Sequential([keras.Input((3, 2)), layer])
    model.compile("adam", "mae")
    before = model.get_weights()
    for line, name in zip(timing.timed(model, rounds=1), ("training step", "inference")):
        assert re.match(rf"{name} of 32 rows: .* ms as it is, .* times as fast\)", line)
    assert (model.loss, model.layers[0]) == ("mae", layer)
    assert all((a == b).all() for a, b in zip(before, model.get_weights()))
    open_model = keras.Sequential([layer], name="open")
    with pytest.raises(ValueError, match="The model 'open' does not say which inputs it takes"):
        explain(open_model, time=True)


@pytest.mark.parametrize("form", [dict, list])
def test_a_model_of_several_inputs_is_timed(form: type) -> None:
    values, late = keras.Input((3, 2), name="values"), keras.Input((4,), name="late")
    hidden = keras.layers.GRU(4)(values)
    named = {"values": values, "late": late}  # not in the order of their names
    outputs = {"sum": hidden + late, "gru": hidden}
    given, returned = (
        (named, outputs) if form is dict else map(list, (named.values(), outputs.values()))
    )
    model = keras.Model(given, returned)
    model(given)  # a model that is also a part of another one
    assert len(timing.timed(model, rounds=1)) == 2


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["sentiment", "forecasting", "sequences", "tagging"])
def test_the_model_of_a_run_is_timed(name: str) -> None:
    folder = Path(__file__).parents[1] / "golden" / "runs" / name
    _, inference = explain(folder, time=True).times
    assert inference.startswith("inference of 32 rows: ")


def test_it_is_a_public_function() -> None:
    assert kerasseq.explain is explain
