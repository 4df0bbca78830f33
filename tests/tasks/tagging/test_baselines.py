"""Baselines of tagging."""

from __future__ import annotations

from kerasseq.data.tags.sentences import Sentences
from kerasseq.tasks.tagging.baselines import feature_crf, most_frequent

TRAIN = Sentences(
    [["Dr", "Ada", "left"], ["in", "Rome"], ["Dr", "Bob", "left"], ["in", "Bonn"]] * 5,
    [["O", "B-PER", "O"], ["O", "B-LOC"], ["O", "B-PER", "O"], ["O", "B-LOC"]] * 5,
)


def test_the_most_frequent_tag_knows_words_alone() -> None:
    test = Sentences([["Dr", "Rome", "left"], ["in", "Oslo"]])
    assert most_frequent(TRAIN, test) == [["O", "B-LOC", "O"], ["O", "O"]]


def test_a_crf_of_features_knows_new_words_by_their_neighbours() -> None:
    test = Sentences([["Dr", "Cleo", "left"], ["in", "Oslo"]])
    assert feature_crf(TRAIN, test) == [["O", "B-PER", "O"], ["O", "B-LOC"]]


def test_a_crf_of_features_reads_further_columns() -> None:
    columns = [["a", "b"], ["b", "a"], ["a", "a"]] * 6
    tags = [["X", "Y"], ["Y", "X"], ["X", "X"]] * 6
    words = [["w", "w"]] * len(tags)
    train = Sentences(words, tags, {"kind": columns})
    test = Sentences(words[:3], None, {"kind": columns[:3]})
    assert feature_crf(train, test) == tags[:3]
