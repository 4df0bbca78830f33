"""What the ratios of `benchmarks.kernels` are held against, and the arithmetic of them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """How many times as fast (or small) as a rival kerasseq is to be.

    Args:
        group: the group of benchmarks.
        rival: what it is compared with.
        title: the comparison in words.
        mean: the geometric mean of all ratios is to be at least this; None for no such target.
        least: every single ratio is to be at least this; None for no such target.
    """

    group: str
    rival: str
    title: str
    mean: float | None = None
    least: float | None = None


TARGETS = (
    Target("train", "keras.layers", "training step, TensorFlow", mean=2.5, least=1.0),
    Target("infer", "keras.layers", "inference, TensorFlow", mean=2.0),
    Target("train", "torch.nn", "training step", mean=1.0),
    Target("infer", "torch.nn", "inference", mean=1.0),
    Target("cells", "keras.layers.RNN", "same cell, training step, TensorFlow", least=2.5),
    Target("linear", "keras.layers", "mingru, training step, against an LSTM", least=8.0),
    Target("torch", "keras.layers", "training step, PyTorch backend", least=5.0),
    Target("jax", "keras.layers", "training step, JAX", mean=2.5, least=1.0),
    Target("jax_infer", "keras.layers", "inference, JAX", mean=2.0),
    Target("jax_scan", "keras.layers", "training step, JAX, kernel `scan`", least=1.0),
    Target("jax_scan_infer", "keras.layers", "inference, JAX, kernel `scan`", least=1.0),
    Target("epoch", "keras.layers", "an epoch of the sentiment recipe's model", least=1.8),
    Target("memory", "keras.layers", "peak memory of a training step, TensorFlow", least=1.0),
)


def geometric_mean(ratios: Iterable[float]) -> float:
    """The mean under which twice as fast and half as fast cancel out."""
    return math.exp(statistics.fmean(math.log(ratio) for ratio in ratios))


def quartiles(values: Sequence[float]) -> tuple[float, float]:
    """The range in which the middle half of the values lies."""
    if len(values) == 1:
        return values[0], values[0]
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high


def against(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, float]:
    """How many times as much a rival takes, from values of the same rounds.

    Returns:
        `ratio`, of the medians, and `low` and `high`, the quartiles of the rounds' own ratios.
    """
    low, high = quartiles([t / o for o, t in zip(ours, theirs, strict=True)])
    ratio = statistics.median(theirs) / statistics.median(ours)
    return {"ratio": rounded(ratio), "low": rounded(low), "high": rounded(high)}


def verdict(target: Target, ratios: Sequence[float]) -> str:
    """Whether the ratios reach the target, and by how much they do not."""
    missed = []
    if target.mean is not None:
        missed += _missed("mean", geometric_mean(ratios), target.mean)
    if target.least is not None:
        missed += _missed("lowest", min(ratios), target.least)
    return "; ".join(missed) or "met"


def asked(target: Target) -> str:
    """The target in words."""
    parts = [(target.mean, "mean"), (target.least, "each")]
    return ", ".join(f"{name} {value:g}x" for value, name in parts if value is not None)


def rounded(value: float) -> float:
    """Four digits that count."""
    return float(f"{value:.4g}")


def _missed(name: str, found: float, wanted: float) -> list[str]:
    short = 1 - found / wanted
    return [f"{name} missed by {max(short, 0.001):.1%}"] if short > 0 else []
