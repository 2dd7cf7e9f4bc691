"""The entry of the command line: commands, errors as exit codes."""

import sys

import click
import typer

from gcs_ci_lock.cli import demo, foreground, inspect, lease
from gcs_ci_lock.errors import LockError

app = typer.Typer(
    name="gcs-ci-lock",
    help="Serialise deployments in CI with a lock kept in Google Cloud Storage.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run")(foreground.run)
app.command("hold")(foreground.hold)
app.command("acquire")(lease.acquire)
app.command("check")(lease.check)
app.command("release")(lease.release)
app.command("keep", hidden=True)(lease.keep)
app.command("status")(inspect.status)
app.command("dry-run")(demo.dry_run)


def main() -> int:
    """Run the command line and return its exit code."""
    try:
        code = app(standalone_mode=False)
    except LockError as error:
        print(f"gcs-ci-lock: {error}", file=sys.stderr)
        return error.exit_code
    except click.exceptions.Abort:
        return 130
    except click.ClickException as error:
        error.show()
        return error.exit_code
    return code if isinstance(code, int) else 0
