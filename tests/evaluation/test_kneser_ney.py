"""Kneser-Ney models beside values worked out by hand, and beside the equations."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseq.evaluation.kneser_ney import KneserNey
from tests.thorough import examples


def test_bigrams_by_hand() -> None:
    # a b a b a c: ab and ba twice, ac once, so that the discount of bigrams is 1 / (1 + 2 * 2).
    # Each of a, b and c follows one other token: counts of one, whose discount 3 / (3 + 0) is 1,
    # so that the unigrams are uniform.
    model = KneserNey(np.array([0, 1, 0, 1, 0, 2]), words=3, order=2)
    after_a = {
        0: 2 * 0.2 / 3 / 3,
        1: (2 - 0.2) / 3 + 2 * 0.2 / 3 / 3,
        2: (1 - 0.2) / 3 + 2 * 0.2 / 3 / 3,
    }
    for token, expected in after_a.items():
        log_probs = model.log_probabilities(np.array([0, token]))
        np.testing.assert_allclose(np.exp(log_probs), [1 / 3, expected])
    # c was never followed by anything: the unigrams alone decide.
    np.testing.assert_allclose(np.exp(model.log_probabilities(np.array([2, 1]))), 1 / 3)


def test_unigrams_count_the_text() -> None:
    # Counts 3, 2 and 1: the discount is 1 / (1 + 2 * 1).
    model = KneserNey(np.array([0, 1, 0, 1, 0, 2]), words=5, order=1, unused=1)
    expected = [(count - 1 / 3) / 6 + 3 / 3 / 6 / 4 for count in (3, 2, 1)] + [3 / 3 / 6 / 4]
    found = np.exp(model.log_probabilities(np.array([0, 1, 2, 3])))
    np.testing.assert_allclose(found, expected)


def _probability(text: list[int], words: int, context: tuple[int, ...], token: int) -> float:
    """The equations, for one token after a context."""

    def counts(length: int, longest: bool) -> Counter[tuple[int, ...]]:
        ngrams = [tuple(text[i : i + length]) for i in range(len(text) - length + 1)]
        if longest:
            return Counter(ngrams)
        longer = {tuple(text[i : i + length + 1]) for i in range(len(text) - length)}
        return Counter(ngram[1:] for ngram in longer)

    order = len(context) + 1
    probability = 1 / words
    for length in range(1, order + 1):
        table = counts(length, length == order)
        once, twice = (sum(c == n for c in table.values()) for n in (1, 2))
        discount = once / (once + 2 * twice) if once else 0.5
        begun = context[len(context) - length + 1 :]
        after = {ngram: c for ngram, c in table.items() if ngram[:-1] == begun}
        total = sum(after.values())
        if total:
            kept = max(after.get((*begun, token), 0) - discount, 0)
            probability = (kept + discount * len(after) * probability) / total
    return probability


@given(st.lists(st.integers(0, 3), min_size=3, max_size=30), st.integers(1, 3), st.data())
@examples(30)
def test_it_follows_the_equations_and_sums_to_one(
    text: list[int], order: int, data: st.DataObject
) -> None:
    model = KneserNey(np.array(text), words=4, order=order)
    context = tuple(data.draw(st.lists(st.integers(0, 3), min_size=order - 1, max_size=order - 1)))
    found = [np.exp(model.log_probabilities(np.array([*context, t])))[-1] for t in range(4)]
    expected = [_probability(text, 4, context, token) for token in range(4)]
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    assert sum(found) == pytest.approx(1)


def test_a_text_shorter_than_an_ngram_is_refused() -> None:
    with pytest.raises(ValueError, match=r"tokens as order\. Received: 2 tokens, order=3"):
        KneserNey(np.array([0, 1]), words=2, order=3)
