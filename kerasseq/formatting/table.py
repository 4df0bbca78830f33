"""One small table, and every format and place it can be read in."""

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
    from rich.table import Table as Drawn

_LONG = 40  # characters; a longer word, such as a path, may be broken

# Control characters but tabs and ends of lines, and halves of characters, which cannot be encoded.
_STEERING = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")

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
    """A text for a terminal, which names in a file must not steer: control characters as JSON has.

    Example:
        >>> print(printable("dense\\x1b[2J"))
        dense\\u001b[2J
    """
    return _STEERING.sub(lambda sign: f"\\u{ord(sign[0]):04x}", text)


class Tabular:
    """What is a table, or can be shown as one: gives every format from `table` and `to_dict`."""

    def table(self) -> Table:
        """The same as a table."""
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        """Everything, in types that JSON knows."""
        raise NotImplementedError

    def render(self, format: str = "table", *, width: int | None = None) -> str:
        """The whole as text in one of `FORMATS`.

        Args:
            format: `table` (text), `json`, `markdown`, `latex` or `csv`.
            width: Characters a text table may take; as many as it needs by default.

        Raises:
            ValueError: For a format that there is not.
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
        columns: The heads.
        rows: One value per column and row; numbers stay numbers until they are printed.
        title: A line above.
        total: A last row, shown below a rule and left out of CSV and of the DataFrame.
        notes: Lines below.
        right: Names of the columns that are aligned to the right; by default, of those that hold
            numbers alone.

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
        named: dict[str, Any] = {"title": self.title} if self.title else {}
        named["rows"] = [self._named(row) for row in self.rows]
        if self.total is not None:
            named["total"] = self._named(self.total)
        if self.notes:
            named["notes"] = list(self.notes)
        return named

    def frame(self) -> pd.DataFrame:
        """The rows as a pandas DataFrame."""
        import pandas as pd

        return pd.DataFrame([list(row) for row in self.rows], columns=list(self.columns))

    def text(self, width: int | None = None) -> str:
        """Aligned columns, as rich draws them."""
        from rich import box
        from rich.console import Console
        from rich.text import Text

        widths = self._widths(width)
        page = io.StringIO()
        # A console of its own: what is printed must not hang on the terminal's colours or size.
        console = Console(
            file=page,
            width=10_000 if width is None else max(width, sum(widths) + 3 * len(widths)),
            height=100,
            color_system=None,
            force_terminal=False,
        )
        if self.title:
            console.print(Text(printable(self.title)))
        console.print(self.drawn(widths, box=box.SIMPLE, pad_edge=False))
        for note in self.notes:
            console.print(Text(printable(note)))
        return "\n".join(line.rstrip() for line in page.getvalue().splitlines()).strip("\n")

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The table between lines, in the width that the terminal has."""
        from rich.text import Text

        widths = self._widths(options.max_width - 1, whole=True)
        yield self.drawn(widths, title=Text(printable(self.title)), title_justify="left")
        yield from (Text(printable(note)) for note in self.notes)

    def drawn(
        self, widths: Sequence[int] | None = None, bold: int | None = None, **style: Any
    ) -> Drawn:
        """The rows as a table of rich, without title and notes.

        Args:
            widths: Of the columns; as they need by default.
            bold: The row to set in bold.
            style: Arguments of `rich.table.Table`.
        """
        from rich.table import Table as Drawn
        from rich.text import Text

        drawn = Drawn(show_footer=self.total is not None, **style)
        feet = self.total or [None] * len(self.columns)
        for name, foot, right, width in zip(
            self.columns, feet, self._to_the_right(), widths or self._widths(None)
        ):
            drawn.add_column(
                Text(printable(name)),
                Text(_shown(foot)),
                justify="right" if right else "left",
                width=width,
                overflow="fold",
            )
        for place, row in enumerate(self.rows):
            cells = [Text(_shown(value)) for value in row]
            drawn.add_row(*cells, style="bold" if place == bold else None)
        return drawn

    def markdown(self) -> str:
        """A Markdown table, the title above it and the notes below."""
        rule = ["---:" if number else "---" for number in self._to_the_right()]
        lines = [[_marked(value) for value in row] for row in self._all_rows()]
        table = [f"| {' | '.join(row)} |" for row in ([_marked(c) for c in self.columns], rule)]
        table += [f"| {' | '.join(row)} |" for row in lines]
        parts = [self.title, "\n".join(table), *self.notes]
        return "\n\n".join(part for part in parts if part)

    def latex(self) -> str:
        """A LaTeX `tabular`, which needs no package; title and notes are comments."""
        places = "".join("r" if number else "l" for number in self._to_the_right())

        def line(row: Sequence[Any]) -> str:
            return " & ".join(_shown(value).translate(_LATEX) for value in row) + r" \\"

        lines = [f"% {self.title}"] if self.title else []
        lines += [f"\\begin{{tabular}}{{{places}}}", r"\hline", line(self.columns), r"\hline"]
        lines += [line(row) for row in self.rows]
        if self.total is not None:
            lines += [r"\hline", line(self.total)]
        lines += [r"\hline", r"\end{tabular}"]
        lines += [f"% {part}" for note in self.notes for part in note.splitlines()]
        return "\n".join(lines)

    def csv(self) -> str:
        """Comma-separated values with plain numbers: the rows alone."""
        page = io.StringIO()
        writer = csv.writer(page, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows([_plain(value) for value in row] for row in self.rows)
        return page.getvalue().rstrip("\n")

    def html(self) -> str:
        """An HTML table, as notebooks show it."""

        def line(row: Sequence[Any], tag: str) -> str:
            cells = [
                f'<{tag} style="text-align: {"right" if number else "left"}">'
                f"{html.escape(_shown(value))}</{tag}>"
                for value, number in zip(row, self._to_the_right(), strict=True)
            ]
            return f"<tr>{''.join(cells)}</tr>"

        body = "".join(line(row, "td") for row in self.rows)
        foot = f"<tfoot>{line(self.total, 'th')}</tfoot>" if self.total is not None else ""
        title = f"<caption>{html.escape(self.title)}</caption>" if self.title else ""
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self.notes)
        head = f"<thead>{line(self.columns, 'th')}</thead>"
        return f"<table>{title}{head}<tbody>{body}</tbody>{foot}</table>{notes}"

    def _widths(self, available: int | None, whole: bool = False) -> list[int]:
        """How wide each column is: as it needs, or less where it can be broken between words.

        With `whole`, heads alone are broken.
        """
        columns = zip(self.columns, *([_shown(v) for v in row] for row in self._all_rows()))
        held = [list(column) for column in columns]
        widths = [max(map(len, column)) for column in held]
        least = [
            min(max(len(word) for text in column for word in text.split() or [""]), _LONG)
            for column in ([[head] for head in self.columns] if whole else held)
        ]
        if whole:
            cells = [max(map(len, column[1:]), default=0) for column in held]
            least = [max(both) for both in zip(least, cells)]
        while available is not None and sum(widths) + 3 * len(widths) > available:
            spare = [(wide, place) for place, wide in enumerate(widths) if wide > least[place]]
            if not spare:
                break
            widths[max(spare)[1]] -= 1
        return widths

    def _all_rows(self) -> list[tuple[Any, ...]]:
        return [*self.rows, *([] if self.total is None else [self.total])]

    def _named(self, row: Sequence[Any]) -> dict[str, Any]:
        return dict(zip(self.columns, row, strict=True))

    def _to_the_right(self) -> list[bool]:
        """Which columns are aligned to the right."""
        if self.right is not None:
            return [name in self.right for name in self.columns]
        held: list[list[Any]] = [
            [value for value in column if value is not None]
            for column in zip(*self._all_rows(), strict=True)
        ] or [[] for _ in self.columns]
        return [
            bool(column) and all(isinstance(value, int | float) for value in column)
            for column in held
        ]


def from_frame(frame: pd.DataFrame) -> Table:
    """The rows of a DataFrame, without its index."""
    rows = frame.astype(object).itertuples(index=False, name=None)
    return Table(
        columns=tuple(map(str, frame.columns)),
        rows=tuple(tuple(getattr(v, "item", lambda v=v: v)() for v in row) for row in rows),
    )


def _shown(value: Any) -> str:
    """A value as people read it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return number(value) if isinstance(value, int | float) else printable(str(_plain(value)))


def _plain(value: Any) -> Any:
    """A value without ornament: words are listed, shapes stand side by side."""
    if isinstance(value, tuple | list):
        if all(isinstance(part, str) for part in value):
            return ", ".join(value)
        if any(isinstance(part, tuple | list) for part in value):
            return " ".join(str(tuple(part)) for part in value)
        return str(tuple(value))
    return value if isinstance(value, int | float) else "" if value is None else str(value)


def _marked(value: Any) -> str:
    return _shown(value).replace("|", "\\|").replace("\n", "<br>")
