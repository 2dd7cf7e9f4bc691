"""`python -m gcs_ci_lock.dry_run.probe FILE JOB -- CMD...`: run CMD, record when it ran.

The dry run judges by these notes, not by what the lock reports. Each note is one line of JSON,
written in one append, with the boot clock, which all processes of a machine share.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence

from gcs_ci_lock.protocol.text import printable
from gcs_ci_lock.system.clock import SystemClock

# As in a shell.
NO_SUCH_PROGRAM = 127


def main(arguments: Sequence[str]) -> int:
    """Run the command between two notes; return its exit code.

    Args:
        arguments: the file, the job, "--", and the command.
    """
    path, job, _, *command = arguments
    _note(path, job, "enter")
    try:
        # The user's own command.
        code = subprocess.call(command)  # noqa: S603
    except OSError as error:
        sys.stderr.write(f'cannot run "{printable(command[0])}": {error.strerror}\n')
        code = NO_SUCH_PROGRAM
    _note(path, job, "leave")
    return code


def _note(path: str, job: str, event: str) -> None:
    token = int(os.environ["GCS_CI_LOCK_TOKEN"])
    note = {"job": job, "event": event, "at": SystemClock().boottime(), "token": token}
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(descriptor, (json.dumps(note) + "\n").encode())
    os.close(descriptor)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
