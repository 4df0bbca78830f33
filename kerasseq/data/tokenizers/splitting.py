"""Clean texts, and split them into the words, characters or bytes that form tokens."""

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

# Alternatives in this order: a word before "n't", "n't", another ending, a word, a single sign.
_ENDING = r"(?i:s|re|ve|ll|d|m)\b"
_WORD = rf"\w+?(?=(?i:n't)\b)|(?i:n't)\b|'{_ENDING}|\w+(?:'(?!{_ENDING})\w+)*|[^\w\s]"
# A word, a number or a run of signs, each with the space before it; other whitespace by itself.
_SPACED = r" ?\p{L}[\p{L}\p{M}]*| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
# Each training step of byte-pair encoding scans all words: very long ones would take hours.
_WORD_PART, _PART = r"\w{1,50}|\W{1,50}", r"[\s\S]{1,50}"
# Number of characters tokenised at once, to bound memory: a token of the library takes 100 bytes.
_BATCH = 2_000_000


def normalizer(clean: bool, lowercase: bool) -> normalizers.Normalizer | None:
    """Normalizer that cleans and lower-cases texts; None if neither is requested."""
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
    """Pre-tokenizer that splits texts into words, characters, or byte strings for subwords."""
    if kind == "character":
        return pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    if kind == "word" and not clean:
        return pre_tokenizers.WhitespaceSplit()
    words = pre_tokenizers.Split(Regex(_WORD if clean else _SPACED), "removed", invert=True)
    if kind == "word":
        return words
    parts = pre_tokenizers.Split(Regex(_WORD_PART if clean else _PART), "removed", invert=True)
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=clean, use_regex=False)
    return pre_tokenizers.Sequence([words, parts, byte_level])


def decoder(kind: Kind, clean: bool) -> decoders.Decoder | None:
    """Create the decoder of the `tokenizers` library that joins tokens to a text.

    Args:
        kind: kind of the tokens.
        clean: whether texts were cleaned when they were split. If so, subwords have a space before
            the first word, which the decoder removes.

    Returns:
        The decoder; None for words, since the library joins tokens by spaces without one.
    """
    if kind == "word":
        return None
    if kind == "character":
        return decoders.Fuse()
    byte_level = decoders.ByteLevel()
    return decoders.Sequence([byte_level, decoders.Strip(" ", 1, 0)]) if clean else byte_level


def check(texts: Texts, kind: Kind) -> bool:
    """Check the type of texts; whether they are lists of words, which only `kind="word"` accepts.

    Raises:
        TypeError: if they are neither a list of strings nor a list of lists of strings.
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
    """Words or characters of each text, where these are split without a regular expression."""

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
    """Divide texts into batches of about two million characters."""
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
