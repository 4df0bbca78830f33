"""Public benchmark data, where it is there, is read as it is meant."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from kerasseq.data.classes.splits import stratified_folds
from kerasseq.data.images.caption_text import caption_tokenizer
from kerasseq.data.images.captioned import from_features, image_files, part_rows
from kerasseq.data.text.labelled import read_labelled
from kerasseq.data.text.ngrams import NgramEncoder
from kerasseq.data.tokenizers.tokenizer import Tokenizer


def _there(path: Path) -> Path:
    if not path.exists():
        pytest.skip(f"there is no {path}")
    return path


@pytest.mark.thorough
def test_movie_reviews_from_their_folder(shared_data: Path) -> None:
    found = read_labelled(_there(shared_data / "mr"))
    assert Counter(found.labels) == {"neg": 5331, "pos": 5331}
    assert found.notes == [
        "rt-polarity.neg: 5,331 texts, read as Windows-1252",
        "rt-polarity.pos: 5,331 texts, read as Windows-1252",
    ]
    assert found.texts[0] == "simplistic , silly and tedious ."
    train, _ = stratified_folds(found.labels, 10, seed=0)[0]
    texts = [found.texts[i] for i in train]
    tokenizer = Tokenizer().fit(texts)
    assert 9_000 < len(tokenizer.vocabulary) <= 20_000
    assert tokenizer.unknown_share(texts).mean() < 0.06
    ngrams = NgramEncoder().fit(tokenizer.tokens(texts))
    assert ngrams.size > 80_000
    assert ngrams.encode(tokenizer.tokens(texts)).shape == (len(texts), ngrams.width)


@pytest.mark.thorough
def test_imdb_from_its_archive(shared_data: Path) -> None:
    found = read_labelled(_there(shared_data / "imdb" / "aclImdb.tar.gz"))
    assert Counter(found.test_labels) == {"neg": 12_500, "pos": 12_500}
    assert len(found.texts) == 25_000 - 123
    assert not set(found.texts) & set(found.test_texts or [])
    assert not any("<br" in text for text in found.texts)


@pytest.mark.thorough
@pytest.mark.parametrize(("kind", "shape"), [("pooled", (1280,)), ("grid", (49, 128))])
def test_flickr8k_in_its_own_split(shared_data: Path, kind: str, shape: tuple[int, ...]) -> None:
    folder = _there(shared_data / "flickr8k")
    files = image_files(folder)
    found = from_features(files, folder / f"flickr8k_mobilenetv2_{kind}.npz", skip_bad=False)
    assert found.inputs.shape == shape
    assert np.isfinite(found.inputs[np.arange(100)]).all()
    rows = part_rows(found, 0.1, 0.1, seed=0)
    assert {part: len(own) for part, own in rows.items()} == {
        "train": 6000,
        "validation": 1000,
        "test": 1000,
    }
    assert {len(own) for own in found.captions} == {5}
    assert sum(map(bool, found.files)) == 40
    said = [caption for row in rows["train"] for caption in found.captions[row]]
    assert len(caption_tokenizer(said, min_count=5, length=40)) == 2541
