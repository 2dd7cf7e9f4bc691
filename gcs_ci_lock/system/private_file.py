"""Files that only this user can read or write: mode 0600, replaced as a whole, never a pipe."""

import contextlib
import os
import stat
import tempfile
from pathlib import Path
from typing import Final

MAX_BYTES: Final = 1024 * 1024


class ExposedError(OSError):
    """The file is accessible to others or owned by another user, who may have written it."""


def write_private(path: Path, text: str) -> None:
    """Replace a file atomically, mode 0600.

    Raises:
        OSError: it cannot be written there.
    """
    draft = ""
    try:
        # mkstemp picks a random name: another user cannot have put a link there.
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
    """Return the text of a file that no other user can have written or read.

    A byte that is not UTF-8 becomes a lone surrogate, which every strict decoder then refuses.

    Raises:
        FileNotFoundError: it does not exist.
        ExposedError: it is accessible to others or owned by another user. A lease file that
            came with a checkout could send our credentials to a foreign endpoint.
        OSError: it cannot be read.
    """
    descriptor = open_regular(path, os.O_RDONLY)
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if stat.S_IMODE(found.st_mode) & 0o077 or found.st_uid != os.geteuid():
            message = "is readable by others or owned by another user"
            raise ExposedError(0, message)
        return file.read(MAX_BYTES + 1).decode(errors="surrogateescape")


def open_regular(path: Path, flags: int) -> int:
    """Return a descriptor of a regular file; a new file gets mode 0600.

    Raises:
        OSError: it cannot be opened, or is not a regular file.
    """
    # Without O_NONBLOCK, opening a pipe would wait for its other end.
    descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    message = "it is not a regular file"
    raise OSError(0, message, str(path))
