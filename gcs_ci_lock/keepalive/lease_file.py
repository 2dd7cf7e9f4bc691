"""The lease file of `acquire`, `check` and `release`, and the mark of who works for it.

LEASE_FILE holds the handover, mode 0600. LEASE_FILE.keeper is locked (flock) by `acquire` and then
by the background keeper, for as long as they live, and says who that is or how it ended.
"""

import contextlib
import fcntl
import os
from dataclasses import dataclass
from pathlib import Path

from gcs_ci_lock.errors import UsageError
from gcs_ci_lock.keepalive.lease_ref import LeaseRef
from gcs_ci_lock.ports import Clock
from gcs_ci_lock.protocol.text import printable
from gcs_ci_lock.system.private_file import (
    MAX_BYTES,
    ExposedError,
    open_regular,
    read_private,
    write_private,
)

_LOOK_EVERY = 0.05
_TRIES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class KeeperInfo:
    """Who works for a lease file.

    Attributes:
        alive: whether somebody does: a keeper, or an `acquire` that still waits.
        pid: its process, 0 if not known.
        ended: why the last one ended, "" if it did not say.
    """

    alive: bool
    pid: int
    ended: str


class LeaseFile:
    """A lease on disk."""

    def __init__(self, path: Path) -> None:
        """Take the path; nothing is read or written.

        Raises:
            UsageError: it is relative to a folder that is gone.
        """
        try:
            self.path = path.absolute()
        except OSError as error:
            message = f"lease file {path}: the working directory is not there ({error.strerror})"
            raise UsageError(message) from None
        self.keeper_path = self.path.with_name(self.path.name + ".keeper")
        self._lease = ""

    def write(self, lease_ref: LeaseRef) -> None:
        """Replace the file at once and whole, mode 0600.

        Raises:
            UsageError: it cannot be written there.
        """
        try:
            write_private(self.path, lease_ref.to_json())
        except OSError as error:
            message = f"lease file {self.path} cannot be written: {error.strerror}"
            raise UsageError(message) from None
        self._lease = lease_ref.lease

    def names_lease(self, lease: str) -> bool:
        """Tell whether the file is there and names this lease."""
        try:
            lease_ref = self.read()
        except UsageError:
            return False
        return lease_ref is not None and lease_ref.lease == lease

    def still_ours(self) -> bool:
        """Tell whether the file is still the one that this process has written, if it has."""
        return not self._lease or self.names_lease(self._lease)

    def read(self) -> LeaseRef | None:
        """Return the lease, or None if there is no such file.

        Raises:
            UsageError: it is there, and is not what `write` left.
        """
        try:
            text = read_private(self.path)
        except FileNotFoundError:
            return None
        except ExposedError as error:
            message = (
                f"lease file {self.path} {error.strerror}. Refusing to use it: delete it and "
                "acquire again"
            )
            raise UsageError(message) from None
        except OSError as error:
            message = f"lease file {self.path} cannot be read: {error.strerror}"
            raise UsageError(message) from None
        return LeaseRef.from_json(text, source=f"lease file {self.path}")

    def remove(self) -> None:
        """Delete the file and the mark, as far as they are there and ours to delete."""
        for path in (self.path, self.keeper_path):
            with contextlib.suppress(OSError):
                path.unlink()

    def discard(self) -> None:
        """Delete the mark, and the file if this process has written it."""
        if self._lease:
            self.remove()
        with contextlib.suppress(OSError):
            self.keeper_path.unlink()

    def keeper_info(self) -> KeeperInfo:
        """Tell who works for this file, and what it said."""
        try:
            descriptor = open_regular(self.keeper_path, os.O_RDONLY)
        except OSError:
            return KeeperInfo(alive=False, pid=0, ended="")
        with os.fdopen(descriptor, "rb") as file:
            alive = _locked_by_another(descriptor)
            said = file.read(MAX_BYTES).decode(errors="replace")
        pid, _, ended = said.partition(" ")
        number = int(pid) if pid.isdecimal() and len(pid) < 10 else 0  # noqa: PLR2004 - no pid is longer
        return KeeperInfo(alive=alive, pid=number, ended=printable(ended.strip()))

    def stop_keeper(self, clock: Clock, *, within: float) -> bool:
        """Delete the file, at which whoever works for it ends; tell whether it is gone.

        No signal: a process number says nothing where the folder is shared between containers.

        Args:
            clock: for waiting.
            within: seconds to wait for its end.
        """
        until = clock.boottime() + within
        with contextlib.suppress(OSError):
            self.path.unlink()
        while (mark := self.keeper_info()).alive and mark.pid != os.getpid():
            if clock.boottime() >= until:
                return False
            clock.sleep(_LOOK_EVERY)
        return True


class KeeperFileLock:
    """The mark of this process; nobody else can work for the lease file meanwhile."""

    def __init__(self, descriptor: int) -> None:
        """Take the mark over from the process that started this one."""
        self.descriptor = descriptor

    @classmethod
    def acquire(cls, lease_file: LeaseFile, clock: Clock) -> "KeeperFileLock":
        """Take the mark.

        Raises:
            UsageError: somebody else has it, or it cannot be made there.
        """
        for _ in range(_TRIES):
            try:
                descriptor = open_regular(lease_file.keeper_path, os.O_RDWR | os.O_CREAT)
            except OSError as error:
                message = f"lease file {lease_file.path} cannot be written: {error.strerror}"
                raise UsageError(message) from None
            if _lock(descriptor) and _is_at(descriptor, lease_file.keeper_path):
                return cls(descriptor)
            os.close(descriptor)
            # Whoever only looks holds it for a moment.
            clock.sleep(_LOOK_EVERY)
        message = (
            f"lease file {lease_file.path} belongs to a lease that is kept alive, or waited for: "
            "release it first, or give another --lease-file"
        )
        raise UsageError(message)

    def write(self, ended: str) -> None:
        """Write our process number: we work for it; or why we end."""
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, f"{os.getpid()} {ended}\n".encode(), 0)

    def close(self) -> None:
        """Leave the mark to the process that has inherited it."""
        os.close(self.descriptor)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(descriptor: int, path: Path) -> bool:
    """Tell whether the file is still the one of that name, and not deleted meanwhile."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False


def _locked_by_another(descriptor: int) -> bool:
    try:
        # Shared: two that look do not take each other for a keeper.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return False
