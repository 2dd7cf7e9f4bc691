"""`freeze` and `unfreeze`: a person steps in."""

from typing import Annotated

import typer

from gcs_ci_lock.cli.options import Bucket, Endpoint, Reason, Verbose, not_empty

Name = Annotated[
    str, typer.Argument(metavar="NAME", show_default=False, help="The lock: acme/api/prod.")
]


def freeze(
    name: Name,
    reason: Reason,
    until: Annotated[
        str,
        typer.Option(
            "--until",
            callback=not_empty,
            envvar="GCS_CI_LOCK_UNTIL",
            metavar="TIME",
            show_default=False,
            help="When it ends by itself: 2h, or 2026-11-24T06:00Z. Default: at unfreeze.",
        ),
    ] = "",
    bucket: Bucket = "",
    endpoint: Endpoint = "",
    verbose: Verbose = False,
) -> int:
    """Let nobody new enter; holders go on, waiters are told."""
    from gcs_ci_lock.cli.freeze import freeze_lock

    return freeze_lock(
        name, bucket=bucket, endpoint=endpoint, reason=reason, until=until, verbose=verbose
    )


def unfreeze(
    name: Name, bucket: Bucket = "", endpoint: Endpoint = "", verbose: Verbose = False
) -> int:
    """Let waiters enter again."""
    from gcs_ci_lock.cli.freeze import unfreeze_lock

    return unfreeze_lock(name, bucket=bucket, endpoint=endpoint, verbose=verbose)
