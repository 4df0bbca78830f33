"""The connections that wait at a port which is about to close.

A port that closes resets the connections in its backlog, which clients take for open, and have sent
requests on. So the last ones are accepted first, while no further ones come in.
"""

from __future__ import annotations

import array
import contextlib
import socket
import struct
import sys

__all__ = ["turn_away"]

_SO_ATTACH_FILTER = 26  # of Linux's asm-generic/socket.h; the module socket does not name it
_FLAGS, _SYN = 13, 0x02  # place of the flags in the header of TCP; the flag of a first packet
_LOAD_BYTE, _JUMP_IF_SET, _RETURN = 0x30, 0x45, 0x06
_EVERYTHING = 0xFFFFFFFF
#: A program of the Berkeley packet filter: operation, steps if true, steps if false, operand.
_NO_FIRST_PACKETS = (
    (_LOAD_BYTE, 0, 0, _FLAGS),
    (_JUMP_IF_SET, 1, 0, _SYN),
    (_RETURN, 0, 0, _EVERYTHING),
    (_RETURN, 0, 0, 0),
)


def turn_away(opened: socket.socket) -> None:
    """Have the system ignore new connections to a port, and keep those that wait in its backlog.

    A client repeats an ignored packet after a second, and is refused if the port has closed. Only
    Linux does so; on other systems, connections are still let in until the port closes.

    Args:
        opened: a socket that listens.

    Source: Linux, Documentation/networking/filter.rst (SO_ATTACH_FILTER).
    """
    if sys.platform != "linux":
        return
    program = array.array("B", b"".join(struct.pack("HBBI", *step) for step in _NO_FIRST_PACKETS))
    address, _ = program.buffer_info()
    with contextlib.suppress(OSError):  # a system without filters
        opened.setsockopt(
            socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", len(_NO_FIRST_PACKETS), address)
        )
