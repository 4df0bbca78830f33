"""The validation score after each epoch, which decides which epoch is kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from kerasseq.data.tags.reader import TARGET
from kerasseq.data.tags.schemes import PLAIN
from kerasseq.evaluation.tagging_metrics import tagging
from kerasseq.tasks.tagging.predicting import outputs
from kerasseq.training import Examples

__all__ = ["ValidationScore", "monitored"]


def monitored(data_info: Mapping[str, Any]) -> str:
    """The metric that decides: F1 of chunks, or accuracy of tags without chunks."""
    return "accuracy" if data_info["scheme"] == PLAIN else "f1"


class ValidationScore(keras.callbacks.Callback):
    """Logs the score of the best tags on the validation part.

    Args:
        model: the model that is trained, which predicts tags.
        examples: the validation part with its tags.
        data_info: properties of the data.
    """

    def __init__(
        self, model: keras.Model, examples: Examples, data_info: Mapping[str, Any]
    ) -> None:
        super().__init__()
        self._tagger, self._examples = model, examples
        self._tags = np.array(data_info["tags"])
        self._metric, self._chunked = monitored(data_info), data_info["scheme"] != PLAIN

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if logs is None or "val_loss" not in logs:  # a refit has no validation part
            return
        names = [tensor.name for tensor in self._tagger.inputs]
        inputs = {name: self._examples.inputs[name] for name in names}
        target = self._examples.inputs[f"{TARGET}_target"]
        lengths = self._examples.lengths["words"]
        rows = Examples(inputs, lengths=dict.fromkeys(inputs, lengths))
        guesses = outputs(self._tagger, rows).numbers[TARGET]
        truth = [self._tags[row[:n]].tolist() for row, n in zip(target, lengths)]
        predicted = [self._tags[row].tolist() for row in guesses]
        score = tagging(truth, predicted, chunked=self._chunked, resamples=0)
        logs[f"val_{self._metric}"] = score.values[self._metric]
