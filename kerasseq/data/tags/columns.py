"""Read the column files of CoNLL: a token a line, a blank line between sentences."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile

__all__ = [
    "CONLLU",
    "DOCUMENT",
    "Columns",
    "are_columns",
    "column_number",
    "find_column",
    "parse_columns",
    "parse_conllu",
]

#: The token of lines between documents.
DOCUMENT = "-DOCSTART-"
#: The columns of CoNLL-U.
CONLLU = ("ID", "FORM", "LEMMA", "UPOS", "XPOS", "FEATS", "HEAD", "DEPREL", "DEPS", "MISC")
# Columns of the shared tasks, by their number: 2000 has three, 2003 four.
_NAMES: Mapping[int, tuple[str, ...]] = {
    1: ("token",),
    2: ("token", "tag"),
    3: ("token", "pos", "chunk"),
    4: ("token", "pos", "chunk", "ner"),
}
_SHOWN = 5  # line numbers in an error
_SPACE = re.compile(r"[ \t]+")
_COMMENT = re.compile(r"#(?: [^\t]*)?")
_CHUNK_TAG = re.compile(r"O|[BIESLU]-.+")
_LEAST_LINES = 3  # of a single sentence whose tags have no form of their own
_REGULAR = 0.9  # share of the lines with the usual number of columns, in a file of columns


@dataclass(frozen=True)
class Columns:
    """The rows of a column file, by sentence.

    Args:
        sentences: for each sentence its tokens, each with the values of all columns.
        names: names of the columns; empty if only their numbers are known.
        width: the number of columns.
        notes: remarks for the user.
        faults: why a sentence could not be read, by its number; it has no tokens.
    """

    sentences: list[list[list[str]]]
    names: tuple[str, ...]
    width: int
    notes: list[str] = field(default_factory=list)
    faults: dict[int, str] = field(default_factory=dict)


def parse_columns(text: str, where: str, strict: bool = True) -> Columns:
    """Parse a file with a token a line and columns separated by spaces, or by tabs.

    Any number of blank lines separates two sentences; lines that begin with -DOCSTART- are left
    out. If every line has a tab, tabs alone separate columns, and a value may hold spaces. Lines
    such as "# id 7" before a sentence are comments if they have another number of columns, or if
    most sentences have one.

    Args:
        text: the content of the file.
        where: its name, for errors.
        strict: whether a line with another number of columns is an error; else its sentence has a
            fault.

    Raises:
        ValueError: if the file has no tokens, or lines have different numbers of columns; it names
            the lines.

    Example:

    >>> parse_columns("U.N. NNP B-ORG\\n\\nRuns VBZ O\\n", "the file").sentences
    [[['U.N.', 'NNP', 'B-ORG']], [['Runs', 'VBZ', 'O']]]
    """
    blocks = _blocks(text)
    comments = list(map(_comments, blocks))
    lines = [line for block, count in zip(blocks, comments) for _, line in block[count:]]
    if not lines:
        raise ValueError(f"{where} has no tokens. Give a file with a token and its tag in a line.")
    with_tab = sum("\t" in line for line in lines)
    by_tab = with_tab == len(lines)
    rows = [
        [(n, line.split("\t") if by_tab else _SPACE.split(line.strip())) for n, line in block]
        for block in blocks
    ]
    width = _usual_width([block[count:] for block, count in zip(rows, comments)])
    commented = sum(map(bool, comments))
    is_usual = commented > 1 and 2 * commented > len(blocks)
    rows = [
        [row for i, row in enumerate(block) if i >= count or not (is_usual or len(row[1]) != width)]
        for block, count in zip(rows, comments)
    ]
    mixed = (
        f" Tabs are in {with_tab:,} of {len(lines):,} lines: separate all columns by tabs, or all "
        "by spaces."
        if 0 < with_tab < len(lines)
        else ""
    )
    notes = [f"{where} mixes tabs and spaces: both were read as separators"] if mixed else []
    rows = [block for block in rows if block]
    faults = _faults(rows, width, where, mixed, strict)
    sentences = [[[f.strip(" ") for f in fields] for _, fields in block] for block in rows]
    for number in faults:
        sentences[number] = []
    return Columns(sentences, _NAMES.get(width, ()), width, notes, faults)


def parse_conllu(text: str, where: str, strict: bool = True) -> Columns:
    """Parse a CoNLL-U file; ranges of multiword tokens, empty nodes and comments are left out.

    Args:
        text: the content of the file.
        where: its name, for errors.
        strict: as in `parse_columns`.

    Raises:
        ValueError: if lines do not have ten columns; it names the lines.

    Example:

    >>> line = "1\\tRuns\\trun\\tVERB\\tVBZ\\t_\\t0\\troot\\t_\\t_"
    >>> parse_conllu(f"# text = Runs\\n{line}\\n", "the file").sentences[0][0][1]
    'Runs'
    """
    rows = [
        [(n, line.split("\t")) for n, line in block if not line.startswith("#")]
        for block in _blocks(text)
    ]
    width, remedy = len(CONLLU), " CoNLL-U separates columns by tabs."
    rows = [[row for row in block if len(row[1]) != width or row[1][0].isdigit()] for block in rows]
    rows = [block for block in rows if block]
    faults = _faults(rows, width, where, remedy, strict)
    if not rows:
        raise ValueError(f"{where} has no tokens. Give a file of CoNLL-U.")
    sentences = [
        [] if number in faults else [fields for _, fields in block]
        for number, block in enumerate(rows)
    ]
    return Columns(sentences, CONLLU, width, faults=faults)


def are_columns(text: str) -> bool:
    """Whether a text has a token a line, and not a text a line.

    Nearly all lines of columns have the same number of fields. Blank lines separate sentences of
    several lines; without any, a single sentence must have tabs, tags such as B-LOC and O, or, in
    at least three lines, tags without a lower-case letter such as NN.

    Args:
        text: the content of a file.

    Example:

    >>> are_columns("In O\\nRome B-LOC\\n"), are_columns("In Rome.\\nAda ran.\\n")
    (True, False)
    """
    blocks = [block[_comments(block) :] for block in _blocks(text)]
    blocks = [block for block in blocks if block]
    lines = [line for block in blocks for _, line in block]
    if len(lines) == len(blocks):  # a line each
        return False
    fields = [_SPACE.split(line.strip()) for line in lines]
    if len(blocks) == 1:
        return (
            all("\t" in line for line in lines)
            or all(len(values) > 1 and _CHUNK_TAG.fullmatch(values[-1]) for values in fields)
            or _end_on_capitals(fields)
        )
    if all("\t" in line for line in lines):
        fields = [line.split("\t") for line in lines]
    return Counter(map(len, fields)).most_common(1)[0][1] >= _REGULAR * len(lines)


def _end_on_capitals(fields: Sequence[Sequence[str]]) -> bool:
    """Whether lines have a token and then a tag in capitals, as parts of speech are written."""
    tokens, tags = [values[0] for values in fields], [values[-1] for values in fields]
    return (
        len(fields) >= _LEAST_LINES
        and len(fields[0]) > 1
        and len({*map(len, fields)}) == 1
        and all(tag == tag.upper() for tag in tags)
        and any(tag.isupper() for tag in tags)
        and any(token != token.upper() for token in tokens)
    )


def find_column(columns: Columns, name: str | int) -> int | None:
    """The number of a column that is named, or numbered from 0 (from -1 backwards).

    Args:
        columns: the file.
        name: a name, or a number, also as text.

    Returns:
        The number, or None if there is no such column.
    """
    if str(name) in columns.names:
        return columns.names.index(str(name))
    width = columns.width
    if re.fullmatch(r"-?\d{1,9}", str(name)) and -width <= int(name) < width:
        return int(name) % width
    return None


def column_number(columns: Columns, name: str | int, argument: str, where: str) -> int:
    """The number of a column, as `find_column` finds it.

    Args:
        columns: the file.
        name: a name, or a number, also as text.
        argument: name of the setting, for errors.
        where: name of the file, for errors.

    Raises:
        ValueError: if there is no such column.
    """
    number, width = find_column(columns, name), columns.width
    if number is not None:
        return number
    names = f", or by name: {', '.join(columns.names)}" if columns.names else ""
    raise ValueError(
        f"{where} has {width} column{'s' * (width > 1)}: name one by its number, 0 to {width - 1}"
        f"{names}. Received: {argument}={name!r}"
    )


def _blocks(text: str) -> list[list[tuple[int, str]]]:
    """Lines between blank lines, each with its number; without -DOCSTART- lines."""
    blocks: list[list[tuple[int, str]]] = [[]]
    # Not splitlines(): it splits at signs that may be tokens.
    for number, line in enumerate(text.split("\n"), 1):
        line = line.rstrip("\r\t ")
        if not line.strip() or line.startswith(DOCUMENT):
            blocks.append([])
        else:
            blocks[-1].append((number, line))
    return [block for block in blocks if block]


_Rows = Sequence[Sequence[tuple[int, list[str]]]]


def _usual_width(rows: _Rows) -> int:
    return Counter(len(fields) for block in rows for _, fields in block).most_common(1)[0][0]


def _comments(block: Sequence[tuple[int, str]]) -> int:
    """The number of lines at the beginning of a sentence that may be comments."""
    texts = (line for _, line in block)
    return sum(1 for _ in takewhile(_COMMENT.fullmatch, texts))


def _faults(rows: _Rows, width: int, where: str, remedy: str, strict: bool) -> dict[int, str]:
    """The lines with another number of columns, by sentence; if strict, a ValueError."""
    faults = {}
    for number, block in enumerate(rows):
        wrong = [f"line {line} has {len(f)}" for line, f in block if len(f) != width]
        if wrong:
            faults[number] = wrong
    if faults and strict:
        wrong = [fault for lines in faults.values() for fault in lines]
        more = f" and {len(wrong) - _SHOWN:,} more lines do too" if len(wrong) > _SHOWN else ""
        raise ValueError(
            f"{where} changes its number of columns: most lines have {width}, "
            f"{', '.join(wrong[:_SHOWN])}{more}.{remedy or ' Mend these lines.'}"
        )
    return {
        number: f"most lines have {width} columns, {', '.join(wrong[:_SHOWN])}"
        for number, wrong in faults.items()
    }
