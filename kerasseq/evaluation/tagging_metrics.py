"""Metrics of tagged sentences: chunks as conlleval counts them, tokens, whole sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kerasseq.evaluation.chunks import OUTSIDE, chunks, split_tag
from kerasseq.evaluation.metrics import RESAMPLES, Score, Statistic, bootstrap

__all__ = ["label_accuracy", "tagging", "with_further"]

_CHUNKS = ("correct", "predicted", "true")


def tagging(
    truth: Sequence[Sequence[str]],
    predicted: Sequence[Sequence[str]],
    *,
    known: Sequence[Sequence[bool]] | None = None,
    chunked: bool = True,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Score:
    """Scores of predicted tags.

    A chunk is correct if its type, its first and its last token are (as in CoNLL's script
    conlleval). `f1`, `precision` and `recall` are over the chunks of all types together. `accuracy`
    is the share of correct tags, `known_accuracy` and `unknown_accuracy` on words that the training
    part has and lacks, where there are such words, and `sentence_accuracy` is the share of
    sentences without a wrong tag. The intervals resample sentences.

    Args:
        truth: the tags of each sentence.
        predicted: the predicted tags of each sentence, as many.
        known: for each token whether the training part has the word; None for no separate scores.
        chunked: whether tags are of a scheme of chunks; if not, there is no precision and so on.
        resamples: number of bootstrap resamples behind the intervals; 0 for no intervals.
        seed: seed of the resamples.

    Returns:
        A Score, with `types` (precision, recall, f1 and number of chunks of each type; of each tag
        if not `chunked`) and `confusion` (types of tokens; rows: truth) in details.

    Raises:
        ValueError: if there is no sentence, or the lengths differ.

    Example:

    >>> score = tagging([["B-PER", "I-PER", "O", "B-LOC"]], [["B-PER", "I-PER", "O", "B-PER"]])
    >>> {name: score.values[name] for name in ("f1", "accuracy", "sentence_accuracy")}
    {'f1': 0.5, 'accuracy': 0.75, 'sentence_accuracy': 0.0}
    """
    lengths = [len(tags) for tags in truth]
    if not lengths or lengths != [len(tags) for tags in predicted]:
        raise ValueError(
            "truth and predicted must have tags for the same tokens, of at least one sentence. "
            f"Received: {len(truth):,} and {len(predicted):,} sentences with {sum(lengths):,} and "
            f"{sum(map(len, predicted)):,} tags"
        )
    hits = [np.array([a == b for a, b in zip(*pair)], bool) for pair in zip(truth, predicted)]
    counts = {
        "tokens": np.array(lengths),
        "hits": np.array([row.sum() for row in hits]),
        "exact": np.array([row.all() for row in hits]),
    }
    if known is not None:
        for name, sign in (("known", True), ("unknown", False)):
            masks = [np.asarray(row, bool) == sign for row in known]
            counts[name] = np.array([mask.sum() for mask in masks])
            counts[f"{name}_hits"] = np.array([(m & h).sum() for m, h in zip(masks, hits)])
    by_type: dict[str, Counter[str]] = {}
    if chunked:
        counts |= _chunk_counts(truth, predicted, by_type)
    else:
        _tag_counts(truth, predicted, by_type)
    arrays = {name: np.asarray(values, np.float64) for name, values in counts.items()}
    statistic = _statistic(arrays)
    return Score(
        values=dict(statistic(np.ones(len(lengths)))),
        samples=bootstrap(statistic, len(lengths), resamples, seed),
        details={
            "types": {name: _type_scores(by_type[name]) for name in sorted(by_type)},
            "confusion": _confusion(truth, predicted, chunked),
        },
    )


def label_accuracy(
    truth: Sequence[str], predicted: Sequence[str], resamples: int = RESAMPLES, seed: int = 0
) -> Score:
    """The share of sentences with the right label.

    Args:
        truth: the label of each sentence.
        predicted: the predicted labels.
        resamples: number of bootstrap resamples behind the interval.
        seed: seed of the resamples.

    Example:

    >>> label_accuracy(["flight", "fare"], ["flight", "flight"]).values
    {'accuracy': 0.5}
    """
    hits = np.array([a == b for a, b in zip(truth, predicted, strict=True)], np.float64)

    def statistic(weights: np.ndarray) -> dict[str, float]:
        return {"accuracy": float((weights * hits).sum() / weights.sum())}

    return Score(
        statistic(np.ones(len(hits))), bootstrap(statistic, len(hits), resamples, seed), {}
    )


def with_further(score: Score, further: Mapping[str, Score]) -> Score:
    """A score with the main metrics of further columns of the same sentences.

    Args:
        score: the score of the first column of tags.
        further: the scores of further columns, and of labels, by their name.

    Returns:
        The score with `f1 of NAME`, where there are chunks, and `accuracy of NAME`.
    """
    values, samples = {**score.values}, {**score.samples}
    for name, other in further.items():
        for metric in ("f1", "accuracy"):
            if metric in other.values:
                values[f"{metric} of {name}"] = other.values[metric]
                if metric in other.samples:
                    samples[f"{metric} of {name}"] = other.samples[metric]
    return Score(values, samples, score.details)


def _chunk_counts(
    truth: Sequence[Sequence[str]],
    predicted: Sequence[Sequence[str]],
    by_type: dict[str, Counter[str]],
) -> dict[str, np.ndarray]:
    """Numbers of chunks of each sentence; the numbers of each type are added to `by_type`."""
    rows = []
    for pair in zip(truth, predicted):
        true, guessed = ({*chunks(tags)} for tags in pair)
        parts = {"correct": true & guessed, "predicted": guessed, "true": true}
        for name, part in parts.items():
            for chunk in part:
                by_type.setdefault(chunk.type, Counter())[name] += 1
        rows.append([len(parts[name]) for name in _CHUNKS])
    return dict(zip(_CHUNKS, np.array(rows).T))


def _tag_counts(
    truth: Sequence[Sequence[str]],
    predicted: Sequence[Sequence[str]],
    by_tag: dict[str, Counter[str]],
) -> None:
    for pair in zip(truth, predicted):
        for true, guess in zip(*pair):
            by_tag.setdefault(true, Counter())["true"] += 1
            by_tag.setdefault(guess, Counter())["predicted"] += 1
            if true == guess:
                by_tag[true]["correct"] += 1


def _statistic(counts: Mapping[str, np.ndarray]) -> Statistic:
    """The metrics, as a function of the weight of each sentence."""
    names = [name for name in ("known", "unknown") if name in counts and counts[name].any()]

    def statistic(weights: np.ndarray) -> dict[str, float]:
        # sum, not dot: on few numbers a threaded dot product takes longer.
        total = {name: float((weights * values).sum()) for name, values in counts.items()}
        values = _f1(*(total[name] for name in _CHUNKS)) if "true" in total else {}
        values["accuracy"] = total["hits"] / max(total["tokens"], 1)
        for name in names:
            values[f"{name}_accuracy"] = total[f"{name}_hits"] / max(total[name], 1)
        values["sentence_accuracy"] = total["exact"] / float(weights.sum())
        return values

    return statistic


def _f1(correct: float, predicted: float, true: float) -> dict[str, float]:
    return {
        "f1": 2 * correct / max(predicted + true, 1),
        "precision": correct / max(predicted, 1),
        "recall": correct / max(true, 1),
    }


def _type_scores(counts: Counter[str]) -> dict[str, float]:
    return {**_f1(*(counts[name] for name in _CHUNKS)), "count": counts["true"]}


def _confusion(
    truth: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]], chunked: bool
) -> dict[str, Any]:
    """Number of tokens by true and predicted type."""

    def name(tag: str) -> str:
        return (split_tag(tag)[1] or tag) if chunked else tag

    pairs = Counter(pair for rows in zip(truth, predicted) for pair in zip(*rows))
    types = sorted({name(tag) for pair in pairs for tag in pair}, key=lambda n: (n == OUTSIDE, n))
    number = {each: i for i, each in enumerate(types)}
    counts = np.zeros((len(types), len(types)), np.int64)
    for (true, guess), count in pairs.items():
        counts[number[name(true)], number[name(guess)]] += count
    return {"types": types, "counts": counts.tolist()}
