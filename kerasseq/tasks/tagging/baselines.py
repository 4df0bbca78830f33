"""Baselines of tagging: the most frequent tag of each word, and a CRF over features of words."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from kerasseq.data.tags.features import normalise, shape
from kerasseq.data.tags.sentences import Sentences

__all__ = ["feature_crf", "label_regression", "most_frequent", "most_frequent_label"]

_WINDOW = 2  # words on each side
_ITERATIONS = 50
_PENALTY = 0.1  # on the squares of weights


def most_frequent(train: Sentences, test: Sentences) -> list[list[str]]:
    """Tag each word with its most frequent tag, and unknown words with the one of most words.

    Args:
        train: sentences to count.
        test: sentences to tag.

    Returns:
        The tags of each sentence.

    >>> train = Sentences([["in", "Rome"], ["Rome", "in"], ["in"]], [["O", "L"], ["L", "O"], ["O"]])
    >>> most_frequent(train, Sentences([["Rome", "and"]]))
    [['L', 'O']]
    """
    by_word: dict[str, Counter[str]] = {}
    overall: Counter[str] = Counter()
    for words, tags in zip(train.tokens, train.known_tags()):
        overall.update(tags)
        for word, tag in zip(words, tags):
            by_word.setdefault(word, Counter())[tag] += 1
    common = {word: counts.most_common(1)[0][0] for word, counts in by_word.items()}
    default = overall.most_common(1)[0][0]
    return [[common.get(word, default) for word in words] for words in test.tokens]


def feature_crf(train: Sentences, test: Sentences) -> list[list[str]]:
    """Tag by a linear-chain CRF of CRFsuite over hand-made features, without a neural network.

    The features of a word are its normalised form, shape and affixes, the normalised forms, shapes
    and further columns of the two words on each side, and pairs of neighbours.

    Args:
        train: sentences to learn from.
        test: sentences to tag.

    Returns:
        The tags of each sentence.
    """
    import pycrfsuite

    trainer = pycrfsuite.Trainer("lbfgs", verbose=False)
    trainer.set_params({"c1": 0.0, "c2": _PENALTY, "max_iterations": _ITERATIONS})
    for features, tags in zip(_features(train), train.known_tags()):
        trainer.append(features, tags)
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "model.crfsuite")
        trainer.train(path)
        tagger = pycrfsuite.Tagger()
        tagger.open(path)
        tagged = [tagger.tag(features) for features in _features(test)]
        tagger.close()
    return tagged


def most_frequent_label(train: Sentences, test: Sentences) -> list[str]:
    """Give each sentence the most frequent label.

    Args:
        train: sentences to count.
        test: sentences to label.
    """
    label, _ = Counter(train.labels or ()).most_common(1)[0]
    return [label] * len(test)


def label_regression(train: Sentences, test: Sentences) -> list[str]:
    """Label sentences by logistic regression over the words that they have.

    Args:
        train: sentences to learn from.
        test: sentences to label.
    """
    from sklearn.feature_extraction import DictVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    def bags(sentences: Sentences) -> list[dict[str, int]]:
        return [dict.fromkeys(map(normalise, words), 1) for words in sentences.tokens]

    model = make_pipeline(DictVectorizer(), LogisticRegression(max_iter=1000))
    return [str(label) for label in model.fit(bags(train), train.labels).predict(bags(test))]


def _features(sentences: Sentences) -> list[list[list[str]]]:
    """The features of each word of each sentence, as CRFsuite takes them."""
    columns = list(sentences.columns.items())
    return [
        _sentence_features(words, [(name, values[row]) for name, values in columns])
        for row, words in enumerate(sentences.tokens)
    ]


def _sentence_features(
    words: Sequence[str], columns: Sequence[tuple[str, Sequence[str]]]
) -> list[list[str]]:
    rows = [
        ("word", [normalise(word) for word in words]),
        ("shape", [shape(word) for word in words]),
        *columns,
    ]
    features = [["bias", *_affixes(word)] for word in words]
    for name, values in rows:
        padded = ["<"] * _WINDOW + list(values) + [">"] * _WINDOW
        for place, attributes in enumerate(features):
            window = padded[place : place + 2 * _WINDOW + 1]
            attributes += [f"{name}[{i - _WINDOW}]={value}" for i, value in enumerate(window)]
            if name != "shape":
                pairs = pairwise(window)
                attributes += [f"{name}[{i - _WINDOW}|]={a}|{b}" for i, (a, b) in enumerate(pairs)]
    return features


def _affixes(word: str) -> list[str]:
    key = normalise(word)
    return [
        f"{side}{size}={key[:size] if side == 'prefix' else key[-size:]}"
        for side in ("prefix", "suffix")
        for size in (1, 2, 3, 4)
        if len(key) >= size
    ]
