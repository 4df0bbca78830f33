"""Reading images as inputs of a captioner: pixels, or features of a frozen network."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
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

if TYPE_CHECKING:
    import keras

    from kerasseq.data.images.captioned import Captioned
    from kerasseq.models import FeatureExtractor
    from kerasseq.recipes.captioning import CaptioningSettings

__all__ = [
    "READING",
    "captioned",
    "load_extractor",
    "read_inputs",
    "trained_network",
]

#: Settings that say how data is read, with their defaults.
READING: dict[str, Any] = {"images": None, "captions": None, "features": None, "skip_bad": False}

_NETWORK = "mobilenet_v2"  # small, quick, and as good as larger ones of its time
_SMALL = 64  # pixels, for the small network
_BATCH = 32
_NETWORK_SETTINGS = {"weights": "imagenet", "size": None, "fine_tune": 0}


def captioned(
    data: Any,
    settings: CaptioningSettings,
    state: Mapping[str, Any] | None = None,
    reading: Mapping[str, Any] | None = None,
) -> Captioned:
    """Read images with their captions, and compute the inputs of the model.

    Args:
        data: data of the recipe.
        settings: settings of the recipe.
        state: state of the run that reads new data; None for the data that a run is trained on.
        reading: settings among `READING` that replace those of the run.

    Raises:
        FileNotFoundError: if the data does not exist.
        ValueError: if the data cannot be used; it says what to do.
    """
    search_folders = []
    if state is not None:
        search_folders = _search_folders(settings.images)
        settings = replace(settings, **{**_reading_of_run(data, settings), **(reading or {})})
    if isinstance(data, str) and data == "demo":
        _check_demo(settings, READING if state is not None else {**READING, **_NETWORK_SETTINGS})
        return _check_shape(sources.demo(), state)
    files = sources.image_files(data, settings.images, settings.captions, search_folders)
    if state is None and (parts := _separate_parts(settings)):
        folders = [path.parent for path in files.paths[:1]]
        part_files = {}
        for name, part in parts.items():
            with prefix_errors(name):
                part_files[name] = sources.image_files(part, places=folders)
        files = sources.add_parts(files, part_files)
    if settings.features is not None:
        if settings.fine_tune:
            raise ValueError(
                "fine_tune needs images, and cannot be used with features=: leave one of them out."
            )
        images = sources.from_features(files, settings.features, settings.skip_bad)
        if settings.decoder == "attention" and not _has_regions(images.inputs.shape):
            raise ValueError(
                "decoder='attention' needs features of several regions of each image. Received: "
                f"{images.inputs.shape} in {settings.features}. Give other features, or choose "
                "another decoder."
            )
        return _check_shape(images, state)
    sources.check_image_files(files, settings.skip_bad)
    options: dict[str, Any] = {"skip_bad": settings.skip_bad, "quiet": settings.quiet}
    network = _trained_network_config(settings) if state is None else state["data_info"]["network"]
    if network is not None:
        return sources.from_files(files, *extract(files.paths, network["size"], **options), network)
    if state is not None:
        extractor = load_extractor(state, settings)
    else:
        extractor = _make_extractor(settings, grid=settings.decoder == "attention")
        _check_regions(extractor.model, settings)
    features, unreadable = extract(
        files.paths, extractor.size, extractor, key=extractor.key, **options
    )
    return sources.from_files(files, features, unreadable, extractor=extractor.state())


def read_inputs(
    data: Any,
    data_info: Mapping[str, Any],
    load_extractor: Callable[[], FeatureExtractor],
    images: Any = None,
) -> tuple[list[str], ImageInputs]:
    """Read new images: their names, and the inputs of the model.

    Args:
        data: images, see `kerasseq.data.images.lists.list_images`; or features, as an array or a
            file.
        data_info: `data_info` of the run.
        load_extractor: function that loads the feature extractor; called only if it is needed.
        images: a further folder to search for images that a table names.

    Raises:
        FileNotFoundError: if a file does not exist.
        ValueError: if there is no image, or its shape does not fit the model.
    """
    shape = tuple(data_info["inputs"])
    features = None if data_info["network"] is not None else _read_features(data, shape)
    if features is not None:
        return features
    names, files = list_images(data, _search_folders(images))
    if data_info["network"] is not None:
        return names, ImageInputs(Images(files, shape[0]), fingerprint="images")
    extractor = load_extractor()
    images, rows = Images(files, extractor.size), np.arange(len(files))
    parts = [images[rows[start : start + _BATCH]] for start in range(0, len(rows), _BATCH)]
    return names, ImageInputs(np.concatenate([extractor(part) for part in parts]))


def load_extractor(state: Mapping[str, Any], settings: CaptioningSettings) -> FeatureExtractor:
    """The image feature extractor of a run.

    Raises:
        ValueError: if the run was made from a file of features, of an unknown network.
    """
    from kerasseq.models import FeatureExtractor

    if state["extractor"] is not None:
        return FeatureExtractor.from_state(state["extractor"])
    if settings.encoder == "auto":
        raise ValueError(
            "this run was made from a file of features of an unknown network: give features, or "
            "name the network as encoder= when you train."
        )
    expected = tuple(state["data_info"]["inputs"])
    extractor = _make_extractor(settings, grid=len(expected) == 2)
    shape = extractor(np.zeros((1, extractor.size, extractor.size, 3), dtype=np.uint8)).shape[1:]
    if shape != expected:
        raise ValueError(
            f"{settings.encoder} gives features of shape {shape}, and this run was made from "
            f"features of shape {expected}: give features of that shape."
        )
    return extractor


def trained_network(
    data_info: Mapping[str, Any], settings: CaptioningSettings, grid: bool, weights: str | None
) -> keras.Model | None:
    """The image network that is trained as part of a model; None for a model of features.

    Args:
        data_info: `data_info` of the run.
        settings: settings of the recipe.
        grid: whether features are regions, (rows, columns, features).
        weights: initial weights of a network of `keras.applications`.
    """
    network = data_info["network"]
    if network is None:
        return None
    from kerasseq.models import image_cnn, image_network

    if network["name"] == "cnn":
        model = image_cnn(network["size"], grid)
    else:
        options = {"size": network["size"], "fine_tune": settings.fine_tune, "grid": grid}
        model = image_network(network["name"], weights=weights, quiet=True, **options)
    _check_regions(model, settings)
    return model


def _trained_network_config(settings: CaptioningSettings) -> dict[str, Any] | None:
    """Name and size of the image network that is trained; None if it is frozen."""
    from kerasseq.models import image_size

    name, size = settings.encoder, settings.size
    if name == "cnn":
        return {"name": name, "size": size or _SMALL}
    if settings.fine_tune:
        name = _NETWORK if name == "auto" else name
        return {"name": name, "size": size or image_size(name)}
    return None


def _make_extractor(settings: CaptioningSettings, grid: bool) -> FeatureExtractor:
    """The frozen network of the settings."""
    from kerasseq.models import FeatureExtractor

    return FeatureExtractor.of_network(
        _NETWORK if settings.encoder == "auto" else settings.encoder,
        weights=settings.weights,
        size=settings.size,
        seed=settings.seed,
        grid=grid,
        quiet=settings.quiet,
    )


def _has_regions(shape: Sequence[int]) -> bool:
    """Whether features of this shape describe several regions of an image."""
    return math.prod(shape[:-1]) > 1


def _check_regions(network: keras.Model, settings: CaptioningSettings) -> None:
    if settings.decoder == "attention" and not _has_regions(network.output_shape[1:]):
        raise ValueError(
            "decoder='attention' needs features of several regions of each image, and size="
            f"{network.input_shape[1]} gives one. Give a larger size, or choose another decoder."
        )


def _search_folders(images: Any) -> list[Any]:
    return [] if images is None else [images]


def _reading_of_run(data: Any, settings: CaptioningSettings) -> dict[str, Any]:
    """The settings of a run that say how to read new data; folders of images are searched for."""
    if isinstance(data, str) and data == "demo":
        return READING
    folder = isinstance(data, str | os.PathLike) and paths.user_path(data, "data").is_dir()
    shared = {"features": settings.features, "skip_bad": settings.skip_bad}
    return {**READING, **shared, "captions": settings.captions if folder else None}


def _separate_parts(settings: CaptioningSettings) -> dict[str, Any]:
    """`validation` and `test`, if they are separate data and not shares, by name."""
    parts = {"validation": settings.validation, "test": settings.test}
    return {name: part for name, part in parts.items() if not isinstance(part, Real)}


def _check_demo(settings: CaptioningSettings, defaults: Mapping[str, Any]) -> None:
    """Raise a ValueError for settings that the demo does not use.

    Args:
        settings: settings of the recipe.
        defaults: settings that must have their default, with this default.
    """
    unused = [
        f"{name}={getattr(settings, name)!r}"
        for name, value in defaults.items()
        if getattr(settings, name) != value
    ]
    unused += [f"{name}=" for name in _separate_parts(settings)]
    if "weights" in defaults and settings.encoder not in ("auto", "cnn"):
        unused.append(f"encoder={settings.encoder!r}")
    if unused:
        raise ValueError(
            "the demo brings images, captions and a small network: leave these settings out. "
            f"Received: {', '.join(unused)}"
        )


def _check_shape(data: Captioned, state: Mapping[str, Any] | None) -> Captioned:
    """Check that the inputs of new data have the shape that a run expects, and return the data."""
    if state is not None and tuple(state["data_info"]["inputs"]) != data.inputs.shape:
        raise ValueError(
            f"this run takes inputs of shape {tuple(state['data_info']['inputs'])} per image, and "
            f"these have {data.inputs.shape}: give images or features of that shape."
        )
    return data


def _read_features(data: Any, shape: tuple[int, ...]) -> tuple[list[str], ImageInputs] | None:
    """Names and features, if `data` is an array or a file of features; else None."""
    if isinstance(data, np.ndarray):
        floats = data.dtype.kind == "f" and data.ndim in (2, 3)
        if not data.size or not (floats or (data.dtype.kind in "iu" and data.shape[1:] == shape)):
            return None
        names, inputs = [str(number) for number in range(len(data))], ImageInputs(data)
        check_finite(names, inputs, "the array")
    else:
        path = data[0] if isinstance(data, list | tuple) and len(data) == 1 else data
        if not isinstance(path, str | os.PathLike):
            return None
        if Path(path).suffix.lower() not in (".npy", ".npz"):
            return None
        names, inputs = read_features(path)
    if inputs.shape != shape:
        raise ValueError(
            f"features must have shape {shape} for each image. Received: {inputs.shape}. Images "
            "must be passed as a list, even a single one."
        )
    return names, inputs
