"""Writing captions with a trained model, for scoring and for new images."""

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
_SHOWN, _LOOKED_AT = 12, 3  # number of images in the contact sheet, and in the attention plot
_THUMBNAIL = 160  # pixels


@dataclass(frozen=True)
class References:
    """Reference captions of images.

    Args:
        captions: reference captions of each image.
        shown: numbers of the images that plots show.
    """

    captions: list[list[str]]
    shown: Sequence[int] = ()


@dataclass(frozen=True)
class CaptionExamples:
    """Images to caption, with their reference captions.

    Args:
        inputs: inputs of the model, a row for each image.
        targets: reference captions.
        examples: examples for teacher forcing, a row for each caption.
        image: number of the image of each example, `(captions,)`.
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
        log_probs: log-probability of each caption, in nats, `(images,)`.
        nats: negative log-likelihood of the references of each image, in nats, `(images,)`.
        words: number of words of these references, end tokens included, `(images,)`.
        new: whether the caption is not empty and absent from the training captions, `(images,)`.
    """

    texts: list[str]
    log_probs: np.ndarray | None = None
    nats: np.ndarray | None = None
    words: np.ndarray | None = None
    new: np.ndarray | None = None


def teacher_forcing_examples(tokenizer: Tokenizer, part: Captioned) -> tuple[Examples, np.ndarray]:
    """Examples for teacher forcing, a row for each caption, and the image number of each row.

    Args:
        tokenizer: the vocabulary of captions.
        part: the images.
    """
    captions = part.captions
    image = np.repeat(np.arange(len(captions)), [len(row) for row in captions])
    rows = tokenizer.encode([caption for row in captions for caption in row], start=True, end=True)
    lengths = (rows != 0).sum(axis=1) - 1
    inputs: dict[str, Any] = {"image": part.inputs.at(image), "tokens": _without_end(rows)}
    examples = Examples(inputs, rows[:, 1:], {"tokens": lengths, "targets": lengths})
    return examples, image


def examples(tokenizer: Tokenizer, part: Captioned, show: bool = False) -> CaptionExamples:
    """Images to caption, with their reference captions.

    Args:
        tokenizer: the vocabulary of captions.
        part: the images.
        show: whether to choose images for plots.
    """
    examples, image = teacher_forcing_examples(tokenizer, part)
    available = [i for i, file in enumerate(part.files) if part.network or file]
    targets = References(part.captions, available[:_SHOWN] if show else ())
    return CaptionExamples(part.inputs, targets, examples, image)


def scaled(part: Captioned, scaling: Mapping[str, np.ndarray] | None) -> Captioned:
    """The same images, with inputs scaled by `ImageInputs.moments`; unchanged without scaling."""
    return part if scaling is None else replace(part, inputs=part.inputs.scaled(**scaling))


def shown(part: Captioned, rows: Sequence[int]) -> dict[str, Any]:
    """The data of plots: images, and the model inputs of the first few of them."""
    if not rows:
        return {}
    if part.network:
        images = part.inputs[np.array(rows)].astype(np.uint8)
    else:
        images = read_images([part.files[row] for row in rows], _THUMBNAIL)
    return {"images": images, "inputs": part.inputs[np.array(rows[:_LOOKED_AT])]}


def check_shown(shown: Mapping[str, np.ndarray], shape: Sequence[int], examples: int) -> None:
    """Raise a ValueError unless plots can be drawn from the result of `shown`.

    Args:
        shown: `images`, and `inputs` of the first few of them; or empty.
        shape: shape of the model inputs of an image.
        examples: number of captions.
    """
    if not {"images", "inputs"} <= {*shown}:
        return
    images, expected = shown["images"], (min(examples, _LOOKED_AT), *shape)
    if len(images) != examples or 0 in images.shape or shown["inputs"].shape != expected:
        raise ValueError(
            f"plots show {examples:,} images, but the images have shape {images.shape} and the "
            f"model inputs of the first {expected[0]} have shape {shown['inputs'].shape}"
        )


