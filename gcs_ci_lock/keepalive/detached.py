"""Strategy 2: a process that survives the shell renews the lease, for `acquire`."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from gcs_ci_lock.errors import LockError
from gcs_ci_lock.keepalive.keeper import Keeper
from gcs_ci_lock.keepalive.lease_file import KeeperFileLock, LeaseFile
from gcs_ci_lock.locking.lease import Lost
from gcs_ci_lock.ports import Clock

START_WITHIN: Final = 15.0
# Seconds that a keeper may take to notice that its lease file is gone, and to release.
STOP_WITHIN: Final = 30.0
_LOOK_EVERY: Final = 0.05
_CREDENTIALS: Final = "GOOGLE_APPLICATION_CREDENTIALS"


class DetachedKeeper:
    """A `KeepAlive` in a background process.

    The process has its own session, its working directory is "/", and it inherits none of our open
    files: a job whose standard output stayed open would never end (gitlab-runner#2880).

    Args:
        lease_file: names the lease.
        file_lock: the process inherits it.
        keeper: knows the lease's deadline before the process runs; it is never run here.
        environ: the environment of the process.
    """

    def __init__(
        self,
        lease_file: LeaseFile,
        file_lock: KeeperFileLock,
        keeper: Keeper,
        *,
        environ: Mapping[str, str],
    ) -> None:
        self._lease_file = lease_file
        self._file_lock = file_lock
        self._keeper = keeper
        self._environ = environ
        self._started = False

    def start(self) -> None:
        """Start the process, pass on the file lock, and wait until the process uses it.

        Raises:
            LockError: it did not start.
        """
        child = self._spawn()
        clock: Clock = self._keeper.lock.clock
        until = clock.boottime() + START_WITHIN
        while clock.boottime() < until and child.poll() is None:
            if self._lease_file.keeper_info().pid == child.pid:
                self._file_lock.close()
                self._started = True
                return
            clock.sleep(_LOOK_EVERY)
        ended = self._lease_file.keeper_info().ended
        child.kill()
        child.wait()
        message = f"the background keeper did not start{': ' + ended if ended else ''}"
        raise LockError(message)

    def pause(self) -> None:
        """End the process by deleting its lease file; it cannot be started again."""
        if self._started:
            self._lease_file.stop_keeper(self._keeper.lock.clock, within=STOP_WITHIN)

    def stop(self) -> None:
        """End the process."""
        self.pause()

    def lost(self) -> Lost | None:
        """Return None once the process renews: only that process knows."""
        return None if self._started else self._keeper.lost()

    @property
    def is_stuck(self) -> bool:
        """False: no renewal of this process is ever in flight."""
        return False

    def _spawn(self) -> "subprocess.Popen[bytes]":
        # Import nothing from "/", and respect the isolation that we were started with.
        isolation = "-I" if sys.flags.isolated else "-P"
        program = [sys.executable, isolation, "-m", "gcs_ci_lock", "keep"]
        program += ["--lease-file", str(self._lease_file.path)]
        program += ["--file-lock", str(self._file_lock.descriptor)]
        # Our own program with our own arguments.
        return subprocess.Popen(  # noqa: S603
            program,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env=_absolute(self._environ),
            start_new_session=True,
            pass_fds=[self._file_lock.descriptor],
        )


def _absolute(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment with a credentials path that is also valid in "/"."""
    path = environ.get(_CREDENTIALS)
    return {**environ, _CREDENTIALS: str(Path(path).absolute())} if path else dict(environ)
