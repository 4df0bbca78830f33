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
    50 timesteps where it leaves them open, and ones for whole numbers; further open sizes are those
    that the model takes of 50, the widths of its inputs, and 1. The step is that of plain gradient
    descent on squared errors. The model does not change.

    Args:
        model: A built Keras model.
        rounds: How often each is timed; medians are told.

    Returns:
        One line for the training step, and one for inference.

    Raises:
        ValueError: If the shapes of its inputs are unknown or none of these sizes fits, or it reads
            texts.
    """
    inputs = getattr(model, "inputs", None)
    if not inputs:
        raise ValueError(
            f"The model '{model.name}' does not say which inputs it takes, so that it cannot be "
            "timed. Use a Sequential model with an Input, or a functional model."
        )
    contenders = [ModelCopy(model, counterpart).result for counterpart in (copied, to_kerasseq)]
    x, outputs = _fitting(contenders[0], model)
    y = keras.tree.map_structure(lambda output: np.zeros(output.shape, "float32"), outputs)
    for contender in contenders:
        contender.compile("sgd", "mse")
    size = f"{_ROWS} rows" if inputs[0].shape[0] is None else f"{inputs[0].shape[0]} rows"
    lines = []
    for name in ("training step", "inference"):
        try:
            before, after = _medians(contenders, x, y, name == "training step", rounds)
        except LookupError:  # of TensorFlow; marginals of a CRF, which is trained by its own loss
            lines.append(f"{name}: not timed, since the outputs have no gradient")
            continue
        lines.append(
            f"{name} of {size}: {1000 * before:.3g} ms as it is, {1000 * after:.3g} ms after "
            f"kerasseq.convert ({before / after:.2f} times as fast)"
        )
    return lines


def _fitting(contender: Any, model: Any) -> tuple[Any, Any]:
    """Data in the form of the model's inputs, of sizes that it takes, and its outputs for them."""
    # `input` has the form, a tensor or a list or dict of them; a Sequential model may have none.
    form = model.inputs[0] if isinstance(model, keras.Sequential) else model.input
    widths = {size for tensor in model.inputs for size in tensor.shape[2:] if size}
    for size in dict.fromkeys((_TIMESTEPS, *sorted(widths - {1}), 1)):
        x = keras.tree.map_structure(lambda tensor, size=size: _data(tensor, size), form)
        try:
            return x, contender(x)
        except Exception as error:  # Keras and its backends raise errors of any kind
            cause = error
    raise ValueError(
        f"The model '{model.name}' cannot be timed: it does not take random numbers of the shapes "
        "of its inputs. Fix the sizes that these leave open."
    ) from cause


def _data(tensor: Any, further: int = _TIMESTEPS) -> np.ndarray:
    """Random data of the shape of an input; `further` is the size of open axes after timesteps."""
    rows, *rest = tensor.shape
    open_sizes = (_TIMESTEPS, *[further] * len(rest))
    shape = (rows or _ROWS, *(size or free for size, free in zip(rest, open_sizes)))
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
