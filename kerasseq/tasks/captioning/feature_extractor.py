"""What a captioner sees of images: their pixels, or what a frozen network makes of them."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasseq.data.images import captioned as sources
from kerasseq.data.images.features import ImageInputs, check_finite, extract, read_features
from kerasseq.data.images.files import Images
from kerasseq.data.images.lists import list_images
from kerasseq.data.parts import prefix_errors
from kerasseq.io import paths
from kerasseq.io.digest import digest

if TYPE_CHECKING:
    import keras

    from kerasseq.data.images.captioned import Captioned
    from kerasseq.recipes.captioning import CaptioningSettings

__all__ = [
    "READING",
    "FeatureExtractor",
    "captioned",
    "load_extractor",
    "read_inputs",
    "trained_network",
]

#: What may be said of how data is read, and what it is where that is left out.
READING: dict[str, Any] = {"images": None, "captions": None, "features": None, "skip_bad": False}

_NETWORK = "mobilenet_v2"  # small, quick, and as good as larger ones of its time
_SMALL = 64  # pixels, for the small network
_BATCH = 32
_OF_NETWORKS = {"weights": "imagenet", "size": None, "fine_tune": 0}


@dataclass(frozen=True)
class FeatureExtractor:
    """A frozen network, kept with its weights, so that it sees the same everywhere.

    Args:
        network: its name, see `kerasseq.models.image_network`.
        model: the network itself, from pixels to features.
        key: what tells its features from those of others.

    Example:

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
        """A network of `keras.applications`; with weights=None, random ones from the seed."""
        import keras

        from kerasseq.models import image_network

        keras.utils.set_random_seed(int(seed))
        model = image_network(network, weights=weights, size=size, grid=grid, quiet=quiet)
        shape = "grid" if grid else "mean"
        return cls(network, model, f"{network}-{shape}-{digest(model.get_weights())[:12]}")

    @property
    def size(self) -> int:
        """Height and width of the images, in pixels."""
        return int(self.model.input_shape[1])

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Features of (images, size, size, 3), with a row for each region where it sees some."""
        found = np.asarray(self.model.predict_on_batch(pixels))
        if found.ndim == 4:
            found = found.reshape(len(found), -1, found.shape[-1])
        return found

    def state(self) -> dict[str, Any]:
        """All that `from_state` needs."""
        return {
            "network": self.network,
            "size": self.size,
            "grid": len(self.model.output_shape) == 4,
            "key": self.key,
            "weights": [np.asarray(weight) for weight in self.model.get_weights()],
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> FeatureExtractor:
        """What a state was taken from."""
        from kerasseq.models import image_network

        given = {name: state[name] for name in ("size", "grid")}
        model = image_network(state["network"], weights=None, **given)
        model.set_weights(state["weights"])
        return cls(state["network"], model, state["key"])


def captioned(
    data: Any,
    settings: CaptioningSettings,
    state: Mapping[str, Any] | None = None,
    reading: Mapping[str, Any] | None = None,
) -> Captioned:
    """Images with their captions, and inputs of them.

    Args:
        data: what the recipe takes.
        settings: of the recipe.
        state: of the run whose model is to see them; without one they are to learn from.
        reading: how that run is to read them, as `READING`, where not as its own data.

    Raises:
        FileNotFoundError: if there is no such data.
        ValueError: if it cannot be used; it says what to do.
    """
    places = []
    if state is not None:
        places = _places(settings.images)
        settings = replace(settings, **{**_as_before(data, settings), **(reading or {})})
    if isinstance(data, str) and data == "demo":
        _check_demo(settings, READING if state is not None else {**READING, **_OF_NETWORKS})
        return _checked(sources.demo(), state)
    files = sources.image_files(data, settings.images, settings.captions, places)
    if state is None and (parts := _parts(settings)):
        near = [path.parent for path in files.paths[:1]]
        own = {}
        for name, part in parts.items():
            with prefix_errors(name):
                own[name] = sources.image_files(part, places=near)
        files = sources.add_parts(files, own)
    if settings.features is not None:
        if settings.fine_tune:
            raise ValueError("fine_tune needs images: it cannot go with features.")
        found = sources.from_features(files, settings.features, settings.skip_bad)
        if settings.decoder == "attention" and not _has_regions(found.inputs.shape):
            raise ValueError(
                "decoder='attention' needs features of several regions of each image. Received: "
                f"{found.inputs.shape} in {settings.features}. Give others, or choose another "
                "decoder."
            )
        return _checked(found, state)
    sources.check_image_files(files, settings.skip_bad)
    options: dict[str, Any] = {"skip_bad": settings.skip_bad, "quiet": settings.quiet}
    network = _network(settings) if state is None else state["data_info"]["network"]
    if network is not None:
        return sources.from_files(files, *extract(files.paths, network["size"], **options), network)
    if state is not None:
        extractor = load_extractor(state, settings)
    else:
        extractor = _frozen(settings, grid=settings.decoder == "attention")
        _check_regions(extractor.model, settings)
    found_, bad = extract(files.paths, extractor.size, extractor, key=extractor.key, **options)
    return sources.from_files(files, found_, bad, extractor=extractor.state())


def read_inputs(
    data: Any,
    data_info: Mapping[str, Any],
    load_extractor: Callable[[], FeatureExtractor],
    images: Any = None,
) -> tuple[list[str], ImageInputs]:
    """What a model is to see of new images, and their names.

    Args:
        data: images, see `kerasseq.data.images.lists.list_images`; or features, as an array or a
            file.
        data_info: of the run.
        load_extractor: gives what sees images, where features are needed.
        images: a further folder in which images that a table names may lie.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if there is nothing to see, or it does not fit the model.
    """
    shape = tuple(data_info["inputs"])
    features = None if data_info["network"] is not None else _features(data, shape)
    if features is not None:
        return features
    names, given = list_images(data, _places(images))
    if data_info["network"] is not None:
        return names, ImageInputs(Images(given, shape[0]), fingerprint="images")
    extractor = load_extractor()
    images, rows = Images(given, extractor.size), np.arange(len(given))
    parts = [images[rows[start : start + _BATCH]] for start in range(0, len(rows), _BATCH)]
    return names, ImageInputs(np.concatenate([extractor(part) for part in parts]))


def load_extractor(state: Mapping[str, Any], settings: CaptioningSettings) -> FeatureExtractor:
    """What sees images for a run.

    Raises:
        ValueError: if it was made from features, and nobody said of which network.
    """
    if state["extractor"] is not None:
        return FeatureExtractor.from_state(state["extractor"])
    if settings.encoder == "auto":
        raise ValueError(
            "this run was made from a file of features, and does not know what saw them: give "
            "features, or name the network as encoder= when you train."
        )
    wanted = tuple(state["data_info"]["inputs"])
    extractor = _frozen(settings, grid=len(wanted) == 2)
    given = extractor(np.zeros((1, extractor.size, extractor.size, 3), dtype=np.uint8)).shape[1:]
    if given != wanted:
        raise ValueError(
            f"{settings.encoder} sees features of shape {given}, and this run was made from "
            f"others, of shape {wanted}: give features as they were."
        )
    return extractor


def trained_network(
    data_info: Mapping[str, Any], settings: CaptioningSettings, grid: bool, weights: str | None
) -> keras.Model | None:
    """The network that is part of a model and sees its pixels, untrained; None for features.

    Args:
        data_info: of the run.
        settings: of the recipe.
        grid: whether it is to give regions.
        weights: what it starts from, where it is no small one.
    """
    network = data_info["network"]
    if network is None:
        return None
    from kerasseq.models import image_cnn, image_network

    if network["name"] == "cnn":
        found = image_cnn(network["size"], grid)
    else:
        given = {"size": network["size"], "fine_tune": settings.fine_tune, "grid": grid}
        found = image_network(network["name"], weights=weights, quiet=True, **given)
    _check_regions(found, settings)
    return found


def _network(settings: CaptioningSettings) -> dict[str, Any] | None:
    """The network that is to learn to see, if any is."""
    from kerasseq.models import image_size

    name, size = settings.encoder, settings.size
    if name == "cnn":
        return {"name": name, "size": size or _SMALL}
    if settings.fine_tune:
        name = _NETWORK if name == "auto" else name
        return {"name": name, "size": size or image_size(name)}
    return None


def _frozen(settings: CaptioningSettings, grid: bool) -> FeatureExtractor:
    return FeatureExtractor.of_network(
        _NETWORK if settings.encoder == "auto" else settings.encoder,
        weights=settings.weights,
        size=settings.size,
        seed=settings.seed,
        grid=grid,
        quiet=settings.quiet,
    )


def _has_regions(shape: Sequence[int]) -> bool:
    """Whether features of that shape are of several regions of an image."""
    return math.prod(shape[:-1]) > 1


def _check_regions(network: keras.Model, settings: CaptioningSettings) -> None:
    if settings.decoder == "attention" and not _has_regions(network.output_shape[1:]):
        raise ValueError(
            "decoder='attention' needs several regions of each image to look at, and size="
            f"{network.input_shape[1]} leaves one. Give a larger size, or choose another decoder."
        )


def _places(images: Any) -> list[Any]:
    return [] if images is None else [images]


def _as_before(data: Any, settings: CaptioningSettings) -> dict[str, Any]:
    """How a run read its own data, as far as that goes for this; where images lie is found."""
    if isinstance(data, str) and data == "demo":
        return READING
    folder = isinstance(data, str | os.PathLike) and paths.given(data, "data").is_dir()
    given = {"features": settings.features, "skip_bad": settings.skip_bad}
    return {**READING, **given, "captions": settings.captions if folder else None}


def _parts(settings: CaptioningSettings) -> dict[str, Any]:
    """The parts that are given as captions of their own, and not as shares."""
    given = {"validation": settings.validation, "test": settings.test}
    return {name: own for name, own in given.items() if not isinstance(own, Real)}


def _check_demo(settings: CaptioningSettings, untouched: Mapping[str, Any]) -> None:
    """Nothing may be given that the demo has no use for."""
    given = [
        f"{name}={getattr(settings, name)!r}"
        for name, value in untouched.items()
        if getattr(settings, name) != value
    ]
    given += [f"{name}=" for name in _parts(settings)]
    if "weights" in untouched and settings.encoder not in ("auto", "cnn"):
        given.append(f"encoder={settings.encoder!r}")
    if given:
        raise ValueError(
            "the demo has images, captions and a small network of its own: leave this out. "
            f"Received: {', '.join(given)}"
        )


def _checked(found: Captioned, state: Mapping[str, Any] | None) -> Captioned:
    """What was found, if a run that is there can see it."""
    if state is not None and tuple(state["data_info"]["inputs"]) != found.inputs.shape:
        raise ValueError(
            f"this run sees {tuple(state['data_info']['inputs'])} numbers of each image, and these "
            f"have {found.inputs.shape}: give images or features as it was made from."
        )
    return found


def _features(data: Any, shape: tuple[int, ...]) -> tuple[list[str], ImageInputs] | None:
    """Names and features, if it is features that were given."""
    if isinstance(data, np.ndarray):
        floats = data.dtype.kind == "f" and data.ndim in (2, 3)
        if not data.size or not (floats or (data.dtype.kind in "iu" and data.shape[1:] == shape)):
            return None
        names, found = [str(number) for number in range(len(data))], ImageInputs(data)
        check_finite(names, found, "the array")
    else:
        path = data[0] if isinstance(data, list | tuple) and len(data) == 1 else data
        if not isinstance(path, str | os.PathLike):
            return None
        if Path(path).suffix.lower() not in (".npy", ".npz"):
            return None
        names, found = read_features(path)
    if found.shape != shape:
        raise ValueError(
            f"this run captions features of shape {shape} for each image; images must be in a "
            f"list, even one. Received: {found.shape}"
        )
    return names, found
