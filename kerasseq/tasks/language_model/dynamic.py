"""Dynamic evaluation: a copy of the model goes on learning from the text that it is scored on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasseq import training

if TYPE_CHECKING:
    import keras

    from kerasseq.models import LanguageModelConfig

__all__ = ["dynamic_nats"]


def dynamic_nats(
    model: keras.Model,
    config: LanguageModelConfig,
    texts: Sequence[np.ndarray],
    first: int,
    steps: int,
    learning_rate: float,
) -> np.ndarray:
    """Nats of each token, where the model learns from each chunk after the chunk was scored.

    Krause et al. 2018, Dynamic evaluation of neural sequence models (arXiv 1709.07432), with plain
    gradient descent. No token is learned from before it is scored. The model is not changed.

    Args:
        model: the model.
        config: its config.
        texts: tokens of each text, int `(tokens,)`; the state starts anew with each of them.
        first: token that a text without context follows.
        steps: tokens of a chunk.
        learning_rate: learning rate; the norm of a gradient is limited to 1.

    Returns:
        Nats of the tokens of all texts, `(tokens,)`.
    """
    import keras

    from kerasseq.models import BatchLoss, TokenScorer

    config = replace(config, **_without_regularisation(config))
    copy = config.build()
    copy.set_weights(model.get_weights())
    learner = config.training_model(copy, streams=1)
    learner.compile(keras.optimizers.SGD(learning_rate, global_clipnorm=1.0), BatchLoss())
    decoder = copy.get_layer("decoder")
    scorer = TokenScorer(decoder)
    initial = [keras.ops.convert_to_numpy(state) for state in decoder.first_states(1)]
    nats = []
    for text in texts:
        states = initial
        for start in range(0, len(text), steps):
            part = text[start : start + steps]
            before = text[start - 1] if start else first
            inputs, targets = (
                np.pad(tokens, (0, steps - len(part)))[None].astype(np.int32)
                for tokens in ([before, *part[:-1]], part)
            )
            scored = {"tokens": inputs, "following": targets, "states": states}
            first_chunk = np.array([int(start == 0)], dtype=np.int32)
            learned = {"tokens": inputs, "following": targets, "first": first_chunk}
            with training.without_retracing_warnings():
                outputs = scorer.predict_on_batch(scored)
                learner.train_on_batch(learned, targets)
            states = outputs["states"]
            nats.append(np.asarray(outputs["nats"], dtype=np.float64)[0, : len(part)])
    scores = np.concatenate(nats)
    training.finite(scores, copy)
    return scores


def _without_regularisation(config: LanguageModelConfig) -> dict[str, Any]:
    """The fields of a config that regularise the training, without effect."""
    rates = ("dropout", "layer_dropout", "embedding_dropout", "word_dropout")
    penalties = ("activation_penalty", "temporal_penalty")
    of_cells = ("recurrent_dropout", "zoneout", "weight_drop")
    options = {name: value for name, value in config.options.items() if name not in of_cells}
    return {**dict.fromkeys((*rates, *penalties), 0.0), "options": options}
