"""Images of any kind as arrays of one size and three colours."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasseq.io import paths

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = [
    "ENDINGS",
    "Images",
    "as_image",
    "check_image",
    "read_image",
    "read_images",
]

ENDINGS = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff")
# What those endings stand for, by Pillow's names, and the only formats that a file is tried as
# whatever its ending: for others Pillow starts programs, such as Ghostscript for PostScript.
_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF")
_ORIENTATION = 0x0112  # the tag in which a camera says how it was held


def read_image(path: str | os.PathLike[str], size: int) -> np.ndarray:
    """An image from a file, uint8 (size, size, 3): all of it, squeezed into a square.

    Turned as its camera says. Of an animation the first frame; what is transparent is white.

    Args:
        path: a JPEG, PNG, GIF, BMP, WebP or TIFF file, whatever its ending.
        size: height and width, in pixels.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no image, cut off, or too large to decode safely.
    """
    from PIL import Image, UnidentifiedImageError

    path = paths.user_path(path, "path")
    if not path.is_file():
        raise FileNotFoundError(f"there is no image {path}. Check the path.")
    try:
        with warnings.catch_warnings():
            # Pillow warns of what is large, and refuses what is twice as large.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path, formats=_FORMATS) as image:
                image.draft("RGB", (2 * size, 2 * size))  # decodes a large JPEG at a fraction
                return _array(image, size)
    except UnidentifiedImageError:
        raise ValueError(
            f"{path} is no image that can be read: known are {', '.join(_FORMATS)}. Convert it "
            "to JPEG."
        ) from None
    except Image.DecompressionBombError:
        raise ValueError(f"{path} has too many pixels to be read safely. Scale it down.") from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:  # Pillow's, for broken files
        raise ValueError(
            f"{path} is cut off or damaged ({error}). Fetch it again, or leave it out."
        ) from None


def as_image(value: Any, size: int) -> np.ndarray:
    """An image from an array or a Pillow image, as `read_image` gives it.

    Args:
        value: (height, width), (height, width, 1), (..., 3) or (..., 4), uint8, or float from 0 to
            1; or a Pillow image.
        size: height and width, in pixels.

    Raises:
        ValueError: if it is no such array.

    Example:

    >>> as_image(np.zeros((10, 20)), 4).shape
    (4, 4, 3)
    """
    from PIL import Image

    if isinstance(value, Image.Image):
        return _array(value, size)
    return _array(Image.fromarray(_pixels(value)), size)


def check_image(value: Any) -> None:
    """Raise a ValueError unless a value is a Pillow image or an array that `as_image` takes.

    >>> check_image(None)
    Traceback (most recent call last):
    ValueError: an image must be a path, an array or a Pillow image. Received: None
    """
    from PIL import Image

    if not isinstance(value, Image.Image):
        _pixels(value)


def _pixels(value: Any) -> np.ndarray:
    """The pixels of an array, uint8 (height, width) or (height, width, 3 or 4)."""
    try:
        array = np.asarray(value)
    except (ValueError, TypeError):  # of lists of several lengths
        array = np.array(None)
    if array.dtype.kind not in "buif" or array.ndim == 0:
        raise ValueError(
            f"an image must be a path, an array or a Pillow image. Received: {repr(value)[:60]}"
        )
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if 0 in array.shape or array.ndim not in (2, 3) or array.shape[2:] not in ((), (3,), (4,)):
        raise ValueError(
            f"an image must be (height, width) or (height, width, 3). Received: {array.shape}"
        )
    if array.dtype.kind == "f":
        if not (np.isfinite(array).all() and array.min() >= 0 and array.max() <= 1):
            raise ValueError(
                "an image of floats must lie between 0 and 1; give uint8 for 0 to 255. "
                f"Received: {array.min():g} to {array.max():g}"
            )
        array = np.rint(array * 255).astype(np.uint8)
    if array.dtype != np.uint8:
        raise ValueError(
            f"an image must be uint8, or float from 0 to 1. Received: dtype={array.dtype}"
        )
    return array


def read_images(images: Sequence[Any], size: int) -> np.ndarray:
    """Images from paths, arrays or Pillow images, uint8 (images, size, size, 3)."""
    out = np.empty((len(images), size, size, 3), dtype=np.uint8)
    for target, image in zip(out, images):
        path = isinstance(image, str | os.PathLike)
        target[:] = read_image(image, size) if path else as_image(image, size)
    return out


class Images:
    """Images as an array, uint8 (images, size, size, 3), read where they are asked for.

    Args:
        given: paths, arrays or Pillow images.
        size: height and width, in pixels.

    Raises:
        ValueError: as `read_images`, and of the first of several says how many more there are.

    Example:

    >>> images = Images([np.zeros((10, 20)), np.ones((10, 20))], 4)
    >>> images.shape, int(images[np.array([1])].max())
    ((2, 4, 4, 3), 255)
    """

    def __init__(self, given: Sequence[Any], size: int) -> None:
        self._given, self._size = given, size

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the array that it stands for."""
        return len(self), self._size, self._size, 3

    def __len__(self) -> int:
        return len(self._given)

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        used, place = np.unique(rows, return_inverse=True)
        try:
            return read_images([self._given[row] for row in used], self._size)[place]
        except (OSError, ValueError) as error:
            bad = sum(self._is_bad(row) for row in range(len(self)))
            if bad < 2:
                raise
            raise ValueError(
                f"{error} {bad - 1:,} more of the {len(self):,} images cannot be read either: "
                "leave them out."
            ) from None

    def _is_bad(self, row: int) -> bool:
        try:
            read_images([self._given[row]], self._size)
        except (OSError, ValueError):
            return True
        return False


def _array(image: Image, size: int) -> np.ndarray:
    """It may be large: it is turned or converted, and so copied, only where it has to be."""
    from PIL import Image, ImageOps

    if image.getexif().get(_ORIENTATION, 1) != 1:
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):  # which a conversion would clip, not scale
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    elif image.mode in ("I", "F"):
        values = np.asarray(image, dtype=np.float64)
        share = image.mode == "F" and values.max() <= 1  # as arrays of floats are
        values = values / (1.0 if share else max(255.0, values.max())) * 255
        image = Image.fromarray(np.rint(values).clip(0, 255).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        paper = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(paper, image)
    if image.mode != "RGB":
        image = image.convert("RGB")
    if image.size != (size, size):
        image = image.resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(image)
