"""Schemes that write chunks as tags: recognise them, convert tags, and the allowed transitions."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Literal, get_args

import numpy as np

from kerasseq.evaluation.chunks import OUTSIDE, Chunk, chunks, split_tag

__all__ = [
    "PLAIN",
    "SCHEMES",
    "Scheme",
    "constraints",
    "convert",
    "mend",
    "recognise",
    "spelling",
    "write",
]

#: "BILOU" is BIOES with L for E and U for S; "bare" is IO without I-, types and O alone; "none" are
#: tags without chunks, such as parts of speech.
Scheme = Literal["IOB1", "IOB2", "BIOES", "BILOU", "IO", "bare", "none"]
SCHEMES: tuple[Scheme, ...] = get_args(Scheme)
PLAIN: Scheme = "none"

# The prefixes of a scheme, as `split_tag` returns them, and as they are written.
_ALLOWED = {"IOB1": "BI", "IOB2": "BI", "BIOES": "BIES", "BILOU": "BIES", "IO": "I", "bare": "I"}
_WRITTEN = {**_ALLOWED, "BILOU": "BILU"}
_SHOWN = 5  # tags in an error
_PREFIXED = re.compile(r"[BIESLU]-.+")
# Prefixes of other notations: of BMES, in lower case, or before an underscore.
_OTHER_NOTATION = re.compile(r"[bimeslu][-_].+|[BIESLU]_.+|M-.+")
_BMES = {"B", "M", "E", "S"}


def recognise(sentences: Iterable[Sequence[str]]) -> Scheme:
    """The scheme that tags are written in.

    Tags without prefixes are parts of speech or the like, "none", unless most tokens have the tag
    O: then they are types of chunks, "bare". Where B stands only between two chunks of a type, it
    is "IOB1", where every chunk begins with B, "IOB2"; if some tags contradict both, the scheme
    with fewer contradictions.

    Args:
        sentences: the tags of each sentence.

    Raises:
        ValueError: if some tags have prefixes and others have none, or all have those of another
            notation, such as BMES.

    Example:

    >>> recognise([["I-PER", "I-PER", "O"], ["O", "I-LOC", "B-LOC"]])
    'IOB1'
    >>> recognise([["DET", "NOUN"]])
    'none'
    """
    counts: Counter[str] = Counter()
    needless = missing = 0  # B, and I, at the beginning of a chunk that follows none of its type
    for tags in sentences:
        counts.update(tags)
        last: str | None = None
        for tag in tags:
            prefix, kind = split_tag(tag)
            if prefix != OUTSIDE and kind != last:
                needless += prefix == "B"
                missing += prefix == "I"
            last = kind if prefix != OUTSIDE else None
    labels = [tag for tag in counts if tag != OUTSIDE]
    _check_notation(labels)
    if not labels or not all(map(_has_prefix, labels)):
        prefixed = sum(map(_has_prefix, labels))
        is_outside_common = bool(labels) and counts.most_common(1)[0][0] == OUTSIDE
        return "bare" if is_outside_common and not prefixed else PLAIN
    prefixes = {split_tag(tag)[0] for tag in labels}
    if prefixes & {"E", "S"}:
        return spelling(labels, "BIOES")
    if "B" not in prefixes:
        return "IO"
    return "IOB1" if needless < missing or not needless else "IOB2"


def _check_notation(labels: Collection[str]) -> None:
    """Raise a ValueError for tags that follow a scheme of chunks only in part."""
    prefixed = [tag for tag in labels if _PREFIXED.fullmatch(tag)]
    strays = [tag for tag in labels if not _has_prefix(tag)]
    others = [tag for tag in strays if _OTHER_NOTATION.fullmatch(tag)]
    is_bmes = "M" in labels and _BMES.issuperset(labels)
    if strays and (prefixed or is_bmes or {*strays} <= {*others, "0", "o"}):
        some = f"{_few(prefixed)} have prefixes, and " if prefixed else ""
        raise ValueError(
            f"{some}{_few(strays)} are no tags of a scheme of chunks. Write B-, I-, E- or S- "
            "before the type of a chunk, and O outside of chunks; or pass scheme='none' for tags "
            "without chunks, or another column as tag=."
        )


def _few(tags: Collection[str]) -> str:
    return ", ".join(sorted(tags)[:_SHOWN]) + (", ..." if len(tags) > _SHOWN else "")


def _has_prefix(tag: str) -> bool:
    return tag[:1] in "BIESLU" and tag[1:2] in ("", "-")


def mend(sentences: Sequence[Sequence[str]], scheme: Scheme) -> tuple[list[list[str]], list[str]]:
    """Tags written strictly in their scheme, and notes for the user.

    Tags that break the scheme are read as conlleval reads them: I after O, or after a chunk of
    another type, begins a chunk.

    Args:
        sentences: the tags of each sentence.
        scheme: the scheme of the tags.

    Raises:
        ValueError: if tags belong to another scheme; it names them.

    Example:

    >>> mend([["O", "I-PER", "I-PER"]], "IOB2")
    ([['O', 'B-PER', 'I-PER']], ['1 tag broke the scheme IOB2 and was mended, as conlleval reads \
it: I-PER as B-PER in sentence 1'])
    """
    if scheme == PLAIN:
        return [list(tags) for tags in sentences], []
    _check_prefixes({tag for tags in sentences for tag in tags}, scheme)
    mended = [convert(tags, scheme) for tags in sentences]
    changed: list[tuple[int, str, str]] = []
    for number, (tags, others) in enumerate(zip(sentences, mended), 1):
        if tags != others:
            changed += [
                (number, tag, other)
                for tag, other in zip(tags, others)
                if split_tag(tag) != split_tag(other)
            ]
    if not changed:
        return mended, []
    (number, tag, other), count = changed[0], len(changed)
    subject = "1 tag broke" if count == 1 else f"{count:,} tags broke"
    return mended, [
        f"{subject} the scheme {scheme} and {'was' if count == 1 else 'were'} mended, as "
        f"conlleval reads {'it' if count == 1 else 'them'}: {tag} as {other} in sentence {number:,}"
    ]


def _check_prefixes(tags: set[str], scheme: Scheme) -> None:
    """Raise a ValueError for tags whose prefix the scheme lacks."""
    bare = scheme in ("IO", "bare")  # types without a prefix
    wrong = sorted(
        tag
        for tag in tags
        if tag != OUTSIDE
        and not (_has_prefix(tag) and split_tag(tag)[0] in _ALLOWED[scheme])
        and not (bare and not _has_prefix(tag))
    )
    if wrong:
        prefixes = ", ".join(_WRITTEN[scheme])
        raise ValueError(
            f"the tags {_few(wrong)} are not of the scheme {scheme}, whose tags are O and "
            f"{prefixes} before a hyphen and a type. Pass another scheme=, scheme='none' for tags "
            "without chunks, or another column as tag=."
        )


def spelling(tags: Iterable[str], scheme: Scheme) -> Scheme:
    """The scheme that differs from another one in its notation alone, where tags have that.

    Args:
        tags: the tags of the data.
        scheme: their scheme.

    Example:

    >>> spelling(["B-X", "L-X", "U-X", "O"], "BIOES"), spelling(["X", "O"], "IO")
    ('BILOU', 'bare')
    """
    labels = {*tags} - {OUTSIDE}
    signs = {tag[0] for tag in labels if _has_prefix(tag)}
    if scheme == "BIOES" and signs & {"L", "U"} and not signs & {"E", "S"}:
        return "BILOU"
    if scheme == "IO" and labels and not signs:
        return "bare"
    return scheme


def convert(tags: Sequence[str], scheme: Scheme) -> list[str]:
    """Write the chunks of tags in another scheme.

    Args:
        tags: tags of a sentence in any scheme.
        scheme: the new scheme; "none" changes nothing.

    Example:

    >>> convert(["I-PER", "I-PER", "B-PER", "O"], "BIOES")
    ['B-PER', 'E-PER', 'S-PER', 'O']
    """
    return list(tags) if scheme == PLAIN else write(chunks(tags), len(tags), scheme)


def write(parts: Sequence[Chunk], length: int, scheme: Scheme) -> list[str]:
    """Write chunks as the tags of a sentence.

    Args:
        parts: chunks that do not overlap, in their order.
        length: number of tokens of the sentence.
        scheme: the scheme to write in.
    """
    tags = [OUTSIDE] * length
    last = Chunk("", -1, -1)
    for chunk in parts:
        size = chunk.end - chunk.start
        prefixes = ["I"] * size
        touches = last.end == chunk.start and last.type == chunk.type
        if scheme in ("IOB2", "BIOES", "BILOU") or (scheme == "IOB1" and touches):
            prefixes[0] = "B"
        if scheme in ("BIOES", "BILOU"):
            last_one, single = "ES" if scheme == "BIOES" else "LU"
            prefixes[-1] = last_one if size > 1 else single
        kind = f"-{chunk.type}" if chunk.type else ""
        tags[chunk.start : chunk.end] = (
            [chunk.type] * size if scheme == "bare" else [prefix + kind for prefix in prefixes]
        )
        last = chunk
    return tags


def constraints(tags: Sequence[str], scheme: Scheme) -> np.ndarray:
    """The transitions between tags that a scheme allows.

    Args:
        tags: all tags, in the order of their numbers.
        scheme: the scheme of the tags.

    Returns:
        Whether tag j may follow tag i, bool (tags + 1, tags + 1). The last row says which tags a
        sentence may begin with, and the last column which it may end with.

    Example:

    >>> constraints(["O", "B-X", "I-X"], "IOB2").astype(int).tolist()
    [[1, 1, 0, 1], [1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 0, 1]]
    """
    # The outside of a sentence is like a token outside of chunks.
    pieces = [(OUTSIDE, "") if scheme == PLAIN else split_tag(tag) for tag in (*tags, OUTSIDE)]

    def allowed(before: tuple[str, str], after: tuple[str, str]) -> bool:
        same = before[1] == after[1] and OUTSIDE not in (before[0], after[0])
        if scheme == "IOB2":
            return after[0] != "I" or same
        if scheme == "IOB1":
            return after[0] != "B" or same
        if scheme in ("BIOES", "BILOU"):
            is_open, goes_on = before[0] in "BI", after[0] in "IE"
            return (is_open == goes_on) and (same or not goes_on)
        return True

    return np.array([[allowed(a, b) for b in pieces] for a in pieces], dtype=bool)
