"""Tagged sentences in tables: a token a row, a sentence a row, or texts with spans."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasseq.data.tags.sentences import Sentences
from kerasseq.data.tags.words import Span, span_tags, split_words
from kerasseq.io.cells import parse_texts
from kerasseq.io.files import read_text
from kerasseq.io.limits import encodable, parse_json
from kerasseq.io.tables import check_few, list_columns, read_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Roles", "check_distinct", "has_tokens", "read_frame", "read_tokens_table"]

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
_NUMBERS = re.compile(r"\[[\s,\d-]*\]")  # a list of whole numbers, as Python and NumPy write it
_LONE_QUOTE = re.compile(r'(?:^|\t)"(?=\t|\r?$)', re.MULTILINE)
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
        label: column of labels of whole sentences.
        further: further columns of tags.
    """

    token: str | None = None
    tag: str | None = None
    sentence: str | None = None
    columns: tuple[str, ...] = ()
    spans: bool = False
    label: str | None = None
    further: tuple[str, ...] = ()


def read_tokens_table(path: Path) -> tuple[pd.DataFrame, list[str]]:
    """Read a table from a file as `kerasseq.io.tables.read_table` does, and notes.

    In a TSV file with a token a row, of which a quotation mark is one, nothing is quoted.

    Args:
        path: the file.

    Raises:
        ValueError: if it cannot be read as a table.
    """
    if path.suffix.lower() == ".tsv":
        content, _ = read_text(path)
        names = {name.strip().lower() for name in content.split("\n", 1)[0].split("\t")}
        if names & set().union(*_TOKENS) and _LONE_QUOTE.search(content):
            frame, notes = read_table(path, quoted=False)
            return frame, [*notes, f"quotation marks in {path.name} are read as tokens"]
    return read_table(path)


def has_tokens(frame: pd.DataFrame) -> bool:
    """Whether a table has a column that is named as tokens are, and does not hold numbers.

    Args:
        frame: a table whose column names are strings.
    """
    name = _by_name(frame, _TOKENS)
    if name is None:
        return False
    first = frame[name].dropna().iloc[:1].tolist()
    return not first or isinstance(first[0], str | list | tuple | np.ndarray)


def check_distinct(tag: Any, token: Any, features: Sequence[Any]) -> None:
    """Raise a ValueError if the tags are read as tokens or features too, or a feature twice.

    Args:
        tag: the column of the tags; None if there is none.
        token: the column of the tokens.
        features: further columns.
    """
    faults = []
    if tag is not None and tag == token:
        faults.append(f"token= and tag= are both {tag!r}")
    if tag is not None and tag in features:
        faults.append(f"features= and tag= both have {tag!r}, so the tagger would read the answer")
    twice = sorted({str(name) for name in features if list(features).count(name) > 1})
    faults += [f"features= has {name} twice" for name in twice]
    if faults:
        raise ValueError(f"every column can have one role: {'; '.join(faults)}. Name others.")


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
        tagged: whether there must be tags. Otherwise they are not read, and a sentence that
            cannot be read has no words and a reason.

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
    if not tagged:
        roles = replace(roles, tag=None)
    frame = frame.set_axis([str(column) for column in frame.columns], axis=1)
    check_few(frame, where, "token= and tag=")
    _check_named(frame, roles, where)
    spans = _span_columns(frame, roles) if tagged else None
    if spans is not None:
        if named := (*roles.columns, *roles.further):
            raise ValueError(
                f"{where} has texts with spans, whose words have no further columns. Leave out "
                f"{list_columns(named)}."
            )
        sentences, kept, notes = _from_spans(frame, *spans, where)
        if roles.label is not None:
            label_of_row = _labels(frame, roles.label, where)
            sentences.labels = [label_of_row[row] for row in kept]
        described = f"texts from column {spans[0]!r}, spans from {spans[1]!r}"
        return sentences, Roles(*spans, spans=True, label=roles.label), [described, *notes]
    token = roles.token or _by_name(frame, _TOKENS)
    taken = [name for name in (*roles.further, roles.label) if name]
    tag = (roles.tag or _by_name(frame, _TAGS, taken)) if tagged else None
    if token is None or (tagged and tag is None):
        unclear = " and ".join(
            words for words, name in (("the tokens", token), ("the tags", tag)) if name is None
        )
        raise ValueError(
            f"it is not clear which column of {where} holds {unclear}. Its columns are "
            f"{list_columns(frame.columns)}. Pass token= and tag=."
        )
    check_distinct(tag, token, roles.columns)
    for name in roles.further:
        check_distinct(name, token, roles.columns)
    names = [token, *([tag] if tag else []), *roles.columns, *roles.further]
    sentence = roles.sentence or _by_name(frame, _SENTENCES, [*names, *taken])
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
        rows, reasons = _from_lists(frame, names, where, strict=tagged)
        notes = []
        labels = None if roles.label is None else _labels(frame, roles.label, where)
    else:
        read = [*names, *([roles.label] if roles.label else [])]
        rows, reasons, notes = _by_sentence(frame, read, sentence, where, strict=tagged)
        labels = _one_label(rows[roles.label], roles.label, where) if roles.label else None
    for number in reasons:
        rows[token][number] = []
    columns = {name: rows[name] for name in roles.columns}
    further = {name: rows[name] for name in roles.further}
    result = Sentences(
        rows[token], rows[tag] if tag else None, columns, reasons, further or None, labels
    )
    described = f"tokens from column {token!r}" + (f", tags from {tag!r}" if tag else "")
    described += f", sentences from {sentence!r}" if sentence else ""
    return result, replace(roles, token=token, tag=tag, sentence=sentence), [described, *notes]


