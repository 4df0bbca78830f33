"""Sentiment, and any other classification of texts: a recurrent branch beside one of n-grams."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from kerasseq.recipe import (
    Choice,
    Number,
    Objective,
    Parts,
    Prepared,
    Range,
    Stages,
    Whole,
    one_of,
    perform,
    positive,
    share,
)

if TYPE_CHECKING:
    import keras
    import pandas as pd
    from matplotlib.figure import Figure

    from kerasseq.data.labelled import LabelledTexts
    from kerasseq.metrics import Score
    from kerasseq.models import Classifier
    from kerasseq.run import Run
    from kerasseq.training import Examples

__all__ = ["STAGES", "Sentiment", "sentiment"]

_POOLINGS = ("last", "mean", "max", "attention")
_BASELINE = "TF-IDF bigrams + logistic regression"
_RATIO_FOLDS = 10


def sentiment(
    data: str | os.PathLike[str] | pd.DataFrame = "demo",
    *,
    text: str | None = None,
    label: str | None = None,
    cell: str = "lstm",
    units: int = 64,
    depth: int = 1,
    bidirectional: bool = True,
    pooling: str = "max",
    embedding: int = 100,
    dropout: float = 0.5,
    embedding_dropout: float = 0.5,
    token_dropout: float = 0.1,
    recurrent_dropout: float = 0.0,
    zoneout: float = 0.0,
    wide: bool = True,
    ngram_order: int = 2,
    ngram_count: int = 1,
    ngram_limit: int = 300_000,
    ngram_dropout: float = 0.0,
    tokens: str = "word",
    vocabulary_size: int = 30_000,
    min_count: int = 2,
    lowercase: bool = True,
    length: int | None = None,
    truncate: str = "end",
    validation: float = 0.1,
    test: float = 0.2,
    class_weights: bool = False,
    epochs: int = 30,
    patience: int = 4,
    batch_size: int = 50,
    learning_rate: float = 1e-3,
    schedule: str | keras.optimizers.schedules.LearningRateSchedule = "constant",
    clip: float | None = 1.0,
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    warm_start: Run | str | os.PathLike[str] | None = None,
    quiet: bool = False,
) -> Run:
    """Train a recurrent text classifier, and tell how good it is beside simple baselines.

    Any number of classes; whatever the labels are, they come back as they were. A bag of n-grams
    is hard to beat with a recurrent model alone (Wang & Manning 2012,
    https://aclanthology.org/P12-2018), and so there is one in the model, beside the recurrent part.

    Args:
        data: a DataFrame; a CSV, TSV, JSON-lines or Parquet file; a folder, or an archive of one,
            with a sub-folder per class; a pair of files `NAME.pos` and `NAME.neg`; "imdb", which is
            downloaded; or "demo", a small set of reviews that comes with kerasseq.
        text: name of the column that holds the texts; found where it is not given.
        label: name of the column that holds the labels; found where it is not given.
        cell: name of the recurrent cell; `kerasseq cells` lists them.
        units: width of the cell.
        depth: levels of recurrent layers.
        bidirectional: whether each level reads both ways.
        pooling: from states to one vector: last, mean, max or attention, or several joined by +.
        embedding: width of the embedding.
        dropout: share of the pooled features that is dropped in training.
        embedding_dropout: share of the embedded tokens' features that is dropped in training.
        token_dropout: share of the tokens that is made unknown in training.
        recurrent_dropout: share of the state that is dropped in training.
        zoneout: share of the state that is kept as it was in training.
        wide: whether n-grams vote beside the recurrent branch.
        ngram_order: longest n-grams, in tokens.
        ngram_count: an n-gram must be in so many training texts.
        ngram_limit: at most so many n-grams, the most frequent ones.
        ngram_dropout: share of the n-grams that is left out in training.
        tokens: "word", or "subword" for byte pairs.
        vocabulary_size: at most so many tokens.
        min_count: a token must occur so often in the training texts.
        lowercase: whether "Good" is "good".
        length: tokens per text for the recurrent branch; chosen from the data where not given.
        truncate: what a longer text loses: "end", "start" or "middle".
        validation: share of the training texts that decides when to stop.
        test: share of the texts to score on, where the data has no test set of its own.
        class_weights: whether rare classes count as much as frequent ones in training.
        epochs: at most so many passes over the training texts.
        patience: stop after so many epochs without a better one.
        batch_size: texts per step.
        learning_rate: of Adam.
        schedule: of the learning rate: "constant", "cosine", or a Keras schedule.
        clip: longest gradient; None for any.
        seed: of everything that is drawn; on a CPU the same seed gives the same run, bit for bit.
        out: folder to write to; after an interruption the same call goes on from there.
        callbacks: further Keras callbacks.
        warm_start: an earlier run, or its folder, to take weights from.
        quiet: whether to show no progress.

    Returns:
        A Run: `predict`, `evaluate`, `save`, `summary`, and the Keras `model` itself.

    Raises:
        ValueError: for data, settings or a folder that cannot be used; it says what to do.
        FileNotFoundError: if there is no such data.

    Example:

    >>> run = sentiment(epochs=1, units=4, quiet=True)
    >>> run.predict(["not bad at all"])["label"].item() in {"negative", "positive"}
    True
    """
    return perform(STAGES, locals())


class Sentiment(Stages):
    """The stages of `sentiment`."""

    name: ClassVar[str] = "sentiment"
    headline: ClassVar[str] = "accuracy"
    prepares: ClassVar[tuple[str, ...]] = (
        "wide",
        "ngram_order",
        "ngram_count",
        "ngram_limit",
        "tokens",
        "vocabulary_size",
        "min_count",
        "lowercase",
        "length",
        "truncate",
        "validation",
        "test",
        "class_weights",
        "seed",
    )

    def check(self, settings: Mapping[str, Any]) -> None:
        positive(settings, "units", "depth", "embedding", "vocabulary_size", "min_count")
        positive(settings, "ngram_order", "ngram_count", "ngram_limit")
        share(settings, "validation", "test", zero=False)
        share(settings, "dropout", "embedding_dropout", "token_dropout", "ngram_dropout")
        share(settings, "recurrent_dropout", "zoneout")
        one_of(settings, "tokens", ("word", "subword"))
        one_of(settings, "truncate", ("end", "start", "middle"))
        modes = str(settings["pooling"]).split("+")
        if len({*modes} & {*_POOLINGS}) != len(modes):
            raise ValueError(
                f"pooling must be one of {', '.join(_POOLINGS)}, or several joined by '+'. "
                f"Received: pooling={settings['pooling']!r}"
            )
        self.count({"vocabulary": 2, "classes": 2, "ngrams": 0}, settings)  # the cell and its own

    def load(self, data: Any, settings: Mapping[str, Any]) -> LabelledTexts:
        from kerasseq.data.labelled import LabelledTexts, read_labelled

        if isinstance(data, LabelledTexts):
            return data
        return read_labelled(data, text=settings["text"], label=settings["label"])

    def split(
        self,
        source: LabelledTexts,
        settings: Mapping[str, Any],
        *,
        test: bool = True,
        fold: tuple[int, int] | None = None,
    ) -> Parts:
        from kerasseq.data.splits import stratified_folds, stratified_split

        texts, labels, seed = source.texts, source.labels, settings["seed"]
        notes = list(source.notes)
        if source.test_texts is None:
            keep, held = stratified_split(labels, settings["test"], seed, groups=texts)
            rest, held_out = _rows(texts, labels, keep), _rows(texts, labels, held)
        else:
            rest, held_out = (texts, labels), (source.test_texts, source.test_labels)
        if fold is None:
            keep, held = stratified_split(rest[1], settings["validation"], seed, groups=rest[0])
        else:
            number, folds = fold
            keep, held = stratified_folds(rest[1], folds, seed)[number]
        train, validation = _rows(*rest, keep), _rows(*rest, held)
        notes.append(
            f"{len(train[0]):,} texts to train on, {len(validation[0]):,} to stop by, "
            f"{len(held_out[0]):,} to score on"
        )
        return Parts(train, validation, held_out if test else None, notes)

    def prepare(self, parts: Parts, settings: Mapping[str, Any]) -> Prepared:
        from kerasseq.data.text import TextEncoder

        texts, labels = parts.train
        classes = sorted({*labels})
        encoder = TextEncoder(
            kind=settings["tokens"],
            vocabulary_size=settings["vocabulary_size"],
            min_count=settings["min_count"],
            lowercase=settings["lowercase"],
            length=settings["length"],
            truncate=settings["truncate"],
        ).fit(texts)
        state = {
            "facts": {
                "classes": len(classes),
                "vocabulary": len(encoder.vocabulary),
                "length": encoder.length,
                "ngrams": 0,
            },
            "classes": classes,
            "encoder": encoder.state(),
            "ngrams": None,
        }
        initial: dict[str, np.ndarray] = {}
        corrections = None
        notes = list(encoder.notes)
        if settings["wide"]:
            truth = _numbers(labels, classes)
            initial, corrections = _fit_ngrams(encoder.tokens(texts), truth, state, settings)
            notes.append(f"{state['facts']['ngrams']:,} n-grams of up to {settings['ngram_order']}")
        reader = _Reader(state)
        train = reader.examples(texts, labels, corrections)
        if settings["class_weights"]:
            truth = _numbers(labels, classes)
            each = len(labels) / (len(classes) * np.bincount(truth))
            train = dataclasses.replace(train, weights=each[truth].astype(np.float32))
        return Prepared(
            train=train,
            validation=reader.examples(*parts.validation),
            test=None if parts.test is None else reader.examples(*parts.test),
            state=state,
            initial=initial,
            notes=notes,
        )

    def count(self, facts: Mapping[str, Any], settings: Mapping[str, Any]) -> int:
        return _sizes(facts, settings).count()

    def build(self, facts: Mapping[str, Any], settings: Mapping[str, Any]) -> keras.Model:
        return _sizes(facts, settings).build()

    def objective(self, facts: Mapping[str, Any], settings: Mapping[str, Any]) -> Objective:
        import keras

        if facts["classes"] == 2:
            return Objective(
                keras.losses.BinaryCrossentropy(from_logits=True),
                [keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)],
            )
        return Objective(
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            [keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        )

    def predictions(
        self, model: keras.Model, examples: Examples, state: Mapping[str, Any]
    ) -> np.ndarray:
        from kerasseq import training

        return _probabilities(training.outputs(model, examples))

    def score(
        self, predictions: np.ndarray, targets: np.ndarray, settings: Mapping[str, Any]
    ) -> Score:
        from kerasseq import metrics

        truth = np.asarray(targets).ravel().astype(np.int64)
        return metrics.classification(truth, predictions, seed=settings["seed"])

    def baselines(
        self, parts: Parts, prepared: Prepared, settings: Mapping[str, Any]
    ) -> dict[str, np.ndarray]:
        # They stop by nothing, and so learn from the validation part too.
        texts = [*parts.train[0], *parts.validation[0]]
        truth = _numbers([*parts.train[1], *parts.validation[1]], prepared.state["classes"])
        shares = np.bincount(truth) / len(truth)
        return {
            "majority": np.tile(shares, (len(parts.test[0]), 1)),
            _BASELINE: _tfidf(texts, truth, parts.test[0]),
        }

    def read(
        self, data: Any, state: Mapping[str, Any], settings: Mapping[str, Any]
    ) -> Examples:
        source = self.load(data, settings)
        texts, labels = source.texts, source.labels
        if source.test_texts is not None:
            texts, labels = source.test_texts, source.test_labels
        return self._reader(state).examples(texts, labels)

    def predict(
        self,
        model: keras.Model,
        state: Mapping[str, Any],
        settings: Mapping[str, Any],
        data: Any,
    ) -> pd.DataFrame:
        import pandas as pd

        texts = _listed(data)
        reader = self._reader(state)
        reader.check_known(texts)
        found = self.predictions(model, reader.examples(texts), state)
        classes = state["classes"]
        frame = pd.DataFrame(found, columns=classes)
        frame.insert(0, "text", texts, allow_duplicates=True)
        frame.insert(1, "label", [classes[i] for i in found.argmax(1)], allow_duplicates=True)
        return frame

    def space(self) -> dict[str, Range]:
        return {
            "cell": Choice(("lstm", "gru", "mgu", "ligru", "mingru")),
            "units": Whole(16, 256, log=True),
            "depth": Whole(1, 3),
            "pooling": Choice(_POOLINGS),
            "embedding": Whole(32, 300, log=True),
            "dropout": Number(0.0, 0.7),
            "embedding_dropout": Number(0.0, 0.7),
            "token_dropout": Number(0.0, 0.3),
            "ngram_order": Whole(1, 3),
            "learning_rate": Number(1e-4, 1e-2, log=True),
            "batch_size": Choice((16, 32, 64, 128)),
        }

    def figures(self, run: Run) -> dict[str, Figure]:
        from kerasseq import plots

        return {
            **super().figures(run),
            "confusion": plots.confusion_matrix(run.metrics["confusion"], run.state["classes"]),
            "reliability": plots.reliability_diagram(run.metrics["reliability"]),
        }

    def row_names(self, state: Mapping[str, Any]) -> dict[str, list[str]]:
        return {"embedding/embeddings": self._reader(state).encoder.vocabulary}

    def _reader(self, state: Mapping[str, Any]) -> _Reader:
        if self._last is None or self._last[0] is not state:
            self._last = (state, _Reader(state))
        return self._last[1]

    # The vocabularies of the run that was asked last: parsing them takes longer than predicting.
    _last: tuple[Mapping[str, Any], _Reader] | None = None


STAGES = Sentiment()


class _Reader:
    """Turns texts into examples, by the vocabularies in the state of a run."""

    def __init__(self, state: Mapping[str, Any]) -> None:
        from kerasseq.data.ngrams import NgramEncoder
        from kerasseq.data.text import TextEncoder

        self.encoder = TextEncoder.from_state(state["encoder"])
        self.ngrams = state["ngrams"] and NgramEncoder.from_state(state["ngrams"])
        self.classes: list[str] = state["classes"]

    def examples(
        self,
        texts: Sequence[str],
        labels: Sequence[str] | None = None,
        corrections: np.ndarray | None = None,
    ) -> Examples:
        """Examples of texts, with their labels where those are known."""
        from kerasseq.training import Examples

        rows = self.encoder.tokens(texts)
        inputs = {"tokens": self.encoder.pad(rows)}
        used = [min(len(row), self.encoder.length) for row in rows]
        lengths = {"tokens": np.array(used, dtype=np.int64)}
        if self.ngrams:
            inputs["ngrams"] = self.ngrams.encode(rows)
            lengths["ngrams"] = np.count_nonzero(inputs["ngrams"], axis=1)
            if corrections is None:
                corrections = np.zeros((len(texts), 1, _logits(self.classes)), dtype=np.float32)
            else:
                lengths["corrections"] = lengths["ngrams"]
            inputs["corrections"] = corrections
        targets = None
        if labels is not None:
            targets = _numbers(labels, self.classes)
            if len(self.classes) == 2:
                targets = targets[:, None].astype(np.float32)
        return Examples(inputs, targets, lengths)

    def check_known(self, texts: Sequence[str]) -> None:
        """Raise a ValueError for a text that has not one known word."""
        for i, unknown in enumerate(self.encoder.unknown_share(texts)):
            if unknown == 1:
                what = "holds no word that the model knows" if texts[i].strip() else "is empty"
                raise ValueError(
                    f"text {i} {what}: {texts[i][:60]!r}. Leave it out, or train on texts like it."
                )


def _listed(data: Any) -> list[str]:
    if isinstance(data, str | bytes) or not hasattr(data, "__iter__"):
        raise ValueError(f"give a list of texts, even for one. Received: {str(data)[:60]!r}")
    texts = list(data)
    if not texts:
        raise ValueError("there is no text to predict: the list is empty.")
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise ValueError(f"every text must be a string. Received: text {i} is {text!r}")
    return texts


def _rows(
    texts: Sequence[str], labels: Sequence[str], rows: np.ndarray
) -> tuple[list[str], list[str]]:
    return [texts[i] for i in rows], [labels[i] for i in rows]


def _numbers(labels: Sequence[str], classes: Sequence[str]) -> np.ndarray:
    """Labels as class numbers."""
    number = {name: i for i, name in enumerate(classes)}
    unknown = sorted({*labels} - {*number})
    if unknown:
        raise ValueError(
            f"the classes {', '.join(map(repr, unknown))} were not in the training texts, which "
            f"have {', '.join(map(repr, classes))}. Leave those rows out, or train on them."
        )
    return np.array([number[label] for label in labels], dtype=np.int64)


def _logits(classes: Sequence[str]) -> int:
    return 1 if len(classes) == 2 else len(classes)


def _probabilities(logits: np.ndarray) -> np.ndarray:
    """Of each class, in double precision: `(rows, classes)`."""
    logits = np.asarray(logits, dtype=np.float64)
    if logits.shape[1] == 1:
        logits = np.concatenate([np.zeros_like(logits), logits], axis=1)
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def _sizes(facts: Mapping[str, Any], settings: Mapping[str, Any]) -> Classifier:
    from kerasseq.models import Classifier

    dropouts = ("dropout", "embedding_dropout", "token_dropout", "ngram_dropout")
    return Classifier(
        **{name: facts[name] for name in ("vocabulary", "classes", "ngrams")},
        **{name: settings[name] for name in ("cell", "units", "depth", "bidirectional")},
        **{name: settings[name] for name in ("pooling", "embedding", *dropouts)},
        options={n: settings[n] for n in ("recurrent_dropout", "zoneout") if settings[n]},
    )


def _fit_ngrams(
    rows: Sequence[Sequence[int]],
    truth: np.ndarray,
    state: dict[str, Any],
    settings: Mapping[str, Any],
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Adds the n-grams of the training texts to the state.

    Returns:
        What the weights of the wide branch start from, and what turns the ratios of all texts into
        those of all texts but the tenth that a text is in.
    """
    from kerasseq.data.ngrams import NgramEncoder

    encoder = NgramEncoder(
        order=settings["ngram_order"], min_count=settings["ngram_count"], size=settings["ngram_limit"]
    ).fit(rows)
    state["ngrams"] = encoder.state()
    state["facts"]["ngrams"] = encoder.size
    classes = state["facts"]["classes"]
    ids = encoder.encode(rows)
    ratios = encoder.log_ratios(ids, truth, classes)
    corrections = np.empty((*ids.shape, ratios.shape[1]), dtype=np.float32)
    fold = np.random.default_rng(settings["seed"]).permutation(len(ids)) % _RATIO_FOLDS
    for number in range(_RATIO_FOLDS):
        inside = fold == number
        others = encoder.log_ratios(ids[~inside], truth[~inside], classes)
        corrections[inside] = (others - ratios)[ids[inside]]
    corrections[ids == 0] = 0
    votes = (ratios[ids] + corrections).sum(axis=1)
    bias = _log_odds(truth, classes)
    initial = {
        "wide/ratios": ratios,
        "wide/gain": np.full(len(ratios), _gain(votes, bias, truth), dtype=np.float32),
        "wide/bias": bias.astype(np.float32),
    }
    return initial, corrections


def _log_odds(truth: np.ndarray, classes: int) -> np.ndarray:
    """The logits of a model that knows nothing but how frequent the classes are."""
    logs = np.log(np.bincount(truth, minlength=classes) / len(truth))
    return logs[1:] - logs[0] if classes == 2 else logs


def _gain(votes: np.ndarray, bias: np.ndarray, truth: np.ndarray) -> float:
    """The one gain for all n-grams with which their votes are most likely."""
    gains = np.geomspace(0.01, 2.0, 100)
    rows = np.arange(len(truth))
    likely = [
        np.log(_probabilities(gain * votes + bias)[rows, truth] + 1e-12).sum() for gain in gains
    ]
    return float(gains[int(np.argmax(likely))])


def _tfidf(texts: Sequence[str], truth: np.ndarray, test: Sequence[str]) -> np.ndarray:
    """What logistic regression on TF-IDF weighted words and bigrams predicts."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    baseline = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True),
        LogisticRegression(C=10.0, max_iter=1000),
    )
    found: np.ndarray = baseline.fit(texts, truth).predict_proba(test)
    return found
