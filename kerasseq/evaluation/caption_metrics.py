"""Metrics of generated sentences against references, with bootstrap intervals over sentences.

Sentences are words separated by single spaces: sentences and references are tokenized before.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from kerasseq.evaluation.metrics import RESAMPLES, Score, bootstrap

__all__ = ["captions", "cider_d", "rouge_l"]

_METRICS = (
    "bleu_1",
    "bleu_2",
    "bleu_3",
    "bleu_4",
    "chrf",
    "rouge_l",
    "cider",
    "perplexity",
    "exact",
    "new",
    "vocabulary",
)
_ORDERS = 4  # the longest n-grams
_BETA = 1.2  # how much more recall counts than precision, in captioning's ROUGE-L
_SIGMA = 6.0  # standard deviation of the length penalty of CIDEr-D, in words


def captions(
    sentences: Sequence[str],
    references: Sequence[Sequence[str]],
    *,
    nats: np.ndarray | None = None,
    words: np.ndarray | None = None,
    new: np.ndarray | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Score:
    """Score generated sentences against references: similarity, perplexity and variety.

    Args:
        sentences: a generated sentence for each row.
        references: reference sentences of each row, at least one.
        nats: negative log-likelihood of the references of each row, `(rows,)`, for `perplexity`.
        words: number of words of these references, `(rows,)`, for `perplexity`.
        new: whether each sentence is absent from the training data, `(rows,)`, for `new`.
        resamples: number of bootstrap resamples behind the intervals; 0 for no intervals.
        seed: seed of the resamples.

    Returns:
        A Score: `bleu_1` to `bleu_4` and `chrf` (sacrebleu's, from 0 to 100, over the corpus with
        all references, with `tokenize="none"` and without smoothing); `rouge_l`, from 0 to 100;
        `cider`, CIDEr-D from 0 to 10; `exact`, the share of sentences that equal one of their
        references; `new`, the share of sentences absent from the training data; `vocabulary`, the
        number of different words; and the `perplexity` of the references, per word.

    Raises:
        ValueError: if there is no sentence, or a sentence has no reference.

    Example:

    >>> score = captions(["a dog runs on grass"], [["a dog runs on grass", "the dog runs"]])
    >>> round(score.values["bleu_4"], 6), score.values["exact"]
    (100.0, 1.0)
    """
    if not sentences or len(sentences) != len(references) or not all(references):
        raise ValueError(
            "there must be sentences, and at least one reference for each. "
            f"Received: {len(sentences)} sentences and references for {len(references)}"
        )
    counts = _bleu_counts(sentences, references)
    rouge = np.array([rouge_l(*row) for row in zip(sentences, references)])
    cider = cider_d(sentences, references)
    exact = [sentence in row for sentence, row in zip(sentences, references)]
    by_row = {"rouge_l": rouge, "cider": cider, "exact": np.array(exact, dtype=np.float64)}
    if new is not None:
        by_row["new"] = np.asarray(new, dtype=np.float64)

    def statistic(weights: np.ndarray) -> dict[str, float]:
        values = _bleu(weights @ counts)
        values |= {name: float(weights @ rows / weights.sum()) for name, rows in by_row.items()}
        if nats is not None and words is not None:
            values["perplexity"] = float(np.exp(weights @ nats / (weights @ words)))
        return values

    values = statistic(np.ones(len(sentences)))
    values["chrf"] = _chrf(sentences, references)
    values["vocabulary"] = float(len({word for sentence in sentences for word in sentence.split()}))
    return Score(
        {name: values[name] for name in _METRICS if name in values},
        bootstrap(statistic, len(sentences), resamples, seed),
    )


def rouge_l(sentence: str, references: Sequence[str]) -> float:
    """ROUGE-L of a sentence, from the longest common subsequence, from 0 to 100.

    F measure with beta 1.2 of the best precision and the best recall over the references (Lin 2004,
    https://aclanthology.org/W04-1013; the constants of the COCO evaluation).

    >>> round(rouge_l("the dog runs fast", ["the dog sat"]), 2)  # 2 of 4 words, and 2 of 3
    58.65
    """
    words = sentence.split()
    common = [
        (_common_length(words, reference.split()), len(reference.split()))
        for reference in references
    ]
    precision = max((hits / len(words) for hits, _ in common), default=0.0) if words else 0.0
    recall = max((hits / length for hits, length in common if length), default=0.0)
    if not precision or not recall:
        return 0.0
    return 100 * (1 + _BETA**2) * precision * recall / (recall + _BETA**2 * precision)


def cider_d(sentences: Sequence[str], references: Sequence[Sequence[str]]) -> np.ndarray:
    """CIDEr-D of each sentence, from 0 to 10: similarity of its informative n-grams to references.

    The cosine between TF-IDF weighted counts of n-grams, averaged over n-grams of one to four words
    and over references; counts are clipped, and a difference in length is penalised
    (Vedantam et al. 2015, https://arxiv.org/abs/1411.5726).

    Args:
        sentences: a generated sentence for each row.
        references: reference sentences of each row. Document frequencies are counted over them, so
            that values of different sets of rows cannot be compared, and a single row scores 0.

    Example:

    >>> cider_d(["a red cat", "a dog"], [["a red cat"], ["two dogs ran"]]).round(2).tolist()
    [7.5, 0.0]
    """
    frequency = Counter(  # number of rows whose references have an n-gram
        gram for row in references for gram in {g for reference in row for g in _grams(reference)}
    )
    rows = math.log(max(len(references), 1))

    def tf_idf(sentence: str) -> list[dict[tuple[str, ...], float]]:
        by_order: list[dict[tuple[str, ...], float]] = [{} for _ in range(_ORDERS)]
        for gram, count in _grams(sentence).items():
            by_order[len(gram) - 1][gram] = count * (rows - math.log(max(1, frequency[gram])))
        return by_order

    scores = []
    for sentence, row in zip(sentences, references):
        vectors, length = tf_idf(sentence), len(sentence.split())
        similarity = [
            _similarity(vectors, tf_idf(reference), length - len(reference.split()))
            for reference in row
        ]
        scores.append(10 * float(np.mean(similarity)))
    return np.array(scores)


def _similarity(
    sentence: list[dict[Any, float]], reference: list[dict[Any, float]], longer: int
) -> float:
    """Clipped cosine of n-gram vectors, mean over orders, times the length penalty."""
    total = 0.0
    for vector, target in zip(sentence, reference):
        norms = _norm(vector) * _norm(target)
        if norms:
            dot = sum(min(value, target.get(gram, 0.0)) * target.get(gram, 0.0)
                      for gram, value in vector.items())  # fmt: skip
            total += dot / norms
    return total / _ORDERS * math.exp(-(longer**2) / (2 * _SIGMA**2))


def _norm(vector: dict[Any, float]) -> float:
    return math.sqrt(sum(value**2 for value in vector.values()))


def _grams(sentence: str) -> Counter[tuple[str, ...]]:
    words = sentence.split()
    return Counter(
        tuple(words[start : start + order])
        for order in range(1, _ORDERS + 1)
        for start in range(len(words) - order + 1)
    )


def _common_length(first: Sequence[str], second: Sequence[str]) -> int:
    """The length of the longest common subsequence, by dynamic programming over one row."""
    row = [0] * (len(second) + 1)
    for word in first:
        diagonal = 0
        for column, candidate in enumerate(second, 1):
            above = row[column]
            row[column] = diagonal + 1 if word == candidate else max(above, row[column - 1])
            diagonal = above
    return row[-1]


def _streams(references: Sequence[Sequence[str]]) -> Any:
    """References in sacrebleu's layout: list i has reference i of each row, None where missing."""
    longest = max(map(len, references))
    return [[row[i] if i < len(row) else None for row in references] for i in range(longest)]


def _bleu_counts(sentences: Sequence[str], references: Sequence[Sequence[str]]) -> np.ndarray:
    """Statistics of BLEU, (rows, 10): matching n-grams, n-grams by order, and both lengths."""
    from sacrebleu.metrics.bleu import BLEU

    bleu = BLEU(tokenize="none", smooth_method="none", max_ngram_order=_ORDERS, force=True)
    rows = []
    for sentence, row in zip(sentences, references):
        score = bleu.corpus_score([sentence], [[reference] for reference in row])
        rows.append([*score.counts, *score.totals, score.sys_len, score.ref_len])
    return np.array(rows, dtype=np.float64)


def _bleu(counts: np.ndarray) -> dict[str, float]:
    from sacrebleu.metrics.bleu import BLEU

    counts = np.rint(counts).astype(int)
    correct, total = counts[:_ORDERS].tolist(), counts[_ORDERS:-2].tolist()
    values = {}
    for order in range(1, _ORDERS + 1):
        score = BLEU.compute_bleu(
            correct[:order],
            total[:order],
            sys_len=int(counts[-2]),
            ref_len=int(counts[-1]),
            smooth_method="none",
            max_ngram_order=order,
        )
        values[f"bleu_{order}"] = float(score.score)
    return values


def _chrf(sentences: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    from sacrebleu.metrics.chrf import CHRF

    return float(CHRF().corpus_score(list(sentences), _streams(references)).score)
