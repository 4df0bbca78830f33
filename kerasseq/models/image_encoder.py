"""Networks that turn the pixels of an image into features."""

from __future__ import annotations

import contextlib
import inspect
import math
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
    "image_cnn",
    "image_macs",
    "image_network",
    "image_networks",
    "image_size",
]

# How the names of a block's layers begin: block_16_, conv5_block3_, block7a_, expanded_conv_10_
_BLOCK = r"(?:conv\d+_|\w+_stage_\d+_)?(?:block_?|mixed|expanded_conv_?)\d*[a-z]?"
_TOLD = 200  # characters of what Keras says
_SIZES = {"inception": 299, "xception": 299, "nasnetlarge": 331}  # by the name's beginning


def image_networks() -> list[str]:
    """The names of the networks that `image_network` knows: those of `keras.applications`.

    >>> "mobilenetv2" in image_networks()
    True
    """
    return sorted(_applications())


def image_size(name: str) -> int:
    """Height and width, in pixels, of the images that a network was made for.

    >>> image_size("mobilenet_v2")
    224
    """
    plain = _known(name)
    return next((size for start, size in _SIZES.items() if plain.startswith(start)), 224)


def image_cnn(size: int, grid: bool = False) -> keras.Model:
    """A small network for small images, to be trained from their pixels.

    Args:
        size: height and width, in pixels.
        grid: whether it gives (size / 8, size / 8, 128) features in place of all of them in a row.

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
        name: such as "mobilenet_v2"; underscores and capitals do not matter.
        weights: "imagenet", which is downloaded once, a file of weights, or None for random ones.
        size: height and width of the images; what it was made for where it is not given.
        grid: whether it gives (rows, columns, features) in place of their mean over the image.
        fine_tune: how many of its last blocks are trained; its normalisation stays as it is.
        quiet: whether Keras is to say nothing of what it downloads.

    Raises:
        FileNotFoundError: if there is no such file of weights.
        ValueError: if there is no such network, it has not so many blocks or sees no images of
            that size, or its weights cannot be had.

    Example:

    >>> image_network("mobilenet_v2", weights=None, size=64, grid=True).output_shape
    (None, 2, 2, 1280)
    """
    plain = _known(name)
    build, _ = _applications()[plain]
    size = size or image_size(plain)
    if weights not in (None, "imagenet"):
        weights = str(paths.user_path(weights, "weights"))
        if not Path(weights).is_file():
            raise FileNotFoundError(f"there is no file of weights {weights}. Check weights=.")
    given = {"include_top": False, "input_shape": (size, size, 3)}
    try:
        with _hushed(quiet):
            network = build(weights=weights, **given)
    except Exception as error:  # Keras has no error of its own for what it cannot download or read
        reason = _reason(error)
        if weights is None or not _builds(build, given):
            raise ValueError(
                f"{name} sees no images of size={size} ({reason}). Give a larger size."
            ) from error
        raise ValueError(
            f"the weights {weights!r} of {name} cannot be had ({reason}). Without a network, pass "
            "weights=None for random ones, or features= with a file of features."
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


def image_macs(network: keras.Model) -> int:
    """Multiply-accumulates with a weight of a network, for one image.

    Args:
        network: of dense layers and convolutions, each of which has its kernels once for each place
            of what it gives; layers without a kernel do not count.

    Example:

    >>> image_macs(image_cnn(32))  # 16 x 16 places, 8 x 8 and 4 x 4
    2973696
    """
    found = 0
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            found += image_macs(layer)
            continue
        kernels = [w for w in layer.weights if w.name.endswith("kernel")]
        if kernels:
            places = math.prod(layer.output.shape[1:-1])
            found += places * sum(math.prod(kernel.shape) for kernel in kernels)
    return found


@keras.saving.register_keras_serializable("kerasseq")
class ImageScaling(keras.layers.Layer):
    """Scales pixels between 0 and 255 as a network of `keras.applications` wants them.

    Args:
        network: its name.
        **kwargs: those of `keras.layers.Layer`.

    Example:

    >>> import numpy as np
    >>> scaled = ImageScaling("mobilenet_v2")(np.array([[[[0.0, 127.5, 255.0]]]]))
    >>> [round(float(value), 3) for value in scaled[0, 0, 0]]
    [-1.0, 0.0, 1.0]
    """

    def __init__(self, network: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.network = _known(network)

    def call(self, inputs: Any) -> Any:
        """(batch, height, width, 3) of the same shape."""
        _, module = _applications()[self.network]
        return module.preprocess_input(ops.cast(inputs, self.compute_dtype))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """That of the inputs."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """One entry per constructor argument."""
        return {**super().get_config(), "network": self.network}


def _applications() -> dict[str, tuple[Any, ModuleType]]:
    """Each network by its plain name: what builds it, and the module that scales for it."""
    found: dict[str, tuple[Any, ModuleType]] = {}
    for _, module in inspect.getmembers(keras.applications, inspect.ismodule):
        if hasattr(module, "preprocess_input"):
            for name, build in inspect.getmembers(module, inspect.isfunction):
                if name[0].isupper():
                    found.setdefault(name.lower(), (build, module))
    # Of those without a module of their own (MobileNetV3), the scaling is in the network.
    for name, build in inspect.getmembers(keras.applications, inspect.isfunction):
        if name[0].isupper():
            found.setdefault(name.lower(), (build, keras.applications.mobilenet_v3))
    return found


@contextlib.contextmanager
def _hushed(quiet: bool) -> Iterator[None]:
    """Without what Keras prints, if that is asked for."""
    if not (quiet and keras.config.is_interactive_logging_enabled()):
        yield
        return
    keras.config.disable_interactive_logging()
    try:
        yield
    finally:
        keras.config.enable_interactive_logging()


def _builds(build: Callable[..., Any], given: dict[str, Any]) -> bool:
    """Whether a network can be built at all, whatever its weights."""
    try:
        build(weights=None, **given)
    except Exception:  # of any kind, from Keras
        return False
    return True


def _reason(error: Exception) -> str:
    told = " ".join(str(error).split()).rstrip(".")
    return told[:_TOLD] or type(error).__name__


def _known(name: str) -> str:
    plain = name.replace("_", "").lower()
    if plain not in _applications():
        raise ValueError(f"there is no network {name!r}. There are: {', '.join(image_networks())}.")
    return plain


def _freeze(network: keras.Model, fine_tune: int) -> None:
    """Leave only the last blocks to be trained."""
    first = len(network.layers) if not fine_tune else _block(network, fine_tune)
    for number, layer in enumerate(network.layers):
        normalises = isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = number >= first and not normalises


def _block(network: keras.Model, last: int) -> int:
    """Where the n-th block from the end begins, by the names of the layers."""
    starts: dict[str, int] = {}
    for number, layer in enumerate(network.layers):
        found = re.match(_BLOCK, layer.name)
        if found:
            starts.setdefault(found[0], number)
    if last > len(starts):
        raise ValueError(
            f"fine_tune must be at most {len(starts)}, the blocks of this network. "
            f"Received: fine_tune={last}"
        )
    return sorted(starts.values())[-last]
