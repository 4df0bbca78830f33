"""Images of any kind become arrays of one size and three colours."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image

from kerasseq.data.images.files import Images, as_image, read_image, read_images, read_pixels
from kerasseq.io.limits import TooLarge

RED = (200, 30, 30)


def _saved(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)
    return path


def test_a_image_is_squeezed_into_a_square(tmp_path: Path) -> None:
    wide = np.zeros((10, 40, 3), np.uint8)
    wide[:, 20:] = RED
    found = read_image(_saved(tmp_path / "a.png", Image.fromarray(wide)), 8)
    assert found.shape == (8, 8, 3)
    assert found.dtype == np.uint8
    assert found[4, 1].tolist() == [0, 0, 0]
    assert found[4, 6].tolist() == list(RED)


@pytest.mark.parametrize("mode", ["L", "CMYK", "P", "RGBA", "LA", "1", "I;16", "I", "F"])
def test_any_mode_has_three_colours(tmp_path: Path, mode: str) -> None:
    if mode == "I;16":
        image = Image.fromarray(np.full((9, 9), 60_000, np.uint16))
    else:
        image = Image.new("L", (9, 9), 234).convert(mode, dither=Image.Dither.NONE)
    found = read_image(_saved(tmp_path / "a.tiff", image), 9)
    assert found.shape == (9, 9, 3)
    assert abs(found.astype(int) - (255 if mode == "1" else 234)).max() <= 1


def test_floats_from_0_to_1_are_shares_of_white(tmp_path: Path) -> None:
    values = np.linspace(0, 1, 81, dtype=np.float32).reshape(9, 9)
    found = read_image(_saved(tmp_path / "a.tiff", Image.fromarray(values)), 9)
    assert abs(found[:, :, 0] - 255.0 * values).max() <= 1


def test_a_cmyk_jpeg_keeps_its_colours(tmp_path: Path) -> None:
    path = _saved(tmp_path / "a.jpg", Image.new("CMYK", (16, 16), (0, 255, 255, 0)), quality=95)
    red, green, blue = read_image(path, 16)[8, 8].tolist()
    assert red > 230
    assert max(green, blue) < 30


def test_what_is_transparent_is_white(tmp_path: Path) -> None:
    image = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    assert (read_image(_saved(tmp_path / "a.png", image), 4) == 255).all()


def test_an_animation_shows_its_first_frame(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (6, 6), colour) for colour in ("red", "blue")]
    path = tmp_path / "a.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    assert read_image(path, 6)[3, 3].tolist() == [255, 0, 0]


def test_a_image_is_turned_as_its_camera_says(tmp_path: Path) -> None:
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[:4] = 255  # above is white, and right after a turn by a quarter
    exif = Image.Exif()
    exif[0x0112] = 6
    found = read_image(_saved(tmp_path / "a.png", Image.fromarray(pixels), exif=exif), 8)
    assert (found[:, 4:] == 255).all()
    assert (found[:, :4] == 0).all()


def test_images_that_cannot_be_read(tmp_path: Path) -> None:
    text = tmp_path / "text.jpg"
    text.write_text("not an image at all")
    with pytest.raises(ValueError, match=r"text\.jpg is no image that can be read"):
        read_image(text, 8)
    whole = BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).save(
        whole, "jpeg"
    )
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(whole.getvalue()[:-900])
    with pytest.raises(ValueError, match=r"cut\.jpg is cut off or damaged"):
        read_image(cut, 8)
    with pytest.raises(FileNotFoundError, match=r"no image .*none\.jpg"):
        read_image(tmp_path / "none.jpg", 8)


def test_an_enormous_image_is_refused_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _saved(tmp_path / "a.png", Image.new("RGB", (50, 50)))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(ValueError, match=r"a\.png has too many pixels .* Scale it down"):
        read_image(path, 8)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2000)  # where Pillow only warns
    assert read_image(path, 8).shape == (8, 8, 3)


def test_arrays_and_images_are_images_too(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (7, 7, 3), np.uint8)
    image = Image.fromarray(pixels)
    path = _saved(tmp_path / "a.png", image)
    found = read_images([pixels, image, path, pixels / 255], 7)
    np.testing.assert_array_equal(found, np.stack([pixels] * 4))
    grey = as_image(np.full((5, 5, 1), 9, np.uint8), 5)
    np.testing.assert_array_equal(grey, np.full((5, 5, 3), 9))


def test_images_are_read_where_they_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    path = _saved(tmp_path / "a.png", Image.new("RGB", (6, 6), RED))
    images = Images([np.zeros((5, 5)), tmp_path / "none.png", "~/a.png"], 4)
    assert images.shape == (3, 4, 4, 3)
    found = images[np.array([2, 0, 2])]
    assert found[:, 0, 0].tolist() == [[*RED], [0, 0, 0], [*RED]]
    with pytest.raises(FileNotFoundError, match=r"no image .*none\.png\. Check the path\.$"):
        images[np.array([1])]
    path.write_text("text")
    with pytest.raises(ValueError, match=r"none\.png.* 1 more of the 3 images cannot .* leave"):
        images[np.arange(3)]


def test_a_large_image_is_not_copied_before_it_is_scaled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _saved(tmp_path / "a.png", Image.new("RGB", (40, 40), RED))
    copied = []
    for name in ("copy", "convert"):
        method = getattr(Image.Image, name)

        def watched(image: Image.Image, *args: object, method: Any = method) -> Image.Image:
            copied.append(image.size)
            return method(image, *args)

        monkeypatch.setattr(Image.Image, name, watched)
    assert read_image(path, 8)[0, 0].tolist() == [*RED]
    assert (40, 40) not in copied


@pytest.mark.parametrize(
    ("value", "match"),
    [
        (np.zeros(4), r"must be \(height, width\) or .* Received: \(4,\)"),
        (np.zeros((4, 4, 2)), r"Received: \(4, 4, 2\)"),
        (np.zeros((0, 4, 3)), r"Received: \(0, 4, 3\)"),
        (np.full((4, 4, 3), 200.0), "between 0 and 1; give uint8 for 0 to 255"),
        (np.full((4, 4), np.nan), "between 0 and 1"),
        (np.zeros((4, 4), np.int32), "Received: dtype=int32"),
    ],
)
def test_arrays_that_are_no_images(value: np.ndarray, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        as_image(value, 4)


@pytest.mark.parametrize("name", ["a.jpg", "a.eps", "a.png"])
def test_postscript_is_run_by_no_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """It is a program, which Pillow would hand to Ghostscript, whatever the file's ending."""
    started: list[Any] = []
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *given, **_: started.append(given))
    path = tmp_path / name
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n")
    with pytest.raises(ValueError, match="no image that can be read: known are JPEG"):
        read_image(path, 8)
    assert not started


@pytest.mark.parametrize("kind", ["PPM", "ICO", "TGA", "PCX", "ICNS", "PDF"])
def test_only_the_formats_that_are_meant_are_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.jpg"
    Image.new("RGB", (32, 32)).save(path, format=kind)
    with pytest.raises(ValueError, match="no image that can be read"):
        read_image(path, 8)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "MPO"])
def test_every_format_that_is_meant_is_read_under_any_ending(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.dat"
    Image.new("RGB", (32, 32), "red").save(path, format=kind)
    assert abs(read_image(path, 8).astype(int) - [255, 0, 0]).max() < 5


def test_an_image_is_not_scaled_beyond_the_limit(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((4, 3), np.uint8)).save(tmp_path / "a.png")
    for read in (read_image, read_pixels):
        with pytest.raises(TooLarge, match="scaled to 1,000,000 by 1,000,000 pixels"):
            read(tmp_path / "a.png", 10**6)
