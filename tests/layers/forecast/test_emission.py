"""Whatever a network gives becomes a forecast that can be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseq.layers import Emission
from kerasseq.layers.forecast.emission import OUTPUTS, emission_size
from tests.layers.harness import array, draw

LEVELS = ((0.5,), (0.1, 0.9), (0.05, 0.1, 0.5, 0.9), (0.1, 0.3, 0.5, 0.7, 0.9))


@given(
    st.sampled_from(OUTPUTS),
    st.sampled_from(LEVELS),
    st.sampled_from([0.01, 1.0, 100.0]),
    st.integers(0, 100),
)
def test_any_numbers_give_parameters_that_can_be(
    output: str, levels: tuple[float, ...], size: float, seed: int
) -> None:
    layer = Emission(output, levels)
    numbers = size * draw(2, 4, 3 * emission_size(output, levels), seed=seed)
    centre, scale = 5 * draw(2, 1, 3, seed=seed), np.exp(draw(2, 1, 3, seed=seed))
    result = array(layer(numbers, centre, scale))
    assert result.shape == layer.compute_output_shape(numbers.shape, centre.shape, scale.shape)
    assert np.isfinite(result).all()
    if output == "quantiles":
        assert (np.diff(result, axis=-1) >= 0).all()
    elif output in ("normal", "student_t"):
        assert (result[..., 1:] > 0).all()
        assert output == "normal" or (result[..., 2] > 2).all()
    elif output == "negative_binomial":
        assert (result > 0).all()


@pytest.mark.parametrize("levels", LEVELS)
def test_the_middle_quantile_is_where_the_forecast_lies(levels: tuple[float, ...]) -> None:
    numbers = draw(2, 4, len(levels))
    centre, scale = draw(2, 1, 1, seed=1), np.ones((2, 1, 1), "float32")
    actual = array(Emission("quantiles", levels)(numbers, centre, scale))
    expected = numbers[..., :1] + centre
    np.testing.assert_allclose(actual[:, :, 0, [len(levels) // 2]], expected, atol=1e-5)


@pytest.mark.parametrize("levels", [(), (0.0, 0.5), (0.5, 1.0), (0.5, 0.5), (0.9, 0.1)])
def test_levels_that_cannot_be_are_named(levels: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=r"`quantiles` must be levels between 0 and 1.*Received"):
        Emission("quantiles", levels)


def test_outputs_that_there_are_not_are_named() -> None:
    with pytest.raises(ValueError, match=r"`output` must be one of point.*output='gamma'"):
        Emission("gamma")
