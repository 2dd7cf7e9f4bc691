"""`acquire`, `check` and `release`: the lease lives between processes, in a file."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from gcs_ci_lock.cli.options import (
    DEFAULT_LEASE_FILE,
    Asking,
    Json,
    LeaseFile,
    OneName,
    Verbose,
    acquiring,
)


@partial(acquiring, names=OneName)
def acquire(
    asking: Asking,
    lease_file: LeaseFile = DEFAULT_LEASE_FILE,
    json: Json = False,
) -> int:
    """Acquire the lock; a background keeper renews it until `release`."""
    from gcs_ci_lock.cli.lease_impl import acquire_lease

    return acquire_lease(asking, Path(lease_file), as_json=json)


def check(
    lease_file: LeaseFile = DEFAULT_LEASE_FILE,
    verbose: Verbose = False,
) -> int:
    """Tell whether the lease still holds: exit code 0, or 76 if it is lost."""
    from gcs_ci_lock.cli.lease_impl import check_lease

    return check_lease(Path(lease_file), verbose=verbose)


def release(
    lease_file: LeaseFile = DEFAULT_LEASE_FILE,
    verbose: Verbose = False,
) -> int:
    """End the background keeper and release the lease; nobody else's."""
    from gcs_ci_lock.cli.lease_impl import release_lease

    return release_lease(Path(lease_file), verbose=verbose)


def keep_beside() -> int:
    """Keep the lease that standard input tells (started by the action, in its sidecar)."""
    from gcs_ci_lock.cli.keep import keep_beside

    return keep_beside()


def keep(
    lease_file: Annotated[str, typer.Option("--lease-file", help="What acquire wrote.")],
    mark: Annotated[int, typer.Option("--mark", help="The open file that acquire hands on.")],
) -> int:
    """Renew the lease in the file until SIGTERM, then release it (started by acquire)."""
    from gcs_ci_lock.cli.lease_impl import keep_lease

    return keep_lease(Path(lease_file), mark)
