"""`run` and `hold`: the lease lives as long as this process."""

from typing import Annotated

import typer

from gcs_ci_lock.cli.options import (
    Bucket,
    Endpoint,
    MaxHold,
    Name,
    Reason,
    Slots,
    Ttl,
    Verbose,
    Wait,
)


def run(
    name: Name,
    command: Annotated[
        list[str], typer.Argument(metavar="-- CMD...", show_default=False, help="What to run.")
    ],
    bucket: Bucket = "",
    endpoint: Endpoint = "",
    slots: Slots = "1",
    wait: Wait = "30m",
    ttl: Ttl = "2m",
    max_hold: MaxHold = "6h",
    reason: Reason = "",
    verbose: Verbose = False,
) -> int:
    """Acquire the lock, run CMD, renew the lease meanwhile, release.

    CMD gets GCS_CI_LOCK_TOKEN, GCS_CI_LOCK_LEASE and GCS_CI_LOCK_NAME. The exit code is CMD's;
    76 if the lease was lost, in which case CMD was stopped.
    """
    from gcs_ci_lock.cli.common import Asking
    from gcs_ci_lock.cli.supervised import run_command

    asking = Asking(
        name=name,
        bucket=bucket,
        endpoint=endpoint,
        slots=slots,
        wait=wait,
        ttl=ttl,
        max_hold=max_hold,
        reason=reason,
        verbose=verbose,
    )
    return run_command(asking, command)


def hold(
    name: Name,
    bucket: Bucket = "",
    endpoint: Endpoint = "",
    slots: Slots = "1",
    wait: Wait = "30m",
    ttl: Ttl = "2m",
    max_hold: MaxHold = "6h",
    reason: Reason = "",
    verbose: Verbose = False,
) -> int:
    """Acquire the lock and keep it until SIGINT or SIGTERM."""
    from gcs_ci_lock.cli.common import Asking
    from gcs_ci_lock.cli.supervised import hold_lock

    asking = Asking(
        name=name,
        bucket=bucket,
        endpoint=endpoint,
        slots=slots,
        wait=wait,
        ttl=ttl,
        max_hold=max_hold,
        reason=reason,
        verbose=verbose,
    )
    return hold_lock(asking)
