"""Scalers: series to units that a model is at ease with, and back again."""

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
    """The JSON values of a scaler; lists of numbers are (series or 1, columns)."""

    kind: Literal["standard", "robust", "mean", "log", "boxcox", "none"]
    per_series: bool
    only: list[bool]
    location: list[list[float]]
    scale: list[list[Annotated[float, Limits(above=0)]]]
    power: list[list[Annotated[float, Limits(least=0, most=1)]]]
    shift: list[list[float]]


_NORMAL_QUARTILES = 1.3489795003921634  # the span between those of a standard normal distribution
_POWERS = np.linspace(0.0, 1.0, 21)
_BENT = ("log", "boxcox")
_HEADROOM = 0.01  # of the median: what is added to values above 0 before they are bent
_FIGURES = ("location", "scale", "power", "shift")
_IDENTITY = np.array([0.0, 1.0, 1.0, 0.0])  # the figures of what stays as it is


@dataclass(frozen=True)
class Scaler:
    """Scales the columns of series, all series alike or each by itself.

    A value x becomes (p(x + shift) - location) / scale, where p is the power transform of Box and
    Cox for "log" and "boxcox" (log x for power 0, (x^power - 1) / power otherwise), and x itself
    for the others.

    Args:
        kind: one of `KINDS`.
        per_series: whether each series has figures of its own.
        only: which columns are scaled.
        location: (series or 1, columns), as the others.
        scale: above zero.
        power: 1 where values are not transformed.
        shift: what is added before they are.

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
        """A scaler for series, from the rows to learn from.

        - "standard": mean 0, standard deviation 1.
        - "robust": median 0, and quartiles as far apart as if the standard deviation were 1.
        - "mean": divided by the mean magnitude, as DeepAR does (https://arxiv.org/abs/1704.04110).
        - "log": the logarithm, standardised; that of x + 1 where x is whole, or is 0 somewhere, and
          of x + median / 100 elsewhere, so that a 0 that comes later has one too.
        - "boxcox": the power, in steps of 1/20 from the logarithm to x itself, that makes the
          values most nearly normal (Box and Cox, https://www.jstor.org/stable/2984418),
          standardised. Powers below 0 would set a bound to how high a forecast can be.
        - "none": as they are.

        A column that does not vary keeps its unit.

        Args:
            kind: one of `KINDS`.
            arrays: of each series, (time, columns); NaN does not count.
            per_series: whether each series gets figures of its own; one without any value gets
                those of all.
            only: which columns to scale; None for all. The others stay as they are.

        Raises:
            ValueError: if "log" or "boxcox" are to scale negative values.
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
        own = np.stack([_fit(kind, [values], chosen, shifts) for values in arrays], axis=1)
        return cls(kind, True, chosen, *np.where(np.isnan(own), pooled, own))

    def transform(
        self, values: np.ndarray, series: int | np.ndarray = 0, axis: int = -1
    ) -> np.ndarray:
        """Values in the units of the scaler, float64.

        Args:
            values: of any shape, with the columns along `axis`.
            series: the place of their series; or the places of the series of each of their rows,
                which are along the first axis.
            axis: that of the columns.

        Raises:
            ValueError: for values that "log" and "boxcox" cannot take.
        """
        location, scale, power, shift, bent = self._figures(values.ndim, series, axis)
        values = values + shift
        if self._bends:
            bad = bent & ((values < shift) | (values <= 0) & (power == 0))
            if bad.any():
                least = float((values - shift)[bad].min())
                raise ValueError(
                    f"scaling={self.kind!r} cannot take {least:g}: it was fitted on values that "
                    f"are {'above' if least == 0 else 'at least'} 0. Use scaling='standard'."
                )
            # Where columns keep their values, ones stand in for them.
            values = np.where(bent, special.boxcox(np.where(bent, values, 1), power), values)
        found: np.ndarray = (values - location) / scale
        return found

    def inverse(
        self, values: np.ndarray, series: int | np.ndarray = 0, axis: int = -1
    ) -> np.ndarray:
        """Values back in their own units, float64; never negative for "log" and "boxcox".

        The arguments are those of `transform`.
        """
        location, scale, power, shift, bent = self._figures(values.ndim, series, axis)
        values = values * scale + location
        if self._bends:
            least = np.where(power > 0, -1 / np.where(power > 0, power, 1), -np.inf)
            lifted = special.inv_boxcox(np.maximum(values, least), power)
            values = np.where(bent, np.maximum(lifted, shift), values)
        found: np.ndarray = values - shift
        return found

    def adapt(self, histories: np.ndarray | Sequence[np.ndarray]) -> Scaler:
        """A scaler for series that this one has not seen, fitted on their own history.

        One that scales all series alike scales new ones alike, too.

        Args:
            histories: (time, columns) of one series, or of each of several.
        """
        if not self.per_series:
            return self
        arrays = [histories] if isinstance(histories, np.ndarray) else histories
        return Scaler.fit(self.kind, arrays, per_series=True, only=self.only)

    def state(self) -> dict[str, Any]:
        """JSON values, from which `from_state` makes the same scaler."""
        return {
            "kind": self.kind,
            "per_series": self.per_series,
            **{name: getattr(self, name).tolist() for name in ("only", *_FIGURES)},
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Scaler:
        """The scaler that has this state.

        Raises:
            ValueError: if its figures are not of the same series and columns.
        """
        figures = [np.array(state[name], dtype=np.float64) for name in _FIGURES]
        sizes = {own.shape for own in figures}
        if len(sizes) > 1 or len(state["only"]) != figures[0].shape[-1]:
            raise ValueError(f"scalers have figures of shapes {', '.join(map(str, sorted(sizes)))}")
        return cls(state["kind"], state["per_series"], np.array(state["only"], bool), *figures)

    def _figures(
        self, dimensions: int, series: int | np.ndarray, axis: int
    ) -> tuple[np.ndarray, ...]:
        """The figures of some series, and which columns are bent, in shapes that go with values."""
        place = np.asarray(series if self.per_series else 0)
        shape = [1] * dimensions
        shape[axis] = -1
        if place.ndim:
            shape[0] = len(place)
        figures = [getattr(self, name)[place].reshape(shape) for name in _FIGURES]
        shape[0] = -1 if axis == 0 else 1
        return *figures, self.only.reshape(shape)

    @property
    def _bends(self) -> bool:
        return self.kind in _BENT


def _fit(
    kind: str, arrays: Sequence[np.ndarray], chosen: np.ndarray, shifts: Sequence[float | None]
) -> np.ndarray:
    """Location, scale, power and shift of each column; NaN where there is no value."""
    found = np.tile(_IDENTITY[:, None], len(chosen))
    for column in np.flatnonzero(chosen):
        values = np.concatenate([a[:, column] for a in arrays]).astype(np.float64)
        values = values[~np.isnan(values)]
        if len(values) == 0:
            found[:, column] = np.nan
        elif kind != "none":
            found[:, column] = _figures_of(kind, values, shifts[int(column)])
    return found


def _figures_of(
    kind: str, values: np.ndarray, shift: float | None
) -> tuple[float, float, float, float]:
    if kind == "mean":
        return 0.0, float(np.abs(values).mean()) or 1.0, 1.0, 0.0
    if shift is None:
        shift = _HEADROOM * float(np.median(values))
    power = 1.0
    if kind in _BENT:
        values = values + shift
        power = 0.0 if kind == "log" else _likeliest_power(values)
        values = special.boxcox(values, power)
    if kind == "robust":
        low, location, high = np.quantile(values, [0.25, 0.5, 0.75])
        scale = (high - low) / _NORMAL_QUARTILES
        if scale <= 1e-12 * np.abs(values).max():  # most of the values are the same
            scale = values.std()
    else:
        location, scale = values.mean(), values.std()
    if scale <= 1e-12 * abs(location):  # it is rounding that varies
        scale = 1.0
    return float(location), float(scale), power, shift


def _likeliest_power(values: np.ndarray) -> float:
    values = values[:: max(1, len(values) // 10_000)]
    logs = np.log(values).sum()

    def likelihood(power: float) -> float:
        spread = special.boxcox(values, power).var()
        return -np.inf if spread == 0 else (power - 1) * logs - len(values) / 2 * np.log(spread)

    return float(max(_POWERS[::-1], key=likelihood))


def _shift(kind: str, columns: Sequence[np.ndarray]) -> float | None:
    """What makes the values of a column fit for a logarithm; None for a share of their median."""
    if kind not in _BENT:
        return 0.0
    seen = [own[~np.isnan(own)] for own in columns]
    least = min((float(own.min()) for own in seen if len(own)), default=1.0)
    if least < 0:
        raise ValueError(
            f"scaling={kind!r} is for values that are never negative, and there is {least:g}. "
            "Use scaling='standard'."
        )
    return 1.0 if least == 0 or all(np.array_equal(own, np.round(own)) for own in seen) else None
