"""What a captioner sees of pictures: their pixels, or what a frozen network makes of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasseq.data import captioned as sources
from kerasseq.data.digest import digest
from kerasseq.data.picture_features import Seen, read_features, see
from kerasseq.data.pictures import ENDINGS, read_pictures

if TYPE_CHECKING:
    import keras

    from kerasseq.data.captioned import Captioned

__all__ = ["Sight", "captioned", "eyes", "seen", "trained_network"]

_NETWORK = "mobilenet_v2"  # small, quick, and as good as larger ones of its time
_SMALL = 64  # pixels, for the small network
_BATCH = 32


@dataclass(frozen=True)
class Sight:
    """A frozen network, kept with its weights, so that it sees the same everywhere.

    Args:
        network: its name, see `kerasseq.models.picture_network`.
        model: the network itself, from pixels to features.
        key: what tells its features from those of others.

    Example:

    >>> sight = Sight.of_network("mobilenet_v2", weights=None, size=32)
    >>> sight(np.zeros((1, 32, 32, 3), np.uint8)).shape
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
    ) -> Sight:
        """A network of `keras.applications`; with weights=None, random ones from the seed."""
        import keras

        from kerasseq.models import picture_network

        keras.utils.set_random_seed(seed)
        model = picture_network(network, weights=weights, size=size, grid=grid)
        shape = "grid" if grid else "mean"
        return cls(network, model, f"{network}-{shape}-{digest(model.get_weights())[:12]}")

    @property
    def size(self) -> int:
        """Height and width of the pictures, in pixels."""
        return int(self.model.input_shape[1])

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Features of (pictures, size, size, 3), with a row for each region where it sees some."""
        found = np.asarray(self.model.predict_on_batch(pixels))
        if found.ndim == 4:
            found = found.reshape(len(found), -1, found.shape[-1])
        return found

    def state(self) -> dict[str, Any]:
        """All that `of` needs."""
        return {
            "network": self.network,
            "size": self.size,
            "grid": len(self.model.output_shape) == 4,
            "key": self.key,
            "weights": [np.asarray(weight) for weight in self.model.get_weights()],
        }

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Sight:
        """What a state was taken from."""
        from kerasseq.models import picture_network

        given = {name: state[name] for name in ("size", "grid")}
        model = picture_network(state["network"], weights=None, **given)
        model.set_weights(state["weights"])
        return cls(state["network"], model, state["key"])


def captioned(
    data: Any, settings: Mapping[str, Any], state: Mapping[str, Any] | None = None
) -> Captioned:
    """Pictures with their captions, and what is seen in them.

    Args:
        data: what the recipe takes.
        settings: of the recipe.
        state: of the run whose model is to see them; without one they are to learn from.

    Raises:
        FileNotFoundError: if there is no such data.
        ValueError: if it cannot be used; it says what to do.
    """
    if isinstance(data, str) and data == "demo":
        if settings["encoder"] not in ("auto", "cnn") or settings["features"] is not None:
            raise ValueError(
                "the demo has a small network of its own: leave encoder and features out. "
                f"Received: encoder={settings['encoder']!r}, features={settings['features']!r}"
            )
        return _checked(sources.demo(), state)
    files = sources.picture_files(data, settings["images"], settings["captions"])
    if settings["features"] is not None:
        if settings["fine_tune"]:
            raise ValueError("fine_tune needs pictures: it cannot go with features.")
        found = sources.from_features(files, settings["features"], settings["skip_bad"])
        if settings["decoder"] == "attention" and len(found.seen.shape) == 1:
            raise ValueError(
                f"decoder='attention' needs features of several regions of each picture, and "
                f"{settings['features']} has {found.seen.shape[0]} numbers for the whole of it. "
                "Give others, or choose another decoder."
            )
        return _checked(found, state)
    sources.check_any(files)
    options = {"skip_bad": settings["skip_bad"], "quiet": settings.get("quiet", True)}
    network = _network(settings) if state is None else state["facts"]["network"]
    if network is not None:
        return sources.from_files(files, *see(files.paths, network["size"], **options), network)
    sight = _frozen(settings) if state is None else eyes(state, settings)
    found_, bad = see(files.paths, sight.size, sight, key=sight.key, **options)
    return sources.from_files(files, found_, bad, sight=sight.state())


def seen(data: Any, facts: Mapping[str, Any], eyes: Callable[[], Sight]) -> tuple[list[str], Seen]:
    """What a model is to see of new pictures, and their names.

    Args:
        data: a list of paths, arrays or Pillow images; one path, of a picture or of a folder of
            them; an array (pictures, height, width, 3); or features, as an array or a file.
        facts: of the run.
        eyes: gives what sees pictures, where features are needed.

    Raises:
        ValueError: if there is nothing to see, or it does not fit the model.
    """
    shape = tuple(facts["seen"])
    if isinstance(data, str | os.PathLike):
        data = _pictures_in(Path(data)) if Path(data).is_dir() else [data]
    if isinstance(data, Mapping) or not hasattr(data, "__len__"):
        raise ValueError(f"give a list of pictures, even for one. Received: {str(data)[:60]!r}")
    if not len(data):
        raise ValueError("there is no picture to caption: the list is empty.")
    if facts["network"] is None and _are_features(data):
        if isinstance(data, np.ndarray):
            names, given = [str(number) for number in range(len(data))], Seen(data)
        else:
            names, given = read_features(data[0])
        if given.shape != shape:
            raise ValueError(
                f"this run captions features of shape {shape} for each picture. "
                f"Received: {given.shape}"
            )
        return names, given
    names = [
        str(own) if isinstance(own, str | os.PathLike) else str(number)
        for number, own in enumerate(data)
    ]
    if facts["network"] is not None:
        return names, Seen(read_pictures(data, shape[0]))
    sight = eyes()
    parts = [data[start : start + _BATCH] for start in range(0, len(data), _BATCH)]
    return names, Seen(np.concatenate([sight(read_pictures(p, sight.size)) for p in parts]))


def eyes(state: Mapping[str, Any], settings: Mapping[str, Any]) -> Sight:
    """What sees pictures for a run.

    Raises:
        ValueError: if it was made from features, and nobody said of which network.
    """
    if state["sight"] is not None:
        return Sight.of(state["sight"])
    if settings["encoder"] == "auto":
        raise ValueError(
            "this run was made from a file of features, and does not know what saw them: give "
            "features, or name the network as encoder= when you train."
        )
    sight = _frozen(settings)
    wanted = tuple(state["facts"]["seen"])
    given = sight(np.zeros((1, sight.size, sight.size, 3), dtype=np.uint8)).shape[1:]
    if given != wanted:
        raise ValueError(
            f"{settings['encoder']} sees features of shape {given}, and this run was made from "
            f"others, of shape {wanted}: give features as they were."
        )
    return sight


def trained_network(
    facts: Mapping[str, Any], settings: Mapping[str, Any], grid: bool, weights: str | None
) -> keras.Model | None:
    """The network that is part of a model and sees its pixels, untrained; None for features.

    Args:
        facts: of the run.
        settings: of the recipe.
        grid: whether it is to give regions.
        weights: what it starts from, where it is no small one.
    """
    network = facts["network"]
    if network is None:
        return None
    from kerasseq.models import picture_cnn, picture_network

    if network["name"] == "cnn":
        return picture_cnn(network["size"], grid)
    given = {"size": network["size"], "fine_tune": settings["fine_tune"], "grid": grid}
    return picture_network(network["name"], weights=weights, **given)


def _network(settings: Mapping[str, Any]) -> dict[str, Any] | None:
    """The network that is to learn to see, if any is."""
    from kerasseq.models import picture_size

    name, size = settings["encoder"], settings["size"]
    if name == "cnn":
        return {"name": name, "size": size or _SMALL}
    if settings["fine_tune"]:
        name = _NETWORK if name == "auto" else name
        return {"name": name, "size": size or picture_size(name)}
    return None


def _frozen(settings: Mapping[str, Any]) -> Sight:
    return Sight.of_network(
        _NETWORK if settings["encoder"] == "auto" else settings["encoder"],
        **{name: settings[name] for name in ("weights", "size", "seed")},
        grid=settings["decoder"] == "attention",
    )


def _checked(found: Captioned, state: Mapping[str, Any] | None) -> Captioned:
    """What was found, if a run that is there can see it."""
    if state is not None and tuple(state["facts"]["seen"]) != found.seen.shape:
        raise ValueError(
            f"this run sees {tuple(state['facts']['seen'])} numbers of each picture, and these "
            f"have {found.seen.shape}: give pictures or features as it was made from."
        )
    return found


def _are_features(data: Any) -> bool:
    if isinstance(data, np.ndarray):
        return data.dtype.kind == "f" and data.ndim in (2, 3)
    path = isinstance(data[0], str | os.PathLike)
    return len(data) == 1 and path and Path(data[0]).suffix.lower() in (".npy", ".npz")


def _pictures_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in ENDINGS)
