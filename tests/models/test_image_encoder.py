"""Networks that see images."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from kerasseq.models import check_cached, image_cnn, image_network, image_size


def _trained(model: keras.Model) -> set[str]:
    """The layers of the network inside that are trained."""
    return {layer.name for layer in model.layers[1].layers if layer.trainable_variables}


def test_names_are_taken_as_they_are_written() -> None:
    shapes = {
        image_network(name, weights=None, size=32).output_shape
        for name in ("mobilenet_v2", "MobileNetV2", "mobilenetv2")
    }
    assert shapes == {(None, 1280)}
    with pytest.raises(ValueError, match=r"no network 'mobilenet_v9'.*mobilenetv2"):
        image_network("mobilenet_v9")


def test_sizes_are_those_that_networks_were_made_for() -> None:
    found = [image_size(name) for name in ("mobilenet_v2", "inception_v3", "Xception")]
    assert found == [224, 299, 299]


@pytest.mark.thorough
def test_the_mean_is_that_of_the_grid() -> None:
    keras.utils.set_random_seed(0)
    grid = image_network("mobilenet_v2", weights=None, size=64, grid=True)
    mean = image_network("mobilenet_v2", weights=None, size=64)
    mean.set_weights(grid.get_weights())
    pixels = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3)).astype(np.float32)
    regions = np.asarray(grid.predict(pixels, verbose=0))
    assert regions.shape == (2, 2, 2, 1280)
    found = np.asarray(mean.predict(pixels, verbose=0))
    np.testing.assert_allclose(found, regions.mean(axis=(1, 2)), atol=1e-4)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("name", "last"),
    [
        ("mobilenet_v2", "block_16_expand"),
        ("vgg16", "block5_conv1"),
        ("mobilenet_v3_small", "expanded_conv_10_expand"),
    ],
)
def test_the_last_blocks_are_trained_and_nothing_else(name: str, last: str) -> None:
    assert _trained(image_network(name, weights=None, size=32)) == set()
    model = image_network(name, weights=None, size=32, fine_tune=1)
    names = [layer.name for layer in model.layers[1].layers]
    trained = _trained(model)
    assert last in trained
    assert all(names.index(own) >= names.index(last) for own in trained)
    assert not any("bn" in own.lower() for own in trained)


def test_too_many_blocks_are_refused() -> None:
    with pytest.raises(ValueError, match=r"fine_tune must be at most 5.*fine_tune=6"):
        image_network("vgg16", weights=None, size=32, fine_tune=6)


def test_weights_that_cannot_be_had_are_told_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(FileNotFoundError, match=r"no file of weights .*none\.h5\. Check weights="):
        image_network("mobilenet_v2", weights=str(tmp_path / "none.h5"), size=32)
    (tmp_path / "a.weights.h5").write_text("text")
    with pytest.raises(ValueError, match=r"cannot be loaded \(.*pass weights=None .* or features="):
        image_network("mobilenet_v2", weights=str(tmp_path / "a.weights.h5"), size=32)

    def refused(*args: object, weights: str | None, **kwargs: object) -> keras.Model:
        if weights is None:
            return keras.Sequential([keras.Input((32, 32, 3))])
        keras.utils.get_file("none.h5", (tmp_path / "none.h5").as_uri(), cache_dir=tmp_path)
        raise AssertionError

    monkeypatch.setattr(keras.applications.vgg16, "VGG16", refused)
    with pytest.raises(
        ValueError, match=r"'imagenet' of vgg16 cannot be loaded \(URL fetch .*none\.h5"
    ):
        image_network("vgg16", size=32, quiet=True)
    assert capsys.readouterr().out == ""
    assert keras.config.is_interactive_logging_enabled()


@pytest.mark.parametrize("weights", [None, "imagenet"])
def test_a_size_that_is_too_small_is_told(weights: str | None) -> None:
    with pytest.raises(ValueError, match=r"mobilenet_v2 cannot read images of size=8 \(.*32x32"):
        image_network("mobilenet_v2", weights=weights, size=8)


@pytest.mark.parametrize("grid", [False, True])
def test_the_small_network_survives_saving(tmp_path: Path, grid: bool) -> None:
    model = image_cnn(32, grid)
    assert model.output_shape == ((None, 4, 4, 128) if grid else (None, 2048))
    model.save(tmp_path / "a.keras")
    pixels = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype(np.float32)
    again = keras.models.load_model(tmp_path / "a.keras")
    np.testing.assert_array_equal(
        again.predict(pixels, verbose=0), model.predict(pixels, verbose=0)
    )


@pytest.mark.thorough
def test_a_network_inside_a_file_needs_no_weights_from_elsewhere(tmp_path: Path) -> None:
    model = image_network("mobilenet_v2", weights=None, size=32)
    model.save(tmp_path / "a.keras")
    again = keras.models.load_model(tmp_path / "a.keras")
    pixels = np.full((1, 32, 32, 3), 100.0, np.float32)
    np.testing.assert_allclose(again.predict(pixels, verbose=0), model.predict(pixels, verbose=0))


@pytest.mark.parametrize(
    ("network", "file", "cached"),
    [
        ("mobilenet_v2", "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5", True),
        ("mobilenet", "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5", False),
        ("mobilenet", "mobilenet_1_0_224_tf_no_top.h5", True),
        ("mobilenet_v3_small", "weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5", True),
        ("resnet50", "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5", True),
        ("resnet50", "resnet50_weights_tf_dim_ordering_tf_kernels.h5", False),
        ("resnet50", "resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5", False),
        ("efficientnetv2b0", "efficientnetv2-b0_notop.h5", True),
        ("efficientnetb0", "efficientnetv2-b0_notop.h5", False),
    ],
)
def test_weights_in_the_cache_of_keras_are_known_by_their_file(
    network: str, file: str, cached: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / file).touch()
    if cached:
        check_cached(network)
    else:
        with pytest.raises(FileNotFoundError, match=f"weights of {network} are not in"):
            check_cached(network)
