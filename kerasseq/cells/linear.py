"""Base class of linear cells: h = a * h' + b, elementwise, with a and b from the inputs."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kerasseq.cells.base import Cell, Frame, States, Tensor

Parts = tuple[Tensor, ...]  # one tensor, or real and imaginary part


class LinearCell(Cell):
    """Base class of cells with a linear recurrence, which an associative scan computes.

    A subclass implements `coefficients`; if the state is complex, `parts` is 2. Masks, zoneout and
    recurrent dropout are linear too, so they become part of the coefficients.
    """

    parts = 1

    @property
    def state_dtype(self) -> str:
        """Dtype of the states: float32 or float64, since products over a whole sequence need it."""
        return self.compute_dtype if self.compute_dtype == "float64" else "float32"

    def coefficients(self, projected: Tensor) -> tuple[Parts, Parts]:
        """Compute a and b of h = a * h' + b from projected inputs, each in `parts` tensors."""
        raise NotImplementedError

    def multiply(self, a: Parts, b: Parts) -> Parts:
        """Multiply elementwise; complex numbers if there are two parts."""
        if self.parts == 1:
            return (a[0] * b[0],)
        return (a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0])

    def effective(
        self, projected: Tensor, frame: Frame, noise: dict[str, Any]
    ) -> tuple[Parts, Parts]:
        """Compute a and b of h = a * h' + b with recurrent dropout and zoneout in them."""
        cast_inputs = ops.cast(projected, self.state_dtype)
        a, b = self.coefficients(cast_inputs)
        mask = noise.get("recurrent", frame.recurrent_mask)
        if mask is not None:
            a = tuple(part * mask for part in a)
        if any(self.zoneout_rates):
            zoneout = noise["zoneout"][0] if frame.training else self.zoneout_rates[0]
            a = tuple(
                part + zoneout * (identity - part)
                for part, identity in zip(a, (1.0, 0.0), strict=False)
            )
            b = tuple(part - zoneout * part for part in b)
        return a, b

    def advance(
        self, projected: Tensor, states: States, frame: Frame, noise: dict[str, Any]
    ) -> States:
        a, b = self.effective(projected, frame, noise)
        carried = self.multiply(a, tuple(states))
        return [c + part for c, part in zip(carried, b, strict=True)]

    def _draw_zoneout(self, time: int | Tensor, batch: int | Tensor) -> tuple[Tensor, ...]:
        # One draw per unit: its real and imaginary part keep their old values together.
        shape = (time, batch, self.state_size[0])
        keeps = keras.random.uniform(shape, seed=self.seed_generator) < self.zoneout_rates[0]
        return (ops.cast(keeps, self.state_dtype),)

    def _zoneout_rates(self, zoneout: Any) -> tuple[float, ...]:
        rates = super()._zoneout_rates(zoneout)
        if len(set(rates)) > 1:
            raise ValueError(
                f"`zoneout` of '{self.kind}' must be one rate: its states are parts of one "
                f"complex state. Received: zoneout={zoneout}"
            )
        return rates
