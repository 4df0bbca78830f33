"""Beam search finds the sentences that an exhaustive search finds."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from kerasseq.generation import BeamSearch, Sampler
from tests.generation.harness import (
    END,
    LENGTH,
    ROWS,
    SETTINGS,
    START,
    Ending,
    Toy,
    all_sentences,
    exhaustive,
    greedy_sentence,
    stripped,
    token_log_probs,
)
from tests.thorough import first_of, one_in


@pytest.mark.parametrize("length_penalty", first_of([0.7, 0.0, 1.0]))
def test_a_beam_that_holds_everything_finds_what_an_exhaustive_search_finds(
    length_penalty: float,
) -> None:
    width = len(all_sentences())
    search = BeamSearch(Toy(), beam_width=width, length_penalty=length_penalty, best=20, **SETTINGS)
    sentences = search.run(ROWS)
    for row in ROWS:
        expected = exhaustive(row, length_penalty)[:20]
        scores, best = zip(*expected)
        assert [stripped(tokens) for tokens in sentences.tokens[row]] == list(best)
        np.testing.assert_allclose(sentences.scores[row], scores, atol=1e-4)


@pytest.mark.parametrize("width", one_in(2, [2, 3, 8]))
def test_a_narrow_beam_gives_sentences_with_their_scores_the_best_first(width: int) -> None:
    sentences = BeamSearch(Toy(), beam_width=width, length_penalty=0.5, **SETTINGS).run(ROWS)
    assert sentences.tokens.shape == (5, width, LENGTH)
    for row, sentence in itertools.product(ROWS, range(width)):
        tokens = stripped(sentences.tokens[row, sentence])
        each = np.pad(token_log_probs(row, tokens), (0, LENGTH - len(tokens)))
        np.testing.assert_allclose(sentences.log_probs[row, sentence], each, atol=1e-4)
        score = each.sum() / len(tokens) ** 0.5
        np.testing.assert_allclose(sentences.scores[row, sentence], score, atol=1e-4)
    assert (np.diff(sentences.scores, axis=1) <= 0).all()


def test_the_best_of_a_beam_do_not_depend_on_how_many_are_asked_for() -> None:
    every, one = (
        BeamSearch(Toy(), beam_width=4, length_penalty=0.9, best=best, **SETTINGS).run(ROWS)
        for best in (None, 1)
    )
    np.testing.assert_array_equal(one.tokens, every.tokens[:, :1])


def test_a_beam_of_one_is_greedy() -> None:
    greedy = Sampler(Toy(), **SETTINGS).run(ROWS)
    beam = BeamSearch(Toy(), beam_width=1, **SETTINGS).run(ROWS)
    assert [stripped(tokens) for tokens in greedy.tokens[:, 0]] == [
        greedy_sentence(row) for row in ROWS
    ]
    np.testing.assert_array_equal(beam.tokens, greedy.tokens)
    np.testing.assert_allclose(beam.log_probs, greedy.log_probs, atol=1e-5)
    np.testing.assert_allclose(beam.scores, greedy.scores, atol=1e-5)


@pytest.mark.parametrize("width", [1, 3])
def test_sentences_stop_at_their_end(width: int) -> None:
    search = BeamSearch(Ending(), beam_width=width, **{**SETTINGS, "length": 9})
    sentences = search.run(np.array([0, 3, 1]))
    assert sentences.lengths[:, 0].tolist() == [1, 4, 2]
    assert sentences.tokens[1, 0].tolist() == [5, 5, 5, END, 0, 0, 0, 0, 0]
    assert (sentences.log_probs[sentences.tokens == 0] == 0).all()


@pytest.mark.parametrize("length_penalty", first_of([1.0, 0.0]))
def test_fewer_sentences_than_beams_leave_the_rest_empty(length_penalty: float) -> None:
    settings = {**SETTINGS, "forbidden": (1, START, 5, 6), "length_penalty": length_penalty}
    sentences = BeamSearch(Toy(), beam_width=5, no_repeat_ngram_size=1, **settings).run(ROWS)
    for row in ROWS:
        assert {stripped(tokens) for tokens in sentences.tokens[row, :2]} == {(END,), (4, END)}
    assert np.isfinite(sentences.scores[:, :2]).all()
    assert (sentences.tokens[:, 2:] == 0).all()
    assert (sentences.lengths[:, 2:] == 0).all()
    assert (sentences.scores[:, 2:] == -np.inf).all()
    assert (sentences.log_probs[:, 2:] == -np.inf).all()


def test_log_probabilities_of_words_make_up_the_score() -> None:
    sentences = BeamSearch(Toy(), beam_width=4, **SETTINGS).run(ROWS)
    assert sentences.log_probs.shape == sentences.tokens.shape
    np.testing.assert_allclose(sentences.log_probs.sum(axis=-1), sentences.scores, atol=1e-4)
    assert (sentences.log_probs[sentences.tokens != 0] < 0).all()
    assert (sentences.log_probs[sentences.tokens == 0] == 0).all()
