"""Parameters and multiply-accumulates of the parts of a model, in closed form."""

from __future__ import annotations

from dataclasses import dataclass

from kerasseq.params.count_result import Count


@dataclass(frozen=True)
class Cost:
    """Parameters and multiply-accumulates of a part of a model; the parts are added by `+`.

    Args:
        params: Number of parameters.
        macs: Multiply-accumulates with a weight in one forward pass, for one row. Biases, gains of
            a normalisation, lookups, and products of two activations do not count.

    Example:
        >>> dense(3, 2, times=10) + table(5, 3)
        Cost(params=23, macs=60)
    """

    params: int = 0
    macs: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.params + other.params, self.macs + other.macs)

    def repeated(self, times: int) -> Cost:
        """The cost of using the same weights `times` times as often."""
        return Cost(self.params, self.macs * times)


def dense(inputs: int, outputs: int, times: int = 1, *, bias: bool = True) -> Cost:
    """The cost of a dense layer.

    Args:
        inputs: Width of an input vector.
        outputs: Width of an output vector.
        times: Number of vectors per row.
        bias: Whether a bias is added.
    """
    return Cost((inputs + bias) * outputs, inputs * outputs * times)


def table(rows: int, width: int) -> Cost:
    """The cost of a table of `rows` vectors that are looked up or added, such as an embedding."""
    return Cost(rows * width)


def convolution(window: int, inputs: int, filters: int, times: int = 1) -> Cost:
    """The cost of a convolution over a sequence.

    Args:
        window: Timesteps that it reads at once.
        inputs: Width of an input vector.
        filters: Width of an output vector.
        times: Number of output vectors per row.
    """
    return dense(window * inputs, filters, times)


def crf(tags: int, timesteps: int) -> Cost:
    """The cost of a linear-chain CRF: of sums from both ends, and of marginal probabilities.

    Args:
        tags: Number of tags.
        timesteps: Timesteps of a row.
    """
    return Cost(tags * (tags + 2), 3 * tags * tags * timesteps)


def over_time(count: Count, timesteps: int) -> Cost:
    """The cost of a recurrent layer over a sequence of `timesteps` timesteps."""
    return Cost(count.total, count.macs_for(timesteps))
