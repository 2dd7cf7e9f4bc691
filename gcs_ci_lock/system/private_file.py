"""Files that are this user's alone: mode 0600, whole or not there, and no pipe in their place."""

import contextlib
import os
import stat
import tempfile
from pathlib import Path
from typing import Final

MAX_BYTES: Final = 1024 * 1024


class ExposedError(OSError):
    """The file is open to others, or another user's: nobody knows who wrote it."""


def write_private(path: Path, text: str) -> None:
    """Replace a file at once and whole, mode 0600.

    Raises:
        OSError: it cannot be written there.
    """
    draft = ""
    try:
        # A name that nobody can have prepared.
        descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=path.name)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text + "\n")
        Path(draft).replace(path)
    except OSError:
        if draft:
            with contextlib.suppress(OSError):
                Path(draft).unlink()
        raise


def read_private(path: Path) -> str:
    """Return the text of a file that nobody else can have written or read.

    A byte that is no text arrives as a lone surrogate, which no decoder takes for what was written.

    Raises:
        FileNotFoundError: it is not there.
        ExposedError: it is open to others, or is another user's: one that came with a checkout
            could send our credentials to somebody's endpoint.
        OSError: it cannot be read.
    """
    descriptor = open_regular(path, os.O_RDONLY)
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if stat.S_IMODE(found.st_mode) & 0o077 or found.st_uid != os.geteuid():
            message = "is open to others: expected mode 0600, and to be ours"
            raise ExposedError(0, message)
        return file.read(MAX_BYTES + 1).decode(errors="surrogateescape")


def open_regular(path: Path, flags: int) -> int:
    """Return a descriptor of a regular file; one that is made has mode 0600.

    Raises:
        OSError: it cannot be opened, or is something else.
    """
    # Opening a pipe would wait for somebody at its other end.
    descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    message = "it is not a regular file"
    raise OSError(0, message, str(path))
