"""Both generators: batches, repeated n-grams, the end of the loop, and errors."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from kerasseq.generation import BeamSearch, Generator, Sampler
from tests.generation.harness import END, ROWS, SETTINGS, START, WORDS, Ending, Toy, stripped
from tests.thorough import covering


@pytest.mark.parametrize("kind", [Sampler, BeamSearch])
def test_rows_do_not_depend_on_their_batch(kind: type[Generator]) -> None:
    generator = kind(Toy(), **SETTINGS)
    whole, parts = generator.run(ROWS), generator.run(ROWS, batch_size=2)
    np.testing.assert_array_equal(whole.tokens, parts.tokens)
    np.testing.assert_allclose(whole.scores, parts.scores, atol=1e-5)


@pytest.mark.parametrize(("maker", "size"), covering([Sampler, BeamSearch], [1, 2, 3]))
def test_no_run_of_words_comes_twice(maker: type[Generator], size: int) -> None:
    settings = {**SETTINGS, "length": 12}
    if maker is BeamSearch:
        settings["length_penalty"] = 2.0  # long sentences, which repeat themselves
    free = maker(Toy(), **settings).run(ROWS)
    sentences = maker(Toy(), no_repeat_ngram_size=size, **settings).run(ROWS)

    def repeats(tokens: np.ndarray) -> bool:
        sentence = stripped(tokens)
        runs = [sentence[i : i + size] for i in range(len(sentence) - size + 1)]
        return len(set(runs)) < len(runs)

    assert any(repeats(row) for row in free.tokens[:, 0])
    assert not any(repeats(row) for row in sentences.tokens[:, 0])


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="JAX traces a step once")
@pytest.mark.parametrize("maker", [Sampler, BeamSearch])
def test_the_loop_ends_with_the_last_sentence(maker: type[Generator]) -> None:
    decoder = Ending()
    settings = {"best": 1} if maker is BeamSearch else {}
    generator = maker(decoder, **settings, **{**SETTINGS, "length": 50})
    generator({"context": ops.convert_to_tensor([0, 3, 1])})  # not compiled: steps can be counted
    assert decoder.steps == 4


@pytest.mark.parametrize(
    ("maker", "wrong", "message"),
    [
        (Sampler, {"temperature": -1}, "`temperature` must be a finite number of at least 0"),
        (Sampler, {"top_k": -1}, "`top_k` must be a whole number of at least 0"),
        (Sampler, {"temperature": float("nan")}, "`temperature` must be a finite number"),
        (Sampler, {"temperature": float("inf")}, "`temperature` must be a finite number"),
        (Sampler, {"top_k": 2.5}, "`top_k` must be a whole number.*Received: top_k=2.5"),
        (Sampler, {"no_repeat_ngram_size": 1.5}, "`no_repeat_ngram_size` must be a whole number"),
        (
            Sampler,
            {"repetition_penalty": float("nan")},
            "`repetition_penalty` must be a finite number",
        ),
        (Sampler, {"top_p": float("nan")}, "`top_p` must be above 0"),
        (Sampler, {"end": 0}, "`end` must be a whole number of at least 1.*Received: end=0"),
        (BeamSearch, {"end": WORDS}, f"`end` must be .* below the decoder's {WORDS} words"),
        (BeamSearch, {"start": WORDS}, f"`start` must be .*Received: start={WORDS}"),
        (BeamSearch, {"start": -1}, "`start` must be a whole number of at least 0"),
        (BeamSearch, {"start": 2.0}, "`start` must be a whole number"),
        (BeamSearch, {"forbidden": (4, 99)}, "`forbidden` must be .*Received: forbidden=99"),
        (BeamSearch, {"length_penalty": float("nan")}, "`length_penalty` must be a finite number"),
        (Sampler, {"top_p": 0.0}, "`top_p` must be above 0"),
        (
            Sampler,
            {"repetition_penalty": 0.5},
            "`repetition_penalty` must be a finite number of at least 1",
        ),
        (
            Sampler,
            {"no_repeat_ngram_size": -1},
            "`no_repeat_ngram_size` must be a whole number of at least 0",
        ),
        (Sampler, {"forbidden": (END,)}, "`forbidden` must not have the end"),
        (BeamSearch, {"beam_width": 0}, "`beam_width` must be a positive integer"),
        (BeamSearch, {"beam_width": 2, "best": 3}, "`best` cannot be more than the 2"),
        (BeamSearch, {"length_penalty": -0.1}, "`length_penalty` must be a finite number"),
    ],
)
def test_wrong_settings_are_named(maker: Any, wrong: dict[str, Any], message: str) -> None:
    decoder = Toy()
    decoder.words = WORDS
    with pytest.raises(ValueError, match=message):
        maker(decoder, **{**SETTINGS, **wrong})


@pytest.mark.parametrize(
    ("context", "message"),
    [
        (ROWS[:0], "`context` has no rows"),
        ([0, 1], "`context` must be an array.*Received: int in a list.*`np.asarray`"),
        ([[0.5, 1.0], [2.0, 3.0]], "`context` must be an array.*Received: float in a list"),
        (np.float32(3), "`context` must be an array"),
        ([], "`context` must be an array.*Received: nothing in a list"),
        ({"row": ROWS, "other": ROWS[:2]}, r"`context` must have as many rows .* \[2, 5\] rows"),
    ],
)
def test_what_has_no_rows_gives_no_sentences(context: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Sampler(Toy(), **SETTINGS).run(context)


@pytest.mark.parametrize("maker", [Sampler, BeamSearch])
def test_each_row_may_go_on_from_a_token(maker: type[Generator]) -> None:
    generator = maker(Toy(), **SETTINGS)
    first = np.array([4, 5, 6, 4, START])
    whole = generator.run(ROWS, first=first)
    for row, token in enumerate(first[:2]):
        alone = maker(Toy(), **{**SETTINGS, "start": int(token)}).run(ROWS[row : row + 1])
        np.testing.assert_array_equal(whole.tokens[row], alone.tokens[0])
    with pytest.raises(ValueError, match=r"`first` must have one token for each of 5 rows.*\(2,\)"):
        generator.run(ROWS, first=first[:2])


@pytest.mark.parametrize("maker", [Sampler, BeamSearch])
def test_several_tokens_may_end_a_sentence_or_none(maker: type[Generator]) -> None:
    settings = {**SETTINGS, "length": 12}
    tokens = maker(Toy(), **{**settings, "end": (END, 5)}).run(ROWS).tokens[:, 0]
    for sentence in map(stripped, tokens):
        assert {END, 5}.isdisjoint(sentence[:-1])
    assert any(sentence[-1] == 5 for sentence in map(stripped, tokens))
    endless = maker(Toy(), **{**settings, "end": (), "forbidden": (1, START, END)}).run(ROWS)
    assert (endless.lengths == 12).all()


def test_one_sampler_serves_other_temperatures() -> None:
    settings = {**SETTINGS, "length": 12, "sentences": 40}
    sampler = Sampler(Toy(), temperature=1.0, **settings)
    sampler.run(ROWS)
    sampler.temperature = 0.2
    expected = Sampler(Toy(), temperature=0.2, **settings).run(ROWS)
    np.testing.assert_array_equal(sampler.run(ROWS).tokens, expected.tokens)
