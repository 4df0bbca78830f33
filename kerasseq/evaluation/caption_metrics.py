"""Scores of generated sentences beside references, each with its interval over the sentences.

Sentences are words with single spaces between them, as the model gives them: what is a word is
settled before, for sentences and references alike.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from kerasseq.evaluation.metrics import RESAMPLES, Score, bootstrap

__all__ = ["captions", "cider_d", "rouge_l"]

_SHOWN = (
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
_SIGMA = 6.0  # how far lengths may be apart, in CIDEr-D


def captions(
    found: Sequence[str],
    references: Sequence[Sequence[str]],
    *,
    nats: np.ndarray | None = None,
    words: np.ndarray | None = None,
    new: np.ndarray | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Score:
    """How like their references sentences are, and how varied.

    Args:
        found: a sentence for each row.
        references: what might have been said of each row, at least one sentence.
        nats: how surprising the references of each row are to the model, for `perplexity`.
        words: of the references of each row, as they were counted for `nats`.
        new: whether each sentence is one that was not learned from, for `new`.
        resamples: bootstrap resamples behind the intervals; 0 for none.
        seed: of the resamples.

    Returns:
        A Score: `bleu_1` to `bleu_4` and `chrf` (sacrebleu's, from 0 to 100, over the corpus with
        all references, with `tokenize="none"` and without smoothing); `rouge_l`, from 0 to 100;
        `cider`, CIDEr-D from 0 to 10; `exact`, the share of sentences that are one of their
        references; `new`, the share that was not learned; `vocabulary`, how many different words
        there are; and the `perplexity` of the references, per word.

    Raises:
        ValueError: if there is no sentence, or not a reference for each.

    Example:

    >>> score = captions(["a dog runs on grass"], [["a dog runs on grass", "the dog runs"]])
    >>> round(score.values["bleu_4"], 6), score.values["exact"]
    (100.0, 1.0)
    """
    if not found or len(found) != len(references) or not all(references):
        raise ValueError(
            "there must be sentences, and at least one reference for each. "
            f"Received: {len(found)} sentences and references for {len(references)}"
        )
    counts = _bleu_counts(found, references)
    rouge = np.array([rouge_l(own, told) for own, told in zip(found, references)])
    cider = cider_d(found, references)
    exact = [own in told for own, told in zip(found, references)]
    shares = {"rouge_l": rouge, "cider": cider, "exact": np.array(exact, dtype=np.float64)}
    if new is not None:
        shares["new"] = np.asarray(new, dtype=np.float64)

    def statistic(drawn: np.ndarray) -> dict[str, float]:
        values = _bleu(drawn @ counts)
        values |= {name: float(drawn @ own / drawn.sum()) for name, own in shares.items()}
        if nats is not None and words is not None:
            values["perplexity"] = float(np.exp(drawn @ nats / (drawn @ words)))
        return values

    values = statistic(np.ones(len(found)))
    values["chrf"] = _chrf(found, references)
    values["vocabulary"] = float(len({word for own in found for word in own.split()}))
    return Score(
        {name: values[name] for name in _SHOWN if name in values},
        bootstrap(statistic, len(found), resamples, seed),
    )


def rouge_l(found: str, references: Sequence[str]) -> float:
    """The longest common subsequence, as captioning measures it, from 0 to 100.

    F with beta 1.2 of the best precision and the best recall over the references (Lin 2004,
    https://aclanthology.org/W04-1013; the constants are those of the COCO evaluation).

    >>> round(rouge_l("the dog runs fast", ["the dog sat"]), 2)  # 2 of 4 words, and 2 of 3
    58.65
    """
    own = found.split()
    common = [(_common(own, told.split()), len(told.split())) for told in references]
    precision = max((hits / len(own) for hits, _ in common), default=0.0) if own else 0.0
    recall = max((hits / length for hits, length in common if length), default=0.0)
    if not precision or not recall:
        return 0.0
    return 100 * (1 + _BETA**2) * precision * recall / (recall + _BETA**2 * precision)


def cider_d(found: Sequence[str], references: Sequence[Sequence[str]]) -> np.ndarray:
    """CIDEr-D of each sentence, from 0 to 10: how like its references it is in what is telling.

    The cosine between counts of n-grams, those that many rows' references have counting less, mean
    over n-grams of one to four words and over references; counts are clipped and other lengths
    punished (Vedantam et al. 2015, https://arxiv.org/abs/1411.5726).

    Args:
        found: a sentence for each row.
        references: what might have been said of each row. They also tell how rare n-grams are, so
            that figures of different sets of rows cannot be compared, and a single row has none.

    Example:

    >>> cider_d(["a red cat", "a dog"], [["a red cat"], ["two dogs ran"]]).round(2).tolist()
    [7.5, 0.0]
    """
    rarity = Counter(
        gram for told in references for gram in {g for own in told for g in _grams(own)}
    )
    rows = math.log(max(len(references), 1))

    def weighed(sentence: str) -> list[dict[tuple[str, ...], float]]:
        by_order: list[dict[tuple[str, ...], float]] = [{} for _ in range(_ORDERS)]
        for gram, count in _grams(sentence).items():
            by_order[len(gram) - 1][gram] = count * (rows - math.log(max(1, rarity[gram])))
        return by_order

    scores = []
    for own, told in zip(found, references):
        mine = weighed(own)
        likeness = [
            _likeness(mine, weighed(other), len(own.split()) - len(other.split())) for other in told
        ]
        scores.append(10 * float(np.mean(likeness)))
    return np.array(scores)


def _likeness(one: list[dict[Any, float]], other: list[dict[Any, float]], longer: int) -> float:
    total = 0.0
    for mine, theirs in zip(one, other):
        lengths = _length(mine) * _length(theirs)
        if lengths:
            shared = sum(min(value, theirs.get(gram, 0.0)) * theirs.get(gram, 0.0)
                         for gram, value in mine.items())  # fmt: skip
            total += shared / lengths
    return total / _ORDERS * math.exp(-(longer**2) / (2 * _SIGMA**2))


def _length(vector: dict[Any, float]) -> float:
    return math.sqrt(sum(value**2 for value in vector.values()))


def _grams(sentence: str) -> Counter[tuple[str, ...]]:
    words = sentence.split()
    return Counter(
        tuple(words[start : start + order])
        for order in range(1, _ORDERS + 1)
        for start in range(len(words) - order + 1)
    )


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """The length of the longest common subsequence."""
    row = [0] * (len(other) + 1)
    for word in one:
        before = 0
        for place, theirs in enumerate(other, 1):
            here = row[place]
            row[place] = before + 1 if word == theirs else max(here, row[place - 1])
            before = here
    return row[-1]


def _streams(references: Sequence[Sequence[str]]) -> Any:
    """References as sacrebleu takes them: all first ones, all second ones, ..., None for none."""
    most = max(map(len, references))
    return [[own[i] if i < len(own) else None for own in references] for i in range(most)]


def _bleu_counts(found: Sequence[str], references: Sequence[Sequence[str]]) -> np.ndarray:
    """What BLEU is made of, (rows, 10): n-grams that match, n-grams, both lengths."""
    from sacrebleu.metrics.bleu import BLEU

    bleu = BLEU(tokenize="none", smooth_method="none", max_ngram_order=_ORDERS, force=True)
    rows = []
    for own, told in zip(found, references):
        score = bleu.corpus_score([own], [[other] for other in told])
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


def _chrf(found: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    from sacrebleu.metrics.chrf import CHRF

    return float(CHRF().corpus_score(list(found), _streams(references)).score)
