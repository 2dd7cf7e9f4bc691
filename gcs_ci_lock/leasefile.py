"""The lease file of `acquire`, `check` and `release`, and the keeper's mark beside it.

LEASE_FILE holds the handover, mode 0600. LEASE_FILE.keeper is locked (flock) by the background
keeper for as long as it lives, and says how it ended.
"""

import contextlib
import fcntl
import os
import signal
from dataclasses import dataclass
from pathlib import Path

from gcs_ci_lock.core.handover import Handover
from gcs_ci_lock.core.text import printable
from gcs_ci_lock.errors import UsageError
from gcs_ci_lock.ports import Clock

_MAX_BYTES = 65_536
_LOOK_EVERY = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class KeeperMark:
    """What the keeper left beside the lease file.

    Attributes:
        alive: whether it still runs.
        pid: its process, 0 if not known.
        ended: why it ended, "" if it did not say.
    """

    alive: bool
    pid: int
    ended: str


class LeaseFile:
    """A lease on disk."""

    def __init__(self, path: Path) -> None:
        """Take the path; nothing is read or written."""
        self.path = path.absolute()
        self.mark_path = self.path.with_name(self.path.name + ".keeper")

    def write(self, handover: Handover) -> None:
        """Replace the file at once and whole, mode 0600.

        Raises:
            UsageError: it cannot be written there.
        """
        draft = self.path.with_name(f"{self.path.name}.{os.getpid()}.tmp")
        try:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(handover.encoded() + "\n")
            draft.replace(self.path)
        except OSError as error:
            with contextlib.suppress(OSError):
                draft.unlink()
            message = f"lease file {self.path} cannot be written: {error.strerror}"
            raise UsageError(message) from None

    def read(self) -> Handover | None:
        """Return the lease, or None if there is no such file.

        Raises:
            UsageError: it is there, and is no lease file.
        """
        try:
            with self.path.open("rb") as file:
                text = file.read(_MAX_BYTES + 1).decode(errors="replace")
        except FileNotFoundError:
            return None
        except OSError as error:
            message = f"lease file {self.path} cannot be read: {error.strerror}"
            raise UsageError(message) from None
        return Handover.decode(text, source=f"lease file {self.path}")

    def remove(self) -> None:
        """Delete the file and the mark, as far as they are there and ours to delete."""
        for path in (self.path, self.mark_path):
            with contextlib.suppress(OSError):
                path.unlink()

    def clear_mark(self) -> None:
        """Forget what an earlier keeper said."""
        with contextlib.suppress(OSError):
            self.mark_path.unlink()

    def keeper(self) -> KeeperMark:
        """Tell whether a keeper runs, and what it said."""
        try:
            with self.mark_path.open("rb") as file:
                alive = _locked_by_another(file.fileno())
                said = file.read(_MAX_BYTES).decode(errors="replace")
        except OSError:
            return KeeperMark(alive=False, pid=0, ended="")
        pid, _, ended = said.partition(" ")
        number = int(pid) if pid.isdecimal() and len(pid) < 10 else 0  # noqa: PLR2004 - no pid is longer
        return KeeperMark(alive=alive, pid=number, ended=printable(ended.strip()))

    def stop_keeper(self, clock: Clock, *, within: float) -> bool:
        """End the keeper, which releases the lease; tell whether it is gone.

        Only a process that holds the mark's lock is signalled: a process number alone may belong
        to somebody else by now.

        Args:
            clock: for waiting.
            within: seconds to wait for its end.
        """
        until = clock.boot() + within
        signalled = False
        while (mark := self.keeper()).alive:
            if not signalled and mark.pid > 1:
                os.kill(mark.pid, signal.SIGTERM)
                signalled = True
            if clock.boot() >= until:
                return False
            clock.sleep(_LOOK_EVERY)
        return True


class OwnMark:
    """The mark of the keeper that runs in this process."""

    def __init__(self, lease_file: LeaseFile) -> None:
        """Take the mark, and say nothing yet.

        Raises:
            UsageError: another keeper has it.
        """
        self._descriptor = os.open(lease_file.mark_path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            message = f"another keeper already works for lease file {lease_file.path}"
            raise UsageError(message) from None
        os.ftruncate(self._descriptor, 0)

    def say(self, ended: str) -> None:
        """Write our process number: we keep the lease; or why we end."""
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()} {ended}\n".encode(), 0)


def _locked_by_another(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return False
