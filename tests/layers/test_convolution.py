"""The convolution of sequences against NumPy, and its steps against the whole."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops

from kerasseq.layers import FrameEncoder, SequenceConvolution, SequenceMask
from tests.layers.harness import array, assert_close, draw, randomize

LENGTHS = np.array([11, 6, 1])
MASK = np.arange(11) < LENGTHS[:, None]


def _made(**options: int | bool) -> SequenceConvolution:
    layer = SequenceConvolution(4, **options)  # type: ignore[arg-type]
    layer.build((None, None, 3))
    randomize(layer)
    layer.norm.moving_variance.assign(np.linspace(0.5, 2, 4))
    return layer


def _by_hand(rows: np.ndarray, layer: SequenceConvolution) -> np.ndarray:
    """Windows of one sequence, one after the other; zeros outside of it."""
    gain, offset, mean, variance = (array(weight) for weight in layer.norm.weights)
    before = layer.kernel_size - 1 if layer.causal else (layer.kernel_size - 1) // 2
    outputs = []
    for centre in range(0, len(rows), layer.stride):
        total = np.zeros(4)
        for tap, kernel in enumerate(array(layer.convolution.kernel)):
            step = centre - before + tap
            if 0 <= step < len(rows):
                total += rows[step] @ kernel
        outputs.append((total - mean) / np.sqrt(variance + layer.norm.epsilon) * gain + offset)
    return np.maximum(outputs, 0)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("kernel_size", "stride"), [(1, 1), (3, 2), (4, 3), (5, 1)])
def test_it_is_a_convolution_of_each_sequence_alone(
    kernel_size: int, stride: int, causal: bool
) -> None:
    layer = _made(kernel_size=kernel_size, stride=stride, causal=causal)
    values = draw(3, 11, 3)
    values[~MASK] = 1e3
    mask = ops.convert_to_tensor(MASK)
    outputs = array(layer(values, mask=mask))
    steps = array(layer.compute_mask(values, mask))
    assert outputs.shape == layer.compute_output_shape((3, 11, 3))
    for row, length in enumerate(LENGTHS):
        expected = _by_hand(values[row, :length], layer)
        np.testing.assert_allclose(outputs[row, : len(expected)], expected, rtol=1e-4, atol=1e-4)
        assert np.abs(outputs[row, len(expected) :]).sum() == 0
        assert steps[row].sum() == len(expected)
    assert_close(layer(values[:1]), outputs[:1], 1e-4)  # without a mask


@pytest.mark.parametrize(("kernel_size", "stride"), [(1, 3), (3, 2), (5, 1), (2, 4)])
def test_steps_give_the_outputs_of_the_whole(kernel_size: int, stride: int) -> None:
    layer = _made(kernel_size=kernel_size, stride=stride, causal=True)
    values, read, outputs = draw(2, 11, 3), 0, []
    before = layer.start(2)
    for count in (1, 1, 4, 2, 3):
        output, before = layer.step(values[:, read : read + count], before, read)
        outputs.append(array(output))
        read += count
    assert_close(np.concatenate(outputs, axis=1), layer(values))


def test_statistics_in_training_leave_padding_out() -> None:
    layer, values = _made(kernel_size=1), draw(3, 11, 3)
    values[~MASK] = 1e3
    layer(values, mask=ops.convert_to_tensor(MASK), training=True)
    inside = values[MASK] @ array(layer.convolution.kernel)[0]
    moved = array(layer.norm.moving_mean)
    start = randomize(_made(kernel_size=1))[3]
    np.testing.assert_allclose(moved, 0.9 * start + 0.1 * inside.mean(axis=0), atol=1e-4)


@pytest.mark.parametrize("argument", ["filters", "kernel_size", "stride"])
def test_sizes_are_positive_integers(argument: str) -> None:
    with pytest.raises(ValueError, match=f"`{argument}` must be a positive integer.*{argument}=0"):
        SequenceConvolution(**{"filters": 2, argument: 0})


def test_lengths_say_what_is_padding() -> None:
    values = draw(3, 11, 3)
    values[0, 2] = 0  # a timestep like any other
    layer = SequenceMask()
    np.testing.assert_array_equal(array(layer.compute_mask([values, LENGTHS])), MASK)
    expected = np.where(MASK[..., None], values, 0)
    np.testing.assert_array_equal(array(layer([values, LENGTHS])), expected)
    frames = draw(3, 11, 2, 2, 1)
    expected = np.where(MASK[..., None, None, None], frames, 0)
    np.testing.assert_array_equal(array(layer([frames, LENGTHS])), expected)


def test_a_frame_is_encoded_by_itself() -> None:
    layer = FrameEncoder(4)
    frames = draw(2, 3, 9, 6, 2)
    together = array(layer(frames))
    assert together.shape == (2, 3, 4)
    assert_close(layer(frames[:, 1:2]), together[:, 1:2])
    assert array(layer(draw(1, 5, 9, 6, 2))).shape == (1, 5, 4)
