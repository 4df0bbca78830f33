"""Tagging: a label for every token, such as entities, phrases, slots or parts of speech."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from kerasseq.settings import Choice, Conditional, Float, Int, doc, setting
from kerasseq.tasks.recipe import recipe
from kerasseq.tasks.settings import BidirectionalSettings, TrainingSettings
from kerasseq.tasks.tagging import Tagging

if TYPE_CHECKING:
    import keras
    import pandas as pd

__all__ = ["TaggingSettings", "tagging"]


@dataclass(frozen=True, kw_only=True)
class TaggingSettings(BidirectionalSettings, TrainingSettings):
    """Train a tagger of words, and compare it with simple baselines.

    A word is represented by its embedding and by a vector that a second network computes from its
    characters. A recurrent network reads the sentence in both directions, and a conditional random
    field decides on the tags of all words together (Lample et al. 2016,
    https://arxiv.org/abs/1603.01360). Chunks such as entities are scored as a whole, as CoNLL's
    script conlleval does it.

    Returns:
        A TaggingRun: `tag`, `evaluate`, `highlight`, `save`, `summary`, and the Keras `model`
        itself.

    Raises:
        ValueError: if data, settings or the folder cannot be used; it says what to do.
        FileNotFoundError: if the data does not exist.

    Example:

    >>> run = tagging(epochs=1, units=4, quiet=True)
    >>> run.tag(["Orvan smiled ."])["token"].tolist()
    ['Orvan', 'smiled', '.']
    """

    data: str | os.PathLike[str] | pd.DataFrame = field(
        default="demo",
        kw_only=False,
        metadata=doc(
            "a file of CoNLL columns, a token a line, or CoNLL-U (.conllu); a DataFrame, or a CSV, "
            "TSV, JSON-lines or Parquet file, with a token a row, lists of tokens and tags, or "
            "texts with spans of characters; a folder with files named train, dev and test; or "
            '"demo", sentences that kerasseq generates'
        ),
    )
    token: str | int | None = setting(
        None,
        "column of the tokens, by name or by number from 0, or of texts with spans; default: "
        "detected",
        stage="read",
    )
    tag: str | int | Sequence[str] | Sequence[int] | None = setting(
        None,
        "column of the tags, by name or by number from 0, or of spans; or several columns that one "
        "network predicts together, of which the first decides on the epoch that is kept; default: "
        "detected, the last one of a column file",
        stage="read",
    )
    sentence_label: str | None = setting(
        None,
        "column of a table with a label of each sentence, such as an intent, which the same "
        "network predicts",
        stage="read",
    )
    sentence: str | None = setting(
        None,
        "column of a table that says which sentence a token belongs to; default: detected",
        stage="read",
    )
    features: Sequence[str] | Sequence[int] = setting(
        (),
        "further columns of the data that the tagger reads, by name or number, such as parts of "
        "speech",
        stage="read",
    )
    scheme: Literal["auto", "IOB1", "IOB2", "BIOES", "BILOU", "IO", "bare", "none"] = setting(
        "auto",
        'scheme of the tags in the data; "bare" for types of chunks without prefixes, "none" for '
        'tags without chunks, "auto" to recognise it',
        stage="read",
    )
    model_scheme: Literal["IOB2", "BIOES"] = setting(
        "BIOES",
        "scheme in which the model learns the tags of chunks; predictions have the scheme of the "
        "data",
        stage="prepare",
        range=Choice(("IOB2", "BIOES")),
    )
    cell: str = "lstm"
    units: int = 200
    depth: int = 1
    bidirectional: bool = True
    crf: bool = setting(
        True,
        "whether a conditional random field decides on all tags of a sentence together; otherwise "
        "on each alone",
    )
    embedding: int = setting(
        100,
        "width of the word embedding; with vectors=, their width replaces it",
        least=1,
        range=Int(32, 300, log=True),
    )
    vectors: str | os.PathLike[str] | None = setting(
        None,
        "text file of pretrained word vectors (word2vec, GloVe), with which the embedding begins",
        stage="prepare",
    )
    characters: Literal["lstm", "cnn", "none"] = setting(
        "cnn",
        "network that reads the characters of each word: recurrent, convolutional, or none",
        stage="prepare",
        range=Choice(("lstm", "cnn", "none")),
    )
    character_embedding: int = setting(25, "width of the character embedding", least=1)
    character_units: int = setting(
        50,
        "width of the recurrent network of characters in each direction, or number of filters",
        least=1,
        range=Conditional("characters", ("lstm", "cnn"), Int(16, 100, log=True)),
    )
    casing: bool = setting(
        False, "whether the tagger reads how a word is capitalised", stage="prepare"
    )
    affixes: bool = setting(
        False,
        "whether the tagger reads the first and the last three letters of a word",
        stage="prepare",
    )
    dropout: float = setting(0.5, "dropout rate before the output layer")
    embedding_dropout: float = setting(
        0.5, "dropout rate of the representation of a word", least=0, below=1, range=Float(0.0, 0.7)
    )
    word_dropout: float = setting(
        0.15,
        "share of the words that are replaced by their shape in training, as unknown words are",
        least=0,
        below=1,
        range=Float(0.0, 0.3),
    )
    vocabulary_size: int = setting(
        50_000,
        "largest number of words in the vocabulary",
        stage="prepare",
        least=3,
    )
    min_count: int = setting(
        2,
        "least number of occurrences of a word in the training part; the shape of a rarer one "
        "stands for it",
        stage="prepare",
        least=1,
        range=Choice((1, 2, 3)),
    )
    length: int = setting(
        150,
        "largest number of words that are tagged at once; longer sentences are cut",
        stage="prepare",
        least=2,
        most=10_000,
    )
    validation: float | str | os.PathLike[str] | pd.DataFrame = setting(
        0.1,
        "share of the training sentences for validation; or separate sentences, in a form of "
        "`data`; unless the data has a validation part",
        stage="split",
        above=0,
        below=1,
        expected="a share above 0 and below 1, the path of sentences, or a table of them",
    )
    test: float | str | os.PathLike[str] | pd.DataFrame = setting(
        0.2,
        "share of the sentences to score on, unless the data has a test part; or separate "
        "sentences",
        stage="split",
        above=0,
        below=1,
        expected="a share above 0 and below 1, the path of sentences, or a table of them",
    )
    epochs: int = 12
    patience: int = 5
    final: Literal["train", "validation", "all"] = "validation"
    learning_rate: float = 2e-3
    schedule: str | keras.optimizers.schedules.LearningRateSchedule = "cosine"
    batch_size: int = setting(16, "sentences per training step")


tagging = recipe(TaggingSettings, Tagging)