def _check_named(frame: pd.DataFrame, roles: Roles, where: str) -> None:
    columns = list(frame.columns)
    named = {
        **{"token": roles.token, "tag": roles.tag, "sentence": roles.sentence},
        "sentence_label": roles.label,
    }
    pairs = [(argument, name) for argument, name in named.items() if name is not None]
    pairs += [("features", name) for name in roles.columns]
    pairs += [("tag", name) for name in roles.further]
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


def _from_lists(
    frame: pd.DataFrame, names: Sequence[str], where: str, strict: bool
) -> tuple[dict[str, list[list[str]]], dict[int, str]]:
    """The lists of columns, and why the lists of a row cannot be read; if strict, a ValueError."""
    rows: dict[str, list[list[str]]] = {}
    reasons: dict[int, str] = {}
    for name in names:
        rows[name], faults = _lists(frame[name].tolist())
        if faults and strict:
            raise ValueError(
                f"{where}: column {name!r} must hold a list of tokens or tags in each row, and "
                f"{_shown([f'row {row} {fault}' for row, fault in faults.items()])} (counted from "
                "0). For a table with a token a row, pass sentence=, the column that says which "
                "sentence a token belongs to."
            )
        reasons |= {row: f"column {name!r} {fault}" for row, fault in faults.items()}
    faults = {
        row: f"has {', '.join(f'{len(v):,} of {n!r}' for n, v in zip(names, values))}"
        for row, values in enumerate(zip(*rows.values()))
        if len({*map(len, values)}) > 1
    }
    if faults and strict:
        raise ValueError(
            f"{where}: every row must have as many tags as tokens, and "
            f"{_shown([f'row {row} {fault}' for row, fault in faults.items()])} (counted from 0). "
            "Mend or leave out these rows."
        )
    return rows, faults | reasons


def _lists(cells: Sequence[Any]) -> tuple[list[list[str]], dict[int, str]]:
    """Lists, arrays, texts that show a list, or words between spaces; and faults by row."""
    rows: list[list[str]] = []
    faults = {}
    for row, value in enumerate(cells):
        values = _as_list(value)
        if values is None or not all(isinstance(each, str | int | np.integer) for each in values):
            faults[row] = "has no value" if _is_missing(value) else f"holds {str(value)[:40]!r}"
            values = []
        rows.append([encodable(str(each)) for each in values])
    return rows, faults


def _as_list(value: Any) -> list[Any] | None:
    if isinstance(value, list | tuple | np.ndarray):
        return list(value)
    if not isinstance(value, str) or not value.strip():
        return None
    text = value.strip()
    if _NUMBERS.fullmatch(text):
        return text[1:-1].replace(",", " ").split()
    try:
        values = parse_texts(text) if text.startswith("[") else None
    except ValueError:
        return None
    return text.split() if values is None else values


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and np.isnan(value))


def _by_sentence(
    frame: pd.DataFrame, names: Sequence[str], sentence: str, where: str, strict: bool
) -> tuple[dict[str, list[list[str]]], dict[int, str], list[str]]:
    """The values of columns, a list for each sentence in the order of its first row.

    Also the reasons why sentences cannot be read, which raise a ValueError if strict; and notes.
    """
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
    nested = [key for key in keys.tolist() if isinstance(key, list | dict | np.ndarray)]
    if nested:
        raise ValueError(
            f"{where}: column {sentence!r} must hold the name or the number of a sentence in each "
            f"row. Received: {str(nested[0])[:40]}"
        )
    for row, key in enumerate(keys.tolist()):
        places.setdefault(key, []).append(row)
    apart = sum(rows[-1] - rows[0] >= len(rows) for rows in places.values())
    if apart:
        notes.append(
            f"{apart:,} values of column {sentence!r} are in rows that others separate: the rows "
            "of a value are read as one sentence"
        )
    result = {}
    reasons: dict[int, str] = {}
    for name in names:
        values = frame[name].tolist()
        missing = np.flatnonzero(frame[name].isna())
        if len(missing) and strict:
            raise ValueError(
                f"{where}: column {name!r} has no value in {len(missing):,} rows, the first of "
                f"them row {missing[0]:,} (counted from 0). Fill it in, or leave such rows out."
            )
        texts = [encodable(str(value)).strip() for value in values]
        for row, text in enumerate(texts):
            if "\n" in text or "\t" in text:
                raise ValueError(
                    f"{where}: column {name!r} has a line break or tab in row {row:,} (counted "
                    'from 0). In a file, a single " begins a quoted field: write """" for the '
                    'token ", or give a file of CoNLL columns.'
                )
        result[name] = [[texts[row] for row in rows] for rows in places.values()]
        faulty = {*missing.tolist()}
        for number, rows in enumerate(places.values()):
            wrong = [row for row in rows if row in faulty]
            if wrong:
                reasons[number] = f"column {name!r} has no value in row {wrong[0]:,}"
    return result, reasons, notes


