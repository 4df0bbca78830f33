"""A classifier of token sequences: a recurrent branch, and optionally a branch of n-grams."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import keras

from kerasseq import layers
from kerasseq.layers.ngrams import NgramRatios, NgramVotes
from kerasseq.layers.token_dropout import TokenDropout
from kerasseq.models.pooled_head import pooled_head, pooled_head_cost
from kerasseq.models.text_pretraining import pretraining_model
from kerasseq.params import count
from kerasseq.params.cost import Cost, over_time, table

__all__ = ["Classifier"]


@dataclass(frozen=True)
class Classifier:
    """Config of a classifier, from which it is counted and built.

    The recurrent branch ("deep") embeds tokens, runs a recurrent stack over them, pools its outputs
    over time and projects them to the classes. With n-grams, the input of the stack also has the
    log-count ratios of the n-grams that end at each token, and there is a second branch ("wide"),
    the sum of the votes of all n-grams of the text. The logits are the mean of both branches. Each
    branch should have its own loss, so that both learn to classify alone.

    Args:
        vocabulary: number of tokens; 0 is padding, 1 the unknown token.
        classes: number of classes; two classes have one logit.
        cell: name of the recurrent cell.
        units: width of the cell.
        depth: number of stacked recurrent layers.
        bidirectional: whether each layer runs in both directions.
        pooling: "last", "mean", "max" or "attention", or several joined by "+" and concatenated.
        embedding: width of the embedding.
        ngrams: number of n-grams, including number 0, which means none; 0 for no n-gram branch.
        order: number of tokens of the longest n-gram.
        class_gains: whether an n-gram votes with a gain for each logit, not one for all of them.
        token_dropout: share of the tokens replaced by the unknown token in training.
        embedding_dropout: dropout rate on the embedded tokens.
        dropout: dropout rate before the output layer.
        options: further arguments of `kerasseq.rnn`: zoneout, recurrent_dropout, ...
        embedding_deviation: standard deviation of the initial embedding; None for Keras's.

    Model inputs:
        `tokens`, int (batch, timesteps). With n-grams also `ending`, int (batch, timesteps, order),
        the n-grams that end at each token, and `ngrams`, int (batch, n), the n-grams of the whole
        text; and corrections that are added to their ratios (see `NgramRatios`):
        `ending_corrections`, (batch, timesteps, order, logits), and `ngram_corrections`,
        (batch, n, logits), or zeros that broadcast to these shapes.

    Model output:
        Logits, (batch, 1) of the second class if there are two, else (batch, classes).

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
    order: int = 2
    class_gains: bool = False
    token_dropout: float = 0.0
    embedding_dropout: float = 0.0
    dropout: float = 0.0
    options: Mapping[str, Any] = field(default_factory=dict)
    embedding_deviation: float | None = None

    @property
    def logits(self) -> int:
        """Number of outputs of the model for each text."""
        return 1 if self.classes == 2 else self.classes

    @property
    def branches(self) -> tuple[str, ...]:
        """Names of the layers with the logits of each branch; () if there is one branch."""
        return ("wide", "deep") if self.ngrams else ()

    def count(self) -> int:
        """Number of parameters of both branches, including the frozen ratios."""
        return self._cost(1).params

    def macs(self, timesteps: int) -> int:
        """Multiply-accumulates with a weight as one factor, for one text of `timesteps` tokens.

        With n-grams it is an upper bound, as if an n-gram of each order ended at every token.

        >>> Classifier(vocabulary=9, classes=2, cell="mingru", units=4, embedding=3).macs(10)
        488
        """
        return self._cost(timesteps).macs

    def _cost(self, timesteps: int) -> Cost:
        """Parameters and MACs of the model, for a text of `timesteps` tokens."""
        recurrent = self._recurrent_count()
        width = recurrent.levels[-1].output
        cost = table(self.vocabulary, self.embedding) + over_time(recurrent, timesteps)
        cost += pooled_head_cost(width, self.pooling, self.logits, timesteps)
        if self.ngrams:
            votes = timesteps * self.order * self.logits
            cost += table(self.ngrams, self.logits)  # ratios
            gains = self.ngrams * (self.logits if self.class_gains else 1)
            cost += Cost(gains + self.logits, votes)  # gains, and a bias
        return cost

    def build(self) -> keras.Model:
        """Build the model, untrained and not compiled; its layers have fixed names."""
        tokens = keras.Input((None,), dtype="int32", name="tokens")
        if not self.ngrams:
            return keras.Model({"tokens": tokens}, self._deep(tokens), name="classifier")
        inputs = {
            "tokens": tokens,
            "ending": keras.Input((None, self.order), dtype="int32", name="ending"),
            "ending_corrections": keras.Input((None, None, self.logits), name="ending_corrections"),
            "ngrams": keras.Input((None,), dtype="int32", name="ngrams"),
            "ngram_corrections": keras.Input((None, self.logits), name="ngram_corrections"),
        }
        ratios = NgramRatios(self.ngrams, self.logits, name="ratios")
        evidence = ratios(inputs["ending"], inputs["ending_corrections"])
        deep = self._deep(tokens, evidence)
        votes = ratios(inputs["ngrams"], inputs["ngram_corrections"])
        wide = NgramVotes(self.ngrams, per_class=self.class_gains, name="wide")
        logits = keras.layers.Average(name="logits")([wide(inputs["ngrams"], votes), deep])
        return keras.Model(inputs, logits, name="classifier")

    def _deep(self, tokens: Any, evidence: Any = None) -> Any:
        """Logits of the recurrent branch; `evidence` has the ratios of n-grams at each token."""
        deviation = self.embedding_deviation
        embed = keras.layers.Embedding(
            self.vocabulary,
            self.embedding,
            embeddings_initializer=keras.initializers.RandomNormal(stddev=deviation)
            if deviation
            else "uniform",
            mask_zero=True,
            name="embedding",
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
        mask = embed.compute_mask(tokens)
        if self.token_dropout:
            tokens = TokenDropout(self.token_dropout, name="token_dropout")(tokens)
        sequence = embed(tokens)
        if self.embedding_dropout:
            sequence = keras.layers.Dropout(self.embedding_dropout, name="embedding_dropout")(
                sequence
            )
        if evidence is not None:
            channels = self._inputs - self.embedding
            evidence = keras.layers.Reshape((-1, channels), name="evidence")(evidence)
            sequence = keras.layers.Concatenate(name="features")([sequence, evidence])
        sequence = recurrent(sequence, mask=mask)
        return pooled_head(
            sequence, self.pooling, self.logits, name="deep", dropout=self.dropout, mask=mask
        )

    def pretraining_model(self, model: keras.Model) -> keras.Model:
        """A model with the same layers that predicts the neighbours of each token.

        See `kerasseq.models.text_pretraining.pretraining_model`.

        Args:
            model: the model.
        """
        return pretraining_model(model, self._inputs)

    @property
    def _inputs(self) -> int:
        """Width of the inputs of the recurrent stack."""
        return self.embedding + (self.order * self.logits if self.ngrams else 0)

    def _recurrent_count(self) -> Any:
        return count(
            self.cell,
            self._inputs,
            self.units,
            depth=self.depth,
            bidirectional=self.bidirectional,
            **self.options,
        )
