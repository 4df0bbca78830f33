"""Features of the frames of videos by a frozen network of `keras.applications`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import keras

    from kerasseq.models import FeatureExtractor
    from kerasseq.recipes.sequence_classification import SequenceClassificationSettings as Settings

__all__ = ["FrameEncoding"]

_BATCH = 32


class FrameEncoding:
    """Reads frames as features.

    Args:
        extractor: the frozen network.
    """

    def __init__(self, extractor: FeatureExtractor) -> None:
        self._extractor = extractor
        #: Whether any frames were read.
        self.used = False

    @classmethod
    def of_settings(cls, settings: Settings) -> FrameEncoding | None:
        """By the network that the settings name; None for one that is trained.

        Raises:
            FileNotFoundError: if the weights of the network are not there.
            ValueError: if they cannot be loaded.
        """
        if settings.encoder == "cnn":
            return None
        from kerasseq.models import FeatureExtractor, check_cached

        if settings.weights == "imagenet":
            check_cached(settings.encoder)
        extractor = FeatureExtractor.of_network(
            settings.encoder,
            weights=settings.weights,
            size=settings.image_size,
            seed=settings.seed,
            quiet=settings.quiet,
        )
        return cls(extractor)

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> FrameEncoding | None:
        """By the network of a run; None if it has none."""
        if state.get("extractor") is None:
            return None
        from kerasseq.models import FeatureExtractor

        return cls(FeatureExtractor.from_state(state["extractor"]))

    def __call__(self, frames: Sequence[Any] | np.ndarray) -> np.ndarray:
        """Features of frames, float32 (timesteps, features).

        Args:
            frames: paths, or arrays as in `kerasseq.data.images.files.as_image`.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: if a frame cannot be read.
        """
        from kerasseq.data.images.files import read_images

        self.used = True
        parts = []
        for start in range(0, len(frames), _BATCH):
            pixels = read_images(list(frames[start : start + _BATCH]), self._extractor.size)
            parts.append(self._extractor(pixels))
        return np.concatenate(parts).astype(np.float32)

    @property
    def model(self) -> keras.Model:
        """The network, from pixels (frames, size, size, 3) to features (frames, features)."""
        return self._extractor.model

    @property
    def size(self) -> int:
        """Height and width of the frames that the network reads, in pixels."""
        return self._extractor.size

    def state(self) -> Mapping[str, Any]:
        """The state of the network, from which `of_state` makes the same one."""
        return self._extractor.state()
