"""Scores beside those of baselines, as a terminal and a notebook show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["Board", "figure"]


@dataclass(frozen=True)
class Board:
    """A table of scores, and what is to be said of them.

    Args:
        title: above the table.
        test: each metric of the model.
        interval: the interval of those that have one, as `[low, high]`.
        baselines: each metric of each baseline, as far as it has it.
        remarks: below the table, a line each.
    """

    title: str
    test: Mapping[str, float]
    interval: Mapping[str, Sequence[float]]
    baselines: Mapping[str, Mapping[str, float]]
    remarks: Sequence[str] = ()

    @classmethod
    def of(cls, title: str, metrics: Mapping[str, Any], remarks: Sequence[str]) -> Board:
        """That of `metrics` as a Run has them."""
        return cls(title, metrics["test"], metrics["interval"], metrics["baselines"], remarks)

    @property
    def lines(self) -> list[list[str]]:
        """The cells of the table, its header first."""
        return [
            ["", "this model", "95% interval", *self.baselines],
            *(
                [
                    name.replace("_", " "),
                    figure(value),
                    " to ".join(map(figure, self.interval.get(name, ()))),
                    *(figure(own[name]) if name in own else "" for own in self.baselines.values()),
                ]
                for name, value in self.test.items()
            ),
        ]

    def __rich__(self) -> RenderableType:
        from rich.console import Group
        from rich.table import Table

        header, *rows = self.lines
        table = Table(title=self.title, title_justify="left")
        for i, (name, cells) in enumerate(zip(header, zip(*rows))):
            # What is too long for one line is the name of a baseline.
            table.add_column(
                name,
                justify="right" if i else "left",
                no_wrap=i < 3,
                min_width=max(map(len, cells)),
            )
        for row in rows:
            table.add_row(*row)
        return Group(table, *self.remarks)

    def _repr_html_(self) -> str:
        from html import escape

        header, *rows = ([escape(cell) for cell in row] for row in self.lines)
        head = "".join(f"<th>{cell}</th>" for cell in header)
        body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
        return (
            f"<table><caption>{escape(self.title)}</caption><thead><tr>{head}</tr></thead>"
            f"<tbody>{body}</tbody></table><p>{'<br>'.join(map(escape, self.remarks))}</p>"
        )


def figure(value: Any) -> str:
    """A score with three decimals, or with fewer where there are many digits before them.

    >>> figure(0.98765), figure(13.8912), figure(1234567.8)
    ('0.988', '13.89', '1,234,568')
    """
    size = abs(value)
    decimals = 3 if size < 10 else 2 if size < 100 else 1 if size < 10_000 else 0
    return f"{value:,.{decimals}f}"
