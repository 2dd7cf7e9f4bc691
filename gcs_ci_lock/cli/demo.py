"""`dry-run`: see jobs take turns on this machine, without a bucket."""

from typing import Annotated

import typer

from gcs_ci_lock.cli.options import Json


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
    """Let N jobs contend for one lock on an embedded storage server, and judge the result.

    The verdict is about the lock: how COMMAND ends does not matter, if it can be run at all.
    """
    from gcs_ci_lock.dry_run.run import dry_run as start

    return start(command or [], jobs=jobs, as_json=json)
