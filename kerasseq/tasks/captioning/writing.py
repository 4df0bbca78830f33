"""Captions from a trained model: for what it is scored on, and for new pictures."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasseq import training
from kerasseq.batches import Examples
from kerasseq.data.captioned import Captioned
from kerasseq.data.picture_features import Seen
from kerasseq.data.pictures import read_pictures
from kerasseq.data.tokenizer import END, START, UNKNOWN, Tokenizer

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
    "taught",
]

#: The settings of the beam search.
SEARCH = ("beam_width", "length_penalty", "no_repeat_ngram_size")
_SHOWN, _LOOKED_AT = 12, 3  # pictures in the contact sheet, and with attention
_THUMBNAIL = 160  # pixels


@dataclass(frozen=True)
class References:
    """What was said of pictures, to score captions by.

    Args:
        captions: of each picture.
        shown: numbers of the pictures that are to be shown.
    """

    captions: list[list[str]]
    shown: Sequence[int] = ()


@dataclass(frozen=True)
class CaptionExamples:
    """Pictures to find captions for, and what was said of them.

    Args:
        seen: a row for each picture.
        targets: what was said.
        told: a row for each caption, as the model learns from them.
        picture: which picture each of these belongs to.
    """

    seen: Seen
    targets: References
    told: Examples
    picture: np.ndarray

    def __len__(self) -> int:
        return len(self.targets.captions)


@dataclass(frozen=True)
class Written:
    """Captions, one for each picture.

    Args:
        texts: the captions.
        log_probs: of each caption, in nats.
        nats: how surprising its references are to the model, for each picture, in nats.
        words: of these references, their ends among them.
        new: whether this caption has words, and nobody has said it in the training part.
    """

    texts: list[str]
    log_probs: np.ndarray | None = None
    nats: np.ndarray | None = None
    words: np.ndarray | None = None
    new: np.ndarray | None = None


def taught(tokenizer: Tokenizer, part: Captioned) -> tuple[Examples, np.ndarray]:
    """Examples, a row for each caption, and which picture each belongs to.

    Args:
        tokenizer: the vocabulary of captions.
        part: the pictures.
    """
    captions = part.captions
    picture = np.repeat(np.arange(len(captions)), [len(own) for own in captions])
    rows = tokenizer.encode([caption for own in captions for caption in own], start=True, end=True)
    lengths = (rows != 0).sum(axis=1) - 1
    inputs: dict[str, Any] = {"picture": part.seen.at(picture), "tokens": _without_end(rows)}
    told = Examples(inputs, rows[:, 1:], {"tokens": lengths, "targets": lengths})
    return told, picture


def examples(tokenizer: Tokenizer, part: Captioned, show: bool = False) -> CaptionExamples:
    """Pictures to find captions for and to score them on.

    Args:
        tokenizer: the vocabulary of captions.
        part: the pictures.
        show: whether some of them are to be shown.
    """
    told, picture = taught(tokenizer, part)
    there = [i for i, file in enumerate(part.files) if part.network or file]
    targets = References(part.captions, there[:_SHOWN] if show else ())
    return CaptionExamples(part.seen, targets, told, picture)


def scaled(part: Captioned, scaling: Mapping[str, np.ndarray] | None) -> Captioned:
    """The same pictures, what is seen in them scaled by `Seen.moments`, where it is."""
    return part if scaling is None else replace(part, seen=part.seen.scaled(**scaling))


def shown(part: Captioned, rows: Sequence[int]) -> dict[str, Any]:
    """What figures need of some pictures: themselves, and of the first what is seen in them."""
    if not rows:
        return {}
    if part.network:
        pictures = part.seen[np.array(rows)].astype(np.uint8)
    else:
        pictures = read_pictures([part.files[row] for row in rows], _THUMBNAIL)
    return {"pictures": pictures, "seen": part.seen[np.array(rows[:_LOOKED_AT])]}


def check_shown(shown: Mapping[str, np.ndarray], seen: Sequence[int], examples: int) -> None:
    """Raise a ValueError unless figures can be drawn of what `shown` gave.

    Args:
        shown: pictures, and what is seen in the first; or nothing.
        seen: shape of what is seen in a picture.
        examples: number of captions that go with the pictures.
    """
    if not {"pictures", "seen"} <= {*shown}:
        return
    pictures, looked_at = shown["pictures"], (min(examples, _LOOKED_AT), *seen)
    if len(pictures) != examples or 0 in pictures.shape or shown["seen"].shape != looked_at:
        raise ValueError(
            f"{examples:,} pictures are shown, and there are arrays {pictures.shape} of them and "
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

    def write(self, seen: Any) -> Written:
        """Captions of what is seen, one for each row."""
        if self._search is None:
            from kerasseq.decoding import BeamSearch

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
        found = self._search.run(seen)
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

    def look(self, seen: np.ndarray, captions: Sequence[str]) -> list[np.ndarray]:
        """Where the model looked for each word, (words, rows, columns) for each caption.

        Args:
            seen: a row for each caption.
            captions: as the model wrote them.

        Raises:
            ValueError: if its decoder has no attention, or regions are in no square.
        """
        from keras import ops

        decoder = self.model.get_layer("decoder")
        if not hasattr(decoder, "look"):
            raise ValueError("this captioner looks at no regions: train one with attention.")
        tokens = _without_end(self.tokenizer.encode(captions, start=True, end=True))
        weights = decoder.look(ops.convert_to_tensor(seen), ops.convert_to_tensor(tokens))
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
        examples: the pictures.
        known: fingerprints of the captions that were learned from.
    """
    written = writer.write(examples.seen)
    nats = writer.nats(examples.told)
    lengths = examples.told.lengths["tokens"]
    repeated = np.isin(fingerprints(written.texts), known)
    return Written(
        written.texts,
        written.log_probs,
        np.bincount(examples.picture, nats, len(examples)),
        np.bincount(examples.picture, lengths, len(examples)),
        np.array([bool(text) for text in written.texts]) & ~repeated,
    )


def _without_end(rows: np.ndarray) -> np.ndarray:
    """Rows of numbers with the end marks blanked, and the last column, which holds no other."""
    return np.where(rows == END, 0, rows)[:, :-1]
