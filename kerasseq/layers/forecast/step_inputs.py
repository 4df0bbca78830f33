"""The inputs of a decoder at each step ahead: position, known covariates and traits."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kerasseq.params.spec import positive_int

Tensor = Any


@keras.saving.register_keras_serializable("kerasseq")
class StepInputs(keras.layers.Layer):
    """One vector per step ahead: a learned vector plus projected covariates and traits.

    Args:
        steps: Number of steps ahead.
        width: Width of the vectors.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        future: (batch, steps, columns), covariates known ahead, or None.
        traits: (batch, columns), static features of the series, or None.

    Output shape:
        (batch, steps, width), or (1, steps, width) without `future` and `traits`.

    Raises:
        ValueError: If a size is not a positive integer.

    Example:
        >>> import numpy as np
        >>> StepInputs(3, 4)(np.ones((2, 3, 5), "float32")).shape == (2, 3, 4)
        True
    """

    def __init__(self, steps: int, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.steps, self.width = positive_int("steps", steps), positive_int("width", width)

    def build(self, future_shape: Any = None, traits_shape: Any = None) -> None:
        """Create the vectors of positions, and the projections of covariates and traits."""
        self.positions = self.add_weight(
            shape=(self.steps, self.width), name="positions", initializer="uniform"
        )
        for name, shape in (("future", future_shape), ("traits", traits_shape)):
            if shape is not None:
                weight = self.add_weight(
                    shape=(shape[-1], self.width),
                    name=f"{name}_kernel",
                    initializer="glorot_uniform",
                )
                setattr(self, f"{name}_kernel", weight)
        self.built = True

    def call(self, future: Tensor | None = None, traits: Tensor | None = None) -> Tensor:
        """Compute the vectors of all steps; see the class."""
        # Symbolic tensors stand on the left of sums: arrays of JAX refuse them on the right.
        vectors = ops.convert_to_tensor(self.positions)[None]
        if future is not None:
            vectors = ops.matmul(future, self.future_kernel) + vectors
        if traits is not None:
            vectors = ops.matmul(traits, self.traits_kernel)[:, None] + vectors
        return vectors

    def compute_output_shape(self, future_shape: Any = None, traits_shape: Any = None) -> Any:
        """(batch, steps, width)."""
        features_shape = future_shape or traits_shape
        return (features_shape[0] if features_shape else 1, self.steps, self.width)

    def get_config(self) -> dict[str, Any]:
        """The config, with one entry per constructor argument."""
        return {**super().get_config(), "steps": self.steps, "width": self.width}
