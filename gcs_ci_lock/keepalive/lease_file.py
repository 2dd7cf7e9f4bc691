"""The lease file of `acquire`, `check` and `release`, and the file lock of its keeper.

LEASE_FILE contains the lease reference, mode 0600. LEASE_FILE.keeper is locked (flock) by `acquire`
and then by the background keeper, as long as they run. Its only line is the process number; after
the end also a `LossReason` or "-", and a sentence.
"""

import contextlib
import fcntl
import os
from dataclasses import dataclass
from pathlib import Path

from gcs_ci_lock.errors import UsageError
from gcs_ci_lock.keepalive.lease_ref import LeaseRef
from gcs_ci_lock.ports import Clock
from gcs_ci_lock.protocol.record import LossReason
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
    """The keeper of a lease file.

    Attributes:
        alive: whether a keeper, or an `acquire` that still waits, uses the file.
        pid: the process, or 0 if not known.
        ended: why the last keeper ended, for people; "" if it did not report that.
        loss: why it lost the lease, or None.
    """

    alive: bool
    pid: int = 0
    ended: str = ""
    loss: LossReason | None = None


class LeaseFile:
    """A lease on disk.

    Args:
        path: the file; LEASE_FILE.keeper is next to it.

    Raises:
        UsageError: the path is relative to a directory that does not exist any more.
    """

    def __init__(self, path: Path) -> None:
        try:
            self.path = path.absolute()
        except OSError as error:
            message = f"lease file {path}: the working directory is gone ({error.strerror})"
            raise UsageError(message) from None
        self.keeper_path = self.path.with_name(self.path.name + ".keeper")
        self._lease = ""

    def write(self, lease_ref: LeaseRef) -> None:
        """Replace the file atomically, mode 0600.

        Raises:
            UsageError: the file cannot be written.
        """
        try:
            write_private(self.path, lease_ref.to_json())
        except OSError as error:
            message = f"lease file {self.path} cannot be written: {error.strerror}"
            raise UsageError(message) from None
        self._lease = lease_ref.lease

    def names_lease(self, lease: str) -> bool:
        """Return whether the file exists and names this lease."""
        try:
            lease_ref = self.read()
        except UsageError:
            return False
        return lease_ref is not None and lease_ref.lease == lease

    def still_ours(self) -> bool:
        """Return whether the file is still as this process wrote it; True if it wrote none."""
        return not self._lease or self.names_lease(self._lease)

    def read(self) -> LeaseRef | None:
        """Return the lease, or None if the file does not exist.

        Raises:
            UsageError: the file is not as `write` writes it.
        """
        try:
            text = read_private(self.path)
        except FileNotFoundError:
            return None
        except ExposedError:
            message = (
                f"lease file {self.path} is readable by others or owned by another user. Refusing "
                "to use it: delete it and acquire again"
            )
            raise UsageError(message) from None
        except OSError as error:
            message = f"lease file {self.path} cannot be read: {error.strerror}"
            raise UsageError(message) from None
        return LeaseRef.from_json(text, source=f"lease file {self.path}")

    def remove(self) -> None:
        """Delete the file and LEASE_FILE.keeper; ignore errors."""
        for path in (self.path, self.keeper_path):
            with contextlib.suppress(OSError):
                path.unlink()

    def discard(self) -> None:
        """Delete LEASE_FILE.keeper, and the file if this process wrote it."""
        if self._lease:
            self.remove()
        with contextlib.suppress(OSError):
            self.keeper_path.unlink()

    def keeper_info(self) -> KeeperInfo:
        """Return which keeper uses this file, and how the last one ended."""
        try:
            descriptor = open_regular(self.keeper_path, os.O_RDONLY)
        except OSError:
            return KeeperInfo(alive=False)
        with os.fdopen(descriptor, "rb") as file:
            alive = _locked_by_another(descriptor)
            line = file.read(MAX_BYTES).decode(errors="replace")
        pid, _, rest = line.partition(" ")
        reason, _, ended = rest.strip().partition(" ")
        loss = LossReason(reason) if reason in set(LossReason) else None
        number = int(pid) if pid.isdecimal() and len(pid) < 10 else 0  # noqa: PLR2004 - no pid is longer
        return KeeperInfo(alive=alive, pid=number, ended=printable(ended), loss=loss)

    def stop_keeper(self, clock: Clock, *, within: float) -> bool:
        """Delete the file, which ends its keeper; return whether the keeper has ended.

        Sends no signal: process numbers mean nothing if containers share the directory.

        Args:
            clock: for waiting.
            within: seconds to wait for its end.
        """
        until = clock.boottime() + within
        with contextlib.suppress(OSError):
            self.path.unlink()
        while (keeper := self.keeper_info()).alive and keeper.pid != os.getpid():
            if clock.boottime() >= until:
                return False
            clock.sleep(_LOOK_EVERY)
        return True


class KeeperFileLock:
    """The lock (flock) of this process on a lease file; only its owner uses the lease file.

    Args:
        descriptor: of the locked file, perhaps inherited from the process that started this one.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    @classmethod
    def acquire(cls, lease_file: LeaseFile, clock: Clock) -> "KeeperFileLock":
        """Lock the file.

        Raises:
            UsageError: another process has locked it, or it cannot be created.
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
            # A reader locks it for a moment.
            clock.sleep(_LOOK_EVERY)
        message = (
            f"lease file {lease_file.path} is in use by another gcs-ci-lock. Run "
            "`gcs-ci-lock release` first, or pass another --lease-file"
        )
        raise UsageError(message)

    def write_working(self) -> None:
        """Write that this process uses the lease file."""
        self._write("")

    def write_ended(self, ended: str, *, loss: LossReason | None = None) -> None:
        """Write why this process ends.

        Args:
            ended: one sentence for people.
            loss: why it lost the lease, or None.
        """
        self._write(f"{loss or '-'} {ended}")

    def close(self) -> None:
        """Leave the lock to the process that inherited it."""
        os.close(self.descriptor)

    def _write(self, text: str) -> None:
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, f"{os.getpid()} {text}\n".encode(), 0)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(descriptor: int, path: Path) -> bool:
    """Return whether the open file is still the one at that path, and was not deleted."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False


def _locked_by_another(descriptor: int) -> bool:
    try:
        # Shared: two readers do not look like keepers to each other.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return False
