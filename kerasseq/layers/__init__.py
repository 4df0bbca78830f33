"""Keras layers: recurrent layers and stacks, pooling and attention.

Importing this registers every class, so that `keras.models.load_model` needs no custom objects.
"""

from kerasseq.layers.attention import AdditiveAttention, DotProductAttention
from kerasseq.layers.build import gru, lstm, rnn, simple_rnn
from kerasseq.layers.pooling import SequencePooling, pool
from kerasseq.layers.recurrent import GRU, LSTM, RNN, SimpleRNN
from kerasseq.layers.stack import Stack

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "AdditiveAttention",
    "DotProductAttention",
    "SequencePooling",
    "SimpleRNN",
    "Stack",
    "gru",
    "lstm",
    "pool",
    "rnn",
    "simple_rnn",
]
