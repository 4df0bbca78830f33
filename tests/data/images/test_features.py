"""What networks see: read from files, or computed once and kept."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from PIL import Image

from kerasseq.data.images.features import CACHE, ImageInputs, cache_folder, extract, read_features


def _images(folder: Path, count: int = 40) -> list[Path]:
    paths = [folder / f"{number}.png" for number in range(count)]
    for number, path in enumerate(paths):
        Image.new("RGB", (6, 6), (number, 0, 0)).save(path)
    return paths


def test_what_was_seen_is_kept(tmp_path: Path) -> None:
    paths, calls = _images(tmp_path), []

    def encode(pixels: np.ndarray) -> np.ndarray:
        calls.append(len(pixels))
        return pixels[:, 0, 0].astype(np.float32)

    cache = tmp_path / "cache"
    first, bad = extract(paths, 4, encode, key="net", folder=cache)
    assert calls == [32, 8]
    assert bad == {}
    again, _ = extract(paths, 4, encode, key="net", folder=cache)
    assert calls == [32, 8]
    assert isinstance(again.values, np.memmap)
    assert again.fingerprint == first.fingerprint
    np.testing.assert_array_equal(again[np.arange(40)][:, 0], np.arange(40))


def test_another_key_size_or_file_is_seen_anew(tmp_path: Path) -> None:
    paths = _images(tmp_path, 3)
    cache = tmp_path / "cache"
    first = extract(paths, 4, folder=cache)[0].fingerprint
    others = [
        extract(paths, 5, folder=cache)[0].fingerprint,
        extract(paths, 4, key="other", folder=cache)[0].fingerprint,
        extract(paths[:2], 4, folder=cache)[0].fingerprint,
    ]
    Image.new("RGB", (6, 6), "white").save(paths[0])
    os.utime(paths[0], ns=(1, 1))
    seen, _ = extract(paths, 4, folder=cache)
    assert len({first, *others, seen.fingerprint}) == 5
    assert (seen[np.array([0])] == 255).all()


def test_pixels_are_kept_as_they_are(tmp_path: Path) -> None:
    seen, _ = extract(_images(tmp_path, 3), 4, folder=tmp_path / "cache")
    assert seen.values.dtype == np.uint8
    assert seen.shape == (4, 4, 3)


def test_the_first_image_that_cannot_be_read_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    paths = _images(tmp_path, 3)
    paths[1].write_text("no image")
    paths.append(tmp_path / "none.png")
    cache = tmp_path / "cache"
    with pytest.raises(ValueError, match=r"1\.png is no image .* skip_bad=True"):
        extract(paths, 4, folder=cache)
    assert list(cache.iterdir()) == []
    seen, bad = extract(paths, 4, skip_bad=True, folder=cache)
    assert len(seen) == 4
    assert [*bad] == [1, 3]
    with pytest.raises(ValueError, match=r"1\.png is no image"):  # from what was kept, too
        extract(paths, 4, folder=cache)


def test_an_interruption_leaves_nothing_half_written(tmp_path: Path) -> None:
    paths, cache = _images(tmp_path), tmp_path / "cache"
    calls = []

    def encode(pixels: np.ndarray) -> np.ndarray:
        calls.append(len(pixels))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return np.zeros((len(pixels), 2))

    with pytest.raises(KeyboardInterrupt):
        extract(paths, 4, encode, folder=cache)
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize(
    ("ending", "damage"),
    [
        (".npy", Path.unlink),
        (".npy", lambda path: os.truncate(path, 200)),
        (".npy", lambda path: path.write_bytes(b"")),
        (".json", lambda path: path.write_text("{")),
        (".json", lambda path: path.write_text('{"bad": 3}')),
        (".json", Path.unlink),
    ],
)
def test_what_is_damaged_or_missing_is_seen_anew(
    tmp_path: Path, ending: str, damage: Callable[[Path], object]
) -> None:
    paths, cache = _images(tmp_path, 3), tmp_path / "cache"
    whole = extract(paths, 4, folder=cache)[0][np.arange(3)]
    damage(next(cache.glob(f"*{ending}")))
    for _ in range(2):
        seen, bad = extract(paths, 4, folder=cache)
        assert bad == {}
        np.testing.assert_array_equal(seen[np.arange(3)], whole)
    assert len([*cache.iterdir()]) == 2


def test_a_folder_that_cannot_be_used_is_told_with_its_variable(tmp_path: Path) -> None:
    paths = _images(tmp_path, 1)
    with pytest.raises(
        ValueError, match=r"cannot be kept in .*0\.png \(File exists\).*KERASSEQ_CA"
    ):
        extract(paths, 4, folder=paths[0])
    with pytest.raises(ValueError, match=r"cannot be kept in .*0\.png/below \(Not a dir.*KERASSEQ"):
        extract(paths, 4, folder=paths[0] / "below")


def test_what_a_process_that_was_killed_left_goes_with_the_next(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    here = platform.node()
    dead = cache / f".new.{ended.pid}@{here}.pixels.npy"
    others = [cache / f".new.{os.getppid()}@{here}.a.npy", cache / f".new.{ended.pid}@far.a.npy"]
    for path in (dead, *others):
        path.touch()
    extract(_images(tmp_path, 1), 4, folder=cache)
    assert not dead.exists()
    assert all(path.exists() for path in others)


def test_rows_are_taken_without_copying_what_is_seen() -> None:
    seen = ImageInputs(
        np.arange(12, dtype=np.int8).reshape(4, 3), np.array([1, 10, 100], np.float32)
    )
    some = seen.at(np.array([3, 1, 1])).at(np.array([2, 0]))
    assert some.values is seen.values
    np.testing.assert_array_equal(some[np.arange(2)], [[3, 40, 500], [9, 100, 1100]])
    assert seen.at(np.array([0])).fingerprint != seen.at(np.array([1])).fingerprint


def test_what_is_scaled_has_no_mean_and_a_deviation_of_one() -> None:
    values = np.random.default_rng(0).normal(5, 3, (700, 4, 3)).astype(np.float16)
    values[..., 2] = 7
    seen = ImageInputs(values, np.array([1, 2, 3], np.float32)).at(np.arange(600))
    found = seen.scaled(**seen.moments())[np.arange(600)]
    np.testing.assert_allclose(found.mean(axis=(0, 1)), 0, atol=1e-3)
    np.testing.assert_allclose(found.std(axis=(0, 1)), [1, 1, 0], atol=1e-3)


@pytest.mark.parametrize("kind", ["features", "grid", "npy"])
def test_features_from_files(tmp_path: Path, kind: str) -> None:
    names, values = ["a.jpg", "b.jpg"], np.arange(12, dtype=np.float32).reshape(2, 2, 3)
    path = tmp_path / ("f.npy" if kind == "npy" else "f.npz")
    if kind == "npy":
        np.save(path, values)
        path.with_suffix(".txt").write_text("a.jpg\nb.jpg\n")
    elif kind == "grid":
        np.savez(path, names=names, grid=values.astype(np.int8), scale=np.full(3, 2, np.float16))
        values = values * 2
    else:
        np.savez(path, names=names, features=values)
    found, seen = read_features(path)
    assert found == names
    np.testing.assert_array_equal(seen[np.arange(2)], values)


def test_names_of_features_are_read_as_any_text(tmp_path: Path) -> None:
    np.save(tmp_path / "f.npy", np.ones((1, 2)))
    (tmp_path / "f.txt").write_bytes(b"caf\xe9\x92s.jpg\n")
    assert read_features(tmp_path / "f.npy")[0] == ["café’s.jpg"]


def test_features_that_cannot_be_read(tmp_path: Path) -> None:
    one = np.ones((2, 3))
    for arrays, match in (
        ({"names": ["a"], "features": one}, r"a name for each image. Received: .* 1 names"),
        ({"names": ["a", "a"], "features": one}, "names an image twice"),
        ({"names": ["a", "b"], "features": np.ones(2)}, "features must be numbers"),
        ({"features": one}, "holds no features that can be read"),
        ({"names": ["a", "b"]}, "holds no features that can be read"),
        ({"names": np.array(["a", "b"], object), "features": one}, "of strings, not objects"),
        ({"names": ["a", "b"], "features": np.ones((2, 0))}, r"features must be .*\(2, 0\)"),
        ({"names": ["a", "b"], "grid": one, "scale": np.ones(4)}, r"scale must .* 3 .*\(4,\)"),
        ({"names": ["a", "b"], "features": [[1], [np.nan]]}, "finite numbers, and those of b in"),
    ):
        np.savez(tmp_path / "f.npz", **arrays)
        with pytest.raises(ValueError, match=match):
            read_features(tmp_path / "f.npz")
    (tmp_path / "f.npz").write_text("text")
    with pytest.raises(ValueError, match="holds no features that can be read"):
        read_features(tmp_path / "f.npz")
    np.save(tmp_path / "g.npy", one)
    with pytest.raises(FileNotFoundError, match=r"no list of names .*g\.txt"):
        read_features(tmp_path / "g.npy")
    with pytest.raises(FileNotFoundError, match="no file of features"):
        read_features(tmp_path / "none.npz")


def test_where_it_is_kept_can_be_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv(CACHE, raising=False)
    assert cache_folder() == tmp_path / "kerasseq"
    monkeypatch.setenv(CACHE, str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"


def test_features_that_are_declared_and_not_there(tmp_path: Path) -> None:
    path = tmp_path / "f.npz"
    with zipfile.ZipFile(path, "w") as archive, archive.open("features.npy", "w") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<f4", "fortran_order": False, "shape": (10**12, 1)}
        )
    with (
        mock.patch.object(np, "load") as read,
        pytest.raises(ValueError, match=r"array features\.npy declares 4,000,000,000,000 bytes"),
    ):
        read_features(path)
    read.assert_not_called()


@pytest.mark.parametrize("content", [b"PK\5\6" + bytes(18), b"PK\3\4 damaged", b"\x93NUMPY\1\0"])
def test_files_of_features_that_are_damaged(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "f.txt").write_text("a\nb")
    for name in ("f.npz", "f.npy"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=r"holds no features that can be read"):
            read_features(tmp_path / name)


def test_an_npy_file_by_another_name_is_no_archive(tmp_path: Path) -> None:
    np.save(tmp_path / "f.npy", np.eye(2))
    (tmp_path / "f.npy").rename(tmp_path / "f.npz")
    with pytest.raises(ValueError, match=r"holds no features that can be read"):
        read_features(tmp_path / "f.npz")
