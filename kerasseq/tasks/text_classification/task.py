"""The task of classifying texts."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np

from kerasseq.runs import ClassificationMetrics, ClassificationRun, Unlabelled
from kerasseq.tasks.base import Learn, Objective, Parts, Prepared, Task

if TYPE_CHECKING:
    import keras

    from kerasseq.data.classes.labels import Label
    from kerasseq.data.text.labelled import LabelledTexts
    from kerasseq.data.text.reader import Reader
    from kerasseq.evaluation.metrics import Score
    from kerasseq.models import Classifier
    from kerasseq.recipes.sentiment import SentimentSettings
    from kerasseq.training import Examples

__all__ = ["TextClassification"]

_POOLINGS = ("last", "mean", "max", "attention")
_BASELINE = "TF-IDF bigrams + logistic regression"


class TextClassification(Task["SentimentSettings", ClassificationRun]):
    """Texts to classes, by a recurrent branch beside a branch of n-grams."""

    run = ClassificationRun
    headline: ClassVar[str] = "accuracy"

    def check(self, settings: SentimentSettings) -> None:
        from kerasseq.data import parts

        parts.check(settings, _is_data)
        modes = settings.pooling.split("+")
        if len({*modes} & {*_POOLINGS}) != len(modes):
            raise ValueError(
                f"pooling must be one of {', '.join(_POOLINGS)}, or several joined by '+'. "
                f"Received: pooling={settings.pooling!r}"
            )
        # The cell and its options, by the checks of the model.
        self.count({"vocabulary": 2, "classes": 2, "ngrams": 0}, settings)

    def is_own_part(self, value: Any) -> bool:
        return not isinstance(value, Real)

    def load(self, data: Any, settings: SentimentSettings) -> LabelledTexts:
        from kerasseq.data.parts import prefix_errors
        from kerasseq.data.text.labelled import LabelledTexts, read_labelled
        from kerasseq.data.text.parts import add_parts

        if not isinstance(data, LabelledTexts):
            data = read_labelled(data, text=settings.text, label=settings.label)
        parts = {}
        for name, own in self.own_parts(settings).items():
            with prefix_errors(name):
                named = _named(own, settings)
                parts[name] = read_labelled(own, learn=False, default_columns=data.columns, **named)
        return add_parts(data, parts) if parts else data

    def split(
        self,
        source: LabelledTexts,
        settings: SentimentSettings,
        *,
        test: bool = True,
        fold: tuple[int, int] | None = None,
        learn: Learn = "train",
    ) -> Parts:
        from kerasseq.data.classes.splits import stratified_folds, stratified_split

        texts, labels, seed = source.texts, list(source.labels), settings.seed
        notes = list(source.notes)
        among = " beside the test part"
        if source.test_texts is None:
            keep, held = stratified_split(labels, cast(float, settings.test), seed, groups=texts)
            rest, held_out = _rows(texts, labels, keep), _rows(texts, labels, held)
        else:
            rest, held_out = (texts, labels), (source.test_texts, list(source.test_labels or []))
        own = source.validation_texts
        if own is not None:
            rest = ([*rest[0], *own], [*rest[1], *(source.validation_labels or [])])
        if fold is None and own is not None:
            rows = np.arange(len(rest[0]))
            keep, held = rows[: -len(own)], rows[-len(own) :]
        elif fold is None:
            keep, held = stratified_split(
                rest[1],
                cast(float, settings.validation),
                seed,
                groups=rest[0],
                spare=True,
                among=among,
            )
        else:
            number, folds = fold
            keep, held = stratified_folds(rest[1], folds, seed, among=among)[number]
        train, validation = _rows(*rest, keep), _rows(*rest, held)
        absent = sorted({*train[1]} - {*validation[1]})
        if absent:
            notes.append(f"classes without a row to stop by: {', '.join(map(repr, absent))}")
        if learn != "train":
            train = rest
        if learn == "all":
            train = ([*rest[0], *held_out[0]], [*rest[1], *held_out[1]])
        notes.append(
            f"{len(train[0]):,} texts to train on, {len(validation[0]):,} to stop by, "
            f"{len(held_out[0]):,} to score on"
        )
        return Parts(train, validation, held_out if test else None, notes, source.columns)

    def prepare(self, parts: Parts, settings: SentimentSettings) -> Prepared:
        from kerasseq.data.classes.labels import class_numbers
        from kerasseq.data.text.evidence import fit_evidence
        from kerasseq.data.text.reader import Reader

        texts, labels = parts.train
        classes = sorted({*labels})
        truth = class_numbers(labels, classes)
        reader, rows = Reader.fit(
            texts,
            classes,
            tokens=settings.tokens,
            vocabulary_size=settings.vocabulary_size,
            min_count=settings.min_count,
            lowercase=settings.lowercase,
            length=settings.length,
            truncate=settings.truncate,
            ngrams=settings.ngrams,
            ngram_count=settings.ngram_count,
            ngram_limit=settings.ngram_limit,
        )
        if reader.known <= 2:  # padding and the unknown word
            raise ValueError(
                f"no word occurs {settings.min_count} times in the {len(texts):,} texts to "
                "train on, so that there is nothing to learn from. Check the column of texts, or "
                "lower min_count."
            )
        train = reader.examples(rows, labels)
        known = f"{reader.known:,} {settings.tokens}s"
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
                settings.seed,
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
        if settings.class_weights:
            each = len(labels) / (len(classes) * np.bincount(truth))
            train = dataclasses.replace(train, weights=each[truth].astype(np.float32))
        state = reader.state()
        state["data_info"]["timesteps"] = train.mean_length("tokens")
        state["reading"] = dict(parts.reading)
        state["shares"] = (np.bincount(truth) / len(truth)).tolist()
        return Prepared(
            train=train,
            validation=reader.read(*parts.validation),
            test=None if parts.test is None else reader.read(*parts.test),
            state=state,
            initial=initial,
            notes=notes,
        )

    def config(self, data_info: Mapping[str, Any], settings: SentimentSettings) -> Classifier:
        from kerasseq.models import Classifier

        return Classifier(
            vocabulary=data_info["vocabulary"],
            classes=data_info["classes"],
            cell=settings.cell,
            units=settings.units,
            depth=settings.depth,
            bidirectional=settings.bidirectional,
            pooling=settings.pooling,
            embedding=settings.embedding,
            ngrams=data_info["ngrams"],
            order=settings.ngrams,
            token_dropout=settings.token_dropout,
            embedding_dropout=settings.embedding_dropout,
            dropout=settings.dropout,
            options=settings.cell_options,
        )

    def macs(self, data_info: Mapping[str, Any], settings: SentimentSettings) -> int:
        return self.config(data_info, settings).macs(data_info["timesteps"])

    def objective(self, data_info: Mapping[str, Any], settings: SentimentSettings) -> Objective:
        import keras

        branches = self.config(data_info, settings).branches
        if data_info["classes"] == 2:
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
        self,
        model: keras.Model,
        examples: Examples,
        state: Mapping[str, Any],
        settings: SentimentSettings,
    ) -> np.ndarray:
        from kerasseq import training
        from kerasseq.data.text.reader import has_known_tokens

        found = _probabilities(training.outputs(model, examples))
        if "shares" in state:
            found[~has_known_tokens(examples)] = state["shares"]
        return found

    def score(
        self, predictions: np.ndarray, targets: np.ndarray, settings: SentimentSettings
    ) -> Score:
        from kerasseq.evaluation import metrics

        truth = np.asarray(targets).ravel().astype(np.int64)
        return metrics.classification(truth, predictions, seed=settings.seed)

    def remarks(self, score: Score, state: Mapping[str, Any]) -> list[str]:
        rows = zip(state["classes"], score.details["confusion"])
        unscored = [repr(name) for name, counts in rows if not any(counts)]
        if not unscored:
            return []
        named = ", ".join(unscored)
        return [f"classes without a row to score on: {named}; macro F1 does not measure them"]

    def baselines(
        self, parts: Parts, prepared: Prepared, settings: SentimentSettings
    ) -> dict[str, np.ndarray]:
        from kerasseq.data.classes.labels import class_numbers

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
        settings: SentimentSettings,
        reading: Mapping[str, Any],
    ) -> Examples:
        from kerasseq.data.text.labelled import LabelledTexts, read_labelled

        reading = {**_named(data, settings), **reading}
        source = data
        if not isinstance(data, LabelledTexts):
            columns = state.get("reading")
            source = read_labelled(data, learn=False, default_columns=columns, **reading)
        if source.test_texts is not None and source.test_labels is not None:
            return self._reader(state).read(source.test_texts, source.test_labels)
        return self._reader(state).read(source.texts, source.labels)

    def unlabelled(
        self, data: Any, state: Mapping[str, Any], settings: SentimentSettings
    ) -> Unlabelled:
        """New texts without labels.

        Raises:
            ValueError: if they are no texts.
            FileNotFoundError: if there is no such file.
        """
        from kerasseq.data.text.new_texts import read_texts
        from kerasseq.data.text.reader import has_known_tokens

        usual = state.get("reading", {}).get("text")
        texts = read_texts(data, text=settings.text, default_column=usual)
        examples = self._reader(state).read(texts)
        reasons = [
            "" if known else _nothing(text, settings.tokens)
            for text, known in zip(texts, has_known_tokens(examples))
        ]
        instead = "class shares of the training part"
        if "shares" not in state:
            instead = "output of the model without any, since this run has not kept class shares"
        return Unlabelled("text", texts, examples, reasons, instead)

    def state_type(self) -> Any:
        from kerasseq.data.text.reader import ReaderState

        return ReaderState

    def metrics_type(self) -> Any:
        return ClassificationMetrics

    def check_saved(
        self,
        model: keras.Model,
        state: Mapping[str, Any],
        settings: SentimentSettings,
        metrics: Mapping[str, Any],
    ) -> None:
        super().check_saved(model, state, settings, metrics)
        classes, scored = len(self._reader(state).classes), len(metrics["confusion"])
        if classes != scored:
            raise ValueError(f"the confusion matrix is of {scored:,} classes, of {classes:,}")

    def row_names(self, state: Mapping[str, Any]) -> dict[str, list[str]]:
        reader = self._reader(state)
        return {"embedding/embeddings": reader.tokenizer.vocabulary[: reader.known]}

    def _reader(self, state: Mapping[str, Any]) -> Reader:
        from kerasseq.data.text.reader import Reader

        if self._last is None or self._last[0] is not state:
            self._last = (state, Reader.from_state(state))
        return self._last[1]

    # The vocabularies of the run that was asked last: parsing them takes longer than predicting.
    _last: tuple[Mapping[str, Any], Reader] | None = None


def _is_data(part: Any) -> bool:
    """Whether a part that is no share is a path, a pair of paths or a table."""
    from kerasseq.data.parts import is_path, is_table

    pair = isinstance(part, list | tuple) and len(part) == 2
    return (pair and all(map(is_path, part))) or is_path(part) or is_table(part)


def _nothing(text: str, tokens: str) -> str:
    """Why a model knows nothing of a text."""
    return f"no known {tokens}" if text.strip() else "no text"


def _named(data: Any, settings: SentimentSettings) -> dict[str, str | None]:
    """The names of the columns that the settings give, for data that has columns."""
    from kerasseq.io.tables import TABLES

    if isinstance(data, str | os.PathLike) and os.path.splitext(data)[1].lower() not in TABLES:
        return {}
    return {"text": settings.text, "label": settings.label}


def _rows(
    texts: Sequence[str], labels: Sequence[Label], rows: np.ndarray
) -> tuple[list[str], list[Label]]:
    return [texts[i] for i in rows], [labels[i] for i in rows]


def _probabilities(logits: np.ndarray) -> np.ndarray:
    """Of each class, in double precision: `(rows, classes)`."""
    from scipy import special  # type: ignore[import-untyped]  # it has no types

    logits = np.asarray(logits, dtype=np.float64)
    if logits.shape[1] == 1:
        logits = np.concatenate([np.zeros_like(logits), logits], axis=1)
    probabilities: np.ndarray = special.softmax(logits, axis=1)
    return probabilities


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
