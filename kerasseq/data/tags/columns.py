"""Read the column files of CoNLL: a token a line, a blank line between sentences."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["CONLLU", "Columns", "column_number", "parse_columns", "parse_conllu"]

#: The columns of CoNLL-U.
CONLLU = ("ID", "FORM", "LEMMA", "UPOS", "XPOS", "FEATS", "HEAD", "DEPREL", "DEPS", "MISC")
# Columns of the shared tasks, by their number: 2000 has three, 2003 four.
_NAMES: Mapping[int, tuple[str, ...]] = {
    1: ("token",),
    2: ("token", "tag"),
    3: ("token", "pos", "chunk"),
    4: ("token", "pos", "chunk", "ner"),
}
_DOCUMENT = "-DOCSTART-"
_SHOWN = 5  # line numbers in an error
_SPACE = re.compile(r"[ \t]+")


@dataclass(frozen=True)
class Columns:
    """The rows of a column file, by sentence.

    Args:
        sentences: for each sentence its tokens, each with the values of all columns.
        names: names of the columns; empty if only their numbers are known.
        notes: remarks for the user.
    """

    sentences: list[list[list[str]]]
    names: tuple[str, ...]
    notes: list[str] = field(default_factory=list)


def parse_columns(text: str, where: str) -> Columns:
    """Parse a file with a token a line and columns separated by spaces, or by tabs.

    Any number of blank lines separates two sentences; lines that begin with -DOCSTART- are left
    out. If every line has a tab, tabs alone separate columns, and a value may hold spaces.

    Args:
        text: the content of the file.
        where: its name, for errors.

    Raises:
        ValueError: if lines have different numbers of columns; it names the lines.

    Example:

    >>> parse_columns("U.N. NNP B-ORG\\n\\nRuns VBZ O\\n", "the file").sentences
    [[['U.N.', 'NNP', 'B-ORG']], [['Runs', 'VBZ', 'O']]]
    """
    blocks = _blocks(text)
    lines = [line for block in blocks for _, line in block]
    if not lines:
        raise ValueError(f"{where} has no tokens. Give a file with a token and its tag in a line.")
    with_tab = sum("\t" in line for line in lines)
    by_tab = with_tab == len(lines)
    rows = [
        [(n, line.split("\t") if by_tab else _SPACE.split(line.strip())) for n, line in block]
        for block in blocks
    ]
    width = _usual_width(rows)
    # Sentences may begin with comments, such as "# id 7"; a sign # alone is a token.
    rows = [_without_comments(block, width) for block in rows]
    mixed = (
        f" Tabs are in {with_tab:,} of {len(lines):,} lines: separate all columns by tabs, or all "
        "by spaces."
        if 0 < with_tab < len(lines)
        else ""
    )
    _check_widths(rows, width, where, mixed)
    notes = [f"{where} mixes tabs and spaces: both were read as separators"] if mixed else []
    sentences = [[[f.strip(" ") for f in fields] for _, fields in block] for block in rows if block]
    return Columns(sentences, _NAMES.get(width, ()), notes)


def parse_conllu(text: str, where: str) -> Columns:
    """Parse a CoNLL-U file; ranges of multiword tokens, empty nodes and comments are left out.

    Args:
        text: the content of the file.
        where: its name, for errors.

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
    _check_widths(rows, len(CONLLU), where, " CoNLL-U separates columns by tabs.")
    sentences = [[fields for _, fields in block if fields[0].isdigit()] for block in rows]
    sentences = [sentence for sentence in sentences if sentence]
    if not sentences:
        raise ValueError(f"{where} has no tokens. Give a file of CoNLL-U.")
    return Columns(sentences, CONLLU)


def column_number(columns: Columns, name: str | int, argument: str, where: str) -> int:
    """The number of a column that is named, or numbered from 0 (from -1 backwards).

    Args:
        columns: the file.
        name: a name, or a number, also as text.
        argument: name of the setting, for errors.
        where: name of the file, for errors.

    Raises:
        ValueError: if there is no such column.
    """
    width = len(columns.sentences[0][0])
    if str(name) in columns.names:
        return columns.names.index(str(name))
    if re.fullmatch(r"-?\d{1,9}", str(name)) and -width <= int(name) < width:
        return int(name) % width
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
        if not line.strip() or line.startswith(_DOCUMENT):
            blocks.append([])
        else:
            blocks[-1].append((number, line))
    return [block for block in blocks if block]


_Rows = Sequence[Sequence[tuple[int, list[str]]]]


def _usual_width(rows: _Rows) -> int:
    return Counter(len(fields) for block in rows for _, fields in block).most_common(1)[0][0]


def _without_comments(
    block: list[tuple[int, list[str]]], width: int
) -> list[tuple[int, list[str]]]:
    """The rows of a sentence without comments before it."""
    start = 0
    while start < len(block) and block[start][1][0] == "#" and len(block[start][1]) != width:
        start += 1
    return block[start:]


def _check_widths(rows: _Rows, width: int, where: str, remedy: str) -> None:
    """Raise a ValueError that names the lines with another number of columns."""
    wrong = [(n, len(fields)) for block in rows for n, fields in block if len(fields) != width]
    if not wrong:
        return
    shown = ", ".join(f"line {number} has {count}" for number, count in wrong[:_SHOWN])
    more = f" and {len(wrong) - _SHOWN:,} more lines do too" if len(wrong) > _SHOWN else ""
    raise ValueError(
        f"{where} changes its number of columns: most lines have {width}, {shown}{more}."
        f"{remedy or ' Mend these lines.'}"
    )
