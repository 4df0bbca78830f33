"""Settings without an effect on the data that was read."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from numbers import Real
from typing import TYPE_CHECKING

from kerasseq.settings import declarations_of

if TYPE_CHECKING:
    from kerasseq.data.sequences.recordings import Sequences
    from kerasseq.recipes.sequence_classification import SequenceClassificationSettings as Settings

__all__ = ["unused_settings"]

#: Settings that only some kinds of files depend on, with the reason for no effect.
_BY_FILE = {
    **dict.fromkeys(("label", "sequence", "step", "groups"), "no table is read"),
    "pattern": "data is no folder",
    "joints": "no file of skeletons is read",
    "image_size": "no image is read",
    **dict.fromkeys(("mel_bins", "top_db"), "no sound is read"),
}
_AUGMENTATION = ("jitter", "scaling", "time_warp", "cropping", "channel_dropout")
_CONVOLUTION = ("filters", "kernel_size", "convolution_stride")


def unused_settings(settings: Settings, source: Sequences, used: Collection[str]) -> list[str]:
    """A note on settings that were changed and have no effect; none if there are no such settings.

    Args:
        settings: settings of the recipe.
        source: the data, with labels.
        used: settings that files were read by, see `FileReaders`.
    """
    defaults = {name: each.default for name, each in declarations_of(type(settings)).items()}
    reasons = {
        name: reason
        for name, reason in _reasons(settings, source, used)
        # Labels, groups and parts may be data, which always have an effect.
        if isinstance(value := getattr(settings, name), str | Real | None)
        and value != defaults[name]
    }
    if not reasons:
        return []
    return [f"without effect: {', '.join(f'{name}= ({why})' for name, why in reasons.items())}"]


def _reasons(
    settings: Settings, source: Sequences, used: Collection[str]
) -> Iterator[tuple[str, str]]:
    """Names of settings without an effect, with the reason, whether they were changed or not."""
    if settings.encoder != "cnn":
        used = {*used, "image_size"}  # the size at which the network reads frames
    else:
        yield "weights", "encoder= names no network"
    yield from ((name, reason) for name, reason in _BY_FILE.items() if name not in used)
    if settings.window is not None and source.values.lengths.max() < settings.window:
        yield "window", "no recording is longer; one alone is a list of one array"
    if source.rate is None:
        yield "rate", "the data has no rate"
    frames = len(source.values.shape) == 3
    if not frames:
        yield "frame_features", "no frames of videos pass the trained network"
    if frames:
        yield from ((name, "frames are not augmented") for name in _AUGMENTATION)
        yield from ((name, "pixels are scaled to 1") for name in ("normalize", "differences"))
    if not settings.convolutions:
        yield from ((name, "convolutions is 0") for name in _CONVOLUTION)
    if source.numeric:
        yield "class_weights", "a regression has no classes"
    for name, part in (("validation", source.validation), ("test", source.test)):
        if part is not None and isinstance(getattr(settings, name), Real):
            yield name, f"the data has a {name} part"
    if settings.test_groups is not None:
        yield "test", "test_groups= names the groups to score on"
