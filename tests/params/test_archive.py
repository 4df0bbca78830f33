"""Files are read without a backend, whoever wrote them, and damaged ones say so in one line."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import h5py
import keras
import numpy as np
import pytest
from keras import layers

import kerasseq
from kerasseq.params import report

ROOT = Path(__file__).parents[2]


@keras.saving.register_keras_serializable("tests.archive")
class Custom(layers.Dense):
    """A class that no other process knows."""


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A saved model with nested, recurrent and custom layers."""
    model = keras.Sequential(
        [
            keras.Input((None, 3)),
            layers.Bidirectional(layers.LSTM(4, return_sequences=True)),
            kerasseq.rnn("lru", 2, depth=2, bidirectional=True),
            keras.Sequential(
                [layers.Dense(2, name="inner"), layers.BatchNormalization()], name="nested"
            ),
            Custom(3, name="custom"),
        ]
    )
    model.compile("adam", "mse")
    path = tmp_path_factory.mktemp("saved") / "model.keras"
    model.save(path)
    return path.read_bytes()


@pytest.fixture
def saved(content: bytes, tmp_path: Path) -> Path:
    """A file of its own for every test."""
    (tmp_path / "model.keras").write_bytes(content)
    return tmp_path / "model.keras"


def _rewritten(path: Path, change: Callable[[dict[str, bytes]], Any]) -> Path:
    """A copy of an archive with other members."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    changed = path.with_name("changed.keras")
    with zipfile.ZipFile(changed, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return changed


def test_a_file_is_read_without_keras_or_the_classes_in_it(saved: Path) -> None:
    total = keras.models.load_model(saved, compile=False).count_params()
    code = (
        "import sys; from kerasseq.params import report;"
        f"found = report({str(saved)!r});"
        "loaded = {name.partition('.')[0] for name in sys.modules};"
        "print(found.total, loaded & {'keras', 'tensorflow', 'jax', 'torch', 'pandas'})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert (done.stdout.strip(), done.stderr) == (f"{total} set()", "")


def test_a_folder_stands_for_the_model_in_it(saved: Path, tmp_path: Path) -> None:
    assert report(tmp_path).total == report(saved).total
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"The folder '.*empty' holds no model.keras"):
        report(tmp_path / "empty")


def test_files_of_older_versions_without_names_and_empty_groups_are_read(saved: Path) -> None:
    def strip(members: dict[str, bytes]) -> None:
        content = io.BytesIO(members["model.weights.h5"])
        with h5py.File(content, "r+") as file:
            result: list[str] = []
            file.visit(lambda name: result.append(name) if name.endswith("vars") else None)
            for name in result:
                if "name" in file[name].attrs:
                    del file[name].attrs["name"]
                if not len(file[name]):
                    del file[name]
            # Older versions kept the state of seed generators and metrics there too.
            file["layers/custom/seed_generator/vars/0"] = np.zeros(2, "uint32")
            file["metrics/mean/vars/0"] = np.zeros(())
        members["model.weights.h5"] = content.getvalue()

    old, new = report(_rewritten(saved, strip)), report(saved)
    assert [e.weights for e in old.entries if e.params] == [
        e.weights for e in new.entries if e.params
    ]
    assert (old.total, old.trainable, old.optimizer) == (new.total, new.trainable, new.optimizer)
    assert {"nested/inner", "custom"} <= {entry.layer for entry in old.entries}


def _config(change: Callable[[Any], Any]) -> Callable[[dict[str, bytes]], None]:
    def apply(members: dict[str, bytes]) -> None:
        config = json.loads(members["config.json"])
        members["config.json"] = json.dumps(change(config)).encode()

    return apply


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda members: members.pop("config.json"), "not one that Keras 3 wrote"),
        (lambda members: members.pop("model.weights.h5"), "not one that Keras 3 wrote"),
        (lambda members: members.pop("metadata.json"), "not one that Keras 3 wrote"),
        (lambda members: members.update({"config.json": b"{"}), "Expecting property name"),
        (lambda members: members.update({"config.json": b"\xff"}), "decode"),
        (_config(lambda config: [config]), "describes no model"),
        (_config(lambda config: {}), "describes no model"),
        (_config(lambda config: {"class_name": "A", "config": 3}), "describes no model"),
        (lambda members: members.update({"model.weights.h5": b"no HDF5"}), "it is damaged"),
        (
            lambda m: m.update({"model.weights.h5": m["model.weights.h5"][:3000]}),
            "it is cut off; restore it from a copy",
        ),
    ],
)
def test_a_damaged_archive_says_what_is_wrong(
    saved: Path, change: Callable[[dict[str, bytes]], None], reason: str
) -> None:
    with pytest.raises(
        ValueError, match=f"changed.keras' cannot be read as a Keras file.*{reason}"
    ):
        report(_rewritten(saved, change))


@pytest.mark.parametrize(
    "odd",
    [
        lambda config: {**config, "config": {**config["config"], "layers": None}},
        lambda config: {
            **config,
            "config": {**config["config"], "layers": [None, 3, {"config": {}}]},
        },
        lambda config: {**config, "config": {"name": 3}},
    ],
)
def test_an_odd_config_does_not_change_what_is_counted(saved: Path, odd: Any) -> None:
    assert report(_rewritten(saved, _config(odd))).total == report(saved).total


@pytest.mark.parametrize("kept", [0, 10, 2000, -30])
def test_a_truncated_file_is_refused(saved: Path, kept: int) -> None:
    broken = saved.with_name("broken.keras")
    broken.write_bytes(saved.read_bytes()[:kept])
    with pytest.raises(ValueError, match="archive nor an HDF5 file, or it is damaged"):
        report(broken)


def test_flipped_bytes_in_the_config_are_noticed(saved: Path) -> None:
    content = bytearray(saved.read_bytes())
    place = content.index(b'"class_name"')
    content[place : place + 12] = b'"class_nome"'
    saved.write_bytes(content)
    with pytest.raises(ValueError, match=r"cannot be read as a Keras file: Bad CRC-32"):
        report(saved)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"There is no file '.*nowhere.keras'"):
        report(tmp_path / "nowhere.keras")


def test_other_hdf5_files_are_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["data"] = np.ones(3)
    with pytest.raises(ValueError, match="has no weights of a Keras model"):
        report(tmp_path / "other.h5")
    with h5py.File(tmp_path / "old.h5", "w") as file:
        file.create_group("model_weights")
    with pytest.raises(ValueError, match="has no weights of a Keras model"):
        report(tmp_path / "old.h5")


def test_links_out_of_a_file_are_not_followed(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
    model.save_weights(tmp_path / "model.weights.h5")
    model.save_weights(tmp_path / "other.weights.h5")
    with h5py.File(tmp_path / "model.weights.h5", "r+") as file:
        file["layers/linked"] = h5py.ExternalLink("other.weights.h5", "/layers/dense")
        file["layers/soft"] = h5py.SoftLink("/layers/dense")
    assert report(tmp_path / "model.weights.h5").total == 8


def _weights(path: Path, shape: tuple[int, ...] | None, count: int = 2) -> Path:
    """A file whose weights are declared, and nowhere stored."""
    with h5py.File(path, "w") as file:
        for number in range(count):
            group = file.create_group(f"layers/dense_{number}/vars")
            if shape is None:
                group.create_dataset("0", data=h5py.Empty("f4"))
            else:
                group.create_dataset("0", shape=shape, dtype="f4", chunks=True)
    return path


def test_weights_that_are_declared_and_not_stored(tmp_path: Path) -> None:
    path = _weights(tmp_path / "a.weights.h5", (30_000, 30_000))
    with (
        mock.patch.object(h5py.Dataset, "__getitem__") as read,
        pytest.raises(ValueError, match=r"weights of one shape holds 3,600,000,000 bytes in a fil"),
    ):
        report(path)
    read.assert_not_called()
    assert report(_weights(path, (30_000, 30_000), count=1)).total == 900_000_000


def test_weights_are_compared_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.weights.h5"
    values = np.random.default_rng(0).normal(size=(300, 10)).astype("f4")
    changed = values.copy()
    changed[-1, -1] += 1
    with h5py.File(path, "w") as file:
        for name, own in {"a": values, "b": values, "c": changed, "d": values[:0]}.items():
            file[f"layers/{name}/vars/0"] = own
        file["layers/e/vars/0"] = values[:0]
    expected = report(path).contents.notes
    assert any("a and b hold a weight of equal values" in note for note in expected)
    assert not any("c" in note.split(" hold ")[0].split(" and ") for note in expected[1:])
    monkeypatch.setattr("kerasseq.params.archive._BLOCK", 400)
    assert report(path).contents.notes == expected


@pytest.mark.parametrize("name", ["config.json", "metadata.json", "model.weights.h5"])
def test_a_member_that_unpacks_to_too_much(
    saved: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with zipfile.ZipFile(saved) as archive:
        members = {one: archive.read(one) for one in archive.namelist()}
    with zipfile.ZipFile(saved, "w", zipfile.ZIP_DEFLATED) as archive:
        for one, content in members.items():
            archive.writestr(one, content + b" " * (2_000_000 if one == name else 0))
    report(saved)
    monkeypatch.setenv("KERASSEQ_MAX_BYTES", "1000000")
    with pytest.raises(ValueError, match=rf"its {name} holds [\d,]+ bytes in a file of"):
        report(saved)


def test_links_to_other_files_are_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["vars/0"] = np.ones((7, 7))
    path = tmp_path / "a.weights.h5"
    with h5py.File(path, "w") as file:
        file["layers/dense/vars/0"] = np.ones((2, 2))
        file["layers/dense/vars/1"] = h5py.ExternalLink(secret, "/vars/0")
        file["layers/dense/vars/2"] = h5py.SoftLink("/layers/dense/vars/0")
        file["layers/other/vars"] = h5py.ExternalLink(secret, "/vars")
        file["layers/third"] = h5py.ExternalLink(secret, "/")
    assert report(path).total == 4
    with h5py.File(path, "a") as file:
        shape = h5py.VirtualLayout((7, 7), "f8")
        shape[:] = h5py.VirtualSource(secret, "vars/0", (7, 7))
        file["layers/dense/vars"].create_virtual_dataset("3", shape)
    with pytest.raises(ValueError, match=r"weight /layers/dense/vars/3 lies in other files"):
        report(path)


def test_a_group_in_itself_is_an_error(tmp_path: Path) -> None:
    path = _weights(tmp_path / "a.weights.h5", (2, 2))
    with h5py.File(path, "a") as file:
        file["layers/dense_0/inner"] = file["layers"]
    with pytest.raises(ValueError, match=r"its group .* lies in several places"):
        report(path)


def test_a_weight_that_is_null(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"its weight .*/vars/0 is null: it has no shape"):
        report(_weights(tmp_path / "a.weights.h5", None))
