"""Forecasters and captioners of all kinds, for hypothesis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from kerasseq.models import Captioner, Forecaster

__all__ = ["DECODERS", "KINDS", "NORMS", "OUTPUTS", "captioners", "forecasters"]

KINDS = ("direct", "recursive", "seq2seq", "segment")
OUTPUTS = ("point", "quantiles", "normal", "student_t", "negative_binomial")
NORMS = ("none", "last", "seasonal", "instance")
DECODERS = ("merge", "init", "pre", "par", "attention")


@st.composite
def forecasters(
    draw: st.DrawFn, cells: Sequence[str], options: Sequence[dict[str, Any]]
) -> Forecaster:
    """Those of these cells, with one of these options."""
    kind = draw(st.sampled_from(KINDS))
    future = draw(st.integers(0, 2))
    both = kind != "recursive" and draw(st.booleans())
    return Forecaster(
        lookback=draw(st.integers(3, 8)),
        horizon=draw(st.integers(1, 7)),
        kind=kind,
        cell=draw(st.sampled_from(cells)),
        units=draw(st.integers(1, 5)),
        depth=draw(st.integers(1, 2)),
        targets=draw(st.integers(1, 3)),
        past=future + draw(st.integers(0, 2)),
        future=future,
        static=draw(st.integers(0, 2)),
        series=draw(st.sampled_from([0, 3])),
        masked=draw(st.booleans()),
        embedding=draw(st.integers(1, 3)),
        channels=draw(st.sampled_from(["apart", "together"])),
        segment=draw(st.integers(1, 9)),
        linear=kind == "segment" and draw(st.booleans()),
        attention=kind == "seq2seq" and draw(st.booleans()),
        scheduled_sampling=draw(st.sampled_from([0.0, 0.5])) if kind == "recursive" else 0.0,
        normalization=draw(st.sampled_from(NORMS)),
        season=draw(st.integers(1, 3)),
        output=draw(st.sampled_from(OUTPUTS)),
        quantiles=draw(st.sampled_from([(0.5,), (0.1, 0.9), (0.1, 0.2, 0.5, 0.9)])),
        dropout=draw(st.sampled_from([0.0, 0.3])),
        options=draw(st.sampled_from(options)) | ({"bidirectional": True} if both else {}),
    )


@st.composite
def captioners(
    draw: st.DrawFn, cells: Sequence[str], options: dict[str, Any] | None = None
) -> Captioner:
    """Those of these cells, with these options."""
    units, tied = draw(st.integers(1, 5)), draw(st.booleans())
    decoder = draw(st.sampled_from(DECODERS))
    return Captioner(
        words=draw(st.integers(2, 20)),
        features=draw(st.integers(1, 6)),
        decoder=decoder,
        cell=draw(st.sampled_from(cells)),
        units=units,
        depth=draw(st.integers(1, 3)),
        embedding=units if tied else draw(st.integers(1, 5)),
        regions=decoder == "attention" or draw(st.booleans()),
        tie_embeddings=tied,
        options=options or {},
    )
