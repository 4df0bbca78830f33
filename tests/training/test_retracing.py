"""Models that are traced once each give no warning about retracing, and the logger is as before."""

from __future__ import annotations

import logging

import keras
import numpy as np
import pytest

from kerasseq.training import without_retracing_warnings


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="a warning of TensorFlow")
def test_models_that_are_traced_once_each_give_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("tensorflow")
    before, propagate = logger.level, logger.propagate
    logger.propagate = True
    try:
        with without_retracing_warnings():
            for _ in range(6):
                model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
                model.predict_on_batch(np.ones((1, 1), dtype=np.float32))
        assert "retracing" not in caplog.text
        assert logger.level == before
        logger.warning("another one")
        assert "another one" in caplog.text
    finally:
        logger.propagate = propagate
