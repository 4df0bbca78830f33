"""What the linear cells share: h = a * h' + b, elementwise, with a and b from the inputs."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kerasseq.cells.base import Cell, Frame, States, Tensor

Parts = tuple[Tensor, ...]  # one tensor, or real and imaginary part


class LinearCell(Cell):
    """Base of the cells whose state is a linear recurrence, run as an associative scan.

    A subclass writes `coefficients`; where the state is complex, `parts` is 2. Masks, zoneout
    and recurrent dropout are linear too, so that they fold into the coefficients.
    """

    parts = 1

    @property
    def state_dtype(self) -> str:
        """Products over a whole sequence need float32 at least."""
        return self.compute_dtype if self.compute_dtype == "float64" else "float32"

    def coefficients(self, projected: Tensor) -> tuple[Parts, Parts]:
        """a and b for any leading axes, each in `parts` parts."""
        raise NotImplementedError

    def multiply(self, a: Parts, b: Parts) -> Parts:
        """The elementwise product, complex where there are two parts."""
        if self.parts == 1:
            return (a[0] * b[0],)
        return (a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0])

    def effective(
        self, projected: Tensor, frame: Frame, noise: dict[str, Any]
    ) -> tuple[Parts, Parts]:
        """Coefficients with recurrent dropout and zoneout folded in."""
        wide = ops.cast(projected, self.state_dtype)
        a, b = self.coefficients(wide)
        mask = noise.get("recurrent", frame.recurrent_mask)
        if mask is not None:
            a = tuple(part * mask for part in a)
        if any(self.zoneout_rates):
            kept = noise["zoneout"][0] if frame.training else self.zoneout_rates[0]
            a = tuple(part + kept * (one - part) for part, one in zip(a, (1.0, 0.0), strict=False))
            b = tuple(part - kept * part for part in b)
        return a, b

    def advance(
        self, projected: Tensor, states: States, frame: Frame, noise: dict[str, Any]
    ) -> States:
        a, b = self.effective(projected, frame, noise)
        carried = self.multiply(a, tuple(states))
        return [c + part for c, part in zip(carried, b, strict=True)]

    def _draw_zoneout(self, time: int | Tensor, batch: int | Tensor) -> tuple[Tensor, ...]:
        # A unit is kept as a whole: real and imaginary part share one draw.
        shape = (time, batch, self.state_size[0])
        drawn = keras.random.uniform(shape, seed=self.seed_generator) < self.zoneout_rates[0]
        return (ops.cast(drawn, self.state_dtype),)

    def _zoneout_rates(self, zoneout: Any) -> tuple[float, ...]:
        rates = super()._zoneout_rates(zoneout)
        if len(set(rates)) > 1:
            raise ValueError(
                f"`zoneout` of '{self.kind}' must be one rate: its states are parts of one "
                f"complex state. Received: zoneout={zoneout}"
            )
        return rates
