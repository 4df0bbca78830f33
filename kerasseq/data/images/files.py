"""Read images from files, arrays or Pillow images as RGB arrays of one size."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasseq.io import paths
from kerasseq.io.limits import VALUE, check_size

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = [
    "ENDINGS",
    "Images",
    "as_image",
    "check_image",
    "check_scaled_size",
    "read_image",
    "read_images",
    "read_pixels",
]

ENDINGS = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff")
# The formats of these endings, by Pillow's names. A file is read in one of these formats only,
# whatever its ending: for others Pillow starts programs, such as Ghostscript for PostScript.
_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF")
_COLOURS = 3
_GREY = ("1", "L", "I", "F", "I;16", "I;16B", "I;16L")  # modes without colours
_ORIENTATION = 0x0112  # the EXIF tag of the camera's orientation


def read_image(path: str | os.PathLike[str] | bytes, size: int) -> np.ndarray:
    """Read an image file as uint8 (size, size, 3).

    The whole image is scaled to a square, without regard to its aspect ratio, and rotated by its
    EXIF orientation. Of an animation the first frame is read; transparent pixels become white.

    Args:
        path: a JPEG, PNG, GIF, BMP, WebP or TIFF file, whatever its ending; or its content.
        size: height and width, in pixels.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is no image, is cut off, or is too large to decode safely.
    """

    check_scaled_size(size)

    def convert(image: Image) -> np.ndarray:
        image.draft("RGB", (2 * size, 2 * size))  # decodes a large JPEG at a fraction
        return _to_array(image, size)

    return _decode(path, convert)


def read_pixels(path: str | os.PathLike[str], size: int | None = None) -> np.ndarray:
    """Read an image file as uint8 (height, width), or (height, width, 3) if it has colours.

    Args:
        path: as in `read_image`.
        size: height and width, in pixels; None for the size of the image.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: as in `read_image`.
    """

    if size is not None:
        check_scaled_size(size)

    def convert(image: Image) -> np.ndarray:
        grey = image.mode in _GREY
        rgb = _to_rgb(image)
        if size is not None and rgb.size != (size, size):
            rgb = rgb.resize((size, size), _bilinear())
        pixels = np.asarray(rgb)
        return pixels[:, :, 0] if grey else pixels

    return _decode(path, convert)


def check_scaled_size(size: int) -> None:
    """Raise a ValueError if an image scaled to `size` by `size` pixels is larger than may be read.

    >>> check_scaled_size(10**6)
    Traceback (most recent call last):
    kerasseq.io.limits.TooLarge: an image scaled to 1,000,000 by 1,000,000 pixels holds ...
    """
    check_size(_COLOURS * VALUE * size**2, f"an image scaled to {size:,} by {size:,} pixels")


def _decode(
    source: str | os.PathLike[str] | bytes, convert: Callable[[Image], np.ndarray]
) -> np.ndarray:
    """Open an image file safely and convert it; see `read_image` for the errors."""
    from PIL import Image, UnidentifiedImageError

    file: Any
    path: str | os.PathLike[str]
    if isinstance(source, bytes):
        file, path = io.BytesIO(source), "the image"
    else:
        file = path = paths.user_path(source, "path")
        if not file.is_file():
            raise FileNotFoundError(f"there is no image {path}. Check the path.")
    try:
        with warnings.catch_warnings():
            # Pillow warns of a large image, and raises an error for one twice as large.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(file, formats=_FORMATS) as image:
                return convert(image)
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
    """Convert an array or a Pillow image to uint8 (size, size, 3), like `read_image`.

    Args:
        value: array (height, width) or (height, width, channels) with 1, 3 or 4 channels, uint8, or
            float from 0 to 1; or a Pillow image.
        size: height and width, in pixels.

    Raises:
        ValueError: if the value is no such array.

    Example:

    >>> as_image(np.zeros((10, 20)), 4).shape
    (4, 4, 3)
    """
    from PIL import Image

    if isinstance(value, Image.Image):
        return _to_array(value, size)
    return _to_array(Image.fromarray(_pixels(value)), size)


def check_image(value: Any) -> None:
    """Raise a ValueError unless a value is bytes or what `as_image` takes.

    >>> check_image(None)
    Traceback (most recent call last):
    ValueError: an image must be a path, an array or a Pillow image. Received: None
    """
    from PIL import Image

    if not isinstance(value, Image.Image | bytes):
        _pixels(value)


def _pixels(value: Any) -> np.ndarray:
    """The pixels of an array, uint8 (height, width) or (height, width, 3 or 4)."""
    try:
        array = np.asarray(value)
    except (ValueError, TypeError):  # for nested lists of different lengths
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
    """Read images as one array, each scaled to a square as by `read_image`.

    Args:
        images: paths or contents of image files, arrays as in `as_image`, or Pillow images.
        size: height and width, in pixels.

    Returns:
        uint8 (images, size, size, 3).

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if an image cannot be read, see `read_image` and `as_image`.
    """
    pixels = np.empty((len(images), size, size, 3), dtype=np.uint8)
    for target, image in zip(pixels, images):
        is_file = isinstance(image, str | os.PathLike | bytes)
        target[:] = read_image(image, size) if is_file else as_image(image, size)
    return pixels


class Images:
    """An array of images, uint8 (images, size, size, 3), whose rows are read on demand.

    Args:
        sources: paths or contents of files, arrays, or Pillow images.
        size: height and width, in pixels.

    Raises:
        ValueError: on reading, as `read_images`; it also says how many other images are unreadable.

    Example:

    >>> images = Images([np.zeros((10, 20)), np.ones((10, 20))], 4)
    >>> images.shape, int(images[np.array([1])].max())
    ((2, 4, 4, 3), 255)
    """

    def __init__(self, sources: Sequence[Any], size: int) -> None:
        self._sources, self._size = sources, size

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array, (images, size, size, 3)."""
        return len(self), self._size, self._size, 3

    def __len__(self) -> int:
        return len(self._sources)

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        used, place = np.unique(rows, return_inverse=True)
        try:
            return read_images([self._sources[row] for row in used], self._size)[place]
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
            read_images([self._sources[row]], self._size)
        except (OSError, ValueError):
            return True
        return False


def _to_array(image: Image, size: int) -> np.ndarray:
    """Convert a Pillow image to uint8 (size, size, 3)."""
    image = _to_rgb(image)
    if image.size != (size, size):
        image = image.resize((size, size), _bilinear())
    return np.asarray(image)


def _bilinear() -> Any:
    from PIL import Image

    return Image.Resampling.BILINEAR


def _to_rgb(image: Image) -> Image:
    """Convert a Pillow image to RGB.

    An image may be large, so it is copied (rotated or converted) only if necessary.
    """
    from PIL import Image, ImageOps

    if image.getexif().get(_ORIENTATION, 1) != 1:
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):  # Pillow's conversion would clip 16 bits, not scale them
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    elif image.mode in ("I", "F"):
        values = np.asarray(image, dtype=np.float64)
        unit_range = image.mode == "F" and values.max() <= 1  # from 0 to 1, like float arrays
        values = values / (1.0 if unit_range else max(255.0, values.max())) * 255
        image = Image.fromarray(np.rint(values).clip(0, 255).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        paper = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(paper, image)
    return image if image.mode == "RGB" else image.convert("RGB")
