"""The keeper as a process of its own that survives the shell, for `acquire`."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from gcs_ci_lock.errors import LockError
from gcs_ci_lock.keepalive.lease_file import KeeperFileLock, LeaseFile
from gcs_ci_lock.ports import Clock

START_WITHIN = 15.0
_LOOK_EVERY = 0.05
_CREDENTIALS = "GOOGLE_APPLICATION_CREDENTIALS"


def start_keeper(
    lease_file: LeaseFile, mark: KeeperFileLock, *, clock: Clock, environ: Mapping[str, str]
) -> None:
    """Start a background keeper for the lease in the file, hand it the mark, and see that it works.

    It is in a session of its own, works in "/", and holds no open file of ours: a job whose
    standard output it kept open would never end (gitlab-runner#2880).

    Raises:
        LockError: it did not start.
    """
    # Nothing is imported from "/", and nothing from where we were told not to.
    isolation = "-I" if sys.flags.isolated else "-P"
    module = [
        sys.executable,
        isolation,
        "-m",
        "gcs_ci_lock",
        "keep",
        "--lease-file",
        str(lease_file.path),
    ]
    module += ["--mark", str(mark.descriptor)]
    # Our own program, with arguments that we made.
    child = subprocess.Popen(  # noqa: S603
        module,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env=_absolute(environ),
        start_new_session=True,
        pass_fds=[mark.descriptor],
    )
    until = clock.boottime() + START_WITHIN
    while clock.boottime() < until and child.poll() is None:
        if lease_file.keeper_info().pid == child.pid:
            mark.close()
            return
        clock.sleep(_LOOK_EVERY)
    ended = lease_file.keeper_info().ended
    child.kill()
    child.wait()
    message = f"the background keeper did not start{': ' + ended if ended else ''}"
    raise LockError(message)


def _absolute(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment with a credentials path that is right in "/" too."""
    path = environ.get(_CREDENTIALS)
    return {**environ, _CREDENTIALS: str(Path(path).absolute())} if path else dict(environ)
