"""Image feature extractors: networks from pixels to features."""

from __future__ import annotations

import contextlib
import inspect
import math
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import keras
from keras import ops

from kerasseq.io import paths

__all__ = [
    "ImageScaling",
    "check_cached",
    "image_cnn",
    "image_macs",
    "image_network",
    "image_networks",
    "image_size",
]

# Beginnings of the layer names of a block: block_16_, conv5_block3_, block7a_, expanded_conv_10_
_BLOCK = r"(?:conv\d+_|\w+_stage_\d+_)?(?:block_?|mixed|expanded_conv_?)\d*[a-z]?"
_SIGNS = re.compile("[^a-z0-9]")
_LONGEST_REASON = 200  # characters of a message of Keras
_SIZES = {"inception": 299, "xception": 299, "nasnetlarge": 331}  # by the name's beginning


def image_networks() -> list[str]:
    """Names of the networks of `keras.applications`, which `image_network` accepts.

    >>> "mobilenetv2" in image_networks()
    True
    """
    return sorted(_applications())


def image_size(name: str) -> int:
    """Default height and width, in pixels, of the images of a network.

    >>> image_size("mobilenet_v2")
    224
    """
    plain = _plain_name(name)
    return next((size for start, size in _SIZES.items() if plain.startswith(start)), 224)


def image_cnn(size: int, grid: bool = False) -> keras.Model:
    """A small convolutional network for small images, to be trained from scratch.

    Args:
        size: height and width, in pixels.
        grid: whether features are (size / 8, size / 8, 128), instead of flattened.

    Example:

    >>> image_cnn(32).output_shape
    (None, 2048)
    """
    blocks = []
    for number, (width, kernel) in enumerate(((32, 5), (64, 3), (128, 3)), 1):
        blocks += [
            keras.layers.Conv2D(width, kernel, 2, "same", use_bias=False, name=f"conv_{number}"),
            keras.layers.BatchNormalization(momentum=0.9, name=f"norm_{number}"),
            keras.layers.ReLU(name=f"relu_{number}"),
        ]
    return keras.Sequential(
        [
            keras.Input((size, size, 3), name="pixels"),
            keras.layers.Rescaling(1 / 127.5, -1.0, name="scaling"),
            *blocks,
            *([] if grid else [keras.layers.Flatten(name="flat")]),
        ],
        name="encoder",
    )


def image_network(
    name: str,
    *,
    weights: str | None = "imagenet",
    size: int | None = None,
    grid: bool = False,
    fine_tune: int = 0,
    quiet: bool = False,
) -> keras.Model:
    """A network of `keras.applications`, from pixels between 0 and 255 to its last features.

    Args:
        name: name of the network, such as "mobilenet_v2"; underscores and case do not matter.
        weights: "imagenet", which is downloaded once, a file of weights, or None for random ones.
        size: height and width of the images, in pixels; default: `image_size(name)`.
        grid: whether features are (rows, columns, features), instead of their mean over the image.
        fine_tune: number of the last blocks that are trained; batch normalization stays frozen.
        quiet: whether to hide the download messages of Keras.

    Raises:
        FileNotFoundError: if the file of weights does not exist.
        ValueError: if there is no network of that name, it has fewer blocks than `fine_tune`, it
            cannot read images of that size, or its weights cannot be loaded.

    Example:

    >>> image_network("mobilenet_v2", weights=None, size=64, grid=True).output_shape
    (None, 2, 2, 1280)
    """
    plain = _plain_name(name)
    build, _ = _applications()[plain]
    size = size or image_size(plain)
    if weights not in (None, "imagenet"):
        weights = str(paths.user_path(weights, "weights"))
        if not Path(weights).is_file():
            raise FileNotFoundError(f"there is no file of weights {weights}. Check weights=.")
    options = {"include_top": False, "input_shape": (size, size, 3)}
    try:
        with _hide_messages(quiet):
            network = build(weights=weights, **options)
    except Exception as error:  # Keras raises many types of errors here
        reason = _reason(error)
        if weights is None or not _can_build(build, options):
            raise ValueError(
                f"{name} cannot read images of size={size} ({reason}). Give a larger size."
            ) from error
        raise ValueError(
            f"the weights {weights!r} of {name} cannot be loaded ({reason}). Without internet "
            "access, pass weights=None for random ones, or features= with a file of features."
        ) from error
    _freeze(network, fine_tune)
    pooling = [] if grid else [keras.layers.GlobalAveragePooling2D(name="mean")]
    return keras.Sequential(
        [
            keras.Input((size, size, 3), name="pixels"),
            ImageScaling(plain, name="scaling"),
            network,
            *pooling,
        ],
        name="encoder",
    )


