"""What captioning takes, to learn from, to score and to caption; what it has no use for is said."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from kerasseq.cli import main
from kerasseq.data.images.features import CACHE
from kerasseq.data.images.files import read_images
from kerasseq.io.digest import digest
from kerasseq.models import FeatureExtractor, image_network
from kerasseq.recipes import captioning
from kerasseq.recipes.captioning import CaptioningSettings
from kerasseq.tasks.captioning import CaptionRun, writing
from tests.golden.replay import RUNS

_COLOURS = {"red": (220, 20, 20), "green": (20, 200, 20), "blue": (20, 20, 220)}
_NAMES = [f"{number}.png" for number in range(12)]
SMALL: dict[str, Any] = {"units": 8, "epochs": 1, "min_count": 1, "beam_width": 1, "quiet": True}


def _table() -> pd.DataFrame:
    said = [f"a {list(_COLOURS)[number % 3]} image" for number in range(len(_NAMES))]
    return pd.DataFrame({"image": _NAMES, "caption": said})


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """COCO's annotations, a table and features in one folder; their images in another."""
    place = tmp_path_factory.mktemp("data")
    (place / "images").mkdir()
    (place / "told").mkdir()
    for number, name in enumerate(_NAMES):
        colour = list(_COLOURS.values())[number % 3]
        Image.new("RGB", (20, 24), colour).save(place / "images" / name)
    table = _table()
    table.to_csv(place / "told" / "a.csv", index=False)
    images = [{"id": number, "file_name": name} for number, name in enumerate(_NAMES)]
    told = [{"image_id": number, "caption": own} for number, own in enumerate(table["caption"])]
    content = json.dumps({"images": images, "annotations": told})
    (place / "told" / "coco.json").write_text(content)
    features = np.eye(12, 5, dtype=np.float32)
    np.savez(place / "told" / "f.npz", names=_NAMES, features=features)
    return place


@pytest.fixture(scope="module")
def seeing(place: Path) -> CaptionRun:
    """A run from pixels, whose images lie elsewhere."""
    data, images = place / "told" / "coco.json", place / "images"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE, str(place / "cache"))
        return captioning(data, images=images, encoder="cnn", size=16, **SMALL)


@pytest.fixture(scope="module")
def saved() -> CaptionRun:
    """Another run from pixels, which is there already."""
    return CaptionRun.load(RUNS / "captioning")


@pytest.fixture(scope="module")
def featured(place: Path) -> CaptionRun:
    """A run from features."""
    return captioning(_table(), features=place / "told" / "f.npz", **SMALL)


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE, str(tmp_path / "cache"))


# To caption


@pytest.mark.thorough
def test_images_are_captioned_however_they_are_given(seeing: CaptionRun, place: Path) -> None:
    folder = place / "images"
    expected = seeing.predict([folder / name for name in _NAMES[:2]])
    series = pd.Series([str(folder / name) for name in _NAMES[:2]], index=[4, 9])
    tables = [
        _table()[["image"]].head(2),
        place / "told" / "a.csv",
        [str(place / "told" / "a.csv")],
    ]
    stack = np.stack([np.asarray(Image.open(folder / name)) for name in _NAMES[:2]])
    for given in (series, *tables, stack):
        found = seeing.predict(given).head(2)
        assert found["caption"].tolist() == expected["caption"].tolist()
        np.testing.assert_allclose(found["log_probability"], expected["log_probability"], atol=1e-4)
    assert seeing.predict(tables[0])["image"].tolist() == _NAMES[:2]
    for given in (place, [folder]):  # the folder inside has them
        assert len(seeing.predict(given)) == 12
    assert len(seeing.predict([folder, stack[0]])) == 13


def test_one_array_is_not_taken_for_its_rows(saved: CaptionRun, featured: CaptionRun) -> None:
    for one in (np.zeros((24, 20, 3), np.uint8), np.zeros((24, 20)), np.zeros((24, 20, 3))):
        with pytest.raises(ValueError, match="give a list of images, even for one"):
            saved.predict(one)
        with pytest.raises(ValueError, match=r"list.* even (for one|a single one)"):
            featured.predict(one)


