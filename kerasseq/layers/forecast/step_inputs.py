"""What a decoder is told about each step that it is to forecast."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kerasseq.params.spec import positive_int

Tensor = Any


@keras.saving.register_keras_serializable("kerasseq")
class StepInputs(keras.layers.Layer):
    """One vector per step ahead: a learned one, plus projections of what is known.

    Args:
        steps: How many steps there are ahead.
        width: Width of the vectors.
        **kwargs: Those of `keras.layers.Layer`.

    Call arguments:
        future: (batch, steps, columns), what is known of each step, or None.
        traits: (batch, columns), what is known of the series, or None.

    Output shape:
        (batch, steps, width), or (1, steps, width) where nothing is known: it is the same for all.

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
        """Positions, and a projection of each kind of knowledge."""
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
        """The vectors of all steps; see the class."""
        found = ops.convert_to_tensor(self.positions)[None]
        if future is not None:
            found = found + ops.matmul(future, self.future_kernel)
        if traits is not None:
            found = found + ops.matmul(traits, self.traits_kernel)[:, None]
        return found

    def compute_output_shape(self, future_shape: Any = None, traits_shape: Any = None) -> Any:
        """(batch, steps, width)."""
        known = future_shape or traits_shape
        return (known[0] if known else 1, self.steps, self.width)

    def get_config(self) -> dict[str, Any]:
        """One entry per constructor argument."""
        return {**super().get_config(), "steps": self.steps, "width": self.width}
