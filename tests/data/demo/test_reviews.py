"""The demo reviews are repeatable, balanced, and need the order of their words."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

from kerasseq.data.demo.reviews import CLASSES, demo_reviews


def test_a_seed_gives_the_same_reviews() -> None:
    assert demo_reviews(3) == demo_reviews(3)
    assert demo_reviews(3) != demo_reviews(4)


@pytest.mark.parametrize("size", [2, 2000, 10_000])
def test_classes_are_balanced_and_no_text_is_there_twice(size: int) -> None:
    texts, labels = zip(*demo_reviews(size=size))
    assert Counter(labels) == dict.fromkeys(CLASSES, size // 2)
    assert len(set(texts)) == size


def test_every_review_is_made_of_whole_sentences() -> None:
    for text, _ in demo_reviews():
        assert re.fullmatch(r"([A-Z][a-zA-Z' ,]+\. )*[A-Z][a-zA-Z' ,]+\.", text), text
        assert "  " not in text
        assert not re.search(r"\b[Aa] [aeiou]|\b[Aa]n [^aeiou]", text), text


def test_what_comes_after_but_wins() -> None:
    found = dict.fromkeys(CLASSES, 0)
    bad, good = (
        ["awful", "terrible", "poor", "bad"],
        ["wonderful", "excellent", "impressive", "great"],
    )
    for text, label in demo_reviews(size=10_000):
        halves = re.findall(r"[^.]*", text.lower())
        for before, after in (half.split(", but ") for half in halves if half.count(", but ") == 1):
            for side, (own, other) in zip(CLASSES, ((bad, good), (good, bad))):
                if set(before.split()) & set(other) and set(after.split()) & set(own):
                    assert label == side, text
                    found[side] += 1
    assert min(found.values()) > 20


def _accuracy(vectorizer: CountVectorizer) -> float:
    texts, labels = zip(*demo_reviews())
    model = make_pipeline(vectorizer, LogisticRegression(C=10, max_iter=2000))
    return float(np.mean(cross_val_score(model, texts, labels, cv=5)))


def test_a_bag_of_words_gets_only_so_far() -> None:
    assert _accuracy(TfidfVectorizer(sublinear_tf=True)) < 0.78
    bigrams = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    assert 0.75 < _accuracy(bigrams) < 0.88


def test_words_say_nothing_in_sentences_of_contrast() -> None:
    reviews = [
        pair for pair in demo_reviews(size=20_000) if ", but " in pair[0] or "though" in pair[0]
    ]
    single = [pair for pair in reviews if " and " not in pair[0]]
    texts, labels = zip(*single)
    model = make_pipeline(TfidfVectorizer(), LogisticRegression(max_iter=2000))
    assert np.mean(cross_val_score(model, texts, labels, cv=5)) < 0.55


@pytest.mark.parametrize("size", [1, 100_001])
def test_the_size_is_checked(size: int) -> None:
    with pytest.raises(ValueError, match=f"size must be from 2 to 100,000. Received: size={size}"):
        demo_reviews(size=size)