def test_bad_images_are_counted(saved: CaptionRun, place: Path, tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "c.png"):
        (tmp_path / name).write_text("text")
    given = [*sorted((place / "images").iterdir()), tmp_path]
    with pytest.raises(
        ValueError, match=r"a\.png is no image.* 2 more of the 15 .* leave them out"
    ):
        saved.predict(given)


def test_features_that_are_no_numbers_are_not_captioned(featured: CaptionRun) -> None:
    inputs = np.eye(3, 5)
    assert len(featured.predict(inputs)) == len(featured.predict(inputs.astype(np.int8))) == 3
    inputs[1, 2] = np.nan
    with pytest.raises(ValueError, match="finite numbers, and those of 1 in the array are not"):
        featured.predict(inputs)


@pytest.mark.thorough
def test_a_named_network_sees_regions_where_features_have_some(place: Path, tmp_path: Path) -> None:
    weights = tmp_path / "a.weights.h5"
    network = image_network("mobilenet_v2", weights=None, size=64)
    network.layers[1].save_weights(weights)
    extractor = FeatureExtractor.of_network(
        "mobilenet_v2", weights=str(weights), size=64, grid=True
    )
    images = [place / "images" / name for name in _NAMES]
    features = extractor(read_images(images, 64))
    assert features.shape == (12, 4, 1280)
    np.savez(tmp_path / "grid.npz", names=_NAMES, features=features)
    given = {"encoder": "mobilenet_v2", "weights": str(weights), "size": 64}
    run = captioning(_table(), features=tmp_path / "grid.npz", **given, **SMALL)
    expected, found = run.predict(features[:2]), run.predict(images[:2])
    assert found["caption"].tolist() == expected["caption"].tolist()
    np.testing.assert_allclose(found["log_probability"], expected["log_probability"], atol=1e-3)


# To score


@pytest.mark.thorough
def test_data_is_read_as_that_of_the_run(
    seeing: CaptionRun, featured: CaptionRun, place: Path
) -> None:
    told = place / "told"
    assert seeing.evaluate(told / "coco.json")["rows"] == 12
    assert seeing.evaluate(_table().head(3), images=place / "images")["rows"] == 3
    assert featured.evaluate(_table())["rows"] == 12
    with pytest.raises(ValueError, match="features of an unknown network"):
        featured.evaluate(told / "a.csv", images=place / "images", features=None)
    with pytest.raises(
        ValueError, match=r"evaluate takes .*: images, .*skip_bad.* Received: imgs="
    ):
        seeing.evaluate(told / "coco.json", imgs="x")
    with pytest.raises(ValueError, match=r"evaluate takes .*skip_bad\. Received: encoder="):
        seeing.evaluate(told / "coco.json", encoder="mobilenet_v2")


