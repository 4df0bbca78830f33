"""An exported captioner reads images, and writes captions, as its run does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image

import kerasseq
from kerasseq.data.images.files import read_images
from kerasseq.tasks.captioning import standalone
from tests.golden.make import _folder
from tests.golden.replay import RUNS
from tests.runs.test_exported import call_alone

PIXELS = np.random.default_rng(0).integers(0, 256, (90, 130, 4), np.uint8)


def photo(folder: Path) -> list[Any]:
    """Images of all kinds: files of several formats, modes and orientations, and values."""
    colours, grey = Image.fromarray(PIXELS[..., :3]), Image.fromarray(PIXELS[..., 0])
    turned = Image.Exif()
    turned[0x0112] = 6
    colours.save(folder / "turned.jpg", exif=turned)
    colours.resize((1300, 900)).save(folder / "large.jpg")
    Image.fromarray(PIXELS).save(folder / "transparent.png")
    colours.quantize(16).save(folder / "palette.gif")
    Image.fromarray(PIXELS[..., 0].astype(np.uint16) * 200).save(folder / "deep.png")
    colours.convert("CMYK").save(folder / "print.tif")
    grey.convert("1").save(folder / "bits.bmp")
    files = sorted(folder.iterdir())
    content = files[0].read_bytes()
    return [*files, content, PIXELS[..., 0], PIXELS[..., :1], PIXELS / 255.0, grey, PIXELS]


def test_images_are_read_alike(tmp_path: Path) -> None:
    sources = photo(tmp_path)
    alone = standalone.read_images(sources, 24)
    np.testing.assert_array_equal(alone, read_images(sources, 24))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (b"GIF89a", "no image that can be read"),
        (np.zeros((4, 4, 2)), r"\(4, 4, 2\)"),
        (np.full((4, 4), 3.0), "float from 0 to 1"),
    ],
)
def test_images_that_cannot_be_read(value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        standalone.read_images([value], 8)


SMALL: dict[str, Any] = {
    "units": 4, "embedding": 4, "epochs": 2, "min_count": 1, "batch_size": 16, "quiet": True,
    "length": 9,
}  # fmt: skip
OTHERS: list[dict[str, Any]] = [
    {"encoder": "mobilenet_v2", "size": 32, "decoder": "pre", "cell": "lstm", "weights": None},
    {"encoder": "vgg16", "size": 64, "decoder": "attention", "depth": 2, "weights": None},
    {"encoder": "cnn", "size": 16, "decoder": "par", "cell": "mgu"},
    {"encoder": "cnn", "size": 16, "decoder": "merge", "tie_embeddings": False},
]


@pytest.mark.thorough
@pytest.mark.parametrize("options", OTHERS, ids=lambda each: each["encoder"])
def test_other_runs(options: dict[str, Any], tmp_path: Path) -> None:
    data = _folder(tmp_path / "data", 40, np.random.default_rng(1))
    run = kerasseq.captioning(data, **SMALL, **options)
    predictor = standalone.Predictor(run.export(tmp_path / "exported"))
    (tmp_path / "images").mkdir()
    images = [str(each) if isinstance(each, Path) else each for each in photo(tmp_path / "images")]
    for search in ({}, {"beam_width": 4, "length_penalty": 0.0, "no_repeat_ngram_size": 1}):
        alone = pd.DataFrame(predictor.predict(images, **search))
        expected = run.predict(images, **search)
        pd.testing.assert_frame_equal(alone, expected, check_dtype=False, rtol=1e-5)


@pytest.mark.thorough
def test_a_frozen_network_in_litert(tmp_path: Path) -> None:
    """A third model, which reads pixels and has no recurrent layer."""
    data = _folder(tmp_path / "data", 40, np.random.default_rng(1))
    run = kerasseq.captioning(data, **SMALL, **OTHERS[0])
    folder = run.export(tmp_path / "exported", "litert")
    assert (folder / "extractor.tflite").is_file()
    images = [str(tmp_path / "data" / f"{number}.png") for number in range(3)]
    calls = [("predict", [images], {"beam_width": 2})]
    (alone,) = call_alone(folder, calls, tmp_path / "path")
    expected = run.predict(images, beam_width=2)
    pd.testing.assert_frame_equal(pd.DataFrame(alone), expected, check_dtype=False, rtol=1e-4)


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> standalone.Predictor:
    """A captioner of features."""
    run = kerasseq.load(RUNS / "captioning-features")
    return standalone.Predictor(run.export(tmp_path_factory.mktemp("features") / "exported"))


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the run is of TensorFlow")
@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (np.zeros((2, 5), "float32"), {}, r"shape \(6,\) for each image. Received: \(2, 5\)"),
        (["one.png"], {}, "reads features"),
        (np.zeros((2, 6), "float32"), {"beam_width": 0}, "beam_width must be from 1 to 1000"),
        (np.full((2, 6), np.nan, "float32"), {}, "finite"),
    ],
)
def test_arguments_that_do_not_fit(
    predictor: standalone.Predictor, data: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        predictor.predict(data, **options)