def fingerprints(captions: Sequence[str]) -> np.ndarray:
    """A 64-bit hash of each caption, uint64 `(captions,)`."""
    hashes = [hashlib.blake2b(caption.encode(), digest_size=8).digest() for caption in captions]
    return np.frombuffer(b"".join(hashes), dtype="<u8").astype(np.uint64)


@dataclass
class Writer:
    """Writes captions with a model, by beam search.

    Args:
        model: a model that `kerasseq.models.Captioner` built.
        tokenizer: vocabulary of the model.
        beam_width: number of captions that beam search follows; 1 for greedy decoding.
        length_penalty: exponent of the length that divides the log-probability; 0 favours short
            captions.
        no_repeat_ngram_size: length of n-grams that must not occur twice; 0 for no limit.
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
        """Write a caption for each row of image inputs."""
        if self._search is None:
            from kerasseq.generation import BeamSearch

            self._search = BeamSearch(
                self.model.get_layer("decoder"),
                beam_width=self.beam_width,
                length_penalty=self.length_penalty,
                no_repeat_ngram_size=self.no_repeat_ngram_size,
                best=1,
                length=self.tokenizer.length + 1,
                start=START,
                end=END,
                forbidden=(UNKNOWN, START),
            )
        result = self._search.run(inputs)
        log_probs = np.asarray(result.log_probs[:, 0]).sum(axis=-1)
        training.finite(log_probs, self.model)
        return Written(self.tokenizer.decode(result.tokens[:, 0]), log_probs)

    def nats(self, examples: Examples) -> np.ndarray:
        """Negative log-likelihood of each caption with its end, in nats, float64 (captions,)."""
        import keras
        from keras import ops

        following = keras.Input((None,), dtype="int32", name="following")
        losses = ops.sparse_categorical_crossentropy(following, self.model.output, from_logits=True)
        real = ops.cast(ops.not_equal(following, 0), "float32")
        inputs = {**self.model.input, "following": following}
        scorer = keras.Model(inputs, ops.sum(losses * real, axis=-1))
        assert examples.targets is not None
        lengths = examples.lengths["tokens"]
        with_targets = Examples(
            {**examples.inputs, "following": examples.targets},
            lengths={"tokens": lengths, "following": lengths},
        )
        return training.outputs(scorer, with_targets).astype(np.float64)

    def look(self, inputs: np.ndarray, captions: Sequence[str]) -> list[np.ndarray]:
        """Attention weights of each word, (words, rows, columns) for each caption.

        Args:
            inputs: inputs of the model, a row for each caption.
            captions: captions of the model.

        Raises:
            ValueError: if the decoder has no attention, or regions do not form a square.
        """
        from keras import ops

        decoder = self.model.get_layer("decoder")
        if not hasattr(decoder, "look"):
            raise ValueError(
                "this model has no attention weights: train one with decoder='attention'."
            )
        tokens = _without_end(self.tokenizer.encode(captions, start=True, end=True))
        weights = decoder.look(ops.convert_to_tensor(inputs), ops.convert_to_tensor(tokens))
        weights = np.asarray(ops.convert_to_numpy(weights))
        side = round(weights.shape[-1] ** 0.5)
        if side**2 != weights.shape[-1]:
            raise ValueError(
                f"{weights.shape[-1]} regions do not make a square of rows and columns."
            )
        return [
            rows[: len(caption.split())].reshape(-1, side, side)
            for rows, caption in zip(weights, captions)
        ]


def predicted(writer: Writer, examples: CaptionExamples, known: np.ndarray) -> Written:
    """Write captions of images, and compute the likelihood of their references.

    Args:
        writer: the caption writer.
        examples: the images with their references.
        known: fingerprints of the training captions.
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
    """Token numbers without end tokens, and without the last column, which is then empty."""
    return np.where(rows == END, 0, rows)[:, :-1]
