"""Figures show the numbers that they are given."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kerasseq.evaluation import plots

HISTORY = {
    "loss": [0.7, 0.5, 0.4],
    "val_loss": [0.7, 0.6, 0.65],
    "accuracy": [0.5, 0.7, 0.8],
    "val_accuracy": [0.5, 0.6, 0.6],
}


def test_learning_curves_have_a_line_for_each_part() -> None:
    figure = plots.learning_curves(HISTORY, best_epoch=2)
    assert [axis.get_title() for axis in figure.axes] == ["loss", "accuracy"]
    train, validation, kept = figure.axes[0].lines
    np.testing.assert_array_equal(train.get_ydata(), HISTORY["loss"])
    np.testing.assert_array_equal(validation.get_ydata(), HISTORY["val_loss"])
    np.testing.assert_array_equal(train.get_xdata(), [1, 2, 3])
    assert list(kept.get_xdata()) == [2, 2]


def test_a_metric_of_the_validation_part_alone_has_a_curve() -> None:
    figure = plots.learning_curves({"loss": [0.5], "val_loss": [0.6], "val_f1": [0.7]})
    assert [axis.get_title() for axis in figure.axes] == ["loss", "f1"]
    (line,) = figure.axes[1].lines
    assert (line.get_label(), list(line.get_ydata())) == ("validation", [0.7])


def test_learning_curves_without_validation() -> None:
    figure = plots.learning_curves({"loss": [0.5]})
    assert [axis.get_title() for axis in figure.axes] == ["loss"]
    assert len(figure.axes[0].lines) == 1


def test_a_confusion_matrix_shows_its_counts_and_names() -> None:
    axis = plots.confusion_matrix([[8, 2], [1, 1234]], ["bad", "good"]).axes[0]
    assert [text.get_text() for text in axis.texts] == ["8", "2", "1", "1,234"]
    assert [label.get_text() for label in axis.get_xticklabels()] == ["bad", "good"]
    np.testing.assert_allclose(axis.images[0].get_array()[0], [0.8, 0.2])


@pytest.mark.filterwarnings("error")
def test_any_name_is_a_text_beside_the_axes(tmp_path: Path) -> None:
    names = ["US$_$", "$\\foo$", 60 * "long "]
    figure = plots.confusion_matrix(np.eye(3, dtype=int).tolist(), names)
    curves = plots.learning_curves({"a$^$b": [0.5], "val_a$^$b": [0.5]})
    plots.save({"confusion": figure, "curves": curves}, tmp_path)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == [*names[:2], f"{names[2][:23]}…"]


def test_a_class_without_rows_is_drawn() -> None:
    axis = plots.confusion_matrix([[0, 0], [1, 1]], ["bad", "good"]).axes[0]
    np.testing.assert_array_equal(axis.images[0].get_array()[0], [0, 0])


@pytest.mark.parametrize("classes", [13, 40])
def test_many_classes_are_shaded_and_not_numbered(classes: int) -> None:
    names = [f"class {i}" for i in range(classes)]
    axis = plots.confusion_matrix(np.eye(classes, dtype=int).tolist(), names).axes[0]
    assert len(axis.texts) == 0
    assert axis.images[0].get_array().shape == (classes, classes)


def test_a_reliability_diagram_has_its_bins() -> None:
    bins = {"rows": [6, 4], "confidence": [0.6, 0.9], "accuracy": [1.0, 0.5]}
    above, below = plots.reliability_diagram(bins).axes
    np.testing.assert_array_equal(above.lines[1].get_ydata(), [1.0, 0.5])
    assert [bar.get_height() for bar in below.patches] == [6, 4]


def test_figures_are_saved_as_png(tmp_path: Path) -> None:
    plots.save({"curves": plots.learning_curves(HISTORY)}, tmp_path / "plots")
    (file,) = (tmp_path / "plots").iterdir()
    assert file.name == "curves.png"
    assert file.read_bytes().startswith(b"\x89PNG")


def test_drawing_leaves_pyplot_alone() -> None:
    code = (
        "import sys; from kerasseq.evaluation import plots\n"
        "plots.learning_curves({'loss': [1.0]}); "
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
