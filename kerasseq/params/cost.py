"""What parts of a model cost, of which its closed form is the sum."""

from __future__ import annotations

from dataclasses import dataclass

from kerasseq.params.count_result import Count


@dataclass(frozen=True)
class Cost:
    """What a part of a model costs.

    Args:
        params: Its parameters.
        macs: Its multiply-accumulates with a weight in one forward pass, for one row. Biases, gains
            of a normalisation, lookups, and products of two activations do not count.

    Example:
        >>> dense(3, 2, times=10) + table(5, 3)
        Cost(params=23, macs=60)
    """

    params: int = 0
    macs: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.params + other.params, self.macs + other.macs)

    def repeated(self, times: int) -> Cost:
        """The same weights, used so many times as often."""
        return Cost(self.params, self.macs * times)


def dense(inputs: int, outputs: int, times: int = 1, *, bias: bool = True) -> Cost:
    """A matrix that so many vectors of a row meet.

    Args:
        inputs: Width of these vectors.
        outputs: Width of what comes of them.
        times: How many vectors.
        bias: Whether a bias is added.
    """
    return Cost((inputs + bias) * outputs, inputs * outputs * times)


def table(rows: int, width: int) -> Cost:
    """Vectors that are looked up, or added."""
    return Cost(rows * width)


def over_time(count: Count, timesteps: int) -> Cost:
    """A recurrent layer over so many timesteps."""
    return Cost(count.total, count.macs_for(timesteps))
