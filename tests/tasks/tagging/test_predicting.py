"""Outputs of a model come back in the order of the rows."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from kerasseq.tasks.tagging.predicting import outputs
from kerasseq.training import Examples


def test_rows_of_several_batches_keep_their_places() -> None:
    lengths = np.random.default_rng(0).integers(1, 9, 300)
    words = np.where(np.arange(8) < lengths[:, None], np.arange(300)[:, None] % 7, 0)

    def predict(inputs: dict[str, np.ndarray]) -> dict[str, Any]:
        marginals = np.eye(7, dtype=np.float32)[inputs["words"]]
        return {"tag": inputs["words"], "tag_marginals": marginals}

    model: Any = SimpleNamespace(predict_on_batch=predict)
    result = outputs(model, Examples({"words": words}, lengths={"words": lengths}))
    for row, numbers in enumerate(result.numbers["tag"]):
        assert numbers.tolist() == [row % 7] * lengths[row]
    assert all(shares.min() == 1 for shares in result.probabilities["tag"])
