"""Keras layers: recurrent layers and stacks, pooling, attention and a CRF.

Importing this registers every class, so that `keras.models.load_model` needs no custom objects.
"""

from kerasseq.kernels import native
from kerasseq.layers.activations import keras2_hard_sigmoid
from kerasseq.layers.attention import AdditiveAttention, DotProductAttention
from kerasseq.layers.augment import ChannelScaling, TimeCrop, TimeWarp
from kerasseq.layers.characters import CharacterEncoder
from kerasseq.layers.convolution import SequenceConvolution
from kerasseq.layers.crf import CRF, TagSoftmax
from kerasseq.layers.decoders.caption import (
    AttentionDecoder,
    InitInjectDecoder,
    MergeDecoder,
    ParInjectDecoder,
    PreInjectDecoder,
)
from kerasseq.layers.decoders.text import TextDecoder
from kerasseq.layers.forecast.channelwise import Channelwise
from kerasseq.layers.forecast.direct import DirectForecast
from kerasseq.layers.forecast.emission import Emission
from kerasseq.layers.forecast.recursive import RecursiveForecast
from kerasseq.layers.forecast.segment import SegmentForecast
from kerasseq.layers.forecast.seq2seq import Seq2SeqForecast
from kerasseq.layers.forecast.series_embedding import SeriesEmbedding
from kerasseq.layers.forecast.smoothing_norm import SmoothingNorm
from kerasseq.layers.forecast.step_inputs import StepInputs
from kerasseq.layers.forecast.window_norm import HorizonNorm, WindowNorm
from kerasseq.layers.frame_encoder import FrameEncoder
from kerasseq.layers.ngrams import NgramRatios, NgramVotes
from kerasseq.layers.pooling import SequencePooling, pool
from kerasseq.layers.recurrent.build import gru, lstm, rnn, simple_rnn
from kerasseq.layers.recurrent.rnn import GRU, LSTM, RNN, SimpleRNN
from kerasseq.layers.recurrent.stack import Stack
from kerasseq.layers.sequence_mask import SequenceMask
from kerasseq.layers.spectrogram import MFCC, LogMel
from kerasseq.layers.token_dropout import TokenDropout

__all__ = [
    "CRF",
    "GRU",
    "LSTM",
    "MFCC",
    "RNN",
    "AdditiveAttention",
    "AttentionDecoder",
    "ChannelScaling",
    "Channelwise",
    "CharacterEncoder",
    "DirectForecast",
    "DotProductAttention",
    "Emission",
    "FrameEncoder",
    "HorizonNorm",
    "InitInjectDecoder",
    "LogMel",
    "MergeDecoder",
    "NgramRatios",
    "NgramVotes",
    "ParInjectDecoder",
    "PreInjectDecoder",
    "RecursiveForecast",
    "SegmentForecast",
    "Seq2SeqForecast",
    "SequenceConvolution",
    "SequenceMask",
    "SequencePooling",
    "SeriesEmbedding",
    "SimpleRNN",
    "SmoothingNorm",
    "Stack",
    "StepInputs",
    "TextDecoder",
    "TimeCrop",
    "TimeWarp",
    "TagSoftmax",
    "TokenDropout",
    "WindowNorm",
    "gru",
    "keras2_hard_sigmoid",
    "lstm",
    "pool",
    "rnn",
    "simple_rnn",
]

# Loads the extension, so that exported models with its operations can be loaded.
native.status()
