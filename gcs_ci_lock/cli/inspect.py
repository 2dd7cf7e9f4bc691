"""`status`: who holds, who waits, since when, until when."""

from typing import Annotated

import typer

from gcs_ci_lock.cli.options import Bucket, Endpoint, Json, Verbose


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
    """Show who holds, who waits, since when, until when."""
    from gcs_ci_lock.cli.status import show_status

    return show_status(names or [], bucket=bucket, endpoint=endpoint, as_json=json, verbose=verbose)
