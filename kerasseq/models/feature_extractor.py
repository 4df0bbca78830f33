"""Features of images by a frozen network, which is saved with its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypedDict

import keras
import numpy as np

from kerasseq.io.digest import digest
from kerasseq.io.schema import Array, Limits
from kerasseq.models.image_encoder import image_network

__all__ = ["ExtractorState", "FeatureExtractor"]


class ExtractorState(TypedDict):
    """The state of a `FeatureExtractor`."""

    network: str
    size: Annotated[int, Limits(least=1, most=2**14)]
    grid: bool
    key: str
    weights: list[Annotated[np.ndarray, Array("f")]]


@dataclass(frozen=True)
class FeatureExtractor:
    """A frozen network with its weights, so that features are the same everywhere.

    Args:
        network: name of the network, see `kerasseq.models.image_network`.
        model: the network, from pixels to features.
        key: identifier of its features, derived from name, pooling and weights.

    Example:

    >>> import numpy as np
    >>> extractor = FeatureExtractor.of_network("mobilenet_v2", weights=None, size=32)
    >>> extractor(np.zeros((1, 32, 32, 3), np.uint8)).shape
    (1, 1280)
    """

    network: str
    model: keras.Model
    key: str

    @classmethod
    def of_network(
        cls,
        network: str,
        *,
        weights: str | None = "imagenet",
        size: int | None = None,
        grid: bool = False,
        seed: int = 0,
        quiet: bool = False,
    ) -> FeatureExtractor:
        """Make an extractor from a network of `keras.applications`; `seed` draws random weights."""
        keras.utils.set_random_seed(int(seed))
        model = image_network(network, weights=weights, size=size, grid=grid, quiet=quiet)
        shape = "grid" if grid else "mean"
        return cls(network, model, f"{network}-{shape}-{digest(model.get_weights())[:12]}")

    @property
    def size(self) -> int:
        """Height and width of the images, in pixels."""
        return int(self.model.input_shape[1])

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Features (images[, regions], features) of pixels (images, size, size, 3)."""
        features = np.asarray(self.model.predict_on_batch(pixels))
        if features.ndim == 4:
            features = features.reshape(len(features), -1, features.shape[-1])
        return features

    def state(self) -> dict[str, Any]:
        """The state, from which `from_state` makes the same extractor."""
        return {
            "network": self.network,
            "size": self.size,
            "grid": len(self.model.output_shape) == 4,
            "key": self.key,
            "weights": [np.asarray(weight) for weight in self.model.get_weights()],
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> FeatureExtractor:
        """Make the extractor from its state."""
        options = {name: state[name] for name in ("size", "grid")}
        model = image_network(state["network"], weights=None, **options)
        model.set_weights(state["weights"])
        return cls(state["network"], model, state["key"])
