"""The heat map of transitions."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from kerasseq.data.tags.schemes import constraints
from kerasseq.tasks.tagging import plots

TAGS = ["O", "B-X", "I-X"]


def _model(allowed: Any) -> Any:
    layer = SimpleNamespace(
        transitions=np.arange(9.0).reshape(3, 3), start=np.array([10.0, 11, 12]),
        end=np.array([20.0, 21, 22]), allowed=allowed,
    )  # fmt: skip
    return SimpleNamespace(get_layer={"tag_crf": layer}.__getitem__)


def _scores(allowed: Any) -> np.ndarray:
    (axis, *_) = plots.transitions(_model(allowed), TAGS).axes
    return np.ma.filled(axis.images[0].get_array(), np.nan)


def test_scores_stand_where_one_tag_follows_another() -> None:
    scores = _scores(None)
    assert scores[0, 1:].tolist() == [10, 11, 12]  # the first tag of a sentence
    assert scores[1:, 0].tolist() == [20, 21, 22]  # the last one
    assert scores[2, 3] == 5  # I-X after B-X


def test_forbidden_transitions_have_no_score() -> None:
    scores = _scores(constraints(TAGS, "IOB2"))
    missing = {(int(row), int(column)) for row, column in np.argwhere(np.isnan(scores))}
    assert missing == {(0, 0), (0, 3), (1, 3)}  # nothing, I at the beginning, I after O


def test_axes_have_the_names_of_the_tags() -> None:
    figure = plots.transitions(_model(None), TAGS)
    figure.draw_without_rendering()
    names = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert names == ["(edge)", *TAGS]
