"""The softmax over an axis that may have one entry alone."""

from __future__ import annotations

from typing import Any

from keras import ops

__all__ = ["softmax"]


def softmax(scores: Any, axis: int) -> Any:
    """Softmax along an axis; a single entry has the weight one, of which Keras would warn.

    Args:
        scores: Tensor of any shape.
        axis: The axis along which the weights sum to one.

    Example:

    >>> softmax(ops.ones((2, 1)), axis=1).shape == (2, 1)
    True
    """
    if scores.shape[axis] == 1:
        return ops.ones_like(scores)
    return ops.softmax(scores, axis=axis)
