"""The images that are drawn here are what their captions say."""

from __future__ import annotations

import numpy as np
import pytest

from kerasseq.data.demo.images import COLOURS, SIZE, demo_images


@pytest.fixture(scope="module")
def demo() -> tuple[np.ndarray, list[list[str]], list[str]]:
    return demo_images()


def _places(image: np.ndarray, colour: str) -> np.ndarray:
    """Rows and columns of the pixels of a colour."""
    distances = [
        np.abs(image.astype(float) - tint).sum(axis=-1)
        for tint in (*COLOURS.values(), (240, 240, 240))
    ]
    return np.argwhere(np.argmin(distances, axis=0) == list(COLOURS).index(colour))


@pytest.mark.thorough
def test_the_demo_is_the_same_every_time(demo: tuple) -> None:
    images, captions, parts = demo_images()
    np.testing.assert_array_equal(images, demo[0])
    assert captions == demo[1]
    assert parts == demo[2]
    assert images.shape == (len(captions), SIZE, SIZE, 3)


def test_scenes_of_the_test_part_are_in_no_other(demo: tuple) -> None:
    _, captions, parts = demo
    said = {
        part: {c for own, p in zip(captions, parts) if p == part for c in own} for part in {*parts}
    }
    assert said["test"].isdisjoint(said["train"] | said["validation"])
    words = {word for caption in said["test"] for word in caption.split()}
    assert words <= {word for caption in said["train"] for word in caption.split()}


def test_things_lie_as_the_captions_say(demo: tuple) -> None:
    images, captions, _ = demo
    checked = 0
    for image, (caption, other) in zip(images[:400], captions):
        words = caption.split()
        first, second = words[1], words[-2]
        if first == second:
            continue
        places = [_places(image, colour).mean(axis=0) for colour in (first, second)]
        apart = places[1] - places[0]
        assert np.argmax(np.abs(apart)) == (0 if words[3] == "above" else 1), caption
        assert apart.max() > 0, caption
        assert other == f"there is {caption}"
        checked += 1
    assert checked > 250
