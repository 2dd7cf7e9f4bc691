"""Processes as the kernel shows them; one that is gone is no error."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def send(pid: int, number: signal.Signals) -> None:
    """Send a signal, where there is still somebody."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def state(pid: int) -> str:
    """Return its letter; one that is gone is a zombie of the past."""
    words = _stat(pid)
    return words[0].decode() if words else "Z"


def stands_still(pid: int) -> bool:
    """Tell whether it is stopped, or will do nothing any more."""
    return state(pid) in "TZ"


def parent(pid: int) -> int:
    """Return its parent, or 0."""
    words = _stat(pid)
    return int(words[1]) if words else 0


def command_line(pid: int) -> str:
    """Return how it was called, or ""."""
    return _read(pid, "cmdline").replace(b"\0", b" ").decode(errors="replace")[:300]


def with_variables(**variables: str) -> Iterator[int]:
    """Return those that were started with all of these variables."""
    wanted = {f"{name}={value}".encode() for name, value in variables.items()}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and wanted <= set(_read(int(entry.name), "environ").split(b"\0")):
            yield int(entry.name)


def forget_shared_memory(pid: int) -> None:
    """Remove what libfaketime leaves when it is killed."""
    for name in (f"faketime_shm_{pid}", f"sem.faketime_sem_{pid}"):
        Path("/dev/shm", name).unlink(missing_ok=True)  # noqa: S108 - where libfaketime has it


def _read(pid: int, what: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{what}").read_bytes()
    except OSError:
        # It has ended meanwhile, or belongs to somebody else.
        return b""


def _stat(pid: int) -> list[bytes]:
    """Return what follows the name: the state, the parent."""
    return _read(pid, "stat").rpartition(b")")[2].split()
