"""Sentences with coloured spans, as HTML for notebooks and as text elsewhere."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

from kerasseq.formatting.table import printable

__all__ = ["Highlighted"]

# Backgrounds on which dark text is easy to read; types take them in alphabetical order.
_COLOURS = (
    *("#cfe2f3", "#fce5cd", "#d9ead3", "#f4cccc", "#d9d2e9", "#fff2cc", "#d0e0e3", "#ead1dc"),
    *("#c9daf8", "#e6b8af", "#b6d7a8", "#ffe599"),
)
_SPAN = "background:{colour};color:#222;border-radius:3px;padding:1px 3px"
_LABEL = "font-size:75%;font-weight:bold;margin-left:4px;opacity:.75"

Place = tuple[int, int, str]


@dataclass(frozen=True)
class Highlighted:
    """Texts with spans of characters, which a notebook shows in colours.

    Args:
        texts: the texts.
        spans: for each text the start, the end and the type of its spans, in their order.
        reasons: for each text why it could not be read, or "".

    Example:

    >>> Highlighted(["In <Rome>"], [[(4, 8, "LOC")]], [""])
    In <[Rome LOC]>
    """

    texts: Sequence[str]
    spans: Sequence[Sequence[Place]]
    reasons: Sequence[str]

    def _repr_html_(self) -> str:
        types = sorted({kind for places in self.spans for _, _, kind in places})
        colours = {kind: _COLOURS[i % len(_COLOURS)] for i, kind in enumerate(types)}
        lines = []
        for text, places, reason in zip(self.texts, self.spans, self.reasons):
            if reason:
                lines.append(f"<i>({html.escape(reason)})</i>")
                continue
            pieces, done = [], 0
            for start, end, kind in places:
                pieces.append(html.escape(text[done:start]))
                label = f'<span style="{_LABEL}">{html.escape(kind)}</span>'
                style = _SPAN.format(colour=colours[kind])
                pieces.append(f'<span style="{style}">{html.escape(text[start:end])}{label}</span>')
                done = end
            lines.append("".join([*pieces, html.escape(text[done:])]))
        body = "".join(f'<p style="line-height:1.9;margin:.3em 0">{line}</p>' for line in lines)
        return f"<div>{body}</div>"

    def __repr__(self) -> str:
        lines = []
        for text, places, reason in zip(self.texts, self.spans, self.reasons):
            pieces, done = [], 0
            for start, end, kind in places:
                pieces.append(f"{text[done:start]}[{text[start:end]} {kind}]")
                done = end
            lines.append(f"({reason})" if reason else "".join([*pieces, text[done:]]))
        return printable("\n".join(lines))
