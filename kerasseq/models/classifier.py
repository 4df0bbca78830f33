"""A classifier of token sequences: a recurrent branch, and beside it one of n-grams."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import keras

from kerasseq import layers
from kerasseq.layers.ngrams import NgramVotes
from kerasseq.layers.token_dropout import TokenDropout
from kerasseq.params import count

__all__ = ["Classifier"]


@dataclass(frozen=True)
class Classifier:
    """The sizes of a classifier, from which it is counted and built.

    The recurrent branch embeds tokens, runs a recurrent stack over them, pools its outputs over
    time and projects them on the classes. Where there are n-grams, their votes (`NgramVotes`) are
    added to it: wide and deep (Cheng et al. 2016, https://arxiv.org/abs/1606.07792).

    Args:
        vocabulary: how many tokens there are; 0 is padding, 1 the unknown token.
        classes: how many classes; two share one logit.
        cell: name of the recurrent cell.
        units: width of the cell.
        depth: levels of the stack.
        bidirectional: whether each level runs both ways.
        pooling: "last", "mean", "max" or "attention", or several joined by "+", side by side.
        embedding: width of the embedding.
        ngrams: how many n-grams vote, padding among them; 0 for none.
        token_dropout: share of the tokens made unknown in training.
        embedding_dropout: dropout on the embedded tokens.
        dropout: dropout before the last layer.
        ngram_dropout: share of the n-grams left out in training.
        options: further arguments of `kerasseq.rnn`: zoneout, recurrent_dropout, ...

    Model inputs:
        `tokens`, int (batch, timesteps); with n-grams also `ngrams`, int (batch, n), and
        `corrections`, (batch, n or 1, logits).

    Model output:
        Logits, (batch, 1) for two classes (of the second), else (batch, classes).

    Example:

    >>> sizes = Classifier(vocabulary=100, classes=2, units=4, embedding=8)
    >>> sizes.count() == sizes.build().count_params()
    True
    """

    vocabulary: int
    classes: int
    cell: str = "lstm"
    units: int = 64
    depth: int = 1
    bidirectional: bool = True
    pooling: str = "max"
    embedding: int = 100
    ngrams: int = 0
    token_dropout: float = 0.0
    embedding_dropout: float = 0.0
    dropout: float = 0.0
    ngram_dropout: float = 0.0
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def logits(self) -> int:
        """How many numbers the model gives."""
        return 1 if self.classes == 2 else self.classes

    def count(self) -> int:
        """The parameters of the model, both branches, the frozen ratios among them."""
        recurrent = self._recurrent_count()
        width = recurrent.levels[-1].output
        modes = self.pooling.split("+")
        attention = width * width + width + width  # a tanh layer with bias, and a query
        return (
            self.vocabulary * self.embedding
            + recurrent.total
            + modes.count("attention") * attention
            + (len(modes) * width + 1) * self.logits
            + (self.ngrams * (self.logits + 1) + self.logits if self.ngrams else 0)
        )

    def build(self) -> keras.Model:
        """The model, untrained and not compiled; its layers have fixed names."""
        tokens = keras.Input((None,), dtype="int32", name="tokens")
        inputs = {"tokens": tokens}
        logits = self._deep(tokens)
        if self.ngrams:
            inputs["ngrams"] = keras.Input((None,), dtype="int32", name="ngrams")
            inputs["corrections"] = keras.Input((None, self.logits), name="corrections")
            votes = NgramVotes(self.ngrams, self.logits, self.ngram_dropout, name="wide")
            wide = votes(inputs["ngrams"], inputs["corrections"])
            logits = keras.layers.Add(name="logits")([logits, wide])
        return keras.Model(inputs, logits, name="classifier")

    def _deep(self, tokens: Any) -> Any:
        embed = keras.layers.Embedding(
            self.vocabulary, self.embedding, mask_zero=True, name="embedding"
        )
        recurrent = layers.rnn(
            self.cell,
            self.units,
            depth=self.depth,
            bidirectional=self.bidirectional,
            return_sequences=True,
            name="recurrent",
            **self.options,
        )
        if self.token_dropout:
            tokens = TokenDropout(self.token_dropout, name="token_dropout")(tokens)
        sequence = embed(tokens)
        if self.embedding_dropout:
            sequence = keras.layers.Dropout(self.embedding_dropout, name="embedding_dropout")(
                sequence
            )
        sequence = recurrent(sequence)
        pooled = [
            layers.pool(mode, name=f"pool_{mode}")(sequence) for mode in self.pooling.split("+")
        ]
        features = keras.layers.Concatenate(name="pools")(pooled) if pooled[1:] else pooled[0]
        if self.dropout:
            features = keras.layers.Dropout(self.dropout, name="dropout")(features)
        # Softmax and sigmoid are the loss's, in one numerically stable step.
        return keras.layers.Dense(self.logits, name="deep", dtype="float32")(features)

    def _recurrent_count(self) -> Any:
        return count(
            self.cell,
            self.embedding,
            self.units,
            depth=self.depth,
            bidirectional=self.bidirectional,
            **self.options,
        )
