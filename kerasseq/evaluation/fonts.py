"""Fonts for the characters of a figure, of any script, and one sentence where there is none."""

from __future__ import annotations

import sys
import unicodedata
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from matplotlib.figure import Figure
from matplotlib.font_manager import FontEntry, FontProperties, findfont, fontManager, weight_dict
from matplotlib.ft2font import FT2Font
from matplotlib.text import Text

__all__ = ["TextFigure", "families", "use_fonts"]

_SHOWN = 5  # characters in the sentence about missing ones
#: Categories of characters that have no glyph: spaces, control and format characters.
_INVISIBLE = ("Z", "C")
#: Scripts that the sentence has been about.
_told: set[str] = set()


class TextFigure(Figure):
    """A figure whose texts are in fonts that have their characters, and no formulas.

    It finds the fonts when it is drawn, wherever that is: into a file or in a notebook.
    """

    def draw(self, renderer: Any) -> None:
        """Draw the figure; an axis has its labels only now."""
        use_fonts(self)
        with _quiet():
            super().draw(renderer)

    def get_tightbbox(self, *args: Any, **kwargs: Any) -> Any:
        """The box around the figure, which notebooks ask for."""
        with _quiet():
            return super().get_tightbbox(*args, **kwargs)


def use_fonts(figure: Figure) -> None:
    """Give the texts of a figure further fonts for characters that their own fonts lack.

    If no installed font has a character, a sentence on standard error says so, once in a process.

    Args:
        figure: a figure with its texts.
    """
    missing = ""
    for text in figure.findobj(Text):
        text.set_parse_math(False)  # a $ is a dollar
        own = tuple(text.get_fontfamily())
        further, without = families(text.get_text(), own)
        if further:
            text.set_fontfamily([*own, *further])
        missing += without
    if missing:
        _tell(missing)


@cache
def families(text: str, own: tuple[str, ...] = ("sans-serif",)) -> tuple[tuple[str, ...], str]:
    """Installed font families for the characters of a text that its own ones lack.

    Args:
        text: any text.
        own: font families of the text; generic names such as "sans-serif" too.

    Returns:
        The further families, as few as have the characters, and the characters that no font has.

    Example:

    >>> families("Zürich")
    ((), '')
    """
    missing = {each for each in text if unicodedata.category(each)[0] not in _INVISIBLE}
    for name in own:
        if missing and not text.isascii():
            missing -= _in_file(findfont(FontProperties(family=[name])), 0, missing)
    return ((), "") if text.isascii() else _further("".join(sorted(missing)))


@cache
def _further(characters: str) -> tuple[tuple[str, ...], str]:
    """Font families that have characters, and the characters that no font has."""
    missing, chosen = {*characters}, []
    while missing:
        covered, name = max(
            ((_in_file(font.fname, getattr(font, "index", 0), missing), font.name)
             for font in _plain_fonts()),
            key=lambda pair: len(pair[0]),
            default=({*()}, ""),
        )  # fmt: skip
        if not covered:
            break
        chosen.append(name)
        missing -= covered
    return tuple(chosen), "".join(sorted(missing))


@cache
def _plain_fonts() -> list[FontEntry]:
    """An installed font of each family, upright and of normal weight; sans-serif ones first."""

    def fanciness(font: FontEntry) -> tuple[bool, float]:
        weight = weight_dict[font.weight] if isinstance(font.weight, str) else font.weight
        return font.style != "normal", abs(weight - 400)

    plain: dict[str, FontEntry] = {}
    for font in sorted(fontManager.ttflist, key=fanciness):
        plain.setdefault(font.name, font)
    # The font of last resort has a box for every character.
    names = [name for name in plain if "lastresort" not in name.replace(" ", "").lower()]
    return [plain[name] for name in sorted(names, key=lambda name: ("Sans" not in name, name))]


def _in_file(path: str, index: int, characters: set[str]) -> set[str]:
    """The characters that a font has; none for a font of bitmaps, which has few sizes."""
    try:
        # Releases before 3.11 read the first font of a file only.
        options: dict[str, Any] = {"face_index": index} if index else {}
        font = FT2Font(path, **options)
    except (OSError, RuntimeError):  # it was removed, or is damaged
        return set()
    return {each for each in characters if font.scalable and font.get_char_index(ord(each))}


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide the warnings of matplotlib, one for each missing character."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        warnings.filterwarnings("ignore", "Matplotlib currently does not support", UserWarning)
        yield


def _tell(missing: str) -> None:
    """Say which characters no font has, once for each script."""
    names = {each: unicodedata.name(each, "unknown").split()[0].lower() for each in missing}
    new = {each: script for each, script in names.items() if script not in _told}
    if not new:
        return
    _told.update(new.values())
    shown = " ".join([*new][:_SHOWN]) + " ..." * (len(new) > _SHOWN)
    print(
        f"plots show boxes for {shown} ({', '.join(sorted({*new.values()}))}): no installed font "
        "has them. Install one that has, such as Noto Sans CJK, and draw the plots again in a new "
        "process.",
        file=sys.stderr,
        flush=True,
    )
