"""Language models: read, score, complete and generate text by character, word or subword."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from kerasseq.settings import Choice, Float, Int, doc, setting
from kerasseq.tasks.language_model import LanguageModelling
from kerasseq.tasks.recipe import recipe
from kerasseq.tasks.settings import RecurrentSettings, TrainingSettings

if TYPE_CHECKING:
    import keras
    import pandas as pd

__all__ = ["LanguageModelSettings", "language_model"]


@dataclass(frozen=True, kw_only=True)
class LanguageModelSettings(RecurrentSettings, TrainingSettings):
    """Train a language model, and compare it with n-grams.

    The model gives the probability of each token after all tokens before it. The text is read as
    parallel streams, chunk by chunk: the state is carried from chunk to chunk, and the gradient
    ends at the beginning of a chunk (truncated backpropagation through time). The test part is read
    as one text. With `lines=True` every line is a text by itself. Beside the model stand a unigram
    model and an interpolated Kneser-Ney model of 5-grams.

    Returns:
        A LanguageModelRun: `score`, `generate`, `complete`, `evaluate`, `save`, `summary`, and the
        Keras `model` itself.

    Raises:
        ValueError: if data, settings or the folder cannot be used; it says what to do.
        FileNotFoundError: if the data does not exist.

    Example:

    >>> run = language_model(epochs=1, units=4, quiet=True)
    >>> run.score(["Speak, speak."])["tokens"].tolist()
    [13]
    """

    data: str | os.PathLike[str] | pd.DataFrame = field(
        default="demo",
        kw_only=False,
        metadata=doc(
            "a text file; a folder of .txt files, or an archive of one, with a document a file or "
            "with files whose names end on train, valid and test; a DataFrame, or a CSV, TSV, "
            'JSON-lines or Parquet file, with a document a row; or "demo", the beginning of a play '
            "that comes with kerasseq"
        ),
    )
    text: str | None = setting(
        None, "name of the column of texts in a table; default: detected", stage="read"
    )
    lines: bool = setting(
        False,
        "whether each line is a text by itself, such as a name or a sentence; the model then reads "
        "every line from its beginning to its end, without the lines before it",
        stage="split",
    )
    reverse: bool = setting(
        False,
        "whether texts are read from their end to their beginning; such a model scores texts, and "
        "is a start for the layers of a classifier that read backward",
        stage="prepare",
    )
    tokens: Literal["character", "word", "subword"] = setting(
        "character",
        'unit of the text: "character", "word", or "subword" for byte pairs',
        stage="prepare",
    )
    vocabulary_size: int = setting(
        10_000, "largest number of words or subwords in the vocabulary", stage="prepare", least=5
    )
    min_count: int = setting(
        2,
        "least number of occurrences of a token in the training part; rarer ones are unknown",
        stage="prepare",
        least=1,
    )
    lowercase: bool = setting(False, "whether to convert texts to lower case", stage="prepare")
    cell: str = "lstm"
    units: int = setting(160, range=Int(32, 512, log=True))
    depth: int = 1
    embedding: int | None = setting(
        None, "width of the embedded tokens; default: the width of the recurrent outputs", least=1
    )
    tied: bool = setting(
        True,
        "whether the last layer shares its matrix with the embedding; a linear projection is added "
        "where their widths differ",
    )
    softmax: Literal["full", "sampled"] = setting(
        "full",
        'words that the softmax of the training is taken over: "full" for all of them, "sampled" '
        "for a sample, which is faster where there are many words; scores are always over all "
        "words",
    )
    samples: int = setting(
        1024,
        "words of the sample, for softmax='sampled': half of them are the most frequent ones, half "
        "are drawn anew for each chunk",
        least=2,
    )
    dropout: float = setting(
        0.3, "dropout rate before the last layer; all dropouts are locked over time"
    )
    layer_dropout: float = setting(
        0.1, "dropout rate between recurrent layers", least=0, below=1, range=Float(0.0, 0.5)
    )
    embedding_dropout: float = setting(
        0.1, "dropout rate of the embedded tokens", least=0, below=1, range=Float(0.0, 0.5)
    )
    word_dropout: float = setting(
        0.0,
        "share of the tokens that are replaced by the unknown token in training",
        least=0,
        below=1,
        range=Float(0.0, 0.2),
    )
    weight_drop: float = setting(
        0.0,
        "dropout rate of the recurrent weights, the same ones at all timesteps of a chunk",
        least=0,
        below=1,
    )
    activation_penalty: float = setting(
        0.0, "factor of the mean square of the last layer's inputs in the loss", least=0
    )
    temporal_penalty: float = setting(
        0.0,
        "factor of the mean square of the change of the recurrent outputs between timesteps in "
        "the loss",
        least=0,
    )
    steps: int = setting(
        50,
        "tokens of a chunk, over which the gradient is propagated",
        least=1,
        range=Int(20, 150, log=True),
    )
    vary_steps: bool = setting(
        False,
        "whether chunks are by turns a third shorter and longer than `steps`, and end at other "
        "tokens in every epoch; a chunk counts by its length; not for `lines`",
    )
    restarts: float = setting(
        0.01,
        "share of the chunks of the training part before which a stream begins anew, without what "
        "was read before, so that the model learns how a text begins",
        least=0,
        below=1,
    )
    validation: float | str | os.PathLike[str] | pd.DataFrame = setting(
        0.1,
        "share of the training texts for validation: of many documents a random one, of one text "
        "its end; or separate texts, in a form of `data`; unless the data has a validation part",
        stage="split",
        above=0,
        below=1,
        expected="a share above 0 and below 1, the path of texts, or a table of them",
    )
    test: float | str | os.PathLike[str] | pd.DataFrame = setting(
        0.1,
        "share of the texts to score on, chosen in the same way, unless the data has a test part; "
        "or separate texts",
        stage="split",
        above=0,
        below=1,
        expected="a share above 0 and below 1, the path of texts, or a table of them",
    )
    epochs: int = 16
    patience: int = 3
    optimizer: str | keras.optimizers.Optimizer = "adamw"
    learning_rate: float = setting(0.01, range=Float(1e-3, 2e-2, log=True))
    schedule: str | keras.optimizers.schedules.LearningRateSchedule = "cosine"
    weight_decay: float | None = 0.02
    batch_size: int = setting(
        8,
        "parallel streams, each a part of the text; fewer where a text is too short; of lines, as "
        "many as have batch_size times steps tokens",
        range=Choice((4, 8, 16, 32)),
    )

    @property
    def cell_options(self) -> dict[str, Any]:
        """Arguments of `kerasseq.rnn`, with `weight_drop` unless it is 0."""
        options = super().cell_options
        return options if not self.weight_drop else {**options, "weight_drop": self.weight_drop}


language_model = recipe(LanguageModelSettings, LanguageModelling)
