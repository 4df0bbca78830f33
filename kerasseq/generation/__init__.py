"""Sequences from a decoder: greedily, by sampling or by beam search."""

from kerasseq.generation.decoding import (
    BeamSearch,
    Decoder,
    Generator,
    Sampler,
    Sentences,
)

__all__ = [
    "BeamSearch",
    "Decoder",
    "Generator",
    "Sampler",
    "Sentences",
]
