"""Keras layers: recurrent layers and stacks, pooling and attention.

Importing this registers every class, so that `keras.models.load_model` needs no custom objects.
"""

from kerasseq.layers.attention import AdditiveAttention, DotProductAttention
from kerasseq.layers.build import gru, lstm, rnn, simple_rnn
from kerasseq.layers.ngrams import NgramRatios, NgramVotes
from kerasseq.layers.pooling import SequencePooling, pool
from kerasseq.layers.recurrent import GRU, LSTM, RNN, SimpleRNN
from kerasseq.layers.stack import Stack
from kerasseq.layers.token_dropout import TokenDropout

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "AdditiveAttention",
    "DotProductAttention",
    "NgramRatios",
    "NgramVotes",
    "SequencePooling",
    "SimpleRNN",
    "Stack",
    "TokenDropout",
    "gru",
    "lstm",
    "pool",
    "rnn",
    "simple_rnn",
]
