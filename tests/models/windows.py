"""What the tests of forecasters share: windows that hold everything that a model asks for."""

from __future__ import annotations

import numpy as np

from kerasseq.models import Forecaster


def windows(sizes: Forecaster, rows: int = 4, seed: int = 0) -> dict[str, np.ndarray]:
    """Inputs by name, drawn at random; where there are flags, some values were not observed."""
    random = np.random.default_rng(seed)
    drawn = {
        name: random.normal(size=(rows, *tensor.shape[1:])).astype("float32")
        for name, tensor in sizes.inputs().items()
    }
    if "observed" in drawn:
        drawn["observed"] = (drawn["observed"] > -0.5).astype("float32")
        drawn["history"] *= drawn["observed"]
    if "series" in drawn:
        drawn["series"] = random.integers(-1, sizes.series, rows).astype("int32")
    return drawn


def targets(sizes: Forecaster, rows: int = 4, seed: int = 1) -> np.ndarray:
    """Counts, some of which were not observed: what every output can be trained on."""
    random = np.random.default_rng(seed)
    drawn = random.poisson(2.0, (rows, sizes.horizon, sizes.targets)).astype("float32")
    return np.where(random.random(drawn.shape) < 0.2, np.nan, drawn).astype("float32")
