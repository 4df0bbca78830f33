"""Which settings matter to the score."""

from __future__ import annotations

import numpy as np
import pandas as pd

__all__ = ["importance"]

_LEAST = 4  # trials to learn from
_TREES, _SHUFFLES = 100, 20


def importance(trials: pd.DataFrame, settings: list[str], seed: int = 0) -> pd.DataFrame:
    """How much worse a forest tells the score of a trial when a setting is shuffled.

    The forest learns scores from settings, and each setting is shuffled 20 times (permutation
    importance, Breiman 2001, https://doi.org/10.1023/A:1010933404324). With few trials this is a
    hint and no more; settings that go together share what they explain.

    Args:
        trials: a row a trial, with a column `score`.
        settings: the columns to tell of.
        seed: of the forest and of what is shuffled.

    Returns:
        `setting`, `importance` (shares of 1 in all) and `spread` over the shuffles, the most
        important one first.

    Raises:
        ValueError: if too few trials have a score, or all have the same.

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
    found = permutation_importance(
        forest, inputs, scored["score"], n_repeats=_SHUFFLES, random_state=seed
    )
    worth = np.maximum(found.importances_mean, 0.0)
    total = worth.sum() or 1.0
    frame = pd.DataFrame(
        {
            "setting": settings,
            "importance": worth / total,
            "spread": found.importances_std / total,
        }
    )
    return frame.sort_values("importance", ascending=False, kind="stable", ignore_index=True)


def _numbers(values: pd.Series) -> pd.Series:
    """Numbers as they are, and the place of an option among all others."""
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        return values.fillna(-1.0)
    return pd.Series(pd.factorize(values.map(str), sort=True)[0], index=values.index)
