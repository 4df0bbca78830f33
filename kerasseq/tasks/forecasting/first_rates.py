"""First coefficients of the network "hybrid", whose exponential smoothing is fitted beforehand."""

from __future__ import annotations

import numpy as np
from keras import ops

from kerasseq.data.series.reader import SeriesExamples
from kerasseq.layers import SmoothingNorm

__all__ = ["first_rates"]

#: Coefficients to try, between 0 and 1; see `SmoothingNorm`.
_GRID = {
    "level": (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9),
    "trend": (0.02, 0.2, 0.5, 0.95),
    "damping": (0.8, 0.9, 0.98),
    "season": (0.02, 0.1, 0.3, 0.6),
}
_ROUNDS = 2  # each coefficient is chosen twice, the second time with all others chosen
_WINDOWS = 256  # more of them tell the same


def first_rates(examples: SeriesExamples, mode: str) -> dict[str, np.ndarray]:
    """Weights with which the smoothing of the network "hybrid" forecasts best by itself.

    An epoch moves a coefficient little, and of few windows there are few epochs, so that training
    would end near the coefficients that it began with. These here have the least mean absolute
    error over the horizons of training windows, for each target; they are tried one after the
    other.

    Args:
        examples: training windows.
        mode: "additive" or "multiplicative".

    Returns:
        Values of the layer's weights, (targets,), by their path in the model.
    """
    count = len(examples)
    inputs, targets = examples.batch(np.unique(np.linspace(0, count - 1, _WINDOWS).astype(int)))
    history, observed = inputs["history"], inputs.get("observed")
    arguments = (history,) if observed is None else (history, observed)
    horizon, width = targets.shape[1:]
    layer = SmoothingNorm(mode, horizon, examples.panel.season, name="norm", dtype="float32")
    layer.build(history.shape)
    weights = {name: getattr(layer, f"{name}_weight") for name in _GRID}

    def error() -> np.ndarray:
        _, centre, _ = layer(*arguments)
        errors = np.abs(targets - ops.convert_to_numpy(centre))
        mean: np.ndarray = np.nanmean(errors, axis=(0, 1))
        return mean

    for _ in range(_ROUNDS):
        for name, shares in _GRID.items():
            values = [ops.convert_to_numpy(weights[name])]
            values += [np.full(width, layer.weight_of(share), "float32") for share in shares]
            errors = []
            for value in values:
                weights[name].assign(value)
                errors.append(error())
            best = np.argmin(np.where(np.isfinite(errors), errors, np.inf), axis=0)
            weights[name].assign(np.stack(values)[best, np.arange(width)])
    return {f"norm/{name}": ops.convert_to_numpy(weight) for name, weight in weights.items()}
