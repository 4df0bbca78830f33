"""A tagger: a label for every token of a sentence, and optionally one for the whole sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import keras

__all__ = ["TaggerConfig"]


@dataclass(frozen=True)
class TaggerConfig:
    """Config of a tagger, from which it is counted and built.

    A token is described by the embedding of its word, by a vector computed from its characters, and
    by the embeddings of further columns, all concatenated. A recurrent stack reads the sentence, and
    each column of tags has a linear layer and a CRF over its outputs.

    Args:
        words: number of words; 0 is padding, 1 the unknown word.
        tags: number of tags of each tag column, by its name.
        cell: name of the recurrent cell.
        units: width of the cell.
        depth: number of stacked recurrent layers.
        bidirectional: whether each layer runs in both directions.
        embedding: width of the word embedding.
        characters: number of characters; 0 is padding, 1 the unknown character; 0 for a tagger that
            does not read characters.
        character_encoder: "cnn" (a convolution, then the maximum over the characters), or the name
            of a cell that reads the characters in both directions.
        character_embedding: width of the character embedding.
        character_units: filters of the convolution, or width of the cell.
        character_window: characters that the convolution reads at once.
        features: further columns by name: number of values (0 is padding) and width of the
            embedding, such as `{"casing": (6, 5), "suffix": (500, 20)}`.
        classes: number of classes of the whole sentence; 0 for none.
        crf: whether neighbouring tags are modelled by a CRF; otherwise each tag is predicted alone.
        constraints: allowed transitions of some tag columns, see `kerasseq.layers.CRF`.
        word_dropout: share of the words replaced by the unknown word in training.
        embedding_dropout: dropout rate on the description of a token.
        dropout: dropout rate before the output layers.
        options: further arguments of `kerasseq.rnn`: zoneout, recurrent_dropout, ...

    Model inputs, padded on the right with 0:
        `words`, int (batch, tokens); `characters`, int (batch, tokens, characters), if there are
        characters; int (batch, tokens) of each further column, by its name.

    Model outputs, in a dict:
        NAME, int (batch, tokens), the most probable sequence of tags of each column, 0 at padding;
        NAME_marginals, (batch, tokens, tags), the probability of each tag at each token, 0 at
        padding; `sentence`, (batch, classes), the probability of each class.

    `training_model` adds the true tags as inputs, and its output is the loss.
    """

    words: int
    tags: Mapping[str, int]
    cell: str = "lstm"
    units: int = 100
    depth: int = 1
    bidirectional: bool = True
    embedding: int = 100
    characters: int = 0
    character_encoder: str = "lstm"
    character_embedding: int = 25
    character_units: int = 25
    character_window: int = 3
    features: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    classes: int = 0
    crf: bool = True
    constraints: Mapping[str, Any] = field(default_factory=dict)
    word_dropout: float = 0.0
    embedding_dropout: float = 0.0
    dropout: float = 0.0
    options: Mapping[str, Any] = field(default_factory=dict)

    def count(self) -> int:
        """Number of parameters of the model."""
        raise NotImplementedError

    def macs(self, tokens: int, characters: int = 1) -> int:
        """Multiply-accumulates with a weight, for one sentence.

        Args:
            tokens: tokens of the sentence.
            characters: characters of a token, padding included.
        """
        raise NotImplementedError

    def build(self, vectors: Any = None) -> keras.Model:
        """Build the model, untrained and not compiled; its layers have fixed names.

        Args:
            vectors: first values of the word embedding, (words, embedding); rows of NaN are drawn
                at random.
        """
        raise NotImplementedError

    def training_model(self, model: keras.Model) -> keras.Model:
        """The model for training, which shares its layers, and so its weights, with `model`."""
        raise NotImplementedError

    def loss(self) -> Any:
        """The loss of the training model: negative log-likelihood, in nats per token."""
        raise NotImplementedError
