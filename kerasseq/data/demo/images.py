"""Demo images of two coloured shapes, with captions that describe them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

__all__ = ["SIZE", "demo_images"]

SIZE = 32
COLOURS = {
    "red": (214, 40, 40),
    "green": (58, 166, 72),
    "blue": (36, 92, 212),
    "yellow": (244, 208, 48),
    "purple": (138, 62, 176),
}
SHAPES = ("circle", "square", "triangle", "cross")
RELATIONS = ("above", "left of")
_TRAIN, _VALIDATION, _TEST = 2400, 300, 300
_HELD_OUT = 0.2  # share of the scenes that appear in test images only
_SEED = 20


@dataclass(frozen=True)
class Scene:
    """Two coloured shapes, and the position of the first relative to the second.

    Args:
        first: colour and shape.
        relation: "above" or "left of".
        second: colour and shape.
    """

    first: tuple[str, str]
    relation: str
    second: tuple[str, str]

    @property
    def captions(self) -> list[str]:
        """The two captions of the scene."""
        caption = f"a {' '.join(self.first)} {self.relation} a {' '.join(self.second)}"
        return [caption, f"there is {caption}"]

    def draw(self, random: np.random.Generator) -> np.ndarray:
        """Draw an image of the scene, uint8 (SIZE, SIZE, 3).

        Positions, sizes, colours and the background vary at random.
        """
        image = np.full((SIZE, SIZE, 3), random.integers(225, 256), dtype=np.float64)
        # The shapes are farther apart along the direction of the relation than across it.
        along = random.uniform(7, 9), random.uniform(SIZE - 10, SIZE - 8)
        across = random.uniform(10, SIZE - 11, 2)
        for place, (colour, shape) in zip(zip(along, across), (self.first, self.second)):
            row, column = place if self.relation == "above" else place[::-1]
            cover = _cover(shape, row, column, random.uniform(5.5, 7))
            tint = np.array(COLOURS[colour]) + random.normal(0, 8, 3)
            image += cover[..., None] * (tint - image)
        image += random.normal(0, 4, image.shape)
        return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def scenes() -> list[Scene]:
    """All scenes of two different coloured shapes."""
    things = list(itertools.product(COLOURS, SHAPES))
    pairs = itertools.permutations(things, 2)
    return [Scene(a, relation, b) for a, b in pairs for relation in RELATIONS]


def demo_images() -> tuple[np.ndarray, list[list[str]], list[str]]:
    """The demo images with their captions and parts; always the same.

    A scene consists of two coloured shapes and their relation. A fifth of the scenes are held out:
    they appear in the test part only, so that the right caption of a test image is a new sentence.

    Returns:
        Images, uint8 (images, 32, 32, 3); two captions per image; and the part of each image:
        "train", "validation" or "test".

    Example:

    >>> images, captions, parts = demo_images()
    >>> images.shape
    (3000, 32, 32, 3)
    >>> captions[0]
    ['a red circle left of a red cross', 'there is a red circle left of a red cross']
    """
    random = np.random.default_rng(_SEED)
    all_scenes = scenes()
    order = random.permutation(len(all_scenes))
    cut = int(_HELD_OUT * len(all_scenes))
    scenes_of_part = {"test": order[:cut], "train": order[cut:], "validation": order[cut:]}
    drawn: list[tuple[Scene, str]] = []
    for part, count in (("train", _TRAIN), ("validation", _VALIDATION), ("test", _TEST)):
        # Each scene appears equally often, as far as the numbers allow.
        numbers = np.resize(random.permutation(scenes_of_part[part]), count)
        drawn += [(all_scenes[number], part) for number in numbers]
    images = np.stack([scene.draw(random) for scene, _ in drawn])
    return images, [scene.captions for scene, _ in drawn], [part for _, part in drawn]


def _cover(shape: str, row: float, column: float, radius: float) -> np.ndarray:
    """Share of each pixel that a shape covers, float (SIZE, SIZE), which gives soft edges."""
    fine = 4  # samples per pixel along each axis
    places = (np.arange(SIZE * fine) + 0.5) / fine - 0.5
    down, right = places[:, None] - row, places[None, :] - column
    if shape == "circle":
        inside = down**2 + right**2 <= radius**2
    elif shape == "square":
        inside = np.maximum(abs(down), abs(right)) <= 0.85 * radius
    elif shape == "triangle":
        inside = (abs(right) <= 0.6 * (down + radius)) & (down <= 0.8 * radius)
    else:
        thin = 0.33 * radius
        inside = (np.minimum(abs(down), abs(right)) <= thin) & (
            np.maximum(abs(down), abs(right)) <= radius
        )
    return inside.reshape(SIZE, fine, SIZE, fine).mean(axis=(1, 3))
