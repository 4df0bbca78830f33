"""Scores of sentences are sacrebleu's, or worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sacrebleu.metrics import BLEU, CHRF

from kerasseq.evaluation.caption_metrics import captions, cider_d, rouge_l

_SENTENCE = st.lists(st.sampled_from(["a", "dog", "cat", "runs", "on", "grass"]), max_size=8).map(
    " ".join
)
_TOLD = _SENTENCE.filter(bool)


@given(st.lists(st.tuples(_SENTENCE, _TOLD, _TOLD), min_size=1, max_size=6))
def test_bleu_and_chrf_are_sacrebleus_over_the_corpus(rows: list[tuple[str, str, str]]) -> None:
    found, first, second = (list(part) for part in zip(*rows))
    values = captions(found, list(zip(first, second)), resamples=0).values
    for order in range(1, 5):
        bleu = BLEU(tokenize="none", smooth_method="none", max_ngram_order=order)
        expected = bleu.corpus_score(found, [first, second]).score
        assert values[f"bleu_{order}"] == pytest.approx(expected)
    assert values["chrf"] == pytest.approx(CHRF().corpus_score(found, [first, second]).score)


def test_bleu_by_hand() -> None:
    # 3 of 4 words, 1 of 3 pairs, and 4 words where the nearest reference has 5.
    values = captions(["a dog runs home"], [["the dog runs a lot", "a"]], resamples=0).values
    short = math.exp(1 - 5 / 4)
    assert values["bleu_1"] == pytest.approx(100 * short * 3 / 4)
    assert values["bleu_2"] == pytest.approx(100 * short * math.sqrt(3 / 4 * 1 / 3))
    assert values["bleu_3"] == 0


def test_references_may_differ_in_number() -> None:
    values = captions(["a dog", "a cat"], [["a dog"], ["the cat", "a cat"]], resamples=0).values
    assert [values["bleu_2"], values["chrf"], values["exact"]] == pytest.approx([100, 100, 1])


def test_rouge_l_by_hand() -> None:
    # "a b d" of four and five words: precision 3/4, recall 3/5; the best of each counts.
    f = (1 + 1.44) * 0.75 * 0.6 / (0.6 + 1.44 * 0.75)
    assert rouge_l("a b c d", ["a b x y d"]) == pytest.approx(100 * f)
    both = (1 + 1.44) * 0.75 * 1 / (1 + 1.44 * 0.75)
    assert rouge_l("a b c d", ["a b x y d", "c"]) == pytest.approx(100 * both)
    assert rouge_l("a b", ["b a"]) == pytest.approx(50)
    assert rouge_l("", ["a"]) == rouge_l("a", ["b"]) == 0


def test_cider_d_by_hand() -> None:
    # Of two rows, "a" is in both references and weighs nothing, every other n-gram log 2.
    # "a dog" against "a dog ran": words: dog of (dog, ran); pairs: one of two; no triples.
    found = cider_d(["a dog", "two cats"], [["a dog ran"], ["a cat sat"]])
    likeness = (1 / math.sqrt(2) + 1 / math.sqrt(2)) / 4
    assert found[0] == pytest.approx(10 * likeness * math.exp(-1 / 72))
    assert found[1] == 0


def test_cider_d_clips_repetitions_and_is_a_mean_over_references() -> None:
    others = [["two cats sat"], ["birds fly"]]
    once, often, half = (
        cider_d([own, "x", "x"], [told, *others])[0]
        for own, told in (
            ("dog", ["dog"]),
            ("dog dog dog", ["dog"]),
            ("dog", ["dog", "wolf"]),
        )
    )
    assert once == pytest.approx(10 / 4)
    # A vector of one word has the same direction however often it comes: clipping makes it less.
    assert often == pytest.approx(10 / 4 / 3 * math.exp(-4 / 72))
    assert half == pytest.approx(once / 2)


@given(st.lists(st.tuples(_SENTENCE, _TOLD, _TOLD), min_size=2, max_size=5), st.integers(0, 99))
def test_a_resample_is_scored_as_the_rows_it_is_made_of(
    rows: list[tuple[str, str, str]], seed: int
) -> None:
    found = [own for own, *_ in rows]
    references = [list(told) for _, *told in rows]
    random = np.random.default_rng(0)
    further = {"nats": random.random(len(rows)) * 9, "words": random.integers(2, 9, len(rows))}
    score = captions(found, references, **further, resamples=2, seed=seed)
    draws = np.random.default_rng(seed)
    for number in range(2):
        drawn = draws.integers(0, len(rows), len(rows))
        again = captions(
            [found[i] for i in drawn],
            [references[i] for i in drawn],
            **{name: values[drawn] for name, values in further.items()},
            resamples=0,
        ).values
        for name in ("bleu_1", "bleu_4", "rouge_l", "exact", "perplexity"):
            assert score.samples[name][number] == pytest.approx(again[name]), name


def test_what_sentences_are_like() -> None:
    values = captions(
        ["a dog", "a dog"], [["a cat"], ["a dog"]],
        nats=np.array([2.0, 4.0]), words=np.array([3, 3]), new=np.array([True, False]),
        resamples=0,
    ).values  # fmt: skip
    assert values["vocabulary"] == 2
    assert values["exact"] == values["new"] == 0.5
    assert values["perplexity"] == pytest.approx(math.exp(1))


def test_sentences_without_references_are_refused() -> None:
    for found, references in (([], []), (["a"], [[]]), (["a"], [["a"], ["b"]])):
        with pytest.raises(ValueError, match="at least one reference for each"):
            captions(found, references)
