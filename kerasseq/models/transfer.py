"""A classifier of tokens that begins as a language model."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from kerasseq.layers import TextDecoder

__all__ = ["copy_language_model", "directions", "language_model_decoder", "layers_from_above"]


def directions(recurrent: Any) -> list[list[Any]]:
    """The recurrent layers of each direction in which a stack reads, forward first, level by level.

    Args:
        recurrent: a layer of `kerasseq.rnn`.

    Example:

    >>> import kerasseq
    >>> [len(levels) for levels in directions(kerasseq.lstm(4, depth=3, bidirectional=True))]
    [3, 3]
    """
    levels = getattr(recurrent, "levels", [recurrent])
    if not isinstance(levels[0], keras.layers.Bidirectional):
        return [list(levels)]
    return [
        [level.forward_layer for level in levels],
        [level.backward_layer for level in levels],
    ]


def layers_from_above(model: keras.Model) -> list[Any]:
    """The layers that a `Classifier` shares with a language model, the highest first.

    Args:
        model: model of a `Classifier`.

    Returns:
        The levels of the recurrent layer, and the embedding.
    """
    recurrent = model.get_layer("recurrent")
    levels = getattr(recurrent, "levels", [recurrent])
    return [*reversed(levels), model.get_layer("embedding")]


def language_model_decoder(model: keras.Model) -> TextDecoder | None:
    """The decoder of a language model; None if the model is of another kind."""
    decoders = [layer for layer in model.layers if isinstance(layer, TextDecoder)]
    return decoders[0] if len(decoders) == 1 else None


def copy_language_model(
    model: keras.Model, decoder: TextDecoder, rows: np.ndarray, reverse: bool = False
) -> None:
    """Copy embedding and recurrent layers of a language model into a classifier.

    The layers of one direction take the weights. Inputs that the language model does not have
    (log-count ratios, outputs of the other direction) begin with weights of zero, so that these
    layers begin as those of the language model. Layers of the other direction keep their weights.

    Args:
        model: model of a `Classifier` with equal cell, units, depth and width of the embedding.
        decoder: decoder of the language model.
        rows: row of its embedding for each token of the classifier, int `(vocabulary,)`.
        reverse: whether the language model reads in reverse, and the layers that read backward take
            the weights, of a bidirectional classifier.

    Example:

    >>> from kerasseq.models import Classifier, LanguageModelConfig
    >>> sizes = {"units": 4, "embedding": 3}
    >>> earlier = LanguageModelConfig(words=9, **sizes).build()
    >>> model = Classifier(vocabulary=5, classes=2, **sizes).build()
    >>> copy_language_model(model, language_model_decoder(earlier), np.arange(5))
    >>> kept = earlier.get_layer("decoder").embedding.get_weights()[0][:5]
    >>> bool((model.get_layer("embedding").get_weights()[0] == kept).all())
    True
    """
    table = np.asarray(decoder.embedding.embeddings)
    model.get_layer("embedding").embeddings.assign(table[rows])
    levels = directions(model.get_layer("recurrent"))[int(reverse)]
    for level, (new, earlier) in enumerate(zip(levels, directions(decoder.recurrent)[0])):
        for weight, value in zip(new.weights, map(np.asarray, earlier.weights), strict=True):
            # The first axis of a weight of inputs. Inputs that were added come last; between
            # levels the outputs of forward layers come before the outputs of backward layers.
            added = weight.shape[0] - value.shape[0]
            rows_added = (added, 0) if reverse and level else (0, added)
            weight.assign(np.pad(value, [rows_added] + [(0, 0)] * (value.ndim - 1)))
