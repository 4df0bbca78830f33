"""A run that assigns classes answers every row, and says which rows it knows nothing of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest

import kerasseq
from kerasseq.runs import ClassificationRun
from tests.golden.replay import RUNS

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="the saved runs are of TensorFlow"
)
SHARES = [0.25, 0.75]


@pytest.fixture(scope="module")
def before() -> Any:
    """A run that was saved before class shares were kept."""
    return kerasseq.load(RUNS / "sentiment")


@pytest.fixture(scope="module")
def run(before: Any) -> Any:
    return replace(before, state={**before.state, "shares": SHARES})


# Rows of which nothing is known


def test_every_row_is_answered(run: ClassificationRun) -> None:
    texts = ["The film was great", "", "\U0001f600", None, "qwertz uiop", "poor"]
    found = run.predict(texts)
    assert found["text"].tolist() == [text or "" for text in texts]
    assert found["label"].tolist() == ["good", "good", "good", "good", "good", "bad"]
    np.testing.assert_allclose(found.loc[1:4, ["bad", "good"]], [SHARES] * 4)
    given = "class shares of the training part"
    none, unknown = f"no text: {given}", f"no known word: {given}"
    assert found["note"].tolist() == ["", none, unknown, none, unknown, ""]
    alone = run.predict([texts[0], texts[5]])
    np.testing.assert_allclose(found.loc[[0, 5], ["bad", "good"]], alone[["bad", "good"]])


def test_strict_refuses_such_rows(run: ClassificationRun) -> None:
    match = r"2 of 3 rows, .* row 1 .*: no known word in 'qwertz'\. .*strict=False"
    with pytest.raises(ValueError, match=match):
        run.predict(["great", "qwertz", ""], strict=True)
    assert run.predict(["great"], strict=True)["note"].tolist() == [""]


def test_evaluate_agrees_with_predict(run: ClassificationRun) -> None:
    texts, labels = ["qwertz", "great", "", "poor"], ["bad", "good", "good", "bad"]
    scores = run.evaluate(pd.DataFrame({"text": texts, "label": labels}))["test"]
    found = run.predict(texts)
    assert scores["accuracy"] == np.mean(found["label"] == labels) == 0.75
    right = [found.loc[row, label] for row, label in enumerate(labels)]
    assert scores["log_loss"] == pytest.approx(-np.mean(np.log(right)))


def test_a_run_without_class_shares_says_what_it_gives(before: ClassificationRun) -> None:
    found = before.predict(["qwertz", "great"])
    assert "this run has no class shares" in found["note"][0]
    assert found["note"][1] == ""
    assert found.loc[0, ["bad", "good"]].sum() == pytest.approx(1)


def test_the_shares_are_kept_in_the_folder(run: ClassificationRun, tmp_path: Path) -> None:
    again = kerasseq.load(run.save(tmp_path / "run"))
    found = again.predict(["qwertz"])
    assert found[["bad", "good"]].to_numpy().tolist() == [SHARES]


# Tables


def test_predict_takes_the_table_that_the_recipe_takes(
    run: ClassificationRun, tmp_path: Path
) -> None:
    table = pd.DataFrame({"text": ["great", "poor"], "label": ["good", "bad"]})
    table.to_csv(tmp_path / "new.csv", index=False)
    expected = run.predict(["great", "poor"])
    for data in (table, tmp_path / "new.csv", str(tmp_path / "new.csv"), table[["text"]]):
        pd.testing.assert_frame_equal(run.predict(data), expected)
