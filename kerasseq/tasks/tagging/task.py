"""The task of tagging tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from kerasseq.runs import Standalone
from kerasseq.tasks.base import Learn, Objective, Parts, Prepared, Task
from kerasseq.tasks.tagging.run import TaggingRun

if TYPE_CHECKING:
    import keras

    from kerasseq.data.tags.reader import TaggedExamples, TagReader, Truth
    from kerasseq.data.tags.sentences import Sentences, TaggedData
    from kerasseq.evaluation.metrics import Score
    from kerasseq.models import TaggerConfig
    from kerasseq.recipes.tagging import TaggingSettings
    from kerasseq.tasks.tagging.predicting import Tagged
    from kerasseq.training import Examples

__all__ = ["Tagging"]

_MOST_FREQUENT, _FEATURE_CRF = "most frequent tag", "CRF of hand-made features"
_FEATURE_WIDTH = 25  # of the embedding of a further column, at most


class Tagging(Task["TaggingSettings", TaggingRun]):
    """Tagging: a label for every token."""

    run = TaggingRun
    headline: ClassVar[str] = "f1"
    rows: ClassVar[str] = "sentences"

    def check(self, settings: TaggingSettings) -> None:
        from kerasseq.data import parts

        parts.check(settings, lambda part: parts.is_path(part) or parts.is_table(part))
        # Counting the model checks the cell and its options.
        characters = 0 if settings.characters == "none" else 3
        data_info: dict[str, Any] = {
            "words": 3,
            "embedding": None,
            "characters": characters,
            "columns": {},
            "tags": ["O", "S-X"],
            "scheme": "IOB2",
        }
        self.count(data_info, settings)

    def is_separate_part(self, value: Any) -> bool:
        return not isinstance(value, Real)

    # Data

    def load(self, data: Any, settings: TaggingSettings) -> TaggedData:
        from kerasseq.data.parts import prefix_errors
        from kerasseq.data.tags.read import add_part, read_tagged
        from kerasseq.data.tags.sentences import TaggedData

        reading = {name: getattr(settings, name) for name in self.reading}
        source = data if isinstance(data, TaggedData) else read_tagged(data, reading)
        for name, part in self.separate_parts(settings).items():
            with prefix_errors(name):
                source = add_part(source, name, part, reading)
        return source

    def split(
        self,
        source: TaggedData,
        settings: TaggingSettings,
        *,
        test: bool = True,
        fold: tuple[int, int] | None = None,
        learn: Learn = "train",
    ) -> Parts:
        from kerasseq.data.classes.splits import grouped_folds, grouped_split

        rest, held_out, seed = source.sentences, source.test, settings.seed
        if held_out is None:
            kept, held = grouped_split(rest.keys(), cast(float, settings.test), seed)
            rest, held_out = rest.take(kept), rest.take(held)
        if fold is None and source.validation is not None:
            train, validation = rest, source.validation
            rest = train + validation
        else:
            if source.validation is not None:
                rest = rest + source.validation
            if fold is None:
                kept, held = grouped_split(rest.keys(), cast(float, settings.validation), seed)
            else:
                kept, held = grouped_folds(rest.keys(), fold[1], seed)[fold[0]]
            train, validation = rest.take(kept), rest.take(held)
        if learn != "train":
            train = rest
        if learn == "all":
            train = train + held_out
        counts = f"{len(train):,} sentences to train on, {len(validation):,} to stop by, "
        notes = [*source.notes, f"{counts}{len(held_out):,} to score on"]
        of_tags = source.scheme, source.schemes or {}
        return Parts(
            (train, *of_tags),
            (validation, *of_tags),
            (held_out, *of_tags) if test else None,
            notes,
            source.reading,
        )

    def prepare(self, parts: Parts, settings: TaggingSettings) -> Prepared:
        from kerasseq.data.tags.reader import TagReader

        sentences, scheme, further = parts.train
        reader, vectors = TagReader.fit(
            sentences,
            scheme,
            model_scheme=settings.model_scheme,
            min_count=settings.min_count,
            vocabulary_size=settings.vocabulary_size,
            characters=settings.characters != "none",
            derived=_derived(settings),
            length=settings.length,
            vectors=settings.vectors,
            seed=settings.seed,
            further=further,
        )
        train = reader.training_examples(sentences)
        validation, notes = _with_known_tags(reader, parts.validation[0], "validation")
        if parts.test is not None:
            notes += _with_known_tags(reader, parts.test[0], "test")[1]
        longest = max(map(len, sentences.tokens))
        if longest > settings.length:
            notes.append(
                f"sentences of up to {longest:,} words are cut into pieces of {settings.length:,}"
            )
        state = reader.state()
        state["data_info"]["timesteps"] = train.mean_length("words")
        state["reading"] = dict(parts.reading)
        return Prepared(
            train=train,
            validation=reader.training_examples(validation),
            test=None if parts.test is None else reader.read(parts.test[0]),
            state=state,
            initial={} if vectors is None else {"embedding/embeddings": vectors},
            notes=[f"known: {len(reader.words):,} words, {len(reader.tags)} tags", *notes],
        )

    def read(
        self,
        data: Any,
        state: Mapping[str, Any],
        settings: TaggingSettings,
        reading: Mapping[str, Any],
    ) -> TaggedExamples:
        from kerasseq.data.tags.read import mended, read_sentences, read_tagged, reading_of_new
        from kerasseq.data.tags.sentences import TaggedData

        reader = self.reader(state)
        values = {name: getattr(settings, name) for name in self.reading}
        values = reading_of_new(values, state["reading"], reading)
        if isinstance(data, str) and data == "demo":
            data = read_tagged(data, values)
        if isinstance(data, TaggedData):
            return reader.read(data.test or data.sentences)
        sentences, _, _ = read_sentences(data, values)
        if reader.classes and sentences.labels is None:
            raise ValueError(
                "every sentence needs a label to score on. Pass sentence_label=, its column."
            )
        further = {name: tags.scheme for name, tags in reader.further.items()}
        return reader.read(mended(sentences, reader.scheme, further)[0])

    def reader(self, state: Mapping[str, Any]) -> TagReader:
        """The vocabularies of a run, cached since parsing them takes longer than predicting."""
        from kerasseq.data.tags.reader import TagReader

        if self._cached_reader is None or self._cached_reader[0] is not state:
            self._cached_reader = (state, TagReader.from_state(state))
        return self._cached_reader[1]

    _cached_reader: tuple[Mapping[str, Any], TagReader] | None = None

    # Model

    def config(self, data_info: Mapping[str, Any], settings: TaggingSettings) -> TaggerConfig:
        from kerasseq.data.tags import schemes
        from kerasseq.data.tags.reader import TARGET
        from kerasseq.models import TaggerConfig

        columns = {TARGET: data_info, **data_info.get("further", {})}
        constraints = {
            name: schemes.constraints(column["tags"], column["scheme"])
            for name, column in columns.items()
            if settings.crf and column["scheme"] != schemes.PLAIN
        }
        return TaggerConfig(
            words=data_info["words"],
            tags={name: len(column["tags"]) for name, column in columns.items()},
            classes=len(data_info.get("classes", ())),
            cell=settings.cell,
            units=settings.units,
            depth=settings.depth,
            bidirectional=settings.bidirectional,
            embedding=data_info["embedding"] or settings.embedding,
            characters=data_info["characters"],
            character_encoder="cnn" if settings.characters == "none" else settings.characters,
            character_embedding=settings.character_embedding,
            character_units=settings.character_units,
            features={
                name: (size, min(_FEATURE_WIDTH, (size + 1) // 2))
                for name, size in data_info["columns"].items()
            },
            crf=settings.crf,
            constraints=constraints,
            word_dropout=settings.word_dropout,
            embedding_dropout=settings.embedding_dropout,
            dropout=settings.dropout,
            options=settings.cell_options,
        )

    def macs(self, data_info: Mapping[str, Any], settings: TaggingSettings) -> int:
        config = self.config(data_info, settings)
        return config.macs(data_info["timesteps"], data_info["letters"])

    def objective(self, data_info: Mapping[str, Any], settings: TaggingSettings) -> Objective:
        from kerasseq.tasks.tagging.validation import monitored

        loss = self.config(data_info, settings).loss()
        return Objective(loss, monitor=f"val_{monitored(data_info)}")

    def training(
        self, model: keras.Model, prepared: Prepared, settings: TaggingSettings
    ) -> tuple[keras.Model, Any, Any]:
        config = self.config(prepared.data_info, settings)
        return config.training_model(model), prepared.train, prepared.validation

    def callbacks(
        self, model: keras.Model, prepared: Prepared, settings: TaggingSettings
    ) -> list[keras.callbacks.Callback]:
        from kerasseq.tasks.tagging.validation import ValidationScore

        examples = cast("Examples", prepared.validation)
        return [ValidationScore(model, examples, prepared.data_info)]

    def row_names(self, state: Mapping[str, Any]) -> dict[str, list[str]]:
        return {"embedding/embeddings": self.reader(state).words.vocabulary}

    # Evaluation

    def predictions(
        self,
        model: keras.Model,
        examples: TaggedExamples,
        state: Mapping[str, Any],
        settings: TaggingSettings,
    ) -> Tagged:
        from kerasseq.tasks.tagging.predicting import predict

        return predict(model, examples, self.reader(state))

    def score(self, predictions: Tagged, targets: Truth, settings: TaggingSettings) -> Score:
        from kerasseq.evaluation import tagging_metrics
        from kerasseq.tasks.tagging.predicting import confident_mistakes

        score = tagging_metrics.tagging(
            targets.tags,
            predictions.tags,
            known=targets.known,
            chunked=targets.chunked,
            seed=settings.seed,
        )
        further = {
            name: tagging_metrics.tagging(
                truth.tags, predictions.further[name].tags, chunked=truth.chunked,
                seed=settings.seed,
            )
            for name, truth in targets.further.items()
        }  # fmt: skip
        if targets.labels is not None:
            further[str(settings.sentence_label)] = tagging_metrics.label_accuracy(
                targets.labels, predictions.labels or [], seed=settings.seed
            )
        score = tagging_metrics.with_further(score, further)
        if predictions.probabilities is not None:
            score.details["mistakes"] = confident_mistakes(predictions, targets)
        return score

    def baselines(
        self, parts: Parts, prepared: Prepared, settings: TaggingSettings
    ) -> dict[str, Tagged]:
        from kerasseq.tasks.tagging import baselines
        from kerasseq.tasks.tagging.predicting import Tagged

        if parts.test is None:
            return {}
        # Baselines have no early stopping, so they are fitted on the validation part too.
        known, test = parts.train[0] + parts.validation[0], parts.test[0]
        names = [*(known.further or {})]
        taggers = {_MOST_FREQUENT: baselines.most_frequent, _FEATURE_CRF: baselines.feature_crf}
        labellers = {
            _MOST_FREQUENT: baselines.most_frequent_label,
            _FEATURE_CRF: baselines.label_regression,
        }
        return {
            name: Tagged(
                tag(known, test),
                further={
                    each: Tagged(tag(known.tagged_by(each), test.tagged_by(each))) for each in names
                },
                labels=None if known.labels is None else labellers[name](known, test),
            )
            for name, tag in taggers.items()
        }

    def remarks(self, score: Score, state: Mapping[str, Any]) -> list[str]:
        types = score.details["types"]
        reader = self.reader(state)
        new = [name for name in types if not reader.has_type(name)]
        if not new:
            return []
        return [
            f"tags that the training part lacks, and the model cannot predict: {', '.join(new)}"
        ]

    # Exported and saved runs

    def standalone(
        self, model: keras.Model, state: Mapping[str, Any], settings: TaggingSettings
    ) -> Standalone:
        from kerasseq.data.tags.features import DERIVED
        from kerasseq.models.tagger import emission_model, tag_scores
        from kerasseq.tasks.tagging.tagging import answer_columns

        reader = self.reader(state)
        characters = reader.characters
        names = [name for name in reader.columns if name not in DERIVED]
        label = [str(settings.sentence_label)] if reader.classes else []
        preprocessing = {
            "words": reader.words.vocabulary,
            "characters": characters
            and {"vocabulary": characters.vocabulary, "length": characters.length},
            "columns": {name: each.vocabulary for name, each in reader.columns.items()},
            "features": dict(zip(names, map(str, settings.features), strict=True)),
            "length": reader.length,
            "tags": [
                {"tags": tags.tags, "scheme": tags.scheme, "chain": tag_scores(model, name)}
                for name, tags in reader.columns_of_tags.items()
            ],
            "classes": reader.classes,
            "columns_of_answers": [
                "tag",
                "probability",
                *answer_columns([*reader.further, *label]),
            ],
        }
        tag_columns = [*reader.columns_of_tags]
        models = {"model.onnx": emission_model(model, tag_columns)}

        def quantized(content: bytes) -> Any:
            from kerasseq.tasks.tagging.quantized import QuantizedTagger

            return QuantizedTagger(content, model, tag_columns)

        module = Path(__file__).with_name("standalone.py")
        return Standalone(module, preprocessing, (), models, quantized)

    def state_type(self) -> Any:
        from kerasseq.data.tags.reader import TagReaderState

        return TagReaderState

    def metrics_type(self) -> Any:
        from kerasseq.tasks.tagging.saved import TaggingMetrics

        return TaggingMetrics

    def history_type(self) -> Any:
        from kerasseq.tasks.tagging.saved import TaggingHistory

        return TaggingHistory

    def check_saved(
        self,
        model: keras.Model,
        state: Mapping[str, Any],
        settings: TaggingSettings,
        metrics: Mapping[str, Any],
    ) -> None:
        super().check_saved(model, state, settings, metrics)
        columns = [*self.reader(state).columns]
        features = [name for name in columns if name.startswith("column_")]
        if len(features) != len(settings.features):
            raise ValueError(
                f"features names {len(settings.features)} columns, and the state has "
                f"{len(features)}"
            )
        if sorted(columns) != sorted([*features, *_derived(settings)]):
            raise ValueError(
                f"casing is {settings.casing}, affixes is {settings.affixes}, and the state has "
                f"the columns {', '.join(columns)}"
            )
        reader = self.reader(state)
        single = isinstance(settings.tag, str | int | None)
        columns_of_tags = 1 if single else len(cast("Sequence[Any]", settings.tag))
        if columns_of_tags != 1 + len(reader.further):
            raise ValueError(
                f"tag names {columns_of_tags} columns, and the state has {1 + len(reader.further)}"
            )
        if (settings.sentence_label is None) != (not reader.classes):
            raise ValueError(f"sentence_label is {settings.sentence_label!r}, unlike the state")
        if (settings.characters == "none") != (state["characters"] is None):
            raise ValueError(f"characters is {settings.characters!r}, unlike the state")


def _derived(settings: TaggingSettings) -> list[str]:
    """The columns that are computed from the words."""
    return ["casing"] * settings.casing + ["prefix", "suffix"] * settings.affixes


def _with_known_tags(
    reader: TagReader, sentences: Sentences, name: str
) -> tuple[Sentences, list[str]]:
    """The sentences whose tags the training part has, and a note on the others."""
    lacking = [reader.unknown(sentences, row) for row in range(len(sentences))]
    rows = [row for row, unknown in enumerate(lacking) if not unknown]
    others = len(sentences) - len(rows)
    if not others:
        return sentences, []
    listed = _list_few(sorted({tag for tags in lacking for tag in tags}))
    if name == "validation" and not rows:
        raise ValueError(
            f"every sentence of the validation part has a tag that the training part lacks: "
            f"{listed}. Give training sentences with these tags, or check the column of tags."
        )
    consequence = (
        "left out" if name == "validation" else "scored all the same, these tags as mistakes"
    )
    note = (
        f"{others:,} sentences of the {name} part have tags that the training part lacks "
        f"({listed}): {consequence}"
    )
    return sentences.take(rows) if name == "validation" else sentences, [note]


def _list_few(names: Sequence[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most:,} more" * (len(names) > most))
