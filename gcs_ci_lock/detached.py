"""The keeper as a process of its own that survives the shell, for `acquire`."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from gcs_ci_lock.errors import LockError
from gcs_ci_lock.leasefile import LeaseFile
from gcs_ci_lock.ports import Clock

START_WITHIN = 15.0
_LOOK_EVERY = 0.05
_CREDENTIALS = "GOOGLE_APPLICATION_CREDENTIALS"


def start_keeper(lease_file: LeaseFile, *, clock: Clock, environ: Mapping[str, str]) -> None:
    """Start a background keeper for the lease in the file, and see that it works.

    It is in a session of its own, works in "/", and holds no open file of ours: a job whose
    standard output it kept open would never end (gitlab-runner#2880).

    Raises:
        LockError: it did not start.
    """
    module = [sys.executable, "-m", "gcs_ci_lock", "keep", "--lease-file", str(lease_file.path)]
    # Our own program, with arguments that we made.
    child = subprocess.Popen(  # noqa: S603
        module,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env=_absolute(environ),
        start_new_session=True,
    )
    until = clock.boot() + START_WITHIN
    while clock.boot() < until and child.poll() is None:
        mark = lease_file.keeper()
        if mark.alive and mark.pid:
            return
        clock.sleep(_LOOK_EVERY)
    ended = lease_file.keeper().ended
    child.kill()
    message = f"the background keeper did not start{': ' + ended if ended else ''}"
    raise LockError(message)


def _absolute(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment with a credentials path that is right in "/" too."""
    path = environ.get(_CREDENTIALS)
    return {**environ, _CREDENTIALS: str(Path(path).absolute())} if path else dict(environ)
