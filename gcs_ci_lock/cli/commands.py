"""The signature and help text of every command; the modules named after them do the work."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperCommand

from gcs_ci_lock.cli.options import (
    DEFAULT_LEASE_FILE,
    AcquireOptions,
    Bucket,
    Endpoint,
    Json,
    LeaseFile,
    Name,
    OneName,
    Reason,
    Until,
    Verbose,
    with_acquire_options,
)
from gcs_ci_lock.errors import UsageError

_COMMAND = "gcs_ci_lock.command"


class WithCommand(TyperCommand):
    """A command whose arguments after the first -- are another command."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Separate the other command, whose options are not ours."""
        at = args.index("--") if "--" in args else len(args)
        ctx.meta[_COMMAND] = args[at + 1 :]
        return super().parse_args(ctx, args[:at])

    def collect_usage_pieces(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        """Return the parts of the usage line, with the other command at the end."""
        return [*super().collect_usage_pieces(ctx), "-- COMMAND..."]


@with_acquire_options
def run(options: AcquireOptions, context: typer.Context) -> int:
    """Run a command while holding the locks.

    Acquires all locks or none, renews the leases while COMMAND runs, then releases them.
    COMMAND sees GCS_CI_LOCK_TOKEN, GCS_CI_LOCK_LEASE and GCS_CI_LOCK_NAME (one line per lock).
    Exits with COMMAND's exit code, with 76 if a lease was lost and COMMAND was stopped, or with
    69 if COMMAND succeeded but a lock could not be released.
    """
    from gcs_ci_lock.cli.run import run as do

    command = context.meta[_COMMAND]
    if not command:
        message = (
            "there is no command to run: expected it after --, "
            "as in: gcs-ci-lock run acme/api/prod -- ./deploy.sh"
        )
        raise UsageError(message)
    return do(options, command)


@with_acquire_options
def hold(options: AcquireOptions) -> int:
    """Hold the locks until SIGINT or SIGTERM.

    Acquires all locks or none and renews the leases until then.
    """
    from gcs_ci_lock.cli.run import hold as do

    return do(options)


@partial(with_acquire_options, names=OneName)
def acquire(
    options: AcquireOptions,
    lease_file: LeaseFile = DEFAULT_LEASE_FILE,
    json: Json = False,
) -> int:
    """Acquire a lock and return; a process renews it.

    The background process renews the lease until `release`, max-hold, or its loss.
    """
    from gcs_ci_lock.cli.lease import acquire as do

    return do(options, Path(lease_file), as_json=json)


def check(
    lease_file: LeaseFile = DEFAULT_LEASE_FILE,
    verbose: Verbose = False,
) -> int:
    """Check that the lease of `acquire` still holds.

    Exits with 0 if it holds, and with 76 if it is lost.
    """
    from gcs_ci_lock.cli.lease import check as do

    return do(Path(lease_file), verbose=verbose)


def release(
    lease_file: LeaseFile = DEFAULT_LEASE_FILE,
    verbose: Verbose = False,
) -> int:
    """Release the lease of `acquire`.

    Stops the background process. Never releases another job's lease. Exits with 76 if the lease
    was lost before.
    """
    from gcs_ci_lock.cli.lease import release as do

    return do(Path(lease_file), verbose=verbose)


def keep(
    lease_file: Annotated[str, typer.Option("--lease-file", help="What acquire wrote.")],
    file_lock: Annotated[
        int, typer.Option("--file-lock", help="Descriptor of the locked file, from acquire.")
    ],
) -> int:
    """Renew the lease in the file until SIGTERM, then release it (started by acquire)."""
    from gcs_ci_lock.cli.keep import keep as do

    return do(Path(lease_file), file_lock)


def keep_sidecar() -> int:
    """Renew the lease that standard input describes (started by the action, in its sidecar)."""
    from gcs_ci_lock.cli.keep import keep_sidecar as do

    return do()


def status(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME", show_default=False, help="Default: all locks."),
    ] = None,
    bucket: Bucket = "",
    endpoint: Endpoint = "",
    json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Show who holds the locks and who waits for them.

    Shows since when, until when, and how the last leases ended.
    """
    from gcs_ci_lock.cli.status import status as do

    return do(names or [], bucket=bucket, endpoint=endpoint, as_json=json, verbose=verbose)


def freeze(
    name: Name,
    reason: Reason,
    until: Until = "",
    bucket: Bucket = "",
    endpoint: Endpoint = "",
    verbose: Verbose = False,
) -> int:
    """Stop granting the lock.

    Current holders keep it; waiters see who froze it and why.
    """
    from gcs_ci_lock.cli.freeze import freeze as do

    return do(name, bucket=bucket, endpoint=endpoint, reason=reason, until=until, verbose=verbose)


def unfreeze(
    name: Name, bucket: Bucket = "", endpoint: Endpoint = "", verbose: Verbose = False
) -> int:
    """Grant the lock again."""
    from gcs_ci_lock.cli.freeze import unfreeze as do

    return do(name, bucket=bucket, endpoint=endpoint, verbose=verbose)


def dry_run(
    command: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="COMMAND",
            show_default=False,
            help="What each job runs, after --; default: sleep.",
        ),
    ] = None,
    jobs: Annotated[
        int,
        typer.Option("--jobs", envvar="GCS_CI_LOCK_JOBS", metavar="N", help="How many jobs."),
    ] = 3,
    json: Json = False,
) -> int:
    """Watch jobs take turns on this machine.

    Lets N jobs contend for one lock on an embedded storage server, and judges the result. The
    verdict is about the lock: how COMMAND ends does not matter, if it can be started at all.
    """
    from gcs_ci_lock.dry_run.run import dry_run as do

    return do(command or [], jobs=jobs, as_json=json)
