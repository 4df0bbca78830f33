"""Random damages of files and of tables, for tests of readers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st

__all__ = ["damaged", "damaged_table"]

# What numbers, separators, quotes, brackets and encodings can go wrong by.
_PIECES = (
    *(b"", b"\n", b"\n\n", b"\r", b"\r\n", b"\t", b" ", b",", b";", b":", b"?", b"#", b"%", b"@"),
    *(b'"', b"'", b"[", b"]", b"{", b"}", b"-", b"O", b"B-", b"I-", b"E-X", b"0", b"-1", b"1e999"),
    *(b"nan", b"NaN", b"inf", b"null", b"true", b"1_000", b"1,5", b"9" * 30, b"x" * 5000, b"a/b"),
    *(b"\0", b"\xff", b"\xef\xbb\xbf", b"\xc3\xa9", b"\xe2\x80\xa8", b"\xed\xa0\x80", b"\x1b[31m"),
)


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """A strategy of contents with up to four damages: cuts, pieces, and lines in another order.

    Args:
        draw: passed by hypothesis.
        content: the content of an intact file.
    """
    for _ in range(draw(st.integers(1, 4))):
        size = len(content)
        begin = draw(st.integers(0, size))
        end = min(size, begin + draw(st.sampled_from((0, 1, 2, 8, 64, size))))
        how: Any = draw(st.sampled_from(("replace", "cut", "repeat", "line", "flip")))
        if how == "replace":
            piece = draw(st.sampled_from(_PIECES))
            content = content[:begin] + piece + content[end:]
        elif how == "cut":
            content = content[:begin] + content[end:]
        elif how == "repeat":
            content = content[:end] + content[begin:]
        elif how == "line":
            lines = content.split(b"\n")
            source, target = (draw(st.integers(0, len(lines) - 1)) for _ in range(2))
            lines.insert(target, lines[source] if draw(st.booleans()) else lines.pop(source))
            content = b"\n".join(lines)
        elif begin < size:
            content = content[:begin] + bytes([content[begin] ^ 0x55]) + content[begin + 1 :]
    return content


#: Cells that a column of numbers, texts or lists does not expect.
_CELLS: tuple[Any, ...] = (
    *(None, np.nan, np.inf, pd.NA, pd.NaT, True, 0, -1, 2**70, 1e300, 1j, b"bytes", "", " ", "x"),
    *("O", "B-X", "[", "[]", "[1, 2]", "['a']", "1,5", "\ud800", "a\nb", "\x1b[31m", "x" * 5000),
    *([], ["a"], [["a"]], [1.5], [None], {}, {"start": 0}, [[0, 1, "X"]], [[-1, 9, "X"]], (1, 2)),
    *(np.arange(3), np.zeros((2, 2)), pd.Timestamp("2024-01-01"), pd.Timedelta("1s"), object()),
)


@st.composite
def damaged_table(draw: st.DrawFn, frame: pd.DataFrame) -> pd.DataFrame:
    """A strategy of tables with up to four damages: cells, rows and columns.

    Args:
        draw: passed by hypothesis.
        frame: an intact table.
    """
    frame = frame.astype(object)
    for _ in range(draw(st.integers(1, 4))):
        rows, columns = frame.shape
        row, column = draw(st.integers(0, rows - 1)), draw(st.integers(0, columns - 1))
        how = draw(st.sampled_from(("cell", "cell", "column", "drop", "repeat", "rename", "order")))
        if how == "cell":
            values = frame.iloc[:, column].tolist()
            values[row] = draw(st.sampled_from(_CELLS))
            frame.isetitem(column, pd.Series(values, index=frame.index, dtype=object))
        elif how == "column":
            values = [draw(st.sampled_from(_CELLS))] * rows
            frame.isetitem(column, pd.Series(values, index=frame.index, dtype=object))
        elif how == "drop" and columns > 1:
            frame = frame.drop(columns=frame.columns[column])
        elif how == "repeat":
            frame = pd.concat([frame, frame.iloc[row:]])
        elif how == "rename":
            names = [*frame.columns]
            names[column] = draw(
                st.sampled_from(("id", "label", "text", "tokens", 3, "", names[0]))
            )
            frame = frame.set_axis(names, axis=1)
        else:
            frame = frame.iloc[draw(st.permutations(range(rows)))]
    return frame
