"""Scalers: transform series to a range that suits a network, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypedDict

import numpy as np
from scipy import special  # type: ignore[import-untyped]  # it has no types

from kerasseq.io.schema import Limits

__all__ = ["KINDS", "Scaler", "ScalerState"]

KINDS = ("standard", "robust", "mean", "log", "boxcox", "none")


class ScalerState(TypedDict):
    """The JSON values of a scaler; lists of numbers are (series, columns) or (1, columns)."""

    kind: Literal["standard", "robust", "mean", "log", "boxcox", "none"]
    per_series: bool
    only: list[bool]
    location: list[list[float]]
    scale: list[list[Annotated[float, Limits(above=0)]]]
    power: list[list[Annotated[float, Limits(least=0, most=1)]]]
    shift: list[list[float]]


_NORMAL_QUARTILES = 1.3489795003921634  # interquartile range of a standard normal distribution
_POWERS = np.linspace(0.0, 1.0, 21)
_POWER_KINDS = ("log", "boxcox")
_HEADROOM = 0.01  # share of the median that is added to positive values before a power transform
_PARAMETERS = ("location", "scale", "power", "shift")
_IDENTITY = np.array([0.0, 1.0, 1.0, 0.0])  # the parameters of a column that is not scaled


@dataclass(frozen=True)
class Scaler:
    """Scale the columns of series, with the same parameters for all series or separate ones.

    A value x becomes (p(x + shift) - location) / scale. For "log" and "boxcox", p is the power
    transform of Box and Cox: log x for power 0, (x^power - 1) / power otherwise. For other kinds p
    is the identity.

    Args:
        kind: one of `KINDS`.
        per_series: whether each series has separate parameters.
        only: mask of the columns that are scaled, bool (columns,).
        location: (series, columns) if separate, else (1, columns); likewise the next three.
        scale: above zero.
        power: power of the transform; 1 for columns that are not transformed.
        shift: number added to the values before the transform.

    Example:

    >>> scaler = Scaler.fit("standard", [np.array([[1.0], [3.0]])])
    >>> scaler.transform(np.array([[5.0]])).tolist()
    [[3.0]]
    >>> scaler.inverse(np.array([[3.0]])).tolist()
    [[5.0]]
    """

    kind: str
    per_series: bool
    only: np.ndarray
    location: np.ndarray
    scale: np.ndarray
    power: np.ndarray
    shift: np.ndarray

    @classmethod
    def fit(
        cls,
        kind: str,
        arrays: Sequence[np.ndarray],
        per_series: bool = False,
        only: Sequence[bool] | np.ndarray | None = None,
    ) -> Scaler:
        """Fit a scaler on the training rows of series.

        - "standard": mean 0, standard deviation 1.
        - "robust": median 0, and the interquartile range of a standard normal distribution.
        - "mean": divided by the mean magnitude, as in DeepAR (https://arxiv.org/abs/1704.04110).
        - "log": the logarithm, standardised. It is log(x + 1) if all values are whole numbers or
          one of them is 0, else log(x + median / 100), which is defined for a later 0, too.
        - "boxcox": the power transform with the most likely power (Box and Cox,
          https://www.jstor.org/stable/2984418), standardised. The power is 0 to 1 in steps of
          1/20; a power below 0 would put an upper bound on forecasts.
        - "none": unchanged.

        A constant column keeps its unit.

        Args:
            kind: one of `KINDS`.
            arrays: for each series, (time, columns); NaN is ignored.
            per_series: whether each series gets separate parameters; a series without values gets
                the parameters of all series together.
            only: mask of the columns to scale, bool (columns,); None for all. The others are
                unchanged.

        Raises:
            ValueError: if `kind` is unknown, or is "log" or "boxcox" and a value is negative.
        """
        if kind not in KINDS:
            known = ", ".join(map(repr, KINDS))
            raise ValueError(f"scaling must be one of {known}. Received: {kind!r}")
        chosen = np.full(arrays[0].shape[1], True) if only is None else np.asarray(only, dtype=bool)
        shifts = [_shift(kind, [a[:, c] for a in arrays]) for c in range(len(chosen))]
        pooled = _fit(kind, arrays, chosen, shifts)
        pooled = np.where(np.isnan(pooled), _IDENTITY[:, None], pooled)[:, None]
        if not per_series:
            return cls(kind, False, chosen, *pooled)
        separate = np.stack([_fit(kind, [values], chosen, shifts) for values in arrays], axis=1)
        return cls(kind, True, chosen, *np.where(np.isnan(separate), pooled, separate))

    def transform(
        self, values: np.ndarray, series: int | np.ndarray = 0, axis: int = -1
    ) -> np.ndarray:
        """Scale values, float64.

        Args:
            values: array of any shape, with the columns along `axis`.
            series: index of the series of all values, or of each entry along the first axis, int
                (entries,).
            axis: axis of the columns.

        Raises:
            ValueError: for values that are too low for "log" or "boxcox".
        """
        location, scale, power, shift, transformed = self._parameters(values.ndim, series, axis)
        values = values + shift
        if self._transforms:
            bad = transformed & ((values < shift) | (values <= 0) & (power == 0))
            if bad.any():
                least = float((values - shift)[bad].min())
                raise ValueError(
                    f"scaling={self.kind!r} cannot take {least:g}: it was fitted on values that "
                    f"are {'above' if least == 0 else 'at least'} 0. Use scaling='standard'."
                )
            # Other columns may hold values outside the domain of the transform: 1 replaces them.
            inputs = np.where(transformed, values, 1)
            values = np.where(transformed, special.boxcox(inputs, power), values)
        scaled: np.ndarray = (values - location) / scale
        return scaled

    def inverse(
        self, values: np.ndarray, series: int | np.ndarray = 0, axis: int = -1
    ) -> np.ndarray:
        """Convert scaled values back to the original units; never negative for "log" and "boxcox".

        The arguments are the same as for `transform`.
        """
        location, scale, power, shift, transformed = self._parameters(values.ndim, series, axis)
        values = values * scale + location
        if self._transforms:
            # A power transform has no values below -1 / power, which stands for 0.
            least = np.where(power > 0, -1 / np.where(power > 0, power, 1), -np.inf)
            inverted = special.inv_boxcox(np.maximum(values, least), power)
            values = np.where(transformed, np.maximum(inverted, shift), values)
        original: np.ndarray = values - shift
        return original

    def clipped(self, values: np.ndarray) -> np.ndarray:
        """Values raised to 0 for "log" and "boxcox", which take none below."""
        return np.maximum(values, 0) if self._transforms else values

    def adapt(self, histories: np.ndarray | Sequence[np.ndarray]) -> Scaler:
        """Fit a scaler of the same kind on the history of new series.

        A scaler that is not `per_series` is returned as it is.

        Args:
            histories: (time, columns) of one series, or a list of such arrays for several.
        """
        if not self.per_series:
            return self
        arrays = [histories] if isinstance(histories, np.ndarray) else histories
        return Scaler.fit(self.kind, arrays, per_series=True, only=self.only)

    def state(self) -> dict[str, Any]:
        """The JSON values from which `from_state` restores the scaler."""
        return {
            "kind": self.kind,
            "per_series": self.per_series,
            **{name: getattr(self, name).tolist() for name in ("only", *_PARAMETERS)},
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Scaler:
        """Restore a scaler from the value of `state`.

        Raises:
            ValueError: if the shapes of its parameters differ.
        """
        parameters = [np.array(state[name], dtype=np.float64) for name in _PARAMETERS]
        shapes = {values.shape for values in parameters}
        if len(shapes) > 1 or len(state["only"]) != parameters[0].shape[-1]:
            raise ValueError(
                f"scalers have parameters of shapes {', '.join(map(str, sorted(shapes)))}"
            )
        return cls(state["kind"], state["per_series"], np.array(state["only"], bool), *parameters)

    def _parameters(
        self, dimensions: int, series: int | np.ndarray, axis: int
    ) -> tuple[np.ndarray, ...]:
        """The parameters of series and the mask `only`, in shapes that broadcast with values."""
        place = np.asarray(series if self.per_series else 0)
        shape = [1] * dimensions
        shape[axis] = -1
        if place.ndim:
            shape[0] = len(place)
        parameters = [getattr(self, name)[place].reshape(shape) for name in _PARAMETERS]
        shape[0] = -1 if axis == 0 else 1
        return *parameters, self.only.reshape(shape)

    @property
    def _transforms(self) -> bool:
        return self.kind in _POWER_KINDS


def _fit(
    kind: str, arrays: Sequence[np.ndarray], chosen: np.ndarray, shifts: Sequence[float | None]
) -> np.ndarray:
    """Fit location, scale, power and shift, (4, columns); NaN for a column without values."""
    parameters = np.tile(_IDENTITY[:, None], len(chosen))
    for column in np.flatnonzero(chosen):
        values = np.concatenate([a[:, column] for a in arrays]).astype(np.float64)
        values = values[~np.isnan(values)]
        if len(values) == 0:
            parameters[:, column] = np.nan
        elif kind != "none":
            parameters[:, column] = _fit_column(kind, values, shifts[int(column)])
    return parameters


def _fit_column(
    kind: str, values: np.ndarray, shift: float | None
) -> tuple[float, float, float, float]:
    """Location, scale, power and shift of the values of one column, none of them NaN."""
    if kind == "mean":
        return 0.0, float(np.abs(values).mean()) or 1.0, 1.0, 0.0
    if shift is None:
        shift = _HEADROOM * float(np.median(values))
    power = 1.0
    if kind in _POWER_KINDS:
        values = values + shift
        power = 0.0 if kind == "log" else _likeliest_power(values)
        values = special.boxcox(values, power)
    if kind == "robust":
        low, location, high = np.quantile(values, [0.25, 0.5, 0.75])
        scale = (high - low) / _NORMAL_QUARTILES
        if scale <= 1e-12 * np.abs(values).max():  # at least half of the values are equal
            scale = values.std()
    else:
        location, scale = values.mean(), values.std()
    if scale <= 1e-12 * abs(location):  # a constant column, apart from rounding
        scale = 1.0
    return float(location), float(scale), power, shift


def _likeliest_power(values: np.ndarray) -> float:
    """Power of `_POWERS` that maximises the Box-Cox log-likelihood of positive values."""
    values = values[:: max(1, len(values) // 10_000)]
    logs = np.log(values).sum()

    def likelihood(power: float) -> float:
        spread = special.boxcox(values, power).var()
        return -np.inf if spread == 0 else (power - 1) * logs - len(values) / 2 * np.log(spread)

    return float(max(_POWERS[::-1], key=likelihood))


def _shift(kind: str, columns: Sequence[np.ndarray]) -> float | None:
    """Number to add to a column before a power transform; None for a share of its median.

    Args:
        kind: one of `KINDS`.
        columns: values of the column in each series, (time,).
    """
    if kind not in _POWER_KINDS:
        return 0.0
    observed = [values[~np.isnan(values)] for values in columns]
    least = min((float(values.min()) for values in observed if len(values)), default=1.0)
    if least < 0:
        raise ValueError(
            f"scaling={kind!r} is for values that are never negative, and there is {least:g}. "
            "Use scaling='standard'."
        )
    if least == 0 or all(np.array_equal(values, np.round(values)) for values in observed):
        return 1.0
    return None
