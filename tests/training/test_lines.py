"""Lines: every token once, after the one before it in its line, and a loss without padding."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseq.models import BatchLoss, LanguageModelConfig, TokenScorer
from kerasseq.training import Lines
from tests.thorough import examples

FIRST = 3


@given(st.lists(st.integers(1, 30), min_size=1, max_size=12), st.integers(1, 5), st.booleans())
@examples(30)
def test_every_token_is_predicted_once_within_its_line(
    lengths: list[int], rows: int, shuffled: bool
) -> None:
    starts = np.cumsum([0, *lengths]) + 4
    lines = [np.arange(start, start + length) for start, length in zip(starts, lengths)]
    batches = Lines(lines, FIRST, rows, seed=0 if shuffled else None).batches()
    for epoch in range(2):
        batches.epoch = epoch
        predicted = []
        for inputs, targets in (batches[k] for k in range(len(batches))):
            tokens = inputs["tokens"]
            assert tokens.shape == targets.shape
            assert len(tokens) <= rows
            assert (tokens[:, 0] == FIRST).all()
            np.testing.assert_array_equal(tokens == 0, targets == 0)
            within = (tokens[:, 1:] != 0).nonzero()
            np.testing.assert_array_equal(tokens[:, 1:][within], targets[:, :-1][within])
            predicted += targets[targets > 0].tolist()
        assert sorted(predicted) == list(range(4, 4 + sum(lengths)))


def test_the_loss_is_the_mean_over_the_tokens_of_all_lines() -> None:
    random = np.random.default_rng(0)
    lines = [random.integers(4, 12, length) for length in (9, 2, 5, 40)]
    config = LanguageModelConfig(words=12, units=6)
    model = config.build()
    training_model = config.training_model(model)
    training_model.compile(loss=BatchLoss())
    loss = training_model.evaluate(Lines(lines, FIRST, rows=4).batches(), verbose=0)
    scorer, states = TokenScorer(model.get_layer("decoder")), [np.zeros((1, 6), np.float32)] * 2
    nats = []
    for line in lines:
        inputs = {"tokens": np.array([[FIRST, *line[:-1]]]), "following": line[None]}
        nats += np.asarray(scorer.predict_on_batch({**inputs, "states": states})["nats"])[
            0
        ].tolist()
    assert loss == pytest.approx(np.mean(nats), rel=1e-5)
