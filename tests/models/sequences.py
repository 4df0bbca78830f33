"""Configs and inputs of sequence classifiers, shared by their tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from kerasseq.models import SequenceClassifierConfig

__all__ = ["AUGMENTED", "sequence_classifiers", "sequences"]

AUGMENTED: dict[str, float] = {
    "jitter": 0.1, "scaling": 0.1, "time_warp": 0.3, "cropping": 0.3, "channel_dropout": 0.2,
}  # fmt: skip
POOLINGS = ("last", "mean", "max", "attention", "max+mean", "last+attention")


@st.composite
def sequence_classifiers(
    draw: st.DrawFn, cells: Sequence[str], options: Sequence[dict[str, Any]] = ({},)
) -> SequenceClassifierConfig:
    """Configs with these cells, with one of these options."""
    causal, frame = draw(st.booleans()), draw(st.sampled_from([None, (9, 8), (4, 5)]))
    return SequenceClassifierConfig(
        channels=draw(st.integers(1, 4)),
        classes=draw(st.sampled_from([0, 2, 3])),
        targets=draw(st.integers(1, 2)),
        cell=draw(st.sampled_from(cells)),
        units=draw(st.integers(1, 5)),
        depth=draw(st.integers(1, 2)),
        bidirectional=not causal and draw(st.booleans()),
        pooling=draw(st.sampled_from(POOLINGS)),
        convolutions=draw(st.integers(0, 2)),
        filters=draw(st.integers(1, 5)),
        kernel_size=draw(st.integers(1, 5)),
        stride=draw(st.integers(1, 3)),
        causal=causal,
        frame=frame,
        frame_features=draw(st.integers(1, 5)),
        dropout=draw(st.sampled_from([0.0, 0.2])),
        options=draw(st.sampled_from(options)),
        **(AUGMENTED if frame is None and draw(st.booleans()) else {}),
    )


def sequences(
    sizes: SequenceClassifierConfig, lengths: Sequence[int] = (7, 4, 1), seed: int = 0
) -> dict[str, np.ndarray]:
    """Inputs by name, drawn at random; what lies in the padding is large."""
    random = np.random.default_rng(seed)
    shape = (len(lengths), max(lengths), *(sizes.frame or ()), sizes.channels)
    values = random.normal(size=shape).astype(np.float32)
    for row, length in enumerate(lengths):
        values[row, length:] = 1e3
    return {"sequences": values, "lengths": np.array(lengths, np.int32)}
