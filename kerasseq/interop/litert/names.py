"""Names of the inputs and the outputs of a model in a file of LiteRT."""

from __future__ import annotations

import re
from typing import Any

import keras

from kerasseq.interop.distinct import distinct

__all__ = ["input_names", "output_names"]


def input_names(model: Any) -> list[str]:
    """Names of the inputs, which TensorFlow takes as keyword arguments.

    Example:
        >>> input_names(keras.Sequential([keras.Input((3,), name="x-1"), keras.layers.Dense(2)]))
        ['x_1']
    """
    return distinct([re.sub(r"\W", "_", tensor.name) for tensor in model.inputs])


def output_names(model: Any) -> list[str]:
    """Names of the outputs: of the layers that compute them.

    Example:
        >>> output_names(keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="y")]))
        ['y']
    """
    names = input_names(model)
    last = [model.layers[-1].name] if isinstance(model, keras.Sequential) else model.output_names
    return distinct([*names, *last])[len(names) :]
