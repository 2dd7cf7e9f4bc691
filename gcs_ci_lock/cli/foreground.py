"""`run` and `hold`: the lease lives as long as this process."""

import typer
from typer.core import TyperCommand

from gcs_ci_lock.cli.options import AcquireOptions, with_acquire_options
from gcs_ci_lock.errors import UsageError

_COMMAND = "gcs_ci_lock.system.child"


class WithCommand(TyperCommand):
    """A command line whose words after the first -- are another command."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Put the other command aside; its options are none of ours."""
        at = args.index("--") if "--" in args else len(args)
        ctx.meta[_COMMAND] = args[at + 1 :]
        return super().parse_args(ctx, args[:at])


@with_acquire_options
def run(options: AcquireOptions, context: typer.Context) -> int:
    """Acquire the locks, run COMMAND, renew the leases meanwhile, release.

    gcs-ci-lock run NAME... -- COMMAND. It gets GCS_CI_LOCK_TOKEN, GCS_CI_LOCK_LEASE and
    GCS_CI_LOCK_NAME, of several locks one a line. The exit code is its own; 76 if a lease was
    lost, in which case it was stopped.
    """
    from gcs_ci_lock.cli.run import run_command

    command = context.meta[_COMMAND]
    if not command:
        message = (
            "there is no command to run: expected it after --, "
            "as in: gcs-ci-lock run acme/api/prod -- ./deploy.sh"
        )
        raise UsageError(message)
    return run_command(options, command)


@with_acquire_options
def hold(options: AcquireOptions) -> int:
    """Acquire the locks and keep them until SIGINT or SIGTERM."""
    from gcs_ci_lock.cli.run import hold_locks

    return hold_locks(options)
