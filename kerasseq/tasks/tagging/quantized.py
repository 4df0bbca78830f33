"""A tagger whose scores of tags come from a quantized file, to measure the loss in score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from kerasseq.interop.litert.model import LiteRTModel
from kerasseq.models.tagger import emission_model, tags_of_emissions

__all__ = ["QuantizedTagger"]


class QuantizedTagger:
    """Tags as a tagger does, which stays in float32 from the scores of the tags on.

    Args:
        content: The file of LiteRT, of the emission model.
        model: The tagger.
        names: Names of its columns of tags.

    Attributes:
        weights: None, as none of a file can be read.
    """

    def __init__(self, content: bytes, model: keras.Model, names: Sequence[str]) -> None:
        self.weights: list[Any] = []
        self._model, self._names = model, names
        self._file = LiteRTModel(content, emission_model(model, names))

    def predict_on_batch(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The outputs of the tagger by name."""
        scores = self._file.predict_on_batch(inputs)
        listed = scores if isinstance(scores, list) else [scores]
        return tags_of_emissions(self._model, self._names, inputs["words"], listed)