def _span_columns(frame: pd.DataFrame, roles: Roles) -> tuple[str, str] | None:
    """The columns of texts and of lists of spans, if the table has them."""
    text = roles.token or _by_name(frame, _TEXTS)
    if text is None:
        return None
    candidates = [roles.tag] if roles.tag else [_by_name(frame, (names,)) for names in _SPANS]
    for name in candidates:
        if name is None or name == text:
            continue
        cells = frame[name].tolist()
        first = next((spans[0] for spans in map(_span_list, cells) if spans), None)
        if isinstance(first, list | tuple | dict | np.ndarray) or (
            first is None and all(_span_list(cell) is not None for cell in cells)
        ):
            return text, name
    return None


def _span_list(cell: Any) -> list[Any] | None:
    """The spans in a cell, also as a text that shows them; None if it holds something else."""
    if isinstance(cell, str) and (text := cell.strip()).startswith("["):
        for parse in (parse_json, ast.literal_eval):
            try:
                cell = parse(text)
                break
            except (ValueError, SyntaxError, MemoryError, RecursionError):
                continue
    return list(cell) if isinstance(cell, list | tuple | np.ndarray) else None


def _from_spans(
    frame: pd.DataFrame, text: str, spans: str, where: str
) -> tuple[Sentences, list[int], list[str]]:
    """The sentences of texts with words, their rows, and notes."""
    kept: list[int] = []
    tokens, tags, faults = [], [], []
    widened = dropped = empty = missing = 0
    for row, (content, cell) in enumerate(zip(frame[text].tolist(), frame[spans].tolist())):
        if not isinstance(content, str):
            faults.append(f"row {row} has no text")
            continue
        entries = [] if _is_missing(cell) else _span_list(cell)
        if entries is None:
            faults.append(f"row {row} has {str(cell)[:60]!r} in place of a list")
            continue
        missing += _is_missing(cell)
        read = [_span(each, len(content)) for each in entries]
        wrong = [str(each)[:60] for each, span in zip(entries, read) if span is None]
        if wrong:
            faults.append(f"row {row} has {wrong[0]} in a text of {len(content):,} characters")
            continue
        words = split_words(encodable(content))
        if not words:
            empty += 1
            continue
        row_tags, wider, left_out = span_tags(words, [span for span in read if span is not None])
        widened, dropped = widened + wider, dropped + left_out
        kept.append(row)
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
        f"texts without a value in {spans!r}, read as texts without spans": missing,
        "texts without a word left out": empty,
    }
    notes = [f"{count:,} {what}" for what, count in counts.items() if count]
    return Sentences(tokens, tags), kept, notes


def _labels(frame: pd.DataFrame, name: str, where: str) -> list[str]:
    """The label of each row."""
    missing = np.flatnonzero(frame[name].isna())
    if len(missing):
        raise ValueError(
            f"{where}: column {name!r} has no label in {len(missing):,} rows, the first of them "
            f"row {missing[0]:,} (counted from 0). Fill it in, or leave such rows out."
        )
    return [encodable(str(value)).strip() for value in frame[name].tolist()]


def _one_label(rows: Sequence[Sequence[str]], name: str, where: str) -> list[str]:
    """The label of each sentence, which all of its rows have."""
    faults = [f"sentence {n} has {', '.join(sorted({*row}))}" for n, row in enumerate(rows)
              if len({*row}) > 1]  # fmt: skip
    if faults:
        raise ValueError(
            f"{where}: column {name!r} must have the same label in all rows of a sentence, and "
            f"{_shown(faults)} (counted from 0). Mend these rows."
        )
    return [row[0] for row in rows]


def _span(value: Any, length: int) -> Span | None:
    """A span from a list or a mapping; None if it is none."""
    if isinstance(value, dict):
        parts = [
            next((value[name] for name in names if name in value), None)
            for names in (_START, _END, _TYPE)
        ]
        if isinstance(parts[2], list | np.ndarray) and len(parts[2]) == 1:
            parts[2] = parts[2][0]
    elif isinstance(value, list | tuple | np.ndarray) and len(value) == 3:
        parts = list(value)
    else:
        return None
    start, end, kind = parts
    if not (isinstance(start, int | np.integer) and isinstance(end, int | np.integer)):
        return None
    if not (isinstance(kind, str) and kind.strip()) or not 0 <= start < end <= length:
        return None
    return Span(int(start), int(end), encodable(kind).strip())


def _shown(faults: Sequence[str]) -> str:
    more = f" and {len(faults) - _SHOWN:,} more rows" if len(faults) > _SHOWN else ""
    return "; ".join(faults[:_SHOWN]) + more
