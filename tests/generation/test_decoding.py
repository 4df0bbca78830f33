"""Sentences are those that an exhaustive search finds, ends end them, and seeds repeat them."""

from __future__ import annotations

import itertools
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from kerasseq.generation import BeamSearch, Generator, Sampler, Sentences

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


def _log_probs(row: int, sentence: tuple[int, ...]) -> list[float]:
    """Of each token of a sentence, by the table."""
    found, before, last = [], 0, START
    for token in sentence:
        logits = TABLE[row, before, last].astype(float)
        found.append(logits[token] - np.log(np.exp(logits).sum()))
        before, last = last, token
    return found


def _all_sentences(length: int = LENGTH) -> list[tuple[int, ...]]:
    """Every sentence that can be made, ended or as long as may be."""
    words = (4, 5, 6)
    ended = [
        (*begun, END) for size in range(length) for begun in itertools.product(words, repeat=size)
    ]
    return ended + list(itertools.product(words, repeat=length))


def _exhaustive(row: int, normalization: float) -> list[tuple[float, tuple[int, ...]]]:
    ranked = [
        (sum(_log_probs(row, sentence)) / len(sentence) ** normalization, sentence)
        for sentence in _all_sentences()
    ]
    return sorted(ranked, reverse=True)


def _stripped(tokens: np.ndarray) -> tuple[int, ...]:
    return tuple(int(token) for token in tokens if token)


def _greedy(row: int, length: int = LENGTH) -> tuple[int, ...]:
    found: tuple[int, ...] = ()
    while len(found) < length and END not in found:
        found += (max((END, 4, 5, 6), key=lambda token: _log_probs(row, (*found, token))[-1]),)
    return found


@pytest.mark.parametrize("normalization", [0.0, 0.7, 1.0])
def test_a_beam_that_holds_everything_finds_what_an_exhaustive_search_finds(
    normalization: float,
) -> None:
    width = len(_all_sentences())
    search = BeamSearch(Toy(), width=width, normalization=normalization, best=20, **SETTINGS)
    found = search.run(ROWS)
    for row in ROWS:
        wanted = _exhaustive(row, normalization)[:20]
        assert [_stripped(tokens) for tokens in found.tokens[row]] == [best for _, best in wanted]
        np.testing.assert_allclose(found.scores[row], [score for score, _ in wanted], atol=1e-4)


@pytest.mark.parametrize("width", [2, 3, 8])
def test_a_narrow_beam_gives_sentences_with_their_scores_the_best_first(width: int) -> None:
    found = BeamSearch(Toy(), width=width, normalization=0.5, **SETTINGS).run(ROWS)
    assert found.tokens.shape == (5, width, LENGTH)
    for row, sentence in itertools.product(ROWS, range(width)):
        tokens = _stripped(found.tokens[row, sentence])
        each = np.pad(_log_probs(row, tokens), (0, LENGTH - len(tokens)))
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
    assert [_stripped(tokens) for tokens in greedy.tokens[:, 0]] == [_greedy(row) for row in ROWS]
    np.testing.assert_array_equal(beam.tokens, greedy.tokens)
    np.testing.assert_allclose(beam.log_probs, greedy.log_probs, atol=1e-5)
    np.testing.assert_allclose(beam.scores, greedy.scores, atol=1e-5)


@pytest.mark.parametrize("kind", [Sampler, BeamSearch])
def test_rows_do_not_depend_on_their_batch(kind: type[Generator]) -> None:
    generator = kind(Toy(), **SETTINGS)
    whole, parts = generator.run(ROWS), generator.run(ROWS, batch_size=2)
    np.testing.assert_array_equal(whole.tokens, parts.tokens)
    np.testing.assert_allclose(whole.scores, parts.scores, atol=1e-5)


@pytest.mark.parametrize("cuts", [{}, {"top_k": 3}, {"top_p": 0.6}, {"top_k": 9, "top_p": 0.9}])
def test_draws_repeat_with_their_seed(cuts: dict[str, Any]) -> None:
    def drawn(seed: int) -> Sentences:
        sampler = Sampler(Toy(), temperature=1.0, sentences=20, seed=seed, **cuts, **SETTINGS)
        return sampler.run(ROWS)

    np.testing.assert_array_equal(drawn(1).tokens, drawn(1).tokens)
    assert (drawn(1).tokens != drawn(2).tokens).any()