def test_the_shell_scores_and_captions(
    featured: CaptionRun, place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, told = str(featured.save(tmp_path / "run")), place / "told"
    given = ["--images", str(place / "images"), "--features", str(told / "f.npz"), "--skip-bad"]
    assert main(["evaluate", folder, str(told), "--captions", str(told / "a.csv"), *given]) == 0
    assert capsys.readouterr().out.startswith("12 rows\n")


def test_a_caption_without_words_is_not_new_and_a_run_of_them_says_so(
    featured: CaptionRun, capsys: pytest.CaptureFixture[str]
) -> None:
    class Writer:
        def write(self, seen: Any) -> writing.Written:
            return writing.Written(["", "a dog"])

        def nats(self, examples: Any) -> np.ndarray:
            return np.zeros(2)

    told = writing.Examples({}, lengths={"tokens": np.ones(2, int)})
    rows = writing.CaptionExamples(
        None,
        writing.References([["a"], ["b"]]),
        told,
        np.arange(2),  # type: ignore[arg-type]
    )
    known = writing.fingerprints(["a cat"])
    found = writing.predicted(Writer(), rows, known)  # type: ignore[arg-type]
    assert found.new is not None
    assert found.new.tolist() == [False, True]

    test = {**featured.metrics["test"], "vocabulary": 0.0}
    for metrics, said in (({"vocabulary": 9.0}, False), (test, True)):
        own = {**featured.metrics, "test": {**test, **metrics}}
        dataclasses.replace(featured, metrics=own).summary()
        assert ("the model writes empty captions" in capsys.readouterr().out) == said


# What it has no use for


def _fails(data: Any, match: str, **given: Any) -> None:
    with pytest.raises(ValueError, match=match) as told:
        captioning(data, **{**SMALL, **given})
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("images", "images"),
        ("captions", "a.csv"),
        ("features", "f.npz"),
        ("skip_bad", True),
        ("fine_tune", 2),
        ("weights", None),
        ("size", 64),
        ("encoder", "vgg16"),
    ],
)
def test_the_demo_takes_no_data(name: str, value: Any) -> None:
    _fails(
        "demo",
        f"leave these settings out. Received: {name}={value!r}",
        **{name: value},
    )


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        (
            {"scheduled_sampling": 2.0},
            "scheduled_sampling must be from 0 to 1. Received: scheduled_sampling=2.0",
        ),
        ({"encoder": "foo"}, "there is no network 'foo'"),
        ({"fine_tune": -1}, "fine_tune must be a whole number from 0 on. Received: fine_tune=-1"),
        ({"embedding": 5, "decoder": "init"}, "Make `embedding` and `units` equal, or pass tie_e"),
        (
            {"features": "f.npz", "encoder": "vgg16", "weights": None},
            "weights=None gives it random weights",
        ),
    ],
    ids=str,
)
def test_settings_are_refused_before_data_is_read(changes: dict[str, Any], match: str) -> None:
    _fails("nowhere", match, **changes)


def test_what_auto_may_become_is_not_refused() -> None:
    with pytest.raises(FileNotFoundError, match="no file or folder nowhere"):
        captioning("nowhere", **{**SMALL, "embedding": 5})


@pytest.mark.thorough
def test_attention_over_one_region_is_refused(place: Path, tmp_path: Path) -> None:
    told, images = place / "told" / "coco.json", place / "images"
    given = {"images": images, "decoder": "attention"}
    _fails(told, "size=32 gives one. Give a larger", size=32, weights=None, **given)
    assert not (tmp_path / "cache").exists()  # nothing was seen in vain
    _fails(told, "size=8 gives one. Give a larger size", encoder="cnn", size=8, **given)
    np.savez(tmp_path / "f.npz", names=_NAMES, features=np.ones((12, 1, 3)))
    _fails(told, "needs features of several regions", features=tmp_path / "f.npz", **given)
    run = captioning(told, features=tmp_path / "f.npz", **SMALL)  # "auto" does without
    assert run.model.get_layer("decoder").__class__.__name__ == "InitInjectDecoder"


@pytest.mark.thorough
def test_a_seed_may_be_any_whole_number(place: Path) -> None:
    run = captioning(_table(), features=place / "told" / "f.npz", **SMALL, seed=np.int64(3))
    assert run.settings["seed"] == run.metrics["seed"] == 3


# Parts that are given on their own


def _parts(place: Path, data: Any, **given: Any) -> tuple[Any, dict[str, list[str]]]:
    settings = CaptioningSettings(
        images=place / "images", encoder="cnn", size=16, quiet=True, **given
    )
    source = captioning.task.load(data, settings)
    split = captioning.task.split(source, settings)
    found = {name: getattr(split, name).names for name in ("train", "validation", "test")}
    return source, found


