"""Figures of captions show what they are given, whole and in its colours."""

from __future__ import annotations

import base64
import io
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from PIL import Image

from kerasseq.data.demo.images import COLOURS
from kerasseq.tasks.captioning import plots
from tests.thorough import one_in

NOTEBOOK = Path(__file__).parents[3] / "notebooks" / "captioning.ipynb"

LONG = "a man in a red shirt and black shorts is climbing up a steep rock face with a rope"
WIDE = "a woman in a warm maroon swimming costume mows many damp summer meadows"


def _images(count: int) -> list[np.ndarray]:
    return [np.full((8, 8, 3), 20 * number, np.uint8) for number in range(count)]


def _texts(figure: Figure) -> list[str]:
    return [text.get_text() for axis in figure.axes for text in axis.texts]


def _shown(figure: Figure) -> list[Axes]:
    return [axis for axis in figure.axes if axis.images]


def _boxes(figure: Figure) -> list[Bbox]:
    """Where everything lies, in pixels."""
    figure.draw_without_rendering()
    texts = [text for axis in figure.axes for text in [*axis.texts, axis.title]]
    return [
        *(axis.get_window_extent() for axis in _shown(figure)),
        *(text.get_window_extent() for text in texts if text.get_text()),
    ]


def test_a_contact_sheet_has_each_image_with_its_caption_and_references() -> None:
    images = _images(5)
    told = [[f"said {number}", "also", "too", "much"] for number in range(5)]
    figure = plots.contact_sheet(images, [f"caption {n}" for n in range(5)], told)
    for axis, image in zip(_shown(figure), images, strict=True):
        np.testing.assert_array_equal(axis.images[0].get_array(), image)
    captions = [f"caption {number}" for number in range(5)]
    said = [f"• said {number}\n• also\n+2 more" for number in range(5)]
    assert _texts(figure) == [*captions[:4], *said[:4], *captions[4:], *said[4:]]


def test_long_references_stay_apart_and_end_in_dots() -> None:
    told = [["a dog " * 40, LONG]]
    lines = _texts(plots.contact_sheet(_images(1), ["a dog"], told))[1].split("\n")
    assert [number for number, line in enumerate(lines) if line.startswith("• ")] == [0, 4]
    assert all(line.startswith(("• ", "  ")) for line in lines)
    assert lines[3].endswith("…")
    assert " ".join(lines[4:]).replace("  ", "").replace("• ", "").split() == LONG.split()


@pytest.mark.parametrize("count", one_in(2, [1, 2, 12, 6]))
def test_nothing_in_a_contact_sheet_is_cut_or_overlaps(count: int) -> None:
    captions = [WIDE, LONG, "a dog", f"{LONG} " * 3] * 3
    told = [[WIDE] * 5, [], [LONG * 9, "a dog"], [LONG]] * 3
    figure = plots.contact_sheet(_images(count), captions[-count:], told[-count:])
    boxes = _boxes(figure)
    assert len(boxes) >= 2 * count
    for box in boxes:
        assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0 < box.y1 <= figure.bbox.y1
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))


def test_attention_has_a_image_for_each_word_below_the_image_itself() -> None:
    images = _images(2)
    weights = [np.random.default_rng(0).random((words, 4, 4)) for words in (2, 3)]
    figure = plots.attention(images, ["a dog", "a black cat"], weights)
    titles = [axis.get_title() for axis in _shown(figure)]
    assert titles == ["", "a", "dog", "", "a", "black", "cat"]
    for place, image in zip((0, 3), images):
        np.testing.assert_array_equal(_shown(figure)[place].images[0].get_array(), image)


def test_attention_keeps_colours_where_the_model_looks_and_darkens_the_rest() -> None:
    image = np.full((32, 32, 3), (200, 40, 120), np.uint8)
    weights = np.full((1, 4, 4), 0.001)
    weights[0, 1, 2] = 0.985  # rows from 8 to 16, columns from 16 to 24
    figure = plots.attention([image], ["dog"], [weights])
    found = np.asarray(_shown(figure)[1].images[0].get_array())
    assert found.dtype == np.uint8
    np.testing.assert_allclose(found[12, 20], image[12, 20], atol=12)
    np.testing.assert_allclose(found[28, 4], 0.25 * image[28, 4], atol=1)
    np.testing.assert_allclose(found / found[..., :1], image / 200, atol=0.03)  # the hue
    assert np.abs(np.diff(found[..., 0].astype(int), axis=1)).max() < 40  # no edges of regions


def test_long_captions_go_on_in_further_rows_of_equal_lengths() -> None:
    weights = [np.ones((len(LONG.split()), 2, 2)), np.ones((1, 2, 2))]
    figure = plots.attention(_images(2), [LONG, "antidisestablishmentarianism"], weights)
    shown = _shown(figure)
    assert [axis.get_title() for axis in shown[1:-2]] == LONG.split()
    assert shown[-1].get_title() == "antidisestabl…"
    places = [axis.get_subplotspec() for axis in shown]
    rows = [place.rowspan.start for place in places if place is not None]
    assert rows == [0] * 7 + [1] * 7 + [2] * 6 + [3] * 2
    boxes = _boxes(figure)
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))


def test_dollars_in_captions_are_no_formulas() -> None:
    sheet = plots.contact_sheet(_images(1), ["$5 and $6"], [[r"a $\sign$"]])
    looked = plots.attention(_images(1), [r"$\for$"], [np.ones((1, 2, 2))])
    for figure in (sheet, looked):
        figure.draw_without_rendering()  # which is where a formula is read


def test_the_figures_of_the_notebook_have_the_colours_of_the_images() -> None:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    outputs = [output.get("data", {}) for cell in cells for output in cell.get("outputs", [])]
    stored = [data["image/png"] for data in outputs if "image/png" in data]
    for figure in stored[:2]:  # the contact sheet and attention
        image = Image.open(io.BytesIO(base64.b64decode(figure))).convert("RGB")
        pixels = np.asarray(image).astype(int)
        for name, colour in COLOURS.items():
            near = (np.abs(pixels - colour) < 32).all(axis=-1)
            assert near.mean() > 0.001, name
