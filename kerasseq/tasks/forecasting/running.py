"""Outputs of a model for a few windows."""

from __future__ import annotations

from collections.abc import Mapping

import keras
import numpy as np

__all__ = ["run_model"]

_BATCH = 256  # windows per call of the model


def run_model(model: keras.Model, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """Outputs of a model for a few windows, without tracing a graph for their number.

    Args:
        model: the model.
        inputs: inputs of the model by name, a row for each window.
    """
    count = len(inputs["history"])
    batches = [
        model(
            {name: values[start : start + _BATCH] for name, values in inputs.items()},
            training=False,
        )
        for start in range(0, count, _BATCH)
    ]
    return np.concatenate([keras.ops.convert_to_numpy(batch) for batch in batches])
