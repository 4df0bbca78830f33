"""The task of language modelling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from kerasseq.runs import Standalone
from kerasseq.tasks.base import Learn, Objective, Parts, Prepared, Task
from kerasseq.tasks.language_model.run import LanguageModelRun

if TYPE_CHECKING:
    import keras
    import numpy as np

    from kerasseq.data.text.corpus import Corpus
    from kerasseq.data.text.corpus_split import TextPart
    from kerasseq.data.text.language_reader import LanguageReader
    from kerasseq.evaluation.metrics import Score
    from kerasseq.models import LanguageModelConfig
    from kerasseq.recipes.language_model import LanguageModelSettings
    from kerasseq.tasks.language_model.baselines import Baselines
    from kerasseq.tasks.language_model.scoring import LanguageExamples, Tokens
    from kerasseq.tasks.language_model.writing import Writer
    from kerasseq.training import Lines, Streams

__all__ = ["LanguageModelling"]

_LEAST_CHUNKS = 20  # of a validation stream, so that little context is lost where streams begin


class LanguageModelling(Task["LanguageModelSettings", LanguageModelRun]):
    """Language modelling: the probability of each token after those before it."""

    run = LanguageModelRun
    headline: ClassVar[str] = "perplexity"
    higher_is_better: ClassVar[bool] = False
    rows: ClassVar[str] = "tokens"
    refused: ClassVar[Mapping[str, str]] = {
        "bidirectional": "a language model cannot be bidirectional: it would see the tokens that "
        "it has to predict. Leave bidirectional out."
    }

    def check(self, settings: LanguageModelSettings) -> None:
        from kerasseq.data import parts

        parts.check(settings, lambda part: parts.is_path(part) or parts.is_table(part))
        if settings.tokens == "subword" and settings.vocabulary_size < 300:
            raise ValueError(
                "vocabulary_size must be at least 300 for tokens='subword', which begin with the "
                f"256 bytes. Received: vocabulary_size={settings.vocabulary_size}"
            )
        self.count({"words": 5}, settings)  # checks the cell and its options

    def is_separate_part(self, value: Any) -> bool:
        return not isinstance(value, Real)

    # Data

    def load(self, data: Any, settings: LanguageModelSettings) -> Corpus:
        from kerasseq.data.parts import prefix_errors
        from kerasseq.data.text.corpus import Corpus, add_part, read_corpus

        corpus = data if isinstance(data, Corpus) else read_corpus(data, settings.text)
        for name, part in self.separate_parts(settings).items():
            with prefix_errors(name):
                corpus = add_part(corpus, name, part, settings.text)
        return corpus

    def split(
        self,
        source: Corpus,
        settings: LanguageModelSettings,
        *,
        test: bool = True,
        fold: tuple[int, int] | None = None,
        learn: Learn = "train",
    ) -> Parts:
        from kerasseq.data.text.corpus_split import LEAST_DOCUMENTS, split_corpus

        source = source.by_lines() if settings.lines else source
        if settings.lines and len(source.texts) < LEAST_DOCUMENTS:
            raise ValueError(
                f"lines=True needs at least {LEAST_DOCUMENTS} lines to split. "
                f"Received: {len(source.texts)}"
            )
        # Shares have no effect where the corpus has the part.
        shares = {name: getattr(settings, name) for name in ("validation", "test")}
        parts, notes = split_corpus(
            source,
            **{n: cast(float, s) if isinstance(s, Real) else 0.1 for n, s in shares.items()},
            seed=settings.seed,
            fold=fold,
            anywhere=settings.tokens == "character",
        )
        train = parts["train"]
        if learn != "train":
            train = train + parts["validation"]
        if learn == "all":
            train = train + parts["test"]
        counts = [f"{parts[name].characters:,}" for name in parts]
        notes.append(
            f"{counts[0]} characters to train on, {counts[1]} to stop by, {counts[2]} to score on"
        )
        return Parts(
            train,
            parts["validation"],
            parts["test"] if test else None,
            [*source.notes, *notes],
            {"column": source.column},
        )

    def prepare(self, parts: Parts, settings: LanguageModelSettings) -> Prepared:
        from kerasseq.data.text.language_reader import LanguageReader
        from kerasseq.tasks.language_model.scoring import LanguageExamples

        reader = LanguageReader.fit(
            parts.train,
            settings.tokens,
            vocabulary_size=settings.vocabulary_size,
            min_count=settings.min_count,
            lowercase=settings.lowercase,
            lines=settings.lines,
            reverse=settings.reverse,
        )
        train, validation = (_tokens(reader, part) for part in (parts.train, parts.validation))
        _check_sizes(reader, train, validation)
        test = None if parts.test is None else LanguageExamples(_tokens(reader, parts.test))
        words = len(reader.tokenizer)
        notes = [f"{len(train):,} training tokens of {words:,} different {reader.kind}s"]
        share = reader.unknown_share(validation.tokens)
        if share:
            notes.append(f"{share:.2%} of the validation tokens are unknown")
        state = {
            "data_info": {"words": words},
            "reader": reader.state(),
            "column": parts.reading["column"],
        }
        return Prepared(cast(Any, train), cast(Any, validation), test, state, notes=notes)

    def read(
        self,
        data: Any,
        state: Mapping[str, Any],
        settings: LanguageModelSettings,
        reading: Mapping[str, Any],
    ) -> LanguageExamples:
        from kerasseq.data.parts import is_table
        from kerasseq.data.text.corpus import Corpus, is_table_file, read_corpus
        from kerasseq.data.text.corpus_split import TextPart
        from kerasseq.tasks.language_model.scoring import LanguageExamples

        if not isinstance(data, Corpus):
            column = reading.get("text") or state["column"]
            takes_column = "text" in reading or is_table(data) or is_table_file(data)
            data = read_corpus(data, column if takes_column else None)
        reader = self.reader(state)
        data = data.by_lines() if reader.lines else data
        return LanguageExamples(_tokens(reader, TextPart(data.test or data.texts, reader.ends)))

    def reader(self, state: Mapping[str, Any]) -> LanguageReader:
        """The vocabulary of a run."""
        from kerasseq.data.text.language_reader import LanguageReader

        return LanguageReader.from_state(state["reader"])

    def writer(self, model: keras.Model, state: Mapping[str, Any]) -> Writer:
        """The writer of a model, cached since compiling takes longer than writing."""
        from kerasseq.tasks.language_model.writing import Writer

        if self._writer is None or self._writer.model is not model:
            self._writer = Writer(model, self.reader(state))
        return self._writer

    _writer: Writer | None = None

    # Model

    def config(
        self, data_info: Mapping[str, Any], settings: LanguageModelSettings
    ) -> LanguageModelConfig:
        from kerasseq.models import LanguageModelConfig

        return LanguageModelConfig(
            words=data_info["words"],
            cell=settings.cell,
            units=settings.units,
            depth=settings.depth,
            embedding=settings.embedding,
            tied=settings.tied,
            dropout=settings.dropout,
            layer_dropout=settings.layer_dropout,
            embedding_dropout=settings.embedding_dropout,
            word_dropout=settings.word_dropout,
            activation_penalty=settings.activation_penalty,
            temporal_penalty=settings.temporal_penalty,
            options=settings.cell_options,
        )

    def macs(self, data_info: Mapping[str, Any], settings: LanguageModelSettings) -> int:
        return self.config(data_info, settings).macs(1)

    def objective(self, data_info: Mapping[str, Any], settings: LanguageModelSettings) -> Objective:
        from kerasseq.models import BatchLoss

        return Objective(BatchLoss())

    def training(
        self, model: keras.Model, prepared: Prepared, settings: LanguageModelSettings
    ) -> tuple[keras.Model, Streams | Lines, Streams | Lines]:
        reader = self.reader(prepared.state)
        train, validation = (
            cast("Tokens", part).tokens for part in (prepared.train, prepared.validation)
        )
        config = self.config(prepared.data_info, settings)
        samples = settings.samples if settings.softmax == "sampled" else None
        if reader.lines:
            training_model = config.training_model(model, samples=samples)
            return training_model, *_lines(train, validation, reader, settings)
        steps, most = settings.steps, settings.batch_size
        if len(train) < steps:
            raise ValueError(
                f"the training text is shorter than one chunk: it has {len(train):,} "
                f"{reader.kind}s. Give more text, or smaller steps. Received: steps={steps}"
            )
        streams = replace(
            _streams(train, reader, min(most, len(train) // steps), steps),
            vary_steps=settings.vary_steps,
            restarts=settings.restarts,
            seed=settings.seed,
        )
        rows = min(most, max(1, len(validation) // (_LEAST_CHUNKS * steps)))
        validation_streams = _streams(validation, reader, rows, steps)
        training_model = config.training_model(model, streams.streams, rows, samples)
        return training_model, streams, validation_streams

    def row_names(self, state: Mapping[str, Any]) -> dict[str, list[str]]:
        return {"decoder/embedding/embeddings": self.reader(state).tokenizer.vocabulary}

    # Evaluation

    def predictions(
        self,
        model: keras.Model,
        examples: LanguageExamples,
        state: Mapping[str, Any],
        settings: LanguageModelSettings,
    ) -> np.ndarray:
        import numpy as np

        writer = self.writer(model, state)
        texts = writer.reader.separate(examples.targets.tokens)
        return np.concatenate(writer.tokens.nats(texts))

    def dynamic_predictions(
        self,
        model: keras.Model,
        examples: LanguageExamples,
        state: Mapping[str, Any],
        settings: LanguageModelSettings,
        learning_rate: float,
    ) -> np.ndarray:
        """As `predictions`, by dynamic evaluation."""
        from kerasseq.tasks.language_model.dynamic import dynamic_nats

        reader, config = self.reader(state), self.config(state["data_info"], settings)
        texts = reader.separate(examples.targets.tokens)
        return dynamic_nats(model, config, texts, reader.first, settings.steps, learning_rate)

    def score(
        self, predictions: np.ndarray, targets: Tokens, settings: LanguageModelSettings
    ) -> Score:
        from kerasseq.data.tokenizers.tokenizer import UNKNOWN
        from kerasseq.evaluation import language_metrics

        score = language_metrics.language(predictions, targets.characters, seed=settings.seed)
        score.details["unknown"] = float((targets.tokens == UNKNOWN).mean())
        return score

    def baselines(
        self, parts: Parts, prepared: Prepared, settings: LanguageModelSettings
    ) -> Baselines | dict[str, np.ndarray]:
        from kerasseq.tasks.language_model.baselines import Baselines

        if prepared.test is None:
            return {}
        # Baselines have no early stopping, so they are fitted on the validation part too.
        known = [cast("Tokens", part).tokens for part in (prepared.train, prepared.validation)]
        words = prepared.data_info["words"]
        return Baselines(known, prepared.test.targets.tokens, words)

    def remarks(self, score: Score, state: Mapping[str, Any]) -> list[str]:
        share = score.details["unknown"]
        if not share:
            return []
        return [
            f"{share:.2%} of the scored tokens are unknown: which words they are is not predicted"
        ]

    # Exported and saved runs

    def standalone(
        self, model: keras.Model, state: Mapping[str, Any], settings: LanguageModelSettings
    ) -> Standalone:
        from keras import ops

        from kerasseq.data.tokenizers.tokenizer import PADDING
        from kerasseq.models.stepwise import step_model

        writer = self.writer(model, state)
        reader, decoder = writer.reader, model.get_layer("decoder")
        if reader.reverse:
            raise ValueError(
                "an exported language model goes on with texts, which a model that reads them in "
                "reverse (reverse=True) cannot: train one with reverse=False."
            )
        first = decoder.first_states(1)
        preprocessing = {
            "kind": reader.kind,
            "has_ends": reader.ends,
            "lines": reader.lines,
            "by_lookup": reader.tokenizer.by_lookup,
            "tokenizer": reader.tokenizer.state()["tokenizer"],
            "words": len(reader.tokenizer),
            "first_token": reader.first,
            "ends": writer.ends,
            "forbidden": [PADDING, *writer.forbidden],
            "first": {
                f"states_{number}": ops.convert_to_numpy(values).tolist()
                for number, values in enumerate(first)
            },
        }
        models = {"model.onnx": step_model(decoder, {"states": first})}
        module = Path(__file__).with_name("standalone.py")
        return Standalone(module, preprocessing, ("tokenizers",), models)

    def state_type(self) -> Any:
        from kerasseq.tasks.language_model.saved import LanguageModelState

        return LanguageModelState

    def metrics_type(self) -> Any:
        from kerasseq.tasks.language_model.saved import LanguageModelMetrics

        return LanguageModelMetrics

    def history_type(self) -> Any:
        from kerasseq.runs import LossHistory

        return LossHistory

    def check_saved(
        self,
        model: keras.Model,
        state: Mapping[str, Any],
        settings: LanguageModelSettings,
        metrics: Mapping[str, Any],
    ) -> None:
        super().check_saved(model, state, settings, metrics)
        tokenizer = self.reader(state).tokenizer
        if len(tokenizer) != state["data_info"]["words"]:
            raise ValueError(
                f"data_info.words is {state['data_info']['words']:,}, and there are "
                f"{len(tokenizer):,}"
            )
        if tokenizer.kind != settings.tokens or not tokenizer.boundaries:
            raise ValueError(
                f"tokens is {settings.tokens!r}, and the state has {tokenizer.kind}s"
                + " without start and end" * (not tokenizer.boundaries)
            )


def _tokens(reader: LanguageReader, part: TextPart) -> Tokens:
    from kerasseq.tasks.language_model.scoring import Tokens

    return Tokens(reader.read(part), part.characters)


def _streams(tokens: np.ndarray, reader: LanguageReader, rows: int, steps: int) -> Streams:
    """Streams of a part, in which every token is predicted."""
    from kerasseq.training import Streams

    # Where texts have ends, a row goes on after the token before it; else it has no context.
    start = None if reader.ends else reader.first
    return Streams(tokens, reader.first, rows, steps, start=start)


def _lines(
    train: np.ndarray,
    validation: np.ndarray,
    reader: LanguageReader,
    settings: LanguageModelSettings,
) -> tuple[Lines, Lines]:
    """Lines of both parts, in batches of about as many tokens as those of streams have."""
    from kerasseq.training import Lines

    lines = reader.separate(train)
    rows = max(1, settings.batch_size * settings.steps * len(lines) // len(train))
    return (
        Lines(lines, reader.first, rows, settings.seed),
        Lines(reader.separate(validation), reader.first, 4 * rows),
    )


def _check_sizes(reader: LanguageReader, train: Tokens, validation: Tokens) -> None:
    """Raise a ValueError for parts that are too short."""
    words = len(reader.tokenizer)
    if words > len(train):
        raise ValueError(
            f"the vocabulary has {words:,} {reader.kind}s, more than the training text, which has "
            f"{len(train):,}. Give more text, a smaller vocabulary_size, a larger min_count, or "
            "tokens='character'."
        )
    if not len(validation):
        raise ValueError("the validation part has no token. Give more text, or validation=.")
