"""Captions that need no model."""

from __future__ import annotations

import numpy as np

from kerasseq.tasks.captioning.baselines import commonest, nearest


def test_the_commonest_caption_is_that_of_most_images() -> None:
    # Said twice of one image is not said of two.
    assert commonest([["a cat", "a cat", "a dog"], ["a dog"]]) == "a dog"
    # Of equals, the one whose words others use most.
    assert commonest([["a zebra"], ["a dog"], ["dogs"], ["the dog"]]) == "a dog"


def test_the_nearest_image_is_the_one_at_the_smallest_angle() -> None:
    parts = [np.array([[9.0, 0.0], [0.1, 0.1]]), np.array([[0.0, 0.2]])]
    captions = [["right"], ["both"], ["up"]]
    asked = np.array([[1.0, 0.1], [3.0, 2.9], [0.1, 5.0], [0.0, 0.0]])
    assert nearest(parts, captions, asked)[:3] == ["right", "both", "up"]


def test_of_several_captions_the_most_usual_one_is_taken() -> None:
    captions = [["something else", "a brown dog runs", "a dog runs"]]
    assert nearest([np.eye(1)], captions, np.eye(1)) in (["a brown dog runs"], ["a dog runs"])


def test_regions_and_pixels_are_compared_too() -> None:
    random = np.random.default_rng(0)
    for shape in ((7, 4, 5), (7, 32, 32, 3)):
        seen = random.random(shape)
        captions = [[str(number)] for number in range(7)]
        asked = seen[::-1] + 0.01 * random.random(shape)
        assert nearest([seen[:3], seen[3:]], captions, asked) == list("6543210")
