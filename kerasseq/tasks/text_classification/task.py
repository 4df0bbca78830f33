"""The task of classifying texts."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np

from kerasseq.formatting.columns import distinct_names
from kerasseq.runs import (
    ClassificationMetrics,
    ClassificationRun,
    LossHistory,
    Standalone,
    Unlabelled,
    check_classes,
)
from kerasseq.tasks.base import Learn, Objective, Parts, Prepared, Pretraining, Task
from kerasseq.tasks.text_classification.transfer import check_layer_rates, copy_language_model_run

if TYPE_CHECKING:
    import keras

    from kerasseq.data.classes.labels import Label
    from kerasseq.data.text.labelled import LabelledTexts
    from kerasseq.data.text.reader import Reader
    from kerasseq.evaluation.metrics import Score
    from kerasseq.models import Classifier
    from kerasseq.recipes.sentiment import SentimentSettings
    from kerasseq.runs import Run
    from kerasseq.training import Examples, LayerRates

__all__ = ["TextClassification"]

_POOLINGS = ("last", "mean", "max", "attention")
_EMBEDDING = "embedding/embeddings"
#: Name of the baseline, and its n-grams, by the kind of token.
_BASELINES: dict[str, tuple[str, dict[str, Any]]] = {
    "word": ("TF-IDF bigrams + logistic regression", {"ngram_range": (1, 2)}),
    "character": (
        "TF-IDF of 1 to 4 characters + logistic regression",
        {"analyzer": "char_wb", "ngram_range": (1, 4)},
    ),
}


class TextClassification(Task["SentimentSettings", ClassificationRun]):
    """Text classification, by a recurrent branch and a branch of n-grams."""

    run = ClassificationRun
    headline: ClassVar[str] = "accuracy"

    def check(self, settings: SentimentSettings) -> None:
        from kerasseq.data import parts

        parts.check(settings, _is_separate_data)
        modes = settings.pooling.split("+")
        if len({*modes} & {*_POOLINGS}) != len(modes):
            raise ValueError(
                f"pooling must be one of {', '.join(_POOLINGS)}, or several joined by '+'. "
                f"Received: pooling={settings.pooling!r}"
            )
        if settings.ngrams > 3 and settings.tokens != "character":
            raise ValueError(
                f"ngrams must be at most 3 with tokens={settings.tokens!r}; 4 and 5 are for "
                f"tokens='character'. Received: ngrams={settings.ngrams}"
            )
        check_layer_rates(settings)
        # Counting the model checks the cell and its options.
        self.count({"vocabulary": 2, "classes": 2, "ngrams": 0}, settings)

    def is_separate_part(self, value: Any) -> bool:
        return not isinstance(value, Real)

    def load(self, data: Any, settings: SentimentSettings) -> LabelledTexts:
        from kerasseq.data.parts import prefix_errors
        from kerasseq.data.text.labelled import LabelledTexts, read_labelled
        from kerasseq.data.text.parts import add_parts

        if not isinstance(data, LabelledTexts):
            data = read_labelled(data, text=settings.text, label=settings.label)
        parts = {}
        for name, part in self.separate_parts(settings).items():
            with prefix_errors(name):
                columns = _column_settings(part, settings)
                parts[name] = read_labelled(
                    part, learn=False, default_columns=data.columns, **columns
                )
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
            rows, test_rows = stratified_split(
                labels, cast(float, settings.test), seed, groups=texts
            )
            rest = _take_rows(texts, labels, rows)
            held_out = _take_rows(texts, labels, test_rows)
        else:
            rest, held_out = (texts, labels), (source.test_texts, list(source.test_labels or []))
        validation_texts = source.validation_texts
        if validation_texts is not None:
            rest = ([*rest[0], *validation_texts], [*rest[1], *(source.validation_labels or [])])
        if fold is None and validation_texts is not None:
            rows = np.arange(len(rest[0]))
            train_rows, validation_rows = (
                rows[: -len(validation_texts)],
                rows[-len(validation_texts) :],
            )
        elif fold is None:
            train_rows, validation_rows = stratified_split(
                rest[1],
                cast(float, settings.validation),
                seed,
                groups=rest[0],
                spare=True,
                among=among,
            )
        else:
            number, folds = fold
            train_rows, validation_rows = stratified_folds(rest[1], folds, seed, among=among)[
                number
            ]
        train, validation = _take_rows(*rest, train_rows), _take_rows(*rest, validation_rows)
        absent = sorted({*train[1]} - {*validation[1]})
        if absent:
            notes.append(
                f"classes without a row in the validation part: {', '.join(map(repr, absent))}"
            )
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
        if reader.known <= 2:  # padding and the unknown token
            raise ValueError(
                f"no {settings.tokens} occurs {settings.min_count} times in the {len(texts):,} "
                "texts to train on, so that the vocabulary is empty. Check the column of texts, or "
                "lower min_count."
            )
        train = reader.examples(rows, labels)
        vocabulary = f"{reader.known:,} {settings.tokens}s"
        if reader.ngrams:
            vocabulary += f" and {reader.ngrams.size:,} n-grams"
        notes = [f"known: {vocabulary}", reader.tokenizer.notes[-1]]
        initial: dict[str, np.ndarray] = {}
        if reader.ngrams:
            inputs = dict(train.inputs)
            evidence = fit_evidence(
                reader.ngrams,
                inputs["ngrams"],
                inputs["ending"],
                truth,
                len(classes),
                settings.seed,
            )
            per_class = _has_class_gains(settings, len(classes))
            gains = evidence.ratios.shape if per_class else evidence.ratios.shape[:1]
            initial = {
                "ratios/ratios": evidence.ratios,
                "wide/gain": np.full(gains, evidence.gain, dtype=np.float32),
                "wide/bias": evidence.bias,
            }
            inputs["ngram_corrections"] = evidence.set_corrections
            inputs["ending_corrections"] = evidence.ending_corrections
            lengths = {
                **train.lengths,
                "ngram_corrections": train.lengths["ngrams"],
                "ending_corrections": train.lengths["ending"],
            }
            train = dataclasses.replace(train, inputs=inputs, lengths=lengths)
        if settings.class_weights:
            counts = np.bincount(truth).astype(np.float64)
            weights = counts[truth] ** -settings.class_weight_power
            train = dataclasses.replace(
                train, weights=(weights / weights.mean()).astype(np.float32)
            )
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
            class_gains=_has_class_gains(settings, data_info["classes"]),
            token_dropout=settings.token_dropout,
            embedding_dropout=settings.embedding_dropout,
            dropout=settings.dropout,
            options=settings.cell_options,
            # As in a language model, whose logits would begin near zero otherwise.
            embedding_deviation=settings.embedding**-0.5 if settings.pretrain else None,
        )

    def macs(self, data_info: Mapping[str, Any], settings: SentimentSettings) -> int:
        return self.config(data_info, settings).macs(data_info["timesteps"])

    def objective(self, data_info: Mapping[str, Any], settings: SentimentSettings) -> Objective:
        from kerasseq.tasks.classification import classification_objective

        branches = self.config(data_info, settings).branches
        return classification_objective(data_info["classes"], branches)

    def layer_rates(self, model: keras.Model, settings: SentimentSettings) -> LayerRates | None:
        from kerasseq.models import layers_from_above
        from kerasseq.training import LayerRates

        if settings.layer_decay == 1 and not settings.unfreeze:
            return None
        groups = [[weight.path for weight in layer.weights] for layer in layers_from_above(model)]
        return LayerRates(groups, settings.layer_decay, settings.unfreeze)

    def pretraining(
        self, model: keras.Model, prepared: Prepared, settings: SentimentSettings
    ) -> Pretraining | None:
        from kerasseq.models import NeighbourLoss
        from kerasseq.training import Examples

        if not settings.pretrain:
            return None
        train = cast(Examples, prepared.train)
        tokens, lengths = train.inputs["tokens"], train.lengths["tokens"]
        examples = Examples({"tokens": tokens}, tokens, {"tokens": lengths, "targets": lengths})
        pretraining_model = self.config(prepared.data_info, settings).pretraining_model(model)
        return Pretraining(pretraining_model, examples, NeighbourLoss(), settings.pretrain_epochs)

    def training_remarks(self, settings: SentimentSettings) -> list[str]:
        if not settings.pretrain:
            return []
        neighbours = "next and the previous" if settings.bidirectional else "next"
        return [
            f"pretrained for {settings.pretrain_epochs} epochs to predict the {neighbours} "
            f"{settings.tokens} of the texts to learn from"
        ]

    def predictions(
        self,
        model: keras.Model,
        examples: Examples,
        state: Mapping[str, Any],
        settings: SentimentSettings,
    ) -> np.ndarray:
        from kerasseq import training
        from kerasseq.tasks.classification import class_probabilities

        probabilities = class_probabilities(training.outputs(model, examples))
        if "shares" in state:
            probabilities[~self._reader(state).has_known_tokens(examples)] = state["shares"]
        return probabilities

    def score(
        self, predictions: np.ndarray, targets: np.ndarray, settings: SentimentSettings
    ) -> Score:
        from kerasseq.tasks.classification import class_score

        return class_score(predictions, targets, settings.seed)

    def remarks(self, score: Score, state: Mapping[str, Any]) -> list[str]:
        from kerasseq.tasks.classification import unscored_classes

        return unscored_classes(score, state)

    def baselines(
        self, parts: Parts, prepared: Prepared, settings: SentimentSettings
    ) -> dict[str, np.ndarray]:
        from kerasseq.data.classes.labels import class_numbers

        # Baselines have no early stopping, so they are fitted on the validation part too.
        texts = [*parts.train[0], *parts.validation[0]]
        truth = class_numbers([*parts.train[1], *parts.validation[1]], prepared.state["classes"])
        shares = np.bincount(truth) / len(truth)
        test_texts = parts.test[0] if parts.test else []
        name, ngrams = _BASELINES.get(settings.tokens, _BASELINES["word"])
        return {
            "majority": np.tile(shares, (len(test_texts), 1)),
            name: _tfidf(texts, truth, test_texts, ngrams),
        }

    def read(
        self,
        data: Any,
        state: Mapping[str, Any],
        settings: SentimentSettings,
        reading: Mapping[str, Any],
    ) -> Examples:
        from kerasseq.data.text.labelled import LabelledTexts, read_labelled

        reading = {**_column_settings(data, settings), **reading}
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
        """Read new texts without labels.

        Args:
            data: a list of texts, or a table or file with the column of texts.
            state: state of the fitted preprocessing.
            settings: settings of the run.

        Raises:
            ValueError: if `data` holds no texts.
            FileNotFoundError: if the file does not exist.
        """
        from kerasseq.data.text.new_texts import read_texts

        usual = state.get("reading", {}).get("text")
        texts = read_texts(data, text=settings.text, default_column=usual)
        reader = self._reader(state)
        examples = reader.read(texts)
        reasons = [
            "" if has_tokens else _unreadable_reason(text, settings.tokens)
            for text, has_tokens in zip(texts, reader.has_known_tokens(examples))
        ]
        return Unlabelled("text", texts, examples, reasons, _instead(state))

    def state_type(self) -> Any:
        from kerasseq.data.text.reader import ReaderState

        return ReaderState

    def metrics_type(self) -> Any:
        return ClassificationMetrics

    def history_type(self) -> Any:
        return LossHistory

    def check_saved(
        self,
        model: keras.Model,
        state: Mapping[str, Any],
        settings: SentimentSettings,
        metrics: Mapping[str, Any],
    ) -> None:
        super().check_saved(model, state, settings, metrics)
        check_classes(metrics, len(self._reader(state).classes))

    def standalone(
        self, model: keras.Model, state: Mapping[str, Any], settings: SentimentSettings
    ) -> Standalone:
        reader = self._reader(state)
        tokenizer, ngrams = reader.tokenizer.state(), None
        if reader.ngrams:
            fitted = reader.ngrams.state()
            ngrams = {name: fitted[name] for name in ("order", "width", "bits", "codes")}
        preprocessing = {
            **{name: tokenizer[name] for name in ("kind", "truncate", "boundaries", "tokenizer")},
            "length": reader.length,
            "known": reader.known,
            "ngrams": ngrams,
            "classes": reader.classes,
            "columns": distinct_names([*map(str, reader.classes)], ("text", "label", "note")),
            "shares": state.get("shares"),
            "instead": _instead(state),
        }
        module = Path(__file__).with_name("standalone.py")
        return Standalone(module, preprocessing, ("tokenizers",))

    def row_names(self, state: Mapping[str, Any]) -> dict[str, list[str]]:
        reader = self._reader(state)
        return {_EMBEDDING: reader.tokenizer.vocabulary[: reader.known]}

    def copy_other_recipe(
        self,
        model: keras.Model,
        state: Mapping[str, Any],
        settings: SentimentSettings,
        earlier: Run,
    ) -> str | None:
        tokens = self.row_names(state)[_EMBEDDING]
        return copy_language_model_run(model, settings, tokens, earlier)

    def _reader(self, state: Mapping[str, Any]) -> Reader:
        from kerasseq.data.text.reader import Reader

        if self._cached_reader is None or self._cached_reader[0] is not state:
            self._cached_reader = (state, Reader.from_state(state))
        return self._cached_reader[1]

    # Reader of the run that was used last: parsing its vocabularies takes longer than predicting.
    _cached_reader: tuple[Mapping[str, Any], Reader] | None = None


def _instead(state: Mapping[str, Any]) -> str:
    """The prediction for a text that the model cannot read, in words."""
    if "shares" in state:
        return "class shares of the training part"
    return "output of the model for an empty text, since this run has no class shares"


def _has_class_gains(settings: SentimentSettings, classes: int) -> bool:
    """Whether n-grams have a gain for each class; two classes share a logit."""
    return settings.ngram_gains == "class" and classes > 2


def _is_separate_data(part: Any) -> bool:
    """Whether a validation or test part is a path, a pair of paths or a table, not a share."""
    from kerasseq.data.parts import is_path, is_table

    pair = isinstance(part, list | tuple) and len(part) == 2
    return (pair and all(map(is_path, part))) or is_path(part) or is_table(part)


def _unreadable_reason(text: str, tokens: str) -> str:
    """Why a model cannot read a text."""
    return f"no known {tokens}" if text.strip() else "no text"


def _column_settings(data: Any, settings: SentimentSettings) -> dict[str, str | None]:
    """The column names in the settings, for data that has columns; else nothing."""
    from kerasseq.io.tables import TABLES

    if isinstance(data, str | os.PathLike) and os.path.splitext(data)[1].lower() not in TABLES:
        return {}
    return {"text": settings.text, "label": settings.label}


def _take_rows(
    texts: Sequence[str], labels: Sequence[Label], rows: np.ndarray
) -> tuple[list[str], list[Label]]:
    """The texts and labels with these row numbers."""
    return [texts[i] for i in rows], [labels[i] for i in rows]


def _tfidf(
    texts: Sequence[str], truth: np.ndarray, test: Sequence[str], ngrams: Mapping[str, Any]
) -> np.ndarray:
    """Class probabilities of logistic regression on TF-IDF weighted n-grams."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    baseline = make_pipeline(
        TfidfVectorizer(min_df=2, sublinear_tf=True, **ngrams),
        LogisticRegression(C=10.0, max_iter=1000),
    )
    try:
        probabilities: np.ndarray = baseline.fit(texts, truth).predict_proba(test)
    except ValueError:  # no word occurs in two texts: predict the class shares
        probabilities = np.tile(np.bincount(truth) / len(truth), (len(test), 1))
    return probabilities
