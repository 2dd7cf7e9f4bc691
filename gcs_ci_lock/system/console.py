"""Best-effort printing: a full disk or a closed pipe must not end a process that renews a lease."""

import contextlib
import io
import os
import sys
from typing import TextIO

from gcs_ci_lock.protocol.text import printable

# Characters of a line for people; foreign text in it may be long.
MAX_LINE = 2_000


def write_line(stream: TextIO | None, line: str) -> bool:
    """Print a line; return whether it was written, as `write_text` does."""
    return write_text(stream, line + "\n")


def write_text(stream: TextIO | None, text: str) -> bool:
    """Print text as it is; return whether it was written.

    After a failure the stream is redirected to /dev/null, so that Python does not fail again when
    it flushes the stream at exit.

    Args:
        stream: None if the process was started without it.
        text: the text.
    """
    if stream is None:
        return False
    try:
        stream.write(text)
        stream.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            devnull = os.open(os.devnull, os.O_WRONLY)
            os.dup2(devnull, stream.fileno())
            os.close(devnull)
        return False
    return True


class BestEffortStream(io.StringIO):
    """A stream in front of another that never raises, for a library that cannot cope with it.

    Args:
        stream: the stream behind it.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream

    def write(self, text: str) -> int:
        """Print text; drop it if that fails."""
        write_text(self._stream, text)
        return len(text)


def print_err(text: str) -> None:
    """Print lines for people on standard error, as `printable` leaves them.

    They never mix with data on standard output, and never hold a workflow command.
    """
    for line in text.split("\n"):
        write_line(sys.stderr, printable(line, limit=MAX_LINE))


def ensure_standard_fds() -> None:
    """Open /dev/null for each of the descriptors 0 to 2 that is closed.

    Otherwise the next file to be opened gets that number, and a child would print into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # open() uses the lowest free number, which is this one.
            os.open(os.devnull, os.O_RDWR)
