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


@pytest.mark.parametrize("normalization", [0.0, 0.7, 1.0])
def test_a_beam_that_holds_everything_finds_what_an_exhaustive_search_finds(
    normalization: float,
) -> None:
    width = len(all_sentences())
    search = BeamSearch(Toy(), width=width, normalization=normalization, best=20, **SETTINGS)
    found = search.run(ROWS)
    for row in ROWS:
        wanted = exhaustive(row, normalization)[:20]
        assert [stripped(tokens) for tokens in found.tokens[row]] == [best for _, best in wanted]
        np.testing.assert_allclose(found.scores[row], [score for score, _ in wanted], atol=1e-4)


@pytest.mark.parametrize("width", [2, 3, 8])
def test_a_narrow_beam_gives_sentences_with_their_scores_the_best_first(width: int) -> None:
    found = BeamSearch(Toy(), width=width, normalization=0.5, **SETTINGS).run(ROWS)
    assert found.tokens.shape == (5, width, LENGTH)
    for row, sentence in itertools.product(ROWS, range(width)):
        tokens = stripped(found.tokens[row, sentence])
        each = np.pad(token_log_probs(row, tokens), (0, LENGTH - len(tokens)))
        np.testing.assert_allclose(found.log_probs[row, sentence], each, atol=1e-4)
        score = each.sum() / len(tokens) ** 0.5
        np.testing.assert_allclose(found.scores[row, sentence], score, atol=1e-4)
    assert (np.diff(found.scores, axis=1) <= 0).all()


def test_the_best_of_a_beam_do_not_depend_on_how_many_are_asked_for() -> None:
    every, one = (
        BeamSearch(Toy(), width=4, normalization=0.9, best=best, **SETTINGS).run(ROWS)
        for best in (None, 1)
    )
    np.testing.assert_array_equal(one.tokens, every.tokens[:, :1])


def test_a_beam_of_one_is_greedy() -> None:
    greedy = Sampler(Toy(), **SETTINGS).run(ROWS)
    beam = BeamSearch(Toy(), width=1, **SETTINGS).run(ROWS)
    assert [stripped(tokens) for tokens in greedy.tokens[:, 0]] == [
        greedy_sentence(row) for row in ROWS
    ]
    np.testing.assert_array_equal(beam.tokens, greedy.tokens)
    np.testing.assert_allclose(beam.log_probs, greedy.log_probs, atol=1e-5)
    np.testing.assert_allclose(beam.scores, greedy.scores, atol=1e-5)


@pytest.mark.parametrize("width", [1, 3])
def test_sentences_stop_at_their_end(width: int) -> None:
    search = BeamSearch(Ending(), width=width, **{**SETTINGS, "length": 9})
    found = search.run(np.array([0, 3, 1]))
    assert found.lengths[:, 0].tolist() == [1, 4, 2]
    assert found.tokens[1, 0].tolist() == [5, 5, 5, END, 0, 0, 0, 0, 0]
    assert (found.log_probs[found.tokens == 0] == 0).all()


@pytest.mark.parametrize("normalization", [0.0, 1.0])
def test_fewer_sentences_than_beams_leave_the_rest_empty(normalization: float) -> None:
    settings = {**SETTINGS, "forbidden": (1, START, 5, 6), "normalization": normalization}
    found = BeamSearch(Toy(), width=5, no_repeat=1, **settings).run(ROWS)
    for row in ROWS:
        assert {stripped(tokens) for tokens in found.tokens[row, :2]} == {(END,), (4, END)}
    assert np.isfinite(found.scores[:, :2]).all()
    assert (found.tokens[:, 2:] == 0).all()
    assert (found.lengths[:, 2:] == 0).all()
    assert (found.scores[:, 2:] == -np.inf).all()
    assert (found.log_probs[:, 2:] == -np.inf).all()


def test_log_probabilities_of_words_make_up_the_score() -> None:
    found = BeamSearch(Toy(), width=4, **SETTINGS).run(ROWS)
    assert found.log_probs.shape == found.tokens.shape
    np.testing.assert_allclose(found.log_probs.sum(axis=-1), found.scores, atol=1e-4)
    assert (found.log_probs[found.tokens != 0] < 0).all()
    assert (found.log_probs[found.tokens == 0] == 0).all()
