"""Sentences become arrays, and numbers of tags become tags again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseq.data.tags.features import casing, normalise, shape
from kerasseq.data.tags.reader import TagReader
from kerasseq.data.tags.schemes import convert
from kerasseq.data.tags.sentences import Sentences

TOKENS = [["Ada", "met", "Bob"], ["ada", "left", "in", "1984"], ["met", "in", "Rome"]]
TAGS = [["B-PER", "O", "B-PER"], ["B-PER", "O", "O", "O"], ["O", "O", "B-LOC"]]
POS = [["N", "V", "N"], ["N", "V", "P", "D"], ["V", "P", "N"]]
TRAIN = Sentences(TOKENS, TAGS, {"pos": POS})


def _fit(sentences: Sentences = TRAIN, **changes: Any) -> TagReader:
    options: dict[str, Any] = {
        "model_scheme": "BIOES",
        "min_count": 2,
        "vocabulary_size": 100,
        "characters": True,
        "derived": ("casing",),
        "length": 50,
    }
    return TagReader.fit(sentences, "IOB2", **{**options, **changes})[0]


def test_rare_words_are_read_by_their_shape() -> None:
    reader = _fit()
    assert sorted(reader.words.vocabulary[2:]) == ["[shape Xx]", "ada", "in", "met"]
    rows = reader.read(TRAIN).examples.inputs["words"]
    words = [[reader.words.vocabulary[number] for number in row] for row in rows]
    assert words == [
        ["ada", "met", "[shape Xx]", "[padding]"],
        ["ada", "[unknown]", "in", "[unknown]"],  # shapes that occur once are unknown
        ["met", "in", "[shape Xx]", "[padding]"],
    ]


@pytest.mark.parametrize("scheme", ["IOB1", "IOB2", "BIOES", "BILOU", "IO", "bare"])
@pytest.mark.parametrize("model_scheme", ["IOB2", "BIOES"])
def test_tags_come_back_in_the_scheme_of_the_data(scheme: Any, model_scheme: Any) -> None:
    tags = [convert(row, scheme) for row in TAGS]
    options: dict[str, Any] = {"min_count": 1, "vocabulary_size": 9, "characters": False}
    sentences = Sentences(TOKENS, tags)
    reader, _ = TagReader.fit(sentences, scheme, model_scheme=model_scheme, length=9, **options)
    reader = TagReader.from_state(reader.state())
    targets = reader.training_examples(sentences).inputs["tag_target"]
    again = [reader.decode(row[: len(words)]) for row, words in zip(targets, TOKENS)]
    assert again == tags


def test_inputs_of_words_characters_and_columns() -> None:
    reader = _fit()
    examples = reader.read(TRAIN).examples
    assert examples.inputs.keys() == {"words", "characters", "column_0", "casing"}
    assert examples.lengths["words"].tolist() == [3, 4, 3]
    letters = reader.characters
    assert letters is not None
    # Letters that only one word has are unknown, and are left out here.
    assert letters.decode(examples.inputs["characters"][1]) == ["ada", "et", "", ""]
    pos = [[reader.columns["column_0"].vocabulary[n] for n in row] for row in
           examples.inputs["column_0"]]  # fmt: skip
    assert pos[1] == ["N", "V", "P", "[unknown]"]
    for name, values in examples.inputs.items():
        assert not values[0, 3:].any(), name


def test_targets_are_tags_of_the_scheme_of_the_model() -> None:
    reader = _fit()
    prefixes = "BIES"
    assert reader.tags == ["O", *(f"{p}-{t}" for t in ("LOC", "PER") for p in prefixes)]
    examples = reader.training_examples(TRAIN)
    target = examples.inputs["tag_target"]
    assert [reader.tags[n] for n in target[0, :3]] == ["S-PER", "O", "S-PER"]
    assert examples.targets is not None
    assert examples.targets.tolist() == [3, 4, 3]
    assert reader.decode(target[2, :3]) == TAGS[2]


def test_the_shape_stands_for_a_word_that_is_dropped_in_training() -> None:
    reader = _fit()
    examples = reader.training_examples(TRAIN)
    names = [[reader.words.vocabulary[n] for n in row] for row in examples.inputs["unknown_words"]]
    # "ada" is known; its shapes are Xx, and x, which is no more frequent than rare words are.
    assert names[0][:3] == ["[shape Xx]", reader.words.vocabulary[1], "[shape Xx]"]
    assert (examples.inputs["unknown_words"] == 0).tolist() == [
        (row == 0).tolist() for row in examples.inputs["words"]
    ]


def test_words_of_the_training_part_are_known_however_they_are_written() -> None:
    reader = _fit()
    assert reader.is_known(["ADA", "1999", "left", "Oslo", "198"]).tolist() == [
        *(True, True, True, False, False)
    ]


def test_a_long_sentence_is_read_in_pieces() -> None:
    reader = _fit(length=4)
    words, tags = ["met"] * 10, ["O", "O", "B-PER", "I-PER", "I-PER", "I-PER", *["O"] * 4]
    examples = reader.read(Sentences([["in"], words], [["O"], tags], {"pos": [["N"], ["N"] * 10]}))
    assert [(p.sentence, p.start, p.end) for p in examples.pieces] == [
        *((0, 0, 1), (1, 0, 4), (1, 4, 8), (1, 8, 10))
    ]
    assert len(examples) == 2
    target = reader.training_examples(Sentences([words], [tags], {"pos": [["N"] * 10]})).inputs[
        "tag_target"
    ]
    pieces = [[reader.tags[n] for n in row] for row in target]
    assert pieces[0] == ["O", "O", "B-PER", "E-PER"]
    assert pieces[1] == ["B-PER", "E-PER", "O", "O"]


def test_a_restored_reader_reads_the_same() -> None:
    reader = _fit()
    state = reader.state()
    again = TagReader.from_state(state)
    for name, values in reader.read(TRAIN).examples.inputs.items():
        np.testing.assert_array_equal(again.read(TRAIN).examples.inputs[name], values)
    tags = state["data_info"]["tags"]
    for damaged in (["X-PER", *tags[1:]], ["O", *tags[:-1]], [*tags[:-1], ""], tags[::-1]):
        state["data_info"]["tags"] = damaged
        with pytest.raises(ValueError, match=r"data_info.tags must be different texts, all of the"):
            TagReader.from_state(state)
    state["data_info"]["tags"] = tags
    state["data_info"]["words"] = 99
    with pytest.raises(ValueError, match=r"data_info.words is 99, and there are 6"):
        TagReader.from_state(state)


def test_vectors_add_words(tmp_path: Path) -> None:
    (tmp_path / "vectors.txt").write_text("rome 1 2\noslo 3 4\nparis 5 6\n")
    options: dict[str, Any] = {"model_scheme": "IOB2", "min_count": 2, "characters": False}
    reader, vectors = TagReader.fit(
        TRAIN, "IOB2", **options, vocabulary_size=4, length=9, vectors=tmp_path / "vectors.txt"
    )
    assert vectors is not None
    assert reader.width == vectors.shape[1] == 2
    vocabulary = reader.words.vocabulary
    assert len(vocabulary) == 4
    reader, vectors = TagReader.fit(
        TRAIN, "IOB2", **options, vocabulary_size=99, length=9, vectors=tmp_path / "vectors.txt"
    )
    assert vectors is not None
    place = reader.words.vocabulary.index("oslo")
    assert vectors[place].tolist() == [3, 4]
    assert np.isfinite(vectors).all()
    assert not reader.is_known(["Oslo"]).any()


@given(st.text(max_size=12))
def test_features_of_any_word(word: str) -> None:
    assert normalise(normalise(word)) == normalise(word) or not word.isascii()
    assert len(shape(word)) <= 6
    assert casing(word) in {"lower", "upper", "title", "mixed", "number", "digits", "sign"}


@given(st.lists(st.sampled_from(["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]), min_size=1, max_size=9))
def test_tags_survive_the_model_scheme(tags: list[str]) -> None:
    tags = convert(tags, "IOB2")
    reader = READER
    words = ["met"] * len(tags)
    sentences = Sentences([words], [tags], {"pos": [["N"] * len(tags)]})
    target = reader.training_examples(sentences).inputs["tag_target"][0]
    assert reader.decode(target) == tags


READER = _fit()
