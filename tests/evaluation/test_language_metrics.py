"""Cross-entropy and perplexity, and their intervals over blocks."""

from __future__ import annotations

import numpy as np
import pytest

from kerasseq.evaluation.language_metrics import language


def test_metrics_are_means_over_tokens_and_characters() -> None:
    nats = np.random.default_rng(0).gamma(2.0, size=1234)
    score = language(nats, characters=5000)
    mean = nats.mean()
    expected = {
        "perplexity": np.exp(mean),
        "nats": mean,
        "bits": mean / np.log(2),
        "bits_per_character": nats.sum() / np.log(2) / 5000,
    }
    assert score.values == pytest.approx(expected)


def test_intervals_are_wider_where_neighbours_are_alike() -> None:
    draw = np.random.default_rng(0)
    apart = draw.normal(2.0, 1.0, 5000)
    alike = np.repeat(draw.normal(2.0, 1.0, 50), 100)
    widths = [np.diff(language(nats, 5000).interval()["nats"])[0] for nats in (apart, alike)]
    # Of independent tokens the interval is about 2 x 1.96 / sqrt(5000) wide.
    assert widths[0] == pytest.approx(2 * 1.96 / np.sqrt(5000), rel=0.3)
    assert widths[1] > 5 * widths[0]


def test_a_short_text_has_no_interval() -> None:
    assert language(np.ones(400), 400).interval() == {}
    assert language(np.ones(500), 500).interval() != {}


def test_a_hopeless_model_has_a_finite_perplexity() -> None:
    assert np.isfinite(language(np.full(3, 1e4), 3).values["perplexity"])


def test_no_token_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one token"):
        language(np.zeros(0), 5)
