"""Captions from a trained model: for what it is scored on, and for new images."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasseq import training
from kerasseq.data.images.captioned import Captioned
from kerasseq.data.images.features import ImageInputs
from kerasseq.data.images.files import read_images
from kerasseq.data.tokenizers.tokenizer import END, START, UNKNOWN, Tokenizer
from kerasseq.training.batches import Examples

if TYPE_CHECKING:
    import keras

__all__ = [
    "SEARCH",
    "CaptionExamples",
    "References",
    "Writer",
    "Written",
    "check_shown",
    "examples",
    "fingerprints",
    "predicted",
    "scaled",
    "shown",
    "teacher_forcing_examples",
]

#: The settings of the beam search.
SEARCH = ("beam_width", "length_penalty", "no_repeat_ngram_size")
_SHOWN, _LOOKED_AT = 12, 3  # images in the contact sheet, and with attention
_THUMBNAIL = 160  # pixels


@dataclass(frozen=True)
class References:
    """What was said of images, to score captions by.

    Args:
        captions: of each image.
        shown: numbers of the images that are to be shown.
    """

    captions: list[list[str]]
    shown: Sequence[int] = ()


@dataclass(frozen=True)
class CaptionExamples:
    """Images to find captions for, and what was said of them.

    Args:
        inputs: a row for each image.
        targets: what was said.
        examples: a row for each caption, for teacher forcing.
        image: which image each of these belongs to.
    """

    inputs: ImageInputs
    targets: References
    examples: Examples
    image: np.ndarray

    def __len__(self) -> int:
        return len(self.targets.captions)


@dataclass(frozen=True)
class Written:
    """Captions, one for each image.

    Args:
        texts: the captions.
        log_probs: of each caption, in nats.
        nats: how surprising its references are to the model, for each image, in nats.
        words: of these references, their ends among them.
        new: whether this caption has words, and nobody has said it in the training part.
    """

    texts: list[str]
    log_probs: np.ndarray | None = None
    nats: np.ndarray | None = None
    words: np.ndarray | None = None
    new: np.ndarray | None = None


def teacher_forcing_examples(tokenizer: Tokenizer, part: Captioned) -> tuple[Examples, np.ndarray]:
    """Examples, a row for each caption, and which image each belongs to.

    Args:
        tokenizer: the vocabulary of captions.
        part: the images.
    """
    captions = part.captions
    image = np.repeat(np.arange(len(captions)), [len(own) for own in captions])
    rows = tokenizer.encode([caption for own in captions for caption in own], start=True, end=True)
    lengths = (rows != 0).sum(axis=1) - 1
    inputs: dict[str, Any] = {"image": part.inputs.at(image), "tokens": _without_end(rows)}
    examples = Examples(inputs, rows[:, 1:], {"tokens": lengths, "targets": lengths})
    return examples, image


def examples(tokenizer: Tokenizer, part: Captioned, show: bool = False) -> CaptionExamples:
    """Images to find captions for and to score them on.

    Args:
        tokenizer: the vocabulary of captions.
        part: the images.
        show: whether some of them are to be shown.
    """
    examples, image = teacher_forcing_examples(tokenizer, part)
    there = [i for i, file in enumerate(part.files) if part.network or file]
    targets = References(part.captions, there[:_SHOWN] if show else ())
    return CaptionExamples(part.inputs, targets, examples, image)


def scaled(part: Captioned, scaling: Mapping[str, np.ndarray] | None) -> Captioned:
    """The same images, inputs of them scaled by `ImageInputs.moments`, where it is."""
    return part if scaling is None else replace(part, inputs=part.inputs.scaled(**scaling))


def shown(part: Captioned, rows: Sequence[int]) -> dict[str, Any]:
    """What figures need of some images: themselves, and of the first inputs of them."""
    if not rows:
        return {}
    if part.network:
        images = part.inputs[np.array(rows)].astype(np.uint8)
    else:
        images = read_images([part.files[row] for row in rows], _THUMBNAIL)
    return {"images": images, "inputs": part.inputs[np.array(rows[:_LOOKED_AT])]}


def check_shown(shown: Mapping[str, np.ndarray], seen: Sequence[int], examples: int) -> None:
    """Raise a ValueError unless figures can be drawn of what `shown` gave.

    Args:
        shown: images, and what is seen in the first; or nothing.
        seen: shape of what is seen in an image.
        examples: number of captions that go with the images.
    """
    if not {"images", "seen"} <= {*shown}:
        return
    images, looked_at = shown["images"], (min(examples, _LOOKED_AT), *seen)
    if len(images) != examples or 0 in images.shape or shown["inputs"].shape != looked_at:
        raise ValueError(
            f"{examples:,} images are shown, and there are arrays {images.shape} of them and "
            f"{shown['seen'].shape} of what is seen in {looked_at[0]}"
        )


def fingerprints(captions: Sequence[str]) -> np.ndarray:
    """A number for each caption, uint64, by which it is known again."""
    found = [hashlib.blake2b(own.encode(), digest_size=8).digest() for own in captions]
    return np.frombuffer(b"".join(found), dtype="<u8").astype(np.uint64)


@dataclass
class Writer:
    """Writes captions with a model, by beam search.

    Args:
        model: what `kerasseq.models.Captioner` builds.
        tokenizer: its vocabulary.
        beam_width: number of captions that beam search follows; 1 for greedy decoding.
        length_penalty: 0 favours short captions, 1 does not.
        no_repeat_ngram_size: words of the shortest run that must not come twice; 0 for any.
    """

    model: keras.Model
    tokenizer: Tokenizer
    beam_width: int = 3
    length_penalty: float = 0.0
    no_repeat_ngram_size: int = 0
    _search: Any = field(default=None, repr=False)

    @property
    def search(self) -> dict[str, Any]:
        """The settings of the beam search."""
        return {name: getattr(self, name) for name in SEARCH}

    def write(self, inputs: Any) -> Written:
        """Captions of image inputs, one for each row."""
        if self._search is None:
            from kerasseq.generation import BeamSearch

            self._search = BeamSearch(
                self.model.get_layer("decoder"),
                width=self.beam_width,
                normalization=self.length_penalty,
                no_repeat=self.no_repeat_ngram_size,
                best=1,
                length=self.tokenizer.length + 1,
                start=START,
                end=END,
                forbidden=(UNKNOWN, START),
            )
        found = self._search.run(inputs)
        log_probs = np.asarray(found.log_probs[:, 0]).sum(axis=-1)
        training.finite(log_probs, self.model)
        return Written(self.tokenizer.decode(found.tokens[:, 0]), log_probs)

    def nats(self, examples: Examples) -> np.ndarray:
        """How surprising each caption is, its end included, float64 (captions,)."""
        import keras
        from keras import ops

        following = keras.Input((None,), dtype="int32", name="following")
        losses = ops.sparse_categorical_crossentropy(following, self.model.output, from_logits=True)
        real = ops.cast(ops.not_equal(following, 0), "float32")
        inputs = {**self.model.input, "following": following}
        scorer = keras.Model(inputs, ops.sum(losses * real, axis=-1))
        assert examples.targets is not None
        lengths = examples.lengths["tokens"]
        given = Examples(
            {**examples.inputs, "following": examples.targets},
            lengths={"tokens": lengths, "following": lengths},
        )
        return training.outputs(scorer, given).astype(np.float64)

    def look(self, inputs: np.ndarray, captions: Sequence[str]) -> list[np.ndarray]:
        """Where the model looked for each word, (words, rows, columns) for each caption.

        Args:
            inputs: a row for each caption.
            captions: as the model wrote them.

        Raises:
            ValueError: if its decoder has no attention, or regions are in no square.
        """
        from keras import ops

        decoder = self.model.get_layer("decoder")
        if not hasattr(decoder, "look"):
            raise ValueError("this captioner looks at no regions: train one with attention.")
        tokens = _without_end(self.tokenizer.encode(captions, start=True, end=True))
        weights = decoder.look(ops.convert_to_tensor(inputs), ops.convert_to_tensor(tokens))
        weights = np.asarray(ops.convert_to_numpy(weights))
        side = round(weights.shape[-1] ** 0.5)
        if side**2 != weights.shape[-1]:
            raise ValueError(
                f"{weights.shape[-1]} regions do not make a square of rows and columns."
            )
        return [
            own[: len(caption.split())].reshape(-1, side, side)
            for own, caption in zip(weights, captions)
        ]


def predicted(writer: Writer, examples: CaptionExamples, known: np.ndarray) -> Written:
    """Captions of what is to be scored, and how surprising what was said of it is.

    Args:
        writer: what writes them.
        examples: the images.
        known: fingerprints of the captions that were learned from.
    """
    written = writer.write(examples.inputs)
    nats = writer.nats(examples.examples)
    lengths = examples.examples.lengths["tokens"]
    repeated = np.isin(fingerprints(written.texts), known)
    return Written(
        written.texts,
        written.log_probs,
        np.bincount(examples.image, nats, len(examples)),
        np.bincount(examples.image, lengths, len(examples)),
        np.array([bool(text) for text in written.texts]) & ~repeated,
    )


def _without_end(rows: np.ndarray) -> np.ndarray:
    """Rows of numbers with the end marks blanked, and the last column, which holds no other."""
    return np.where(rows == END, 0, rows)[:, :-1]
