"""`run` and `hold`: the lease lives as long as this process."""

from typing import Annotated

import typer

from gcs_ci_lock.cli.options import Asking, acquiring


@acquiring
def run(
    asking: Asking,
    command: Annotated[
        list[str], typer.Argument(metavar="COMMAND", show_default=False, help="What to run.")
    ],
) -> int:
    """Acquire the lock, run COMMAND, renew the lease meanwhile, release.

    Put -- before COMMAND. It gets GCS_CI_LOCK_TOKEN, GCS_CI_LOCK_LEASE and GCS_CI_LOCK_NAME. The
    exit code is its own; 76 if the lease was lost, in which case it was stopped.
    """
    from gcs_ci_lock.cli.supervised import run_command

    return run_command(asking, command)


@acquiring
def hold(asking: Asking) -> int:
    """Acquire the lock and keep it until SIGINT or SIGTERM."""
    from gcs_ci_lock.cli.supervised import hold_lock

    return hold_lock(asking)
