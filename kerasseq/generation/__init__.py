"""Sequences from a decoder: greedily, by sampling or by beam search."""

from kerasseq.generation.beam_search import BeamSearch
from kerasseq.generation.decoder import Decoder, Sentences
from kerasseq.generation.generator import Generator
from kerasseq.generation.sampling import Sampler

__all__ = [
    "BeamSearch",
    "Decoder",
    "Generator",
    "Sampler",
    "Sentences",
]
