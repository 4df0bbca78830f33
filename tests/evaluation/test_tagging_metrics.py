"""Scores of tags: by hand, and by seqeval."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import seqeval.metrics
from hypothesis import given
from hypothesis import strategies as st

from kerasseq.evaluation.tagging_metrics import tagging

TAGS = st.sampled_from(["O", "O", "B-X", "I-X", "B-Y", "I-Y"])


def _pairs() -> st.SearchStrategy[Any]:
    sentence = st.lists(st.tuples(TAGS, TAGS), min_size=1, max_size=8)
    return st.lists(sentence, min_size=1, max_size=5)


def test_scores_by_hand() -> None:
    truth = [["B-PER", "I-PER", "O", "B-LOC"], ["O", "B-LOC"], ["O"]]
    predicted = [["B-PER", "I-PER", "O", "B-PER"], ["B-LOC", "I-LOC"], ["O"]]
    known = [[True, False, True, False], [True, True], [True]]
    score = tagging(truth, predicted, known=known, resamples=50)
    # One of three true and of three predicted chunks is right; four of seven tags are.
    assert score.values == pytest.approx(
        {
            "f1": 1 / 3,
            "precision": 1 / 3,
            "recall": 1 / 3,
            "accuracy": 4 / 7,
            "known_accuracy": 3 / 5,
            "unknown_accuracy": 1 / 2,
            "sentence_accuracy": 1 / 3,
        }
    )
    assert score.details["types"]["PER"] == pytest.approx(
        {"f1": 2 / 3, "precision": 1 / 2, "recall": 1.0, "count": 1}
    )
    assert score.details["types"]["LOC"] == {"f1": 0, "precision": 0, "recall": 0, "count": 2}
    assert score.details["confusion"]["types"] == ["LOC", "PER", "O"]
    assert score.details["confusion"]["counts"] == [[1, 1, 0], [0, 2, 0], [1, 0, 2]]
    assert score.interval().keys() == score.values.keys()


def test_a_chunk_counts_only_with_both_ends() -> None:
    values = tagging([["B-X", "I-X", "I-X"]], [["B-X", "I-X", "O"]], resamples=0).values
    assert (values["f1"], values["accuracy"]) == (0, 2 / 3)


@given(_pairs())
def test_scores_are_those_of_seqeval(pairs: Any) -> None:
    truth, predicted = ([[pair[i] for pair in row] for row in pairs] for i in (0, 1))
    values = tagging(truth, predicted, resamples=0).values
    for name, metric in (
        ("f1", seqeval.metrics.f1_score),
        ("precision", seqeval.metrics.precision_score),
        ("recall", seqeval.metrics.recall_score),
    ):
        assert values[name] == pytest.approx(metric(truth, predicted, zero_division=0))
    assert values["accuracy"] == seqeval.metrics.accuracy_score(truth, predicted)


def test_samples_are_scores_of_resampled_sentences() -> None:
    truth = [["B-X", "O"], ["O", "B-X"], ["B-X", "B-X"]]
    predicted = [["B-X", "O"], ["B-X", "O"], ["B-X", "O"]]
    samples = tagging(truth, predicted, resamples=20, seed=3).samples["f1"]
    random = np.random.default_rng(3)
    for sample in samples[:5]:
        rows = random.integers(0, 3, 3)
        again = tagging([truth[i] for i in rows], [predicted[i] for i in rows], resamples=0)
        assert sample == pytest.approx(again.values["f1"])


def test_tags_without_chunks() -> None:
    score = tagging([["DET", "NOUN"]], [["DET", "VERB"]], chunked=False, resamples=5)
    assert score.values == {"accuracy": 0.5, "sentence_accuracy": 0.0}
    assert score.details["types"]["NOUN"] == {"f1": 0, "precision": 0, "recall": 0, "count": 1}
    assert score.details["confusion"]["types"] == ["DET", "NOUN", "VERB"]


@pytest.mark.parametrize("predicted", [[], [["O"]], [["O", "O"], ["O"]]])
def test_tags_must_be_of_the_same_tokens(predicted: list[list[str]]) -> None:
    with pytest.raises(ValueError, match="truth and predicted must have tags for the same tokens"):
        tagging([["O", "O"]], predicted)
