"""A decoder whose logits come from a table, and what an exhaustive search finds with it."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from keras import ops

WORDS, START, END, LENGTH = 7, 2, 3, 4
TABLE = np.random.default_rng(3).normal(scale=2.0, size=(5, WORDS, WORDS, WORDS)).astype("float32")
ROWS = np.arange(5)
SETTINGS: dict[str, Any] = {"length": LENGTH, "start": START, "end": END, "forbidden": (1, START)}


class Toy:
    """Logits from a table, by the row of the context and the last two tokens."""

    words: int

    def __init__(self) -> None:
        self.table = ops.convert_to_tensor(TABLE.reshape(-1, WORDS))
        self.steps = 0

    def start(self, context: Any) -> Any:
        return {"row": ops.cast(context, "int32"), "before": [ops.zeros_like(context)]}

    def step(self, tokens: Any, state: Any) -> Any:
        self.steps += 1
        (before,) = state["before"]
        place = (state["row"] * WORDS + ops.cast(before, "int32")) * WORDS + tokens
        logits = ops.take(self.table, place, axis=0)
        return logits, {**state, "before": [ops.cast(tokens, before.dtype)]}


def token_log_probs(row: int, sentence: tuple[int, ...]) -> list[float]:
    """Of each token of a sentence, by the table."""
    log_probs, before, last = [], 0, START
    for token in sentence:
        logits = TABLE[row, before, last].astype(float)
        log_probs.append(logits[token] - np.log(np.exp(logits).sum()))
        before, last = last, token
    return log_probs


def all_sentences(length: int = LENGTH) -> list[tuple[int, ...]]:
    """Every sentence that can be made, ended or as long as may be."""
    words = (4, 5, 6)
    ended = [
        (*begun, END) for size in range(length) for begun in itertools.product(words, repeat=size)
    ]
    return ended + list(itertools.product(words, repeat=length))


def exhaustive(row: int, length_penalty: float) -> list[tuple[float, tuple[int, ...]]]:
    ranked = [
        (sum(token_log_probs(row, sentence)) / len(sentence) ** length_penalty, sentence)
        for sentence in all_sentences()
    ]
    return sorted(ranked, reverse=True)


def stripped(tokens: np.ndarray) -> tuple[int, ...]:
    return tuple(int(token) for token in tokens if token)


def greedy_sentence(row: int, length: int = LENGTH) -> tuple[int, ...]:
    sentence: tuple[int, ...] = ()
    while len(sentence) < length and END not in sentence:
        log_probs = {
            token: token_log_probs(row, (*sentence, token))[-1] for token in (END, 4, 5, 6)
        }
        sentence += (max(log_probs, key=log_probs.__getitem__),)
    return sentence


class Ending(Toy):
    """Ends the sentence of each row after as many words as the context says."""

    def start(self, context: Any) -> Any:
        return {"left": ops.cast(context, "float32")}

    def step(self, tokens: Any, state: Any) -> Any:
        self.steps += 1
        over = ops.cast(state["left"] <= 0, "float32")[:, None]
        expected = ops.eye(WORDS)
        logits = 9 * (over * expected[END] + (1 - over) * (expected[5] + 0.1 * expected[4]))
        return logits, {"left": state["left"] - 1}
