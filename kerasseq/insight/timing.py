"""Times a model beside its conversion."""

from __future__ import annotations

import statistics
import time
from typing import Any

import keras
import numpy as np

from kerasseq.interop.copying import ModelCopy
from kerasseq.interop.counterparts import copied, to_kerasseq

__all__ = ["timed"]

_ROWS, _TIMESTEPS = 32, 50  # where the model leaves them open
_ROUNDS = 9


def timed(model: Any, rounds: int = _ROUNDS) -> list[str]:
    """Time a training step and inference of a model, as it is and after `kerasseq.convert`.

    They are timed in turns, on random numbers of the shapes of the model's inputs, with 32 rows and
    50 timesteps where it leaves them open, and ones for whole numbers. The step is that of plain
    gradient descent. The model does not change.

    Args:
        model: A built Keras model.
        rounds: How often each is timed; medians are told.

    Returns:
        One line for the training step, and one for inference.

    Raises:
        ValueError: If the shapes of its inputs are unknown, or it reads texts.
    """
    inputs = getattr(model, "inputs", None)
    if not inputs:
        raise ValueError(
            f"The model '{model.name}' does not say which inputs it takes, so that it cannot be "
            "timed. Use a Sequential model with an Input, or a functional model."
        )
    x = _single([_data(tensor) for tensor in inputs])
    contenders = [ModelCopy(model, counterpart).result for counterpart in (copied, to_kerasseq)]
    outputs = keras.tree.flatten(contenders[0](x))
    y = _single([np.zeros(output.shape, "float32") for output in outputs])
    for contender in contenders:
        contender.compile("sgd", "mse")
    size = f"{_ROWS} rows" if inputs[0].shape[0] is None else f"{inputs[0].shape[0]} rows"
    lines = []
    for name in ("training step", "inference"):
        before, after = _medians(contenders, x, y, name == "training step", rounds)
        lines.append(
            f"{name} of {size}: {1000 * before:.3g} ms as it is, {1000 * after:.3g} ms after "
            f"kerasseq.convert ({before / after:.2f} times as fast)"
        )
    return lines


def _single(arrays: list[np.ndarray]) -> Any:
    return arrays if len(arrays) > 1 else arrays[0]


def _data(tensor: Any) -> np.ndarray:
    rows, *rest = tensor.shape
    shape = (rows or _ROWS, *(size or _TIMESTEPS for size in rest))
    dtype = keras.backend.standardize_dtype(tensor.dtype)
    if dtype == "string":
        raise ValueError("A model that reads texts cannot be timed: there are no texts to read.")
    if "float" not in dtype:
        return np.ones(shape, dtype)
    return np.random.default_rng(0).standard_normal(shape).astype("float32")


def _medians(contenders: list[Any], x: Any, y: Any, trains: bool, rounds: int) -> list[float]:
    """The median seconds of each contender, in turns, after two calls that are not timed."""
    seconds: list[list[float]] = [[] for _ in contenders]
    for turn in range(-2, rounds):
        for place in (0, 1) if turn % 2 == 0 else (1, 0):
            start = time.perf_counter()
            if trains:
                contenders[place].train_on_batch(x, y)
            else:
                contenders[place].predict_on_batch(x)
            if turn >= 0:
                seconds[place].append(time.perf_counter() - start)
    return [statistics.median(each) for each in seconds]
