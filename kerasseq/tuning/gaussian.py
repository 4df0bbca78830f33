"""scikit-learn's Gaussian process, with fast predictions of single points."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Matern

__all__ = ["GaussianProcess"]


class GaussianProcess(GaussianProcessRegressor):  # type: ignore[misc]
    """Gaussian process regression with the kernel and options of KerasTuner's own.

    To propose the next settings, KerasTuner calls `predict` about ten thousand times with one point
    each. scikit-learn spends most of that time on checking its arguments; this class skips it.

    Args:
        alpha: variance of the noise, for scores scaled to variance 1.
        seed: seed of the optimizer's restarts when the length scale is fitted.

    Example:

    >>> import numpy as np
    >>> process = GaussianProcess(alpha=1e-4, seed=0)
    >>> process = process.fit(np.array([[0.0], [1.0]]), np.array([3.0, 5.0]))
    >>> mean, deviation = process.predict(np.array([[1.0]]), return_std=True)
    >>> mean.round(2), deviation.round(2)
    (array([5.]), array([0.01]))

    Rasmussen and Williams, Gaussian Processes for Machine Learning (2006), algorithm 2.1.
    """

    def __init__(self, alpha: float = 1e-4, seed: int | None = None) -> None:
        super().__init__(
            kernel=Matern(nu=2.5), n_restarts_optimizer=20, alpha=alpha, random_state=seed
        )
        self.seed = seed

    def fit(self, X: np.ndarray, y: np.ndarray) -> GaussianProcess:
        """Fit the process to scores `y` (points,) of settings `X` (points, dimensions)."""
        self.centre, self.scale = y.mean(), y.std() or 1.0
        super().fit(X, (y - self.centre) / self.scale)
        self.whiten = np.linalg.inv(self.L_)
        return self

    def predict(self, X: np.ndarray, return_std: bool = False, return_cov: bool = False) -> Any:
        """Predicted mean of the scores at `X` (points, dimensions), and standard deviation."""
        if return_cov or not hasattr(self, "whiten"):
            return super().predict(X, return_std, return_cov)
        across = self.kernel_(X, self.X_train_)
        mean = self.centre + self.scale * (across @ self.alpha_)
        if not return_std:
            return mean
        explained = np.square(across @ self.whiten.T).sum(axis=1)
        variance = np.maximum(self.kernel_.diag(X) - explained, 0.0)
        return mean, self.scale * np.sqrt(variance)