def test_draws_are_as_frequent_as_they_are_likely() -> None:
    settings = {**SETTINGS, "length": 1}
    found = Sampler(Toy(), temperature=2.0, sentences=4000, **settings).run(ROWS[:2])
    for row in ROWS[:2]:
        logits = TABLE[row, 0, START, [END, 4, 5, 6]] / 2
        wanted = np.exp(logits) / np.exp(logits).sum()
        times = [(found.tokens[row, :, 0] == token).mean() for token in (END, 4, 5, 6)]
        np.testing.assert_allclose(times, wanted, atol=0.04)


@pytest.mark.parametrize(
    ("cuts", "kept"),
    [({"top_k": 1}, 1), ({"top_k": 2}, 2), ({"top_k": 99}, 4), ({"top_p": 1e-6}, 1)],
)
def test_cuts_leave_the_likeliest(cuts: dict[str, Any], kept: int) -> None:
    settings = {**SETTINGS, "length": 1}
    found = Sampler(Toy(), temperature=9.0, sentences=500, **cuts, **settings).run(ROWS)
    for row in ROWS:
        order = sorted((END, 4, 5, 6), key=lambda token: -TABLE[row, 0, START, token])
        assert set(found.tokens[row, :, 0]) == set(order[:kept])


def test_the_fewest_words_that_have_the_probability_are_drawn_from() -> None:
    settings = {**SETTINGS, "length": 1}
    found = Sampler(Toy(), temperature=1.0, top_p=0.7, sentences=500, **settings).run(ROWS)
    for row in ROWS:
        logits = TABLE[row, 0, START, [END, 4, 5, 6]].astype(float)
        shares = np.exp(logits) / np.exp(logits).sum()
        order = np.argsort(-shares)
        needed = 1 + int((np.cumsum(shares[order]) < 0.7).sum())
        assert set(found.tokens[row, :, 0]) == {(END, 4, 5, 6)[i] for i in order[:needed]}


@pytest.mark.parametrize("maker", [Sampler, BeamSearch])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_no_run_of_words_comes_twice(maker: type[Generator], size: int) -> None:
    settings = {**SETTINGS, "length": 12}
    if maker is BeamSearch:
        settings["normalization"] = 2.0  # long sentences, which repeat themselves
    free = maker(Toy(), **settings).run(ROWS)
    found = maker(Toy(), no_repeat=size, **settings).run(ROWS)

    def repeats(tokens: np.ndarray) -> bool:
        sentence = _stripped(tokens)
        runs = [sentence[i : i + size] for i in range(len(sentence) - size + 1)]
        return len(set(runs)) < len(runs)

    assert any(repeats(row) for row in free.tokens[:, 0])
    assert not any(repeats(row) for row in found.tokens[:, 0])


def test_a_penalty_makes_words_rarer_that_were_there() -> None:
    settings = {**SETTINGS, "length": 12, "temperature": 1.0, "sentences": 50}

    def share(penalty: float) -> float:
        found = Sampler(Toy(), penalty=penalty, **settings).run(ROWS)
        each = [_stripped(tokens) for tokens in found.tokens.reshape(-1, 12)]
        return float(np.mean([1 - len(set(words)) / len(words) for words in each]))

    assert share(4.0) < share(1.5) < share(1.0)


def test_log_probabilities_are_the_decoders_own() -> None:
    settings = {**SETTINGS, "temperature": 3.0, "penalty": 2.0, "no_repeat": 2, "top_k": 3}
    found = Sampler(Toy(), **settings).run(ROWS)
    for row in ROWS:
        tokens = _stripped(found.tokens[row, 0])
        each = np.pad(_log_probs(row, tokens), (0, LENGTH - len(tokens)))
        np.testing.assert_allclose(found.log_probs[row, 0], each, atol=1e-4)


class Ending(Toy):
    """Ends the sentence of each row after as many words as the context says."""

    def start(self, context: Any) -> Any:
        return {"left": ops.cast(context, "float32")}

    def step(self, tokens: Any, state: Any) -> Any:
        self.steps += 1
        over = ops.cast(state["left"] <= 0, "float32")[:, None]
        wanted = ops.eye(WORDS)
        logits = 9 * (over * wanted[END] + (1 - over) * (wanted[5] + 0.1 * wanted[4]))
        return logits, {"left": state["left"] - 1}


