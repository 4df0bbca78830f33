"""Figures of captions show what they are given."""

from __future__ import annotations

import numpy as np

from kerasseq import caption_plots


def test_a_contact_sheet_has_a_place_for_each_picture() -> None:
    pictures = [np.full((8, 8, 3), 20 * number, np.uint8) for number in range(5)]
    captions = [f"caption {number}" for number in range(5)]
    told = [[f"said {number}", "also", "too much"] for number in range(5)]
    figure = caption_plots.contact_sheet(pictures, captions, told)
    shown = [axis for axis in figure.axes if axis.images]
    assert [axis.get_title() for axis in shown] == captions
    assert [axis.texts[0].get_text() for axis in shown] == [f"said {n}\nalso" for n in range(5)]
    for axis, picture in zip(shown, pictures):
        np.testing.assert_array_equal(axis.images[0].get_array(), picture)


def test_attention_has_a_picture_for_each_word() -> None:
    pictures = [np.zeros((8, 8, 3), np.uint8)] * 2
    weights = [np.random.default_rng(0).random((words, 4, 4)) for words in (2, 3)]
    figure = caption_plots.attention(pictures, ["a dog", "a black cat"], weights)
    titles = [axis.get_title() for axis in figure.axes if axis.get_title()]
    assert titles == ["a", "dog", "a", "black", "cat"]
    looked = [axis.images[1].get_array() for axis in figure.axes if len(axis.images) == 2]
    np.testing.assert_array_equal(looked[3], weights[1][1])
