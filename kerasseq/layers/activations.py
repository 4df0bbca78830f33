"""Activation functions that Keras 3 no longer has."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

Tensor = Any


@keras.saving.register_keras_serializable("kerasseq")
def keras2_hard_sigmoid(x: Tensor) -> Tensor:
    """The hard sigmoid of Keras 2, clip(0.2 x + 0.5, 0, 1); in Keras 3 the slope is 1/6.

    It was the default of gates up to Keras 2.2, so that `kerasseq.convert` needs it for old files.

    Args:
        x: Tensor of any shape.

    Example:
        >>> import numpy as np
        >>> np.asarray(keras2_hard_sigmoid(np.array([-3.0, 1.0, 3.0], "float32"))).tolist()
        [0.0, 0.699999988079071, 1.0]
    """
    return ops.clip(0.2 * x + 0.5, 0.0, 1.0)
