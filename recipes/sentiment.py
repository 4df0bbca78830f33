"""Sentiment and other text classification: a recurrent branch and a branch of n-grams."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from kerasseq.settings import Choice, Conditional, Float, Int, doc, setting
from kerasseq.tasks.recipe import recipe
from kerasseq.tasks.settings import BidirectionalSettings, TrainingSettings
from kerasseq.tasks.text_classification import TextClassification

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SentimentSettings", "sentiment"]


@dataclass(frozen=True, kw_only=True)
class SentimentSettings(BidirectionalSettings, TrainingSettings):
    """Train a recurrent text classifier, and compare it with simple baselines.

    Any number of classes; predicted labels have the type of the data: text, numbers or truth
    values. A recurrent model alone does not beat a bag of n-grams on a few thousand texts (Wang &
    Manning 2012, https://aclanthology.org/P12-2018). So the recurrent branch reads at each token
    the log-count ratios of the n-grams that end there, and a second branch is a linear model: the
    weighted sum of the ratios of all n-grams of the text.

    Returns:
        A ClassificationRun: `predict`, `evaluate`, `save`, `summary`, and the Keras `model` itself.

    Raises:
        ValueError: if data, settings or the folder cannot be used; it says what to do.
        FileNotFoundError: if the data does not exist.

    Example:

    >>> run = sentiment(epochs=1, units=4, quiet=True)
    >>> run.predict(["not bad at all"])["label"].item() in {"negative", "positive"}
    True
    """

    data: str | os.PathLike[str] | pd.DataFrame = field(
        default="demo",
        kw_only=False,
        metadata=doc(
            "a DataFrame; a CSV, TSV, JSON-lines or Parquet file; a folder, or an archive of one, "
            "with a sub-folder per class, or with a .txt file per class and a text a line; a pair "
            'of files `NAME.pos` and `NAME.neg`; "imdb", which is downloaded; or "demo", a small '
            "set of reviews that comes with kerasseq"
        ),
    )
    text: str | None = setting(None, "name of the column of texts; default: detected", stage="read")
    label: str | None = setting(
        None, "name of the column of labels; default: detected", stage="read"
    )
    cell: str = "lstm"
    units: int = 64
    depth: int = 1
    bidirectional: bool = True
    pooling: str = setting(
        "max",
        "pooling of the states over time: last, mean, max or attention, or several joined by +",
        range=Choice(("last", "mean", "max", "attention")),
    )
    embedding: int = setting(100, "width of the embedding", least=1, range=Int(32, 300, log=True))
    dropout: float = setting(0.5, "dropout rate of the pooled features")
    embedding_dropout: float = setting(
        0.5, "dropout rate of the embedded tokens", least=0, below=1, range=Float(0.0, 0.7)
    )
    token_dropout: float = setting(
        0.1,
        "share of the tokens that are replaced by the unknown token in training",
        least=0,
        below=1,
        range=Float(0.0, 0.3),
    )
    recurrent_dropout: float = 0.0
    zoneout: float = 0.0
    vocabulary_size: int = setting(
        30_000,
        "largest number of tokens in the vocabulary",
        stage="prepare",
        least=1,
        range=Choice((2_000, 5_000, 10_000, 30_000)),
    )
    ngrams: Literal[0, 1, 2, 3, 4, 5] = setting(
        2,
        "length of the longest n-grams, in tokens; 4 and 5 for characters; 0 for a recurrent model "
        "alone",
        stage="prepare",
        range=Choice((0, 1, 2, 3)),
    )
    ngram_count: int = setting(
        1,
        "least number of training texts in which an n-gram occurs",
        stage="prepare",
        least=1,
        range=Conditional("ngrams", (1, 2, 3, 4, 5), Choice((1, 2, 3))),
    )
    ngram_gains: Literal["class", "shared"] = setting(
        "class",
        'gains of an n-gram, which multiply its log-count ratios: "class" for one per class, or '
        '"shared" for one; the same for two classes',
        stage="prepare",
    )
    ngram_limit: int = setting(
        300_000, "largest number of n-grams; the most frequent are used", stage="prepare", least=1
    )
    tokens: Literal["word", "subword", "character"] = setting(
        "word",
        'unit of the text: "word", "subword" for byte pairs, or "character", for short texts such '
        "as names",
        stage="prepare",
    )
    min_count: int = setting(
        2, "least number of occurrences of a token in the training texts", stage="prepare", least=1
    )
    lowercase: bool = setting(True, "whether to convert texts to lower case", stage="prepare")
    length: int | None = setting(
        None,
        "largest number of tokens per text for the recurrent branch; default: from the data",
        stage="prepare",
        least=1,
    )
    truncate: Literal["end", "start", "middle"] = setting(
        "middle", "part that is removed from a longer text", stage="prepare"
    )
    validation: float | str | os.PathLike[str] | pd.DataFrame = setting(
        0.1,
        "share of the training texts for validation; or separate texts, in a form of `data`",
        stage="split",
        above=0,
        below=1,
        expected="a share above 0 and below 1, the path of texts, or a table of them",
    )
    test: float | str | os.PathLike[str] | pd.DataFrame = setting(
        0.2,
        "share of the texts to score on, unless the data has a test set; or separate texts, which "
        "are removed from the other parts",
        stage="split",
        above=0,
        below=1,
        expected="a share above 0 and below 1, the path of texts, or a table of them",
    )
    class_weights: bool = setting(
        False, "whether all classes have the same total weight in training", stage="prepare"
    )
    class_weight_power: float = setting(
        1.0,
        "with class_weights: power of the inverse frequency by which a class is weighted; below 1, "
        "rare classes gain less",
        stage="prepare",
        above=0,
        most=1,
    )
    final: Literal["train", "validation", "all"] = "validation"
    learning_rate: float = 1e-3
    pretrain: bool = setting(
        False,
        "whether embedding and recurrent layers first learn to predict the next token of the "
        "training texts, and the previous one if bidirectional",
    )
    pretrain_epochs: int = setting(
        10,
        "passes over the texts in which they do; the learning rate falls from learning_rate to 0",
        least=1,
    )
    layer_decay: float = setting(
        1.0,
        "factor of the learning rate from each layer to the one below it: the layers above the "
        "recurrent ones, each recurrent layer, the embedding",
        above=0,
        most=1,
    )
    unfreeze: int = setting(
        0,
        "gradual unfreezing: epochs after which the next layer below begins to learn, see "
        "layer_decay; 0 for all at once",
        least=0,
    )
    batch_size: int = setting(50, "texts per training step")


sentiment = recipe(SentimentSettings, TextClassification)
