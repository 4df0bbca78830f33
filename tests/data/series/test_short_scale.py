"""The fewer rows a series has, the more its scale is that of the series that are known."""

from __future__ import annotations

import numpy as np
import pytest

from kerasseq.data.series.scaling import Scaler
from kerasseq.data.series.short_scale import steadied

RANDOM = np.random.default_rng(0)


def _scaler(kind: str, *levels: float, spread: float = 0.1, rows: int = 200) -> Scaler:
    """A scaler of series whose standard deviation is a share of their level."""
    series = [level * (1 + spread * RANDOM.normal(size=(rows, 1))) for level in levels]
    return Scaler.fit(kind, series, per_series=True)


@pytest.mark.parametrize("kind", ["standard", "robust"])
def test_a_scale_grows_with_the_level_where_it_did(kind: str) -> None:
    new = _scaler(kind, 5000.0, rows=1)
    assert new.scale.tolist() == [[1.0]]
    scale = steadied(new, _scaler(kind, 1, 10, 100), np.zeros(1)).scale
    np.testing.assert_allclose(scale, 500, rtol=0.2)


def test_a_scale_is_that_of_the_others_where_it_does_not_depend_on_the_level() -> None:
    known = Scaler.fit(
        "standard", [level + 3 * RANDOM.normal(size=(200, 1)) for level in (10, 100, 1000)], True
    )
    scale = steadied(_scaler("standard", 5000.0, rows=1), known, np.zeros(1)).scale
    np.testing.assert_allclose(scale, 3, rtol=0.2)
    below = Scaler.fit("standard", [np.array([[-50.0]])], True)
    scale = steadied(below, _scaler("standard", 10, 10), np.zeros(1)).scale
    np.testing.assert_allclose(scale, 1, rtol=0.2)


def test_logarithms_have_the_spread_of_those_of_the_others() -> None:
    known = _scaler("log", 10, 1000)
    scale = steadied(_scaler("log", 5.0, rows=1), known, np.zeros(1)).scale
    np.testing.assert_allclose(scale, np.exp(np.log(known.scale).mean()), rtol=0.1)


def test_a_weight_is_the_part_of_the_spread_of_the_series_itself() -> None:
    known, new = _scaler("standard", 10, 10), _scaler("standard", 10, 10, spread=0.4, rows=20)
    result = steadied(new, known, np.array([1.0, 0.5]))
    assert result.scale[0] == new.scale[0]
    np.testing.assert_allclose(result.scale[1], np.sqrt(new.scale[1] * 1.0), rtol=0.1)
    np.testing.assert_array_equal(result.location, new.location)


@pytest.mark.parametrize("kind", ["mean", "boxcox", "none"])
def test_other_scalings_stay(kind: str) -> None:
    new = _scaler(kind, 10.0)
    assert steadied(new, _scaler(kind, 1.0), np.zeros(1)) is new
