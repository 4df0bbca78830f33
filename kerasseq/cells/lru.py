"""Linear recurrent unit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from kerasseq.cells.base import States, Tensor
from kerasseq.cells.linear import LinearCell, Parts
from kerasseq.params.spec import Weight


@keras.saving.register_keras_serializable("kerasseq")
class LRUCell(LinearCell):
    """A diagonal complex linear recurrence, stable by construction, with a real readout.

    The state is carried as two real states in float32. The block of the paper has a nonlinearity
    after the layer; add one between levels, for example a Dense layer with a GLU.

    Args:
        units: Width of the output.
        state: Width of the complex state; `units` by default.
        radius: Smallest and largest modulus of the recurrence at the start.
        phase: Largest phase at the start, in radians.
        **kwargs: See `Cell`.

    Example:
        >>> import kerasseq, numpy as np
        >>> kerasseq.rnn("lru", 4, state=8)(np.ones((2, 5, 3), "float32")).shape == (2, 4)
        True

    Reference: Orvieto et al. (2023), arXiv 2303.06349.
    """

    kind = "lru"
    parts = 2
    emits_from = 2
    emits_inputs = True

    def __init__(
        self,
        units: int,
        *,
        state: int | None = None,
        radius: Sequence[float] = (0.0, 1.0),
        phase: float = 2 * math.pi,
        **kwargs: Any,
    ) -> None:
        self.state = state
        super().__init__(units, **kwargs)
        self.radius = tuple(radius)
        self.phase = phase

    @property
    def _width(self) -> int:
        return self.state_size[0]

    def initializer_for(self, weight: Weight) -> Any:
        initializers = {
            "nu_log": self._nu_log,
            "theta_log": self._theta_log,
            "gamma_log": self._gamma_log,
        }
        if weight.name in initializers:
            return initializers[weight.name]
        if weight.name == "skip_kernel":
            return "glorot_uniform"
        if weight.role == "kernel":  # the real and the imaginary part share a variance of 1/inputs
            return keras.initializers.VarianceScaling(0.5, "fan_in", "normal")
        if weight.role == "readout":
            return keras.initializers.VarianceScaling(1.0, "fan_in", "normal")
        return super().initializer_for(weight)

    def _nu_log(self, shape: Sequence[int], dtype: Any = None, **_: Any) -> Tensor:
        # Eigenvalues uniform on the ring between the two radii, as in the paper.
        low, high = self.radius
        u = keras.random.uniform(shape, dtype=dtype, seed=self.seed_generator)
        squared = u * (high**2 - low**2) + low**2
        return ops.log(-0.5 * ops.log(ops.clip(squared, 1e-6, 1 - 1e-6)))

    def _theta_log(self, shape: Sequence[int], dtype: Any = None, **_: Any) -> Tensor:
        u = keras.random.uniform(shape, dtype=dtype, seed=self.seed_generator)
        return ops.log(self.phase * ops.maximum(u, 1e-6))

    def _gamma_log(self, shape: Sequence[int], dtype: Any = None, **_: Any) -> Tensor:
        # Scales the inputs by sqrt(1 - |a|^2), which gives the state unit variance.
        modulus = ops.exp(-ops.exp(ops.cast(ops.convert_to_tensor(self.nu_log), dtype)))
        return 0.5 * ops.log(1 - ops.square(modulus))

    def project(self, inputs: Tensor) -> Tensor:
        """Compute x B (real and imaginary part) and x D, side by side: (..., 2 * state + units)."""
        kernels = [self.kernel_real, self.kernel_imaginary, self.skip_kernel]
        return ops.matmul(inputs, ops.concatenate([ops.convert_to_tensor(k) for k in kernels], -1))

    def coefficients(self, projected: Tensor) -> tuple[Parts, Parts]:
        nu, theta, gamma = (
            ops.exp(ops.cast(weight, self.state_dtype))
            for weight in (self.nu_log, self.theta_log, self.gamma_log)
        )
        modulus = ops.exp(-nu)
        zeros = ops.zeros_like(projected[..., : self._width])
        # The zeros are the left operand: an array of JAX takes no symbolic tensor on its right.
        a = (zeros + modulus * ops.cos(theta), zeros + modulus * ops.sin(theta))
        real = projected[..., : self._width] * gamma
        imaginary = projected[..., self._width : 2 * self._width] * gamma
        return a, (real, imaginary)

    def emit(self, states: States, projected: Tensor) -> Tensor:
        real, imaginary = (ops.cast(state, self.compute_dtype) for state in states[:2])
        output = ops.matmul(real, self.readout_real) - ops.matmul(imaginary, self.readout_imaginary)
        output = output + projected[..., 2 * self._width :]
        return super().emit([output], projected)

    def get_config(self) -> dict[str, Any]:
        options = {"state": self.state, "radius": self.radius, "phase": self.phase}
        return {**super().get_config(), **options}
