"""`acquire`, `check` and `release`: the lease lives between processes, in a file."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from gcs_ci_lock.cli.options import (
    DEFAULT_LEASE_FILE,
    AcquireOptions,
    Json,
    LeaseFile,
    OneName,
    Verbose,
    with_acquire_options,
)


@partial(with_acquire_options, names=OneName)
def acquire(
    options: AcquireOptions,
    lease_file: LeaseFile = DEFAULT_LEASE_FILE,
    json: Json = False,
) -> int:
    """Acquire the lock; a background keeper renews it until `release`."""
    from gcs_ci_lock.cli.lease_impl import acquire as do

    return do(options, Path(lease_file), as_json=json)


def check(
    lease_file: LeaseFile = DEFAULT_LEASE_FILE,
    verbose: Verbose = False,
) -> int:
    """Tell whether the lease still holds: exit code 0, or 76 if it is lost."""
    from gcs_ci_lock.cli.lease_impl import check as do

    return do(Path(lease_file), verbose=verbose)


def release(
    lease_file: LeaseFile = DEFAULT_LEASE_FILE,
    verbose: Verbose = False,
) -> int:
    """End the background keeper and release the lease; nobody else's."""
    from gcs_ci_lock.cli.lease_impl import release as do

    return do(Path(lease_file), verbose=verbose)


def keep_sidecar() -> int:
    """Keep the lease that standard input tells (started by the action, in its sidecar)."""
    from gcs_ci_lock.cli.keep import keep_sidecar

    return keep_sidecar()


def keep(
    lease_file: Annotated[str, typer.Option("--lease-file", help="What acquire wrote.")],
    mark: Annotated[int, typer.Option("--mark", help="The open file that acquire hands on.")],
) -> int:
    """Renew the lease in the file until SIGTERM, then release it (started by acquire)."""
    from gcs_ci_lock.cli.lease_impl import keep_lease

    return keep_lease(Path(lease_file), mark)