def check_cached(name: str) -> None:
    """Raise an error unless the ImageNet weights of a network are in the cache of Keras.

    Args:
        name: name of the network, see `image_network`.

    Raises:
        FileNotFoundError: if Keras would have to download the weights.
        ValueError: if there is no network of that name.
    """
    plain = _plain_name(name)
    folder = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras", "models")
    names = (_SIGNS.sub("", path.stem.lower().removeprefix("weights")) for path in folder.glob("*"))
    if not any(re.match(rf"{plain}(\d+|weights).*notop|{plain}notop", file) for file in names):
        raise FileNotFoundError(
            f"the ImageNet weights of {name} are not in {folder}, and are not downloaded: load "
            f"them once by Keras with include_top=False, or name a file as weights=."
        )


def image_macs(network: keras.Model) -> int:
    """Multiply-accumulate operations of a network for one image.

    Args:
        network: network of dense layers and convolutions. A kernel counts once for each position of
            the output of its layer; layers without a kernel do not count.

    Example:

    >>> image_macs(image_cnn(32))  # 16 x 16 positions, 8 x 8 and 4 x 4
    2973696
    """
    macs = 0
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            macs += image_macs(layer)
            continue
        kernels = [w for w in layer.weights if w.name.endswith("kernel")]
        if kernels:
            positions = math.prod(layer.output.shape[1:-1])
            macs += positions * sum(math.prod(kernel.shape) for kernel in kernels)
    return macs


@keras.saving.register_keras_serializable("kerasseq")
class ImageScaling(keras.layers.Layer):
    """Scales pixels between 0 and 255 to the range that a network of `keras.applications` expects.

    Args:
        network: name of the network.
        **kwargs: arguments of `keras.layers.Layer`.

    Example:

    >>> import numpy as np
    >>> scaled = ImageScaling("mobilenet_v2")(np.array([[[[0.0, 127.5, 255.0]]]]))
    >>> [round(float(value), 3) for value in scaled[0, 0, 0]]
    [-1.0, 0.0, 1.0]
    """

    def __init__(self, network: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.network = _plain_name(network)

    def call(self, inputs: Any) -> Any:
        """Scaled pixels, from pixels (batch, height, width, 3)."""
        _, module = _applications()[self.network]
        return module.preprocess_input(ops.cast(inputs, self.compute_dtype))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the inputs."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """One entry per constructor argument."""
        return {**super().get_config(), "network": self.network}


def _applications() -> dict[str, tuple[Any, ModuleType]]:
    """For each network, by plain name: its constructor, and the module that scales its inputs."""
    networks: dict[str, tuple[Any, ModuleType]] = {}
    for _, module in inspect.getmembers(keras.applications, inspect.ismodule):
        if hasattr(module, "preprocess_input"):
            for name, constructor in inspect.getmembers(module, inspect.isfunction):
                if name[0].isupper():
                    networks.setdefault(name.lower(), (constructor, module))
    # Networks without a module of the same name (MobileNetV3) include the scaling.
    for name, constructor in inspect.getmembers(keras.applications, inspect.isfunction):
        if name[0].isupper():
            networks.setdefault(name.lower(), (constructor, keras.applications.mobilenet_v3))
    return networks


@contextlib.contextmanager
def _hide_messages(quiet: bool) -> Iterator[None]:
    """Hide the messages that Keras prints, if `quiet`."""
    if not (quiet and keras.config.is_interactive_logging_enabled()):
        yield
        return
    keras.config.disable_interactive_logging()
    try:
        yield
    finally:
        keras.config.enable_interactive_logging()


def _can_build(build: Callable[..., Any], options: dict[str, Any]) -> bool:
    """Whether a network can be built with these options, without weights."""
    try:
        build(weights=None, **options)
    except Exception:  # of any type, from Keras
        return False
    return True


def _reason(error: Exception) -> str:
    """The message of an error of Keras, in one line and shortened."""
    message = " ".join(str(error).split()).rstrip(".")
    return message[:_LONGEST_REASON] or type(error).__name__


def _plain_name(name: str) -> str:
    """The key of a network in `_applications`; raises a ValueError for an unknown name."""
    plain = name.replace("_", "").lower()
    if plain not in _applications():
        raise ValueError(f"there is no network {name!r}. There are: {', '.join(image_networks())}.")
    return plain


def _freeze(network: keras.Model, fine_tune: int) -> None:
    """Freeze all layers but those of the last blocks."""
    first = len(network.layers) if not fine_tune else _first_layer(network, fine_tune)
    for number, layer in enumerate(network.layers):
        is_normalization = isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = number >= first and not is_normalization


def _first_layer(network: keras.Model, blocks: int) -> int:
    """Number of the first layer of the last blocks, by the names of the layers."""
    starts: dict[str, int] = {}
    for number, layer in enumerate(network.layers):
        match = re.match(_BLOCK, layer.name)
        if match:
            starts.setdefault(match[0], number)
    if blocks > len(starts):
        raise ValueError(
            f"fine_tune must be at most {len(starts)}, the blocks of this network. "
            f"Received: fine_tune={blocks}"
        )
    return sorted(starts.values())[-blocks]
