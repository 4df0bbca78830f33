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
    When,
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
    from kerasseq.data.reader import Reader
    from kerasseq.metrics import Score
    from kerasseq.models import Classifier
    from kerasseq.run import Run
    from kerasseq.training import Examples

__all__ = ["STAGES", "Sentiment", "sentiment"]

_POOLINGS = ("last", "mean", "max", "attention")
_BASELINE = "TF-IDF bigrams + logistic regression"


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
    ngrams: int = 2,
    ngram_count: int = 1,
    ngram_limit: int = 300_000,
    tokens: str = "word",
    vocabulary_size: int = 30_000,
    min_count: int = 2,
    lowercase: bool = True,
    length: int | None = None,
    truncate: str = "middle",
    validation: float = 0.1,
    test: float = 0.2,
    class_weights: bool = False,
    epochs: int = 30,
    patience: int = 2,
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

    Any number of classes; labels of any type come back as text. A recurrent model
    alone does not beat a bag of n-grams on a few thousand texts (Wang & Manning 2012,
    https://aclanthology.org/P12-2018). So it reads at each token what the n-grams that end there
    say about the classes, and the n-grams of the whole text vote beside it.

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
        ngrams: tokens of the longest n-grams, up to 3; 0 for a recurrent model alone.
        ngram_count: an n-gram must be in so many training texts.
        ngram_limit: at most so many n-grams, the most frequent ones.
        tokens: "word", or "subword" for byte pairs.
        vocabulary_size: at most so many tokens.
        min_count: a token must occur so often in the training texts.
        lowercase: whether "Good" is "good".
        length: tokens per text for the recurrent branch; chosen from the data where not given.
        truncate: what a longer text loses: its "end", "start" or "middle".
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
    reads: ClassVar[tuple[str, ...]] = ("text", "label")
    headline: ClassVar[str] = "accuracy"
    prepares: ClassVar[tuple[str, ...]] = (
        "ngrams",
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
        positive(settings, "ngram_count", "ngram_limit")
        one_of(settings, "ngrams", (0, 1, 2, 3))
        share(settings, "validation", "test", zero=False)
        share(settings, "dropout", "embedding_dropout", "token_dropout")
        share(settings, "recurrent_dropout", "zoneout")
        one_of(settings, "tokens", ("word", "subword"))
        one_of(settings, "truncate", ("end", "start", "middle"))
        modes = str(settings["pooling"]).split("+")
        if len({*modes} & {*_POOLINGS}) != len(modes):
            raise ValueError(
                f"pooling must be one of {', '.join(_POOLINGS)}, or several joined by '+'. "
                f"Received: pooling={settings['pooling']!r}"
            )
        self.count(
            {"vocabulary": 2, "classes": 2, "ngrams": 0}, settings
        )  # the cell, by its own checks

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
        whole: bool = False,
    ) -> Parts:
        from kerasseq.data.splits import stratified_folds, stratified_split

        texts, labels, seed = source.texts, source.labels, settings["seed"]
        notes = list(source.notes)
        if source.test_texts is None:
            keep, held = stratified_split(labels, settings["test"], seed, groups=texts)
            rest, held_out = _rows(texts, labels, keep), _rows(texts, labels, held)
        else:
            rest, held_out = (texts, labels), (source.test_texts, source.test_labels or [])
        if fold is None:
            keep, held = stratified_split(rest[1], settings["validation"], seed, groups=rest[0])
        else:
            number, folds = fold
            keep, held = stratified_folds(rest[1], folds, seed)[number]
        train, validation = (rest if whole else _rows(*rest, keep)), _rows(*rest, held)
        notes.append(
            f"{len(train[0]):,} texts to train on, {len(validation[0]):,} to stop by, "
            f"{len(held_out[0]):,} to score on"
        )
        return Parts(train, validation, held_out if test else None, notes)

    def prepare(self, parts: Parts, settings: Mapping[str, Any]) -> Prepared:
        from kerasseq.data.evidence import fit_evidence
        from kerasseq.data.reader import Reader, class_numbers

        texts, labels = parts.train
        classes = sorted({*labels})
        truth = class_numbers(labels, classes)
        reader, rows = Reader.fitted(
            texts,
            classes,
            tokens=settings["tokens"],
            vocabulary_size=settings["vocabulary_size"],
            min_count=settings["min_count"],
            lowercase=settings["lowercase"],
            length=settings["length"],
            truncate=settings["truncate"],
            ngrams=settings["ngrams"],
            ngram_count=settings["ngram_count"],
            ngram_limit=settings["ngram_limit"],
        )
        if reader.known <= 2:  # padding and the unknown word
            raise ValueError(
                f"no word occurs {settings['min_count']} times in the {len(texts):,} texts to "
                "train on, so that there is nothing to learn from. Check the column of texts, or "
                "lower min_count."
            )
        train = reader.examples(rows, labels)
        known = f"{reader.known:,} {settings['tokens']}s"
        if reader.ngrams:
            known += f" and {reader.ngrams.size:,} n-grams"
        notes = [f"known: {known}", reader.tokenizer.notes[-1]]
        initial: dict[str, np.ndarray] = {}
        if reader.ngrams:
            inputs = dict(train.inputs)
            found = fit_evidence(
                reader.ngrams,
                inputs["ngrams"],
                inputs["ending"],
                truth,
                len(classes),
                settings["seed"],
            )
            initial = {
                "ratios/ratios": found.ratios,
                "wide/gain": np.full(len(found.ratios), found.gain, dtype=np.float32),
                "wide/bias": found.bias,
            }
            inputs["ngram_corrections"] = found.set_corrections
            inputs["ending_corrections"] = found.ending_corrections
            lengths = {
                **train.lengths,
                "ngram_corrections": train.lengths["ngrams"],
                "ending_corrections": train.lengths["ending"],
            }
            train = dataclasses.replace(train, inputs=inputs, lengths=lengths)
        if settings["class_weights"]:
            each = len(labels) / (len(classes) * np.bincount(truth))
            train = dataclasses.replace(train, weights=each[truth].astype(np.float32))
        state = reader.state()
        state["facts"]["timesteps"] = train.mean_length("tokens")
        return Prepared(
            train=train,
            validation=reader.read(*parts.validation),
            test=None if parts.test is None else reader.read(*parts.test),
            state=state,
            initial=initial,
            notes=notes,
        )

    def count(self, facts: Mapping[str, Any], settings: Mapping[str, Any]) -> int:
        return _sizes(facts, settings).count()

    def macs(self, facts: Mapping[str, Any], settings: Mapping[str, Any]) -> int:
        return _sizes(facts, settings).macs(facts["timesteps"])

    def build(self, facts: Mapping[str, Any], settings: Mapping[str, Any]) -> keras.Model:
        return _sizes(facts, settings).build()

    def objective(self, facts: Mapping[str, Any], settings: Mapping[str, Any]) -> Objective:
        import keras

        branches = _sizes(facts, settings).branches
        if facts["classes"] == 2:
            return Objective(
                keras.losses.BinaryCrossentropy(from_logits=True),
                [keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)],
                branches,
            )
        return Objective(
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            [keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
            branches,
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
        from kerasseq.data.reader import class_numbers

        # They stop by nothing, and so learn from the validation part too.
        texts = [*parts.train[0], *parts.validation[0]]
        truth = class_numbers([*parts.train[1], *parts.validation[1]], prepared.state["classes"])
        shares = np.bincount(truth) / len(truth)
        unseen = parts.test[0] if parts.test else []
        return {
            "majority": np.tile(shares, (len(unseen), 1)),
            _BASELINE: _tfidf(texts, truth, unseen),
        }

    def read(
        self,
        data: Any,
        state: Mapping[str, Any],
        settings: Mapping[str, Any],
        reading: Mapping[str, Any],
    ) -> Examples:
        from kerasseq.data.labelled import LabelledTexts, read_labelled
        from kerasseq.data.tables import TABLES

        path = isinstance(data, str | os.PathLike)
        if not path or os.path.splitext(data)[1].lower() in TABLES:  # with columns of those names
            reading = {**{name: settings[name] for name in ("text", "label")}, **reading}
        source = data
        if not isinstance(data, LabelledTexts):
            source = read_labelled(data, learn=False, **reading)
        if source.test_texts is not None and source.test_labels is not None:
            return self._reader(state).read(source.test_texts, source.test_labels)
        return self._reader(state).read(source.texts, source.labels)

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
        found = self.predictions(model, reader.read(texts), state)
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
            "vocabulary_size": Choice((2_000, 5_000, 10_000, 30_000)),
            "ngrams": Choice((0, 1, 2, 3)),
            "ngram_count": When("ngrams", (1, 2, 3), Choice((1, 2, 3))),
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
        reader = self._reader(state)
        return {"embedding/embeddings": reader.tokenizer.vocabulary[: reader.known]}

    def _reader(self, state: Mapping[str, Any]) -> Reader:
        from kerasseq.data.reader import Reader

        if self._last is None or self._last[0] is not state:
            self._last = (state, Reader.of(state))
        return self._last[1]

    # The vocabularies of the run that was asked last: parsing them takes longer than predicting.
    _last: tuple[Mapping[str, Any], Reader] | None = None


STAGES = Sentiment()


def _listed(data: Any) -> list[str]:
    if hasattr(data, "columns"):
        raise ValueError("give one column of the table, such as table['text'], not all of it.")
    if isinstance(data, str | bytes | Mapping) or not hasattr(data, "__iter__"):
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


def _probabilities(logits: np.ndarray) -> np.ndarray:
    """Of each class, in double precision: `(rows, classes)`."""
    logits = np.asarray(logits, dtype=np.float64)
    if logits.shape[1] == 1:
        logits = np.concatenate([np.zeros_like(logits), logits], axis=1)
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def _sizes(facts: Mapping[str, Any], settings: Mapping[str, Any]) -> Classifier:
    from kerasseq.models import Classifier

    dropouts = ("dropout", "embedding_dropout", "token_dropout")
    return Classifier(
        order=settings["ngrams"],
        **{name: facts[name] for name in ("vocabulary", "classes", "ngrams")},
        **{name: settings[name] for name in ("cell", "units", "depth", "bidirectional")},
        **{name: settings[name] for name in ("pooling", "embedding", *dropouts)},
        options={n: settings[n] for n in ("recurrent_dropout", "zoneout") if settings[n]},
    )


def _tfidf(texts: Sequence[str], truth: np.ndarray, test: Sequence[str]) -> np.ndarray:
    """What logistic regression on TF-IDF weighted words and bigrams predicts."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    baseline = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True),
        LogisticRegression(C=10.0, max_iter=1000),
    )
    try:
        found: np.ndarray = baseline.fit(texts, truth).predict_proba(test)
    except ValueError:  # no word is in two texts: all that is left are the shares of the classes
        found = np.tile(np.bincount(truth) / len(truth), (len(test), 1))
    return found
