"""Names that Nixtla's libraries and Darts use, answered with the names that they have here."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["SETTINGS", "check_arguments"]

_SETTINGS = {
    "h": "horizon=",
    "output_chunk_length": "horizon=",
    "input_size": "lookback=",
    "input_chunk_length": "lookback=",
    "season_length": "season=",
    "id_col": "series=",
    "time_col": "time=",
    "target_col": "target=",
    "value_cols": "target=",
    "past_covariates": "past=, the names of columns",
    "hist_exog_list": "past=, the names of columns",
    "future_covariates": "future=, the names of columns",
    "futr_exog_list": "future=, the names of columns",
    "static_covariates": "static=, the names of columns",
    "stat_exog_list": "static=, the names of columns",
    "max_steps": "epochs=, passes over the training windows",
    "n_epochs": "epochs=",
    "level": "quantiles=, where (0.1, 0.9) is an interval of 80%",
    "likelihood": "output=",
    "freq": "found from the stamps, or resample= to take means,",
}
#: Settings of other libraries, and the setting of the recipe with that meaning, in words.
SETTINGS = {name: f"{name!r} is {meaning} here." for name, meaning in _SETTINGS.items()}

_ARGUMENTS = {
    "h": "horizon=",
    "n": "horizon=",
    "steps": "horizon=",
    "level": "quantiles=, where (0.1, 0.9) is an interval of 80%",
    "df": "history=",
    "X_df": "future=",
    "futr_df": "future=",
    "future_covariates": "future=",
    "num_samples": "paths=",
}


def check_arguments(names: Iterable[str]) -> None:
    """Raise a TypeError for the first argument of another library, with its name here.

    >>> check_arguments(["fill", "h"])
    Traceback (most recent call last):
    TypeError: forecast(): 'h' is horizon= here.
    """
    for name in names:
        if name in _ARGUMENTS:
            raise TypeError(f"forecast(): {name!r} is {_ARGUMENTS[name]} here.")