@pytest.mark.parametrize("width", [1, 3])
def test_sentences_stop_at_their_end(width: int) -> None:
    search = BeamSearch(Ending(), width=width, **{**SETTINGS, "length": 9})
    found = search.run(np.array([0, 3, 1]))
    assert found.lengths[:, 0].tolist() == [1, 4, 2]
    assert found.tokens[1, 0].tolist() == [5, 5, 5, END, 0, 0, 0, 0, 0]
    assert (found.log_probs[found.tokens == 0] == 0).all()


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="JAX traces a step once")
@pytest.mark.parametrize("maker", [Sampler, BeamSearch])
def test_the_loop_ends_with_the_last_sentence(maker: type[Generator]) -> None:
    decoder = Ending()
    settings = {"best": 1} if maker is BeamSearch else {}
    generator = maker(decoder, **settings, **{**SETTINGS, "length": 50})
    generator({"context": ops.convert_to_tensor([0, 3, 1])})  # not compiled: steps can be counted
    assert decoder.steps == 4


@pytest.mark.parametrize("normalization", [0.0, 1.0])
def test_fewer_sentences_than_beams_leave_the_rest_empty(normalization: float) -> None:
    settings = {**SETTINGS, "forbidden": (1, START, 5, 6), "normalization": normalization}
    found = BeamSearch(Toy(), width=5, no_repeat=1, **settings).run(ROWS)
    for row in ROWS:
        assert {_stripped(tokens) for tokens in found.tokens[row, :2]} == {(END,), (4, END)}
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


@pytest.mark.parametrize(
    ("maker", "wrong", "said"),
    [
        (Sampler, {"temperature": -1}, "`temperature` must be a finite number of at least 0"),
        (Sampler, {"top_k": -1}, "`top_k` must be a whole number of at least 0"),
        (Sampler, {"temperature": float("nan")}, "`temperature` must be a finite number"),
        (Sampler, {"temperature": float("inf")}, "`temperature` must be a finite number"),
        (Sampler, {"top_k": 2.5}, "`top_k` must be a whole number.*Received: top_k=2.5"),
        (Sampler, {"no_repeat": 1.5}, "`no_repeat` must be a whole number"),
        (Sampler, {"penalty": float("nan")}, "`penalty` must be a finite number"),
        (Sampler, {"top_p": float("nan")}, "`top_p` must be above 0"),
        (Sampler, {"end": 0}, "`end` must be a whole number of at least 1.*Received: end=0"),
        (BeamSearch, {"end": WORDS}, f"`end` must be .* below the decoder's {WORDS} words"),
        (BeamSearch, {"start": WORDS}, f"`start` must be .*Received: start={WORDS}"),
        (BeamSearch, {"start": -1}, "`start` must be a whole number of at least 0"),
        (BeamSearch, {"start": 2.0}, "`start` must be a whole number"),
        (BeamSearch, {"forbidden": (4, 99)}, "`forbidden` must be .*Received: forbidden=99"),
        (BeamSearch, {"normalization": float("nan")}, "`normalization` must be a finite number"),
        (Sampler, {"top_p": 0.0}, "`top_p` must be above 0"),
        (Sampler, {"penalty": 0.5}, "`penalty` must be a finite number of at least 1"),
        (Sampler, {"no_repeat": -1}, "`no_repeat` must be a whole number of at least 0"),
        (Sampler, {"forbidden": (END,)}, "`forbidden` must not have the end"),
        (BeamSearch, {"width": 0}, "`width` must be a positive integer"),
        (BeamSearch, {"width": 2, "best": 3}, "`best` cannot be more than the 2"),
        (BeamSearch, {"normalization": -0.1}, "`normalization` must be a finite number"),
    ],
)
def test_wrong_settings_are_named(maker: Any, wrong: dict[str, Any], said: str) -> None:
    decoder = Toy()
    decoder.words = WORDS
    with pytest.raises(ValueError, match=said):
        maker(decoder, **{**SETTINGS, **wrong})


@pytest.mark.parametrize(
    ("context", "said"),
    [
        (ROWS[:0], "`context` has no rows"),
        ([0, 1], "`context` must be an array.*Received: int in a list.*`np.asarray`"),
        ([[0.5, 1.0], [2.0, 3.0]], "`context` must be an array.*Received: float in a list"),
        (np.float32(3), "`context` must be an array"),
        ([], "`context` must be an array.*Received: nothing in a list"),
        ({"row": ROWS, "other": ROWS[:2]}, r"`context` must have as many rows .* \[2, 5\] rows"),
    ],
)
def test_what_has_no_rows_gives_no_sentences(context: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Sampler(Toy(), **SETTINGS).run(context)
