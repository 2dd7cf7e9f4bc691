"""Printing that costs nobody a lease: a full disk or a closed pipe is not the lock's trouble."""

import contextlib
import io
import os
import sys
from typing import TextIO

from gcs_ci_lock.protocol.text import printable

MOST_SAID = 2_000


def write_line(stream: TextIO | None, line: str) -> bool:
    """Print a line; tell whether it got out, as `write_text` does."""
    return write_text(stream, line + "\n")


def write_text(stream: TextIO | None, text: str) -> bool:
    """Print text as it is; tell whether it got out.

    After a failure the stream leads nowhere, so that Python does not fail once more at its end.
    """
    if stream is None:
        return False
    try:
        stream.write(text)
        stream.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
        return False
    return True


class BestEffortStream(io.StringIO):
    """A stream in front of another, for a library that would fail where that one fails."""

    def __init__(self, stream: TextIO) -> None:
        """Write nothing yet."""
        super().__init__()
        self._stream = stream

    def write(self, text: str) -> int:
        """Print text; what does not get out is dropped."""
        write_text(self._stream, text)
        return len(text)


def print_err(text: str) -> None:
    """Print lines for people, where they never mix with data; no command, whatever is in them."""
    for line in text.split("\n"):
        write_line(sys.stderr, printable(line, limit=MOST_SAID))


def ensure_standard_fds() -> None:
    """Let the numbers 0 to 2 lead nowhere where they are closed.

    Else the next file that is opened gets one of them, and a child would write its text there.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is the one that was found closed.
            os.open(os.devnull, os.O_RDWR)