def test_captions_of_their_own_are_the_parts(place: Path, tmp_path: Path) -> None:
    table = _table()
    table[8:10].to_csv(tmp_path / "later.csv", index=False)
    source, found = _parts(place, table[:8], validation=tmp_path / "later.csv", test=table[10:])
    assert found == {"train": _NAMES[:8], "validation": _NAMES[8:10], "test": _NAMES[10:]}
    assert source.captions[source.names.index("9.png")] == ["a red image"]


def test_images_of_a_later_part_leave_the_earlier_ones(place: Path) -> None:
    table = _table()
    source, found = _parts(place, table, validation=table[7:11], test=table[10:])
    assert found == {"train": _NAMES[:7], "validation": _NAMES[7:10], "test": _NAMES[10:]}
    assert source.notes[-2:] == [
        "1 images of a later part left the validation part",
        "5 images of a later part left the train part",
    ]
    _, drawn = _parts(place, table, test=table[10:])
    assert drawn["test"] == _NAMES[10:]
    assert sorted([*drawn["train"], *drawn["validation"]]) == sorted(_NAMES[:10])


def test_other_images_of_the_same_name_stay_apart(place: Path, tmp_path: Path) -> None:
    Image.new("RGB", (20, 24), "white").save(tmp_path / "0.png")
    pd.DataFrame({"image": ["0.png"], "caption": ["nothing"]}).to_csv(tmp_path / "t.csv")
    source, found = _parts(place, _table(), test=tmp_path / "t.csv")
    assert len(found["test"]) == 1
    assert len(found["train"]) + len(found["validation"]) == 12
    assert len({*source.names}) == 13


def test_parts_that_cannot_be_are_told(place: Path) -> None:
    table = _table()
    with pytest.raises(ValueError, match="every image of data is in test= or validation="):
        _parts(place, table[:3], test=table)
    with pytest.raises(ValueError, match="test= has no image for the test part: it puts"):
        _parts(place, table[:10], test=table[10:].assign(split="train"))
    with pytest.raises(ValueError, match=r"validation= has no image .*: all are in test=, too"):
        _parts(place, table[:10], validation=table[11:], test=table[10:])
    missing = table[10:].assign(image="none.png")
    with pytest.raises(ValueError, match="no image of test= is there"):
        _parts(place, table[:10], test=missing, skip_bad=True)
    marked = table.assign(split=["train"] * 10 + ["test"] * 2)
    with pytest.raises(ValueError, match="data already defines its test part: leave test= out"):
        _parts(place, marked, test=table[10:])
    with pytest.raises(ValueError, match=r"leave these settings out. Received: test="):
        captioning("demo", test=table, quiet=True)
    with pytest.raises(FileNotFoundError, match=r"^test=: there is no file or folder none\.csv"):
        _parts(place, table, test="none.csv")
    with pytest.raises(ValueError, match=r"^validation=: the DataFrame needs a column 'image'"):
        _parts(place, table[:10], validation=table[["caption"]], test=table[10:])


def test_images_that_a_part_puts_elsewhere_and_its_remarks_are_told(place: Path) -> None:
    table = _table()
    later = table[7:].assign(split=["train", "val", "val", "test", "test"])
    later.loc[9, "caption"] = ""
    source, found = _parts(place, table[:7], test=later)
    assert found["test"] == _NAMES[10:]
    assert source.notes[-1] == "2 images that test= puts into other parts left out: 7.png, 8.png"
    assert "test=: 1 captions are empty, and left out" in source.notes


def test_a_part_is_known_by_its_content(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "later"
    folder.mkdir()
    table = _table()
    table[10:].to_csv(folder / "t.csv", index=False)
    monkeypatch.chdir(folder)
    given = (folder / "t.csv", "t.csv", "../later/t.csv", table[10:])
    assert len({digest(_parts(place, table[:10], test=own)[0]) for own in given}) == 1
    assert digest(_parts(place, table[:10], test=table[11:])[0]) != digest(
        _parts(place, table[:10], test="t.csv")[0]
    )
