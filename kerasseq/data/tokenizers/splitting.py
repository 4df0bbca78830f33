"""How texts are cleaned, and split into the words, characters or bytes that tokens are made of."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, TypeAlias

from tokenizers import Regex, decoders, normalizers, pre_tokenizers

from kerasseq.io.limits import encodable

__all__ = [
    *("Kind", "Texts", "batches", "check", "decoder", "normalizer", "pieces"),
    "pre_tokenizer",
]

Kind = Literal["word", "character", "subword"]
Texts: TypeAlias = Sequence[str] | Sequence[Sequence[str]]

# In turn: what stands before "n't", "n't" itself, another ending, a word, a single sign.
_ENDING = r"(?i:s|re|ve|ll|d|m)\b"
_WORD = rf"\w+?(?=(?i:n't)\b)|(?i:n't)\b|'{_ENDING}|\w+(?:'(?!{_ENDING})\w+)*|[^\w\s]"
# A word, number or run of signs with the space before it; other whitespace by itself.
_SPACED = r" ?\p{L}[\p{L}\p{M}]*| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
# A training step passes over the whole of each word: one without an end would take hours.
_WORD_PART, _PART = r"\w{1,50}|\W{1,50}", r"[\s\S]{1,50}"
# How many characters are tokenised at once: Rust's record of a token takes a hundred bytes.
_BATCH = 2_000_000


def normalizer(clean: bool, lowercase: bool) -> normalizers.Normalizer | None:
    """The cleaning of whole texts; None for none."""
    steps: list[normalizers.Normalizer] = []
    if clean:
        steps += [
            normalizers.NFKC(),
            normalizers.Replace(Regex(r"<[bB][rR]\s*/?>"), " "),
            normalizers.Replace("\u2019", "'"),
        ]
    if lowercase:
        steps.append(normalizers.Lowercase())
    return normalizers.Sequence(steps) if steps else None


def pre_tokenizer(kind: Kind, clean: bool) -> pre_tokenizers.PreTokenizer:
    """The split into words, characters, or the byte strings that subwords are parts of."""
    if kind == "character":
        return pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    if kind == "word" and not clean:
        return pre_tokenizers.WhitespaceSplit()
    words = pre_tokenizers.Split(Regex(_WORD if clean else _SPACED), "removed", invert=True)
    if kind == "word":
        return words
    parts = pre_tokenizers.Split(Regex(_WORD_PART if clean else _PART), "removed", invert=True)
    spelled = pre_tokenizers.ByteLevel(add_prefix_space=clean, use_regex=False)
    return pre_tokenizers.Sequence([words, parts, spelled])


def decoder(kind: Kind, clean: bool) -> decoders.Decoder | None:
    """From tokens to the text: words, for which it is None, are joined by spaces."""
    if kind == "word":
        return None
    if kind == "character":
        return decoders.Fuse()
    spelled = decoders.ByteLevel()
    return decoders.Sequence([spelled, decoders.Strip(" ", 1, 0)]) if clean else spelled


def check(texts: Texts, kind: Kind) -> bool:
    """Whether texts are given as lists of words, which is for words alone.

    Raises:
        TypeError: if they are no list of strings, nor a list of lists of strings.
    """
    if isinstance(texts, str):
        raise TypeError(f"texts must be a list of texts, not one text. Received: {texts[:40]!r}")
    in_words = kind == "word" and isinstance(next(iter(texts), None), list | tuple)
    for i, text in enumerate(texts):
        if not in_words and not isinstance(text, str):
            raise TypeError(f"every text must be a string. Received: texts[{i}]={text!r}")
        if in_words and (isinstance(text, str) or not all(isinstance(word, str) for word in text)):
            raise TypeError(
                "every text must be a list of words, as the first one is. "
                f"Received: texts[{i}]={text!r}"
            )
    return in_words


def pieces(
    texts: Texts, kind: Kind, normalizer: normalizers.Normalizer | None
) -> Iterator[Iterable[str]]:
    """The words or characters of each text, for all that is split without a pattern."""

    def normalized(text: str) -> str:
        text = encodable(text)
        return text if normalizer is None else str(normalizer.normalize_str(text))

    word = functools.cache(normalized)
    for text in texts:
        if not isinstance(text, str):
            yield map(word, text)
        elif kind == "word":
            yield normalized(text).split()
        else:
            yield normalized(text)


def batches(texts: Texts) -> Iterator[list[str]]:
    """The texts, some million characters at once."""
    batch: list[str] = []
    size = 0
    for text in texts:
        assert isinstance(text, str)  # see `check`
        batch.append(encodable(text))
        size += len(text)
        if size >= _BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
