"""Importance of settings for the score."""

from __future__ import annotations

import numpy as np
import pandas as pd

__all__ = ["importance"]

_LEAST = 4  # trials with a score
_TREES, _SHUFFLES = 100, 20


def importance(trials: pd.DataFrame, settings: list[str], seed: int = 0) -> pd.DataFrame:
    """Permutation importance of each setting for the score.

    A random forest is fitted to predict the score from the settings; then each setting is shuffled
    20 times, and the loss of accuracy is its importance (Breiman 2001,
    https://doi.org/10.1023/A:1010933404324). With few trials this is only a hint, and correlated
    settings share their importance.

    Args:
        trials: one row per trial, with a column `score`.
        settings: columns of the settings.
        seed: seed of the forest and of the shuffles.

    Returns:
        A table, the most important setting first, with the columns `setting`, `importance` (shares
        that sum to 1) and `spread` (standard deviation over the shuffles).

    Raises:
        ValueError: if fewer than four trials have a score, or all scores are equal.

    Example:

    >>> trials = pd.DataFrame({"units": [1, 2, 4, 8], "cell": ["gru", "lstm"] * 2,
    ...                        "score": [0.1, 0.2, 0.4, 0.8]})
    >>> importance(trials, ["cell", "units"])["setting"].tolist()
    ['units', 'cell']
    """
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.inspection import permutation_importance

    scored = trials[trials["score"].notna()]
    if len(scored) < _LEAST or scored["score"].nunique() < 2:
        raise ValueError(
            f"importance needs {_LEAST} trials with scores that differ. "
            f"Received: {len(scored)} with a score"
        )
    inputs = pd.DataFrame({name: _numbers(scored[name]) for name in settings})
    forest = RandomForestRegressor(_TREES, random_state=seed).fit(inputs, scored["score"])
    permuted = permutation_importance(
        forest, inputs, scored["score"], n_repeats=_SHUFFLES, random_state=seed
    )
    losses = np.maximum(permuted.importances_mean, 0.0)
    total = losses.sum() or 1.0
    frame = pd.DataFrame(
        {
            "setting": settings,
            "importance": losses / total,
            "spread": permuted.importances_std / total,
        }
    )
    return frame.sort_values("importance", ascending=False, kind="stable", ignore_index=True)


def _numbers(values: pd.Series) -> pd.Series:
    """The values as numbers: options become their index in sorted order."""
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        return values.fillna(-1.0)
    return pd.Series(pd.factorize(values.map(str), sort=True)[0], index=values.index)
