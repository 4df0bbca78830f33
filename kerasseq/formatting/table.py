"""A small table, and its text, JSON, Markdown, LaTeX, CSV, HTML, rich and pandas formats."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kerasseq.formatting.numbers import value as number

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.table import Table as RichTable

_LONG = 40  # characters; a longer word, such as a path, may be broken

# Control characters except tabs and line ends, and lone surrogates, which cannot be encoded.
_CONTROL = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")

FORMATS = ("table", "json", "markdown", "latex", "csv")

_LATEX = str.maketrans(
    {
        **{sign: f"\\{sign}" for sign in "&%$#_{}"},
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "\\": r"\textbackslash{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
    }
)


def printable(text: str) -> str:
    """Escape control characters as in JSON, so that names in a file cannot steer a terminal.

    Example:
        >>> print(printable("dense\\x1b[2J"))
        dense\\u001b[2J
    """
    return _CONTROL.sub(lambda sign: f"\\u{ord(sign[0]):04x}", text)


class Tabular:
    """Base class of results shown as a table: every format comes from `table` and `to_dict`."""

    def table(self) -> Table:
        """The result as a table."""
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        """Everything, in types that JSON knows."""
        raise NotImplementedError

    def render(self, format: str = "table", *, width: int | None = None) -> str:
        """Format the result as text in one of `FORMATS`.

        Args:
            format: `table` (text), `json`, `markdown`, `latex` or `csv`.
            width: Largest width of a text table in characters; no limit by default.

        Raises:
            ValueError: If the format is unknown.
        """
        if format not in FORMATS:
            raise ValueError(
                f"`format` must be one of {', '.join(FORMATS)}. Received: format={format!r}"
            )
        if format == "json":
            return printable(json.dumps(self.to_dict(), indent=2, ensure_ascii=False))
        table = self.table()
        if format == "table":
            return table.text(width)
        writers = {"markdown": table.markdown, "latex": table.latex, "csv": table.csv}
        return printable(writers[format]())

    def to_frame(self) -> pd.DataFrame:
        """The rows as a pandas DataFrame, without the total."""
        return self.table().frame()

    def __str__(self) -> str:
        return self.render("table")

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return self.table().html()


@dataclass(frozen=True, repr=False)
class Table(Tabular):
    """Rows under named columns.

    Args:
        columns: Names of the columns.
        rows: One value per column and row; numbers are formatted when the table is printed.
        title: A line above the table.
        total: A last row, shown below a rule; CSV and DataFrame do not have it.
        notes: Lines below the table.
        right: Names of the columns that are aligned to the right; by default, the columns that
            have only numbers.

    Example:
        >>> table = Table(("cell", "parameters"), (("gru", 98816),))
        >>> print(table.markdown())
        | cell | parameters |
        | --- | ---: |
        | gru | 98,816 |
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    title: str = ""
    total: tuple[Any, ...] | None = None
    notes: tuple[str, ...] = ()
    right: tuple[str, ...] | None = None

    def table(self) -> Table:
        return self

    def to_dict(self) -> dict[str, Any]:
        values: dict[str, Any] = {"title": self.title} if self.title else {}
        values["rows"] = [self._row_dict(row) for row in self.rows]
        if self.total is not None:
            values["total"] = self._row_dict(self.total)
        if self.notes:
            values["notes"] = list(self.notes)
        return values

    def frame(self) -> pd.DataFrame:
        """The rows as a pandas DataFrame."""
        import pandas as pd

        return pd.DataFrame([list(row) for row in self.rows], columns=list(self.columns))

    def text(self, width: int | None = None) -> str:
        """Format the table as plain text with aligned columns, the title above and the notes below.

        Args:
            width: Largest width in characters, reached by breaking lines within cells; no limit by
                default. A table that needs more even then stays wider.
        """
        from rich import box
        from rich.console import Console
        from rich.text import Text

        widths = self._widths(width)
        page = io.StringIO()
        # A separate console: the text must not depend on the colours or the size of the terminal.
        console = Console(
            file=page,
            width=10_000 if width is None else max(width, sum(widths) + 3 * len(widths)),
            height=100,
            color_system=None,
            force_terminal=False,
        )
        if self.title:
            console.print(Text(printable(self.title)))
        console.print(self.to_rich(widths, box=box.SIMPLE, pad_edge=False))
        for note in self.notes:
            console.print(Text(printable(note)))
        return "\n".join(line.rstrip() for line in page.getvalue().splitlines()).strip("\n")

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the table in a rich console, in the width of the terminal."""
        from rich.text import Text

        widths = self._widths(options.max_width - 1, whole=True)
        yield self.to_rich(widths, title=Text(printable(self.title)), title_justify="left")
        yield from (Text(printable(note)) for note in self.notes)

    def to_rich(
        self, widths: Sequence[int] | None = None, bold: int | None = None, **style: Any
    ) -> RichTable:
        """The rows as a `rich.table.Table`, without title and notes.

        Args:
            widths: Widths of the columns; as wide as their content by default.
            bold: Index of a row to set in bold.
            style: Arguments of `rich.table.Table`.
        """
        from rich.table import Table as RichTable
        from rich.text import Text

        table = RichTable(show_footer=self.total is not None, **style)
        feet = self.total or [None] * len(self.columns)
        for name, foot, right, width in zip(
            self.columns, feet, self._is_right_aligned(), widths or self._widths(None)
        ):
            table.add_column(
                Text(printable(name)),
                Text(_format(foot)),
                justify="right" if right else "left",
                width=width,
                overflow="fold",
            )
        for place, row in enumerate(self.rows):
            cells = [Text(_format(value)) for value in row]
            table.add_row(*cells, style="bold" if place == bold else None)
        return table

    def markdown(self) -> str:
        """The table in Markdown, with the title above and the notes below."""
        rule = ["---:" if number else "---" for number in self._is_right_aligned()]
        lines = [[_format_markdown(value) for value in row] for row in self._all_rows()]
        table = [
            f"| {' | '.join(row)} |" for row in ([_format_markdown(c) for c in self.columns], rule)
        ]
        table += [f"| {' | '.join(row)} |" for row in lines]
        parts = [self.title, "\n".join(table), *self.notes]
        return "\n\n".join(part for part in parts if part)

    def latex(self) -> str:
        """The table as a LaTeX `tabular` without packages; title and notes are comments."""
        places = "".join("r" if number else "l" for number in self._is_right_aligned())

        def line(row: Sequence[Any]) -> str:
            return " & ".join(_format(value).translate(_LATEX) for value in row) + r" \\"

        lines = [f"% {self.title}"] if self.title else []
        lines += [f"\\begin{{tabular}}{{{places}}}", r"\hline", line(self.columns), r"\hline"]
        lines += [line(row) for row in self.rows]
        if self.total is not None:
            lines += [r"\hline", line(self.total)]
        lines += [r"\hline", r"\end{tabular}"]
        lines += [f"% {part}" for note in self.notes for part in note.splitlines()]
        return "\n".join(lines)

    def csv(self) -> str:
        """The rows as comma-separated values, with unformatted numbers."""
        page = io.StringIO()
        writer = csv.writer(page, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows([_plain(value) for value in row] for row in self.rows)
        return page.getvalue().rstrip("\n")

    def html(self) -> str:
        """The table in HTML, as notebooks show it."""

        def line(row: Sequence[Any], tag: str) -> str:
            cells = [
                f'<{tag} style="text-align: {"right" if number else "left"}">'
                f"{html.escape(_format(value))}</{tag}>"
                for value, number in zip(row, self._is_right_aligned(), strict=True)
            ]
            return f"<tr>{''.join(cells)}</tr>"

        body = "".join(line(row, "td") for row in self.rows)
        foot = f"<tfoot>{line(self.total, 'th')}</tfoot>" if self.total is not None else ""
        title = f"<caption>{html.escape(self.title)}</caption>" if self.title else ""
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self.notes)
        head = f"<thead>{line(self.columns, 'th')}</thead>"
        return f"<table>{title}{head}<tbody>{body}</tbody>{foot}</table>{notes}"

    def _widths(self, available: int | None, whole: bool = False) -> list[int]:
        """Width of each column, so that the table fits into the available width if possible.

        Args:
            available: Largest width of the table in characters; None for no limit.
            whole: Break only the heads of columns between words, not the values.
        """
        columns = zip(self.columns, *([_format(v) for v in row] for row in self._all_rows()))
        columns_text = [list(column) for column in columns]
        widths = [max(map(len, column)) for column in columns_text]
        least_widths = [
            min(max(len(word) for text in column for word in text.split() or [""]), _LONG)
            for column in ([[head] for head in self.columns] if whole else columns_text)
        ]
        if whole:
            cells = [max(map(len, column[1:]), default=0) for column in columns_text]
            least_widths = [max(pair) for pair in zip(least_widths, cells)]
        while available is not None and sum(widths) + 3 * len(widths) > available:
            spare = [
                (wide, place) for place, wide in enumerate(widths) if wide > least_widths[place]
            ]
            if not spare:
                break
            widths[max(spare)[1]] -= 1
        return widths

    def _all_rows(self) -> list[tuple[Any, ...]]:
        return [*self.rows, *([] if self.total is None else [self.total])]

    def _row_dict(self, row: Sequence[Any]) -> dict[str, Any]:
        return dict(zip(self.columns, row, strict=True))

    def _is_right_aligned(self) -> list[bool]:
        """Whether each column is aligned to the right."""
        if self.right is not None:
            return [name in self.right for name in self.columns]
        columns: list[list[Any]] = [
            [value for value in column if value is not None]
            for column in zip(*self._all_rows(), strict=True)
        ] or [[] for _ in self.columns]
        return [
            bool(column) and all(isinstance(value, int | float) for value in column)
            for column in columns
        ]


def from_frame(frame: pd.DataFrame) -> Table:
    """Create a table from a DataFrame, without its index."""
    rows = frame.astype(object).itertuples(index=False, name=None)
    return Table(
        columns=tuple(map(str, frame.columns)),
        rows=tuple(tuple(getattr(v, "item", lambda v=v: v)() for v in row) for row in rows),
    )


def _format(value: Any) -> str:
    """Format a value for people to read."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return number(value) if isinstance(value, int | float) else printable(str(_plain(value)))


def _plain(value: Any) -> Any:
    """Format a value for CSV: words separated by commas, shapes side by side, plain numbers."""
    if isinstance(value, tuple | list):
        if all(isinstance(part, str) for part in value):
            return ", ".join(value)
        if any(isinstance(part, tuple | list) for part in value):
            return " ".join(str(tuple(part)) for part in value)
        return str(tuple(value))
    return value if isinstance(value, int | float) else "" if value is None else str(value)


def _format_markdown(value: Any) -> str:
    return _format(value).replace("|", "\\|").replace("\n", "<br>")
