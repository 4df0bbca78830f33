"""Random damages of the content of files, for tests of readers."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

__all__ = ["damaged"]

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
