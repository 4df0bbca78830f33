"""Tagged sentences in tables: a token a row, a sentence a row, or texts with spans."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasseq.data.tags.sentences import Sentences
from kerasseq.data.tags.words import Span, span_tags, split_words
from kerasseq.io.limits import encodable
from kerasseq.io.tables import check_few, list_columns

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Roles", "read_frame"]

# Usual names, in tiers: a later tier counts where an earlier one has no column.
_TOKENS = ({"token", "tokens"}, {"word", "words", "form"})
_TAGS = (
    {"tag", "tags", "ner", "ner_tag", "ner_tags"},
    {"label", "labels", "entities", "spans", "slots", "slot"},
    {"pos", "pos_tags", "upos", "xpos", "chunk", "chunk_tags"},
)
_SPANS = ({"spans", "entities"}, {"label", "labels", "annotations"})
_TEXTS = ({"text"}, {"sentence", "utterance", "query"})
_SENTENCES = (
    {"sentence", "sentence_id", "sent_id", "sentence #", "sentence_idx", "sent"},
    {"id", "sentence_number", "number"},
)
_SHOWN = 3  # faults in an error
_START, _END = ("start", "start_offset", "begin"), ("end", "end_offset", "stop")
_TYPE = ("label", "type", "tag", "entity_group", "entity")


@dataclass(frozen=True)
class Roles:
    """Names of columns, None where they are to be found.

    Args:
        token: column of tokens, or of texts.
        tag: column of tags, or of spans.
        sentence: column that numbers or names the sentences.
        columns: further columns to read, one value for each token.
        spans: whether the table has texts with spans.
    """

    token: str | None = None
    tag: str | None = None
    sentence: str | None = None
    columns: tuple[str, ...] = ()
    spans: bool = False


def read_frame(
    frame: pd.DataFrame, roles: Roles, where: str, tagged: bool = True
) -> tuple[Sentences, Roles, list[str]]:
    """Read tagged sentences from a table.

    Three forms are recognised: a row for each token, with a column that says which sentence it
    belongs to; a row for each sentence, with lists of tokens and tags (or both in a text, separated
    by spaces); a row for each text, with a list of spans `[start, end, type]`, or of mappings.

    Args:
        frame: the table.
        roles: the columns that the user names.
        where: name of the table, for errors.
        tagged: whether there must be tags.

    Returns:
        The sentences, the columns that were read, and notes.

    Raises:
        ValueError: if the table has none of the forms, or it is not clear which column is which.

    Example:

    >>> import pandas as pd
    >>> frame = pd.DataFrame({"tokens": [["in", "Rome"]], "ner_tags": [["O", "B-LOC"]]})
    >>> read_frame(frame, Roles(), "the table")[0].tags
    [['O', 'B-LOC']]
    """
    if not len(frame):
        raise ValueError(f"{where} has no rows. Give at least a few sentences.")
    frame = frame.set_axis([str(column) for column in frame.columns], axis=1)
    check_few(frame, where, "token= and tag=")
    _check_named(frame, roles, where)
    spans = _span_columns(frame, roles) if tagged else None
    if spans is not None:
        sentences, notes = _from_spans(frame, *spans, where)
        described = f"texts from column {spans[0]!r}, spans from {spans[1]!r}"
        return sentences, Roles(*spans, spans=True), [described, *notes]
    token = roles.token or _by_name(frame, _TOKENS)
    tag = (roles.tag or _by_name(frame, _TAGS)) if tagged else None
    if token is None or (tagged and tag is None):
        unclear = " and ".join(
            words for words, name in (("the tokens", token), ("the tags", tag)) if name is None
        )
        raise ValueError(
            f"it is not clear which column of {where} holds {unclear}. Its columns are "
            f"{list_columns(frame.columns)}. Pass token= and tag=."
        )
    names = [token, *([tag] if tag else []), *roles.columns]
    sentence = roles.sentence or _by_name(frame, _SENTENCES, taken=names)
    first = frame[token].dropna().iloc[:1].tolist()
    are_lists = bool(first) and not isinstance(first[0], str)
    if are_lists or (roles.sentence is None and _has_lists(frame[token])):
        sentence = None
    if sentence is None:
        if not (are_lists or _has_lists(frame[token])):
            raise ValueError(
                f"{where} has a token in each row of column {token!r}, and no column that says "
                f"which sentence it belongs to. Its columns are {list_columns(frame.columns)}. "
                "Pass one as sentence=."
            )
        rows, notes = {name: _lists(frame, name, where) for name in names}, []
        _check_lengths(rows, where)
    else:
        rows, notes = _by_sentence(frame, names, sentence, where)
    result = Sentences(
        rows[token], rows[tag] if tag else None, {name: rows[name] for name in roles.columns}
    )
    described = f"tokens from column {token!r}" + (f", tags from {tag!r}" if tag else "")
    described += f", sentences from {sentence!r}" if sentence else ""
    return result, Roles(token, tag, sentence, roles.columns), [described, *notes]


def _check_named(frame: pd.DataFrame, roles: Roles, where: str) -> None:
    columns = list(frame.columns)
    named = {"token": roles.token, "tag": roles.tag, "sentence": roles.sentence}
    pairs = [(argument, name) for argument, name in named.items() if name is not None]
    pairs += [("features", name) for name in roles.columns]
    wrong = [pair for pair in pairs if columns.count(pair[1]) != 1]
    if wrong:
        listed = ", ".join(f"{argument}={name!r}" for argument, name in wrong)
        raise ValueError(
            f"{where} must have each named column once. Its columns are {list_columns(columns)}. "
            f"Received: {listed}"
        )


def _by_name(
    frame: pd.DataFrame, tiers: Sequence[set[str]], taken: Sequence[str] = ()
) -> str | None:
    """The only column with one of the names of the first tier that has any."""
    for names in tiers:
        matches = [c for c in frame.columns if c not in taken and c.strip().lower() in names]
        if matches:
            return matches[0] if len(matches) == 1 else None
    return None


def _has_lists(column: pd.Series) -> bool:
    """Whether texts in a column are lists, or several tokens separated by spaces."""
    texts = [value.strip() for value in column.head(1000) if isinstance(value, str)]
    several = sum(" " in text or text.startswith("[") for text in texts)
    return bool(texts) and several > len(texts) / 2


def _lists(frame: pd.DataFrame, name: str, where: str) -> list[list[str]]:
    """The lists of a column: lists, arrays, texts that show a list, or words between spaces."""
    rows, faults = [], []
    for row, value in enumerate(frame[name].tolist()):
        values = _as_list(value)
        if values is None or not all(isinstance(each, str | int | np.integer) for each in values):
            faults.append(f"row {row} holds {str(value)[:40]!r}")
        else:
            rows.append([encodable(str(each)) for each in values])
    if faults:
        raise ValueError(
            f"{where}: column {name!r} must hold a list of tokens or tags in each row, and "
            f"{_shown(faults)} (counted from 0). For a table with a token a row, pass sentence=, "
            "the column that says which sentence a token belongs to."
        )
    return rows


def _as_list(value: Any) -> list[Any] | None:
    if isinstance(value, list | tuple | np.ndarray):
        return list(value)
    if not isinstance(value, str) or not value.strip():
        return None
    if value.strip().startswith("["):
        try:
            parsed = ast.literal_eval(value.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return value.split()
        return parsed if isinstance(parsed, list) else None
    return value.split()


def _check_lengths(rows: dict[str, list[list[str]]], where: str) -> None:
    names = list(rows)
    faults = [
        f"row {row} has {', '.join(f'{len(v):,} of {n!r}' for n, v in zip(names, values))}"
        for row, values in enumerate(zip(*rows.values()))
        if len({*map(len, values)}) > 1
    ]
    if faults:
        raise ValueError(
            f"{where}: every row must have as many tags as tokens, and {_shown(faults)} (counted "
            "from 0). Mend or leave out these rows."
        )


def _by_sentence(
    frame: pd.DataFrame, names: Sequence[str], sentence: str, where: str
) -> tuple[dict[str, list[list[str]]], list[str]]:
    """The values of columns, a list for each sentence in the order of its first row."""
    notes = []
    keys = frame[sentence]
    if keys.isna().any():  # a sentence may be named in its first row alone
        if keys.isna().iloc[0]:
            raise ValueError(
                f"{where}: column {sentence!r} has no value in its first row. Say there which "
                "sentence the tokens belong to."
            )
        keys = keys.ffill()
        notes.append(f"column {sentence!r} names a sentence in its first row alone")
    places: dict[Any, list[int]] = {}
    for row, key in enumerate(keys.tolist()):
        places.setdefault(key, []).append(row)
    result = {}
    for name in names:
        values = frame[name].tolist()
        missing = np.flatnonzero(frame[name].isna())
        if len(missing):
            raise ValueError(
                f"{where}: column {name!r} has no value in {len(missing):,} rows, the first of "
                f"them row {missing[0]:,} (counted from 0). Fill it in, or leave such rows out."
            )
        texts = [encodable(str(value)).strip() for value in values]
        result[name] = [[texts[row] for row in rows] for rows in places.values()]
    return result, notes


def _span_columns(frame: pd.DataFrame, roles: Roles) -> tuple[str, str] | None:
    """The columns of texts and of lists of spans, if the table has them."""
    text = roles.token or _by_name(frame, _TEXTS)
    if text is None:
        return None
    candidates = [roles.tag] if roles.tag else [_by_name(frame, (names,)) for names in _SPANS]
    for name in candidates:
        if name is None or name == text:
            continue
        cells = [cell for cell in frame[name].tolist() if isinstance(cell, list) and cell]
        if (cells and isinstance(cells[0][0], list | tuple | dict)) or (
            not cells and all(isinstance(cell, list) for cell in frame[name].tolist())
        ):
            return text, name
    return None


def _from_spans(
    frame: pd.DataFrame, text: str, spans: str, where: str
) -> tuple[Sentences, list[str]]:
    tokens, tags, faults = [], [], []
    widened = dropped = empty = 0
    for row, (content, cell) in enumerate(zip(frame[text].tolist(), frame[spans].tolist())):
        if not isinstance(content, str):
            faults.append(f"row {row} has no text")
            continue
        read = [_span(each, len(content)) for each in (cell if isinstance(cell, list) else [])]
        wrong = [str(each)[:60] for each, span in zip(cell, read) if span is None] if read else []
        if wrong:
            faults.append(f"row {row} has {wrong[0]} in a text of {len(content):,} characters")
            continue
        words = split_words(encodable(content))
        if not words:
            empty += 1
            continue
        row_tags, wider, left_out = span_tags(words, [span for span in read if span is not None])
        widened, dropped = widened + wider, dropped + left_out
        tokens.append([word.text for word in words])
        tags.append(row_tags)
    if faults:
        raise ValueError(
            f"{where}: every row must have a text in {text!r}, and in {spans!r} a list of "
            "[start, end, type] with 0 <= start < end <= its number of characters, and "
            f"{_shown(faults)} (counted from 0). Mend or leave out these rows."
        )
    counts = {
        "spans that begin or end inside a word, widened to whole words": widened,
        "spans left out, since they overlap another one or hold no word": dropped,
        "texts without a word left out": empty,
    }
    return Sentences(tokens, tags), [f"{count:,} {what}" for what, count in counts.items() if count]


def _span(value: Any, length: int) -> Span | None:
    """A span from a list or a mapping; None if it is none."""
    if isinstance(value, dict):
        parts = [
            next((value[name] for name in names if name in value), None)
            for names in (_START, _END, _TYPE)
        ]
        if isinstance(parts[2], list) and len(parts[2]) == 1:
            parts[2] = parts[2][0]
    elif isinstance(value, list | tuple) and len(value) == 3:
        parts = list(value)
    else:
        return None
    start, end, kind = parts
    if not (isinstance(start, int) and isinstance(end, int) and isinstance(kind, str)):
        return None
    if not kind.strip() or not 0 <= start < end <= length:
        return None
    return Span(start, end, encodable(kind).strip())


def _shown(faults: Sequence[str]) -> str:
    more = f" and {len(faults) - _SHOWN:,} more rows" if len(faults) > _SHOWN else ""
    return "; ".join(faults[:_SHOWN]) + more
