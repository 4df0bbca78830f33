"""Draws repeat with their seed, are as frequent as they are likely, and stay in their cuts."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from kerasseq.generation import Sampler, Sentences
from tests.generation.harness import (
    END,
    LENGTH,
    ROWS,
    SETTINGS,
    START,
    TABLE,
    WORDS,
    Ending,
    Toy,
    stripped,
    token_log_probs,
)
from tests.thorough import first_of, one_in


@pytest.mark.parametrize(
    "cuts", one_in(3, [{}, {"top_k": 3}, {"top_p": 0.6}, {"top_k": 9, "top_p": 0.9}])
)
def test_draws_repeat_with_their_seed(cuts: dict[str, Any]) -> None:
    def drawn(seed: int) -> Sentences:
        sampler = Sampler(Toy(), temperature=1.0, sentences=20, seed=seed, **cuts, **SETTINGS)
        return sampler.run(ROWS)

    first = drawn(1).tokens
    np.testing.assert_array_equal(drawn(1).tokens, first)
    assert (drawn(2).tokens != first).any()


def test_draws_are_as_frequent_as_they_are_likely() -> None:
    settings = {**SETTINGS, "length": 1}
    sentences = Sampler(Toy(), temperature=2.0, sentences=4000, **settings).run(ROWS[:2])
    for row in ROWS[:2]:
        logits = TABLE[row, 0, START, [END, 4, 5, 6]] / 2
        expected = np.exp(logits) / np.exp(logits).sum()
        times = [(sentences.tokens[row, :, 0] == token).mean() for token in (END, 4, 5, 6)]
        np.testing.assert_allclose(times, expected, atol=0.04)


@pytest.mark.parametrize(
    ("cuts", "kept"),
    one_in(3, [({"top_k": 2}, 2), ({"top_k": 1}, 1), ({"top_k": 99}, 4), ({"top_p": 1e-6}, 1)]),
)
def test_cuts_leave_the_likeliest(cuts: dict[str, Any], kept: int) -> None:
    settings = {**SETTINGS, "length": 1}
    sentences = Sampler(Toy(), temperature=9.0, sentences=500, **cuts, **settings).run(ROWS)
    for row in ROWS:
        order = sorted((END, 4, 5, 6), key=lambda token: -TABLE[row, 0, START, token])
        assert set(sentences.tokens[row, :, 0]) == set(order[:kept])


def test_the_fewest_words_that_have_the_probability_are_drawn_from() -> None:
    settings = {**SETTINGS, "length": 1}
    sentences = Sampler(Toy(), temperature=1.0, top_p=0.7, sentences=500, **settings).run(ROWS)
    for row in ROWS:
        logits = TABLE[row, 0, START, [END, 4, 5, 6]].astype(float)
        shares = np.exp(logits) / np.exp(logits).sum()
        order = np.argsort(-shares)
        needed = 1 + int((np.cumsum(shares[order]) < 0.7).sum())
        assert set(sentences.tokens[row, :, 0]) == {(END, 4, 5, 6)[i] for i in order[:needed]}


def test_a_penalty_makes_words_rarer_that_were_there() -> None:
    settings = {**SETTINGS, "length": 12, "temperature": 1.0, "sentences": 50}

    def share(penalty: float) -> float:
        sentences = Sampler(Toy(), repetition_penalty=penalty, **settings).run(ROWS)
        each = [stripped(tokens) for tokens in sentences.tokens.reshape(-1, 12)]
        return float(np.mean([1 - len(set(words)) / len(words) for words in each]))

    assert share(4.0) < share(1.5) < share(1.0)


def test_log_probabilities_are_the_decoders_own() -> None:
    settings = {
        **SETTINGS,
        "temperature": 3.0,
        "repetition_penalty": 2.0,
        "no_repeat_ngram_size": 2,
        "top_k": 3,
    }
    sentences = Sampler(Toy(), **settings).run(ROWS)
    for row in ROWS:
        tokens = stripped(sentences.tokens[row, 0])
        each = np.pad(token_log_probs(row, tokens), (0, LENGTH - len(tokens)))
        np.testing.assert_allclose(sentences.log_probs[row, 0], each, atol=1e-4)


@pytest.mark.parametrize(
    "options", first_of([{"repetition_penalty": 1.5}, {}, {"temperature": 0.0}])
)
def test_pieces_are_the_whole(options: dict[str, Any]) -> None:
    settings = {**SETTINGS, "end": (), "temperature": 1.0, "sentences": 2, "seed": 5, **options}
    whole = Sampler(Toy(), **{**settings, "length": 12}).run(ROWS)
    for length in (3, 4):
        decoder = Toy()
        decoder.words = WORDS
        pieces = Sampler(decoder, **{**settings, "length": length}).stream(ROWS)
        parts = [*itertools.islice(pieces, 12 // length)]
        np.testing.assert_array_equal(
            np.concatenate([part.tokens for part in parts], axis=-1), whole.tokens
        )
        np.testing.assert_allclose(
            np.concatenate([part.log_probs for part in parts], axis=-1), whole.log_probs, atol=1e-5
        )


def test_pieces_end_with_the_last_sentence() -> None:
    settings = {**SETTINGS, "length": 2}
    pieces = [piece.tokens[:, 0] for piece in Sampler(Ending(), **settings).stream(ROWS[[0, 3, 1]])]
    assert len(pieces) == 2
    counts = (np.concatenate(pieces, axis=1) != 0).sum(axis=1)
    assert counts.tolist() == [1, 4, 2]


def test_two_streams_of_one_sampler_do_not_disturb_each_other() -> None:
    sampler = Sampler(Toy(), temperature=1.0, **{**SETTINGS, "end": ()})
    alone = next(sampler.stream(ROWS)).tokens
    first = sampler.stream(ROWS)
    sampler.seed, sampler.temperature = 1, 9.0
    next(sampler.stream(ROWS))
    np.testing.assert_array_equal(next(first).tokens, alone)


def test_pieces_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="`no_repeat_ngram_size` cannot be kept over pieces"):
        Sampler(Toy(), no_repeat_ngram_size=2, **SETTINGS).stream(ROWS)
    with pytest.raises(ValueError, match="needs a decoder with an attribute `words`"):
        Sampler(Toy(), repetition_penalty=2.0, **SETTINGS).stream(ROWS)
