"""A file of LiteRT in place of a Keras model, to score what quantization costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from kerasseq.interop.litert.names import input_names, output_names
from kerasseq.interop.litert.quiet import quiet
from kerasseq.interop.litert.session import InferenceSession

__all__ = ["LiteRTModel"]


class LiteRTModel:
    """Predicts from a file of LiteRT as a Keras model does.

    Args:
        content: The file, as `to_litert` gives it.
        model: The Keras model that it was made from.

    Attributes:
        weights: None, as none of a file can be read.
    """

    def __init__(self, content: bytes, model: Any) -> None:
        self.weights: list[Any] = []
        self._names, self._outputs = input_names(model), output_names(model)
        self._nest = model.inputs[0] if isinstance(model, keras.Sequential) else model.input
        with quiet():
            self._session = InferenceSession(content)

    def predict_on_batch(self, inputs: Any) -> Any:
        """The outputs for a batch of inputs, in the form that the Keras model takes."""
        keras.tree.assert_same_structure(self._nest, inputs)
        arrays = dict(zip(self._names, keras.tree.flatten(inputs), strict=True))
        with quiet():  # the first call says how it computes
            outputs = self._session.run(self._outputs, arrays)
        return outputs[0] if len(outputs) == 1 else outputs

    def predict(self, batches: Sequence[Any], verbose: int = 0) -> Any:
        """The outputs for batches, each a tuple that begins with the inputs."""
        outputs = [self.predict_on_batch(batches[n][0]) for n in range(len(batches))]
        return np.concatenate(outputs)
