"""The entry of the command line: typer app, errors to exit codes."""

import functools
from collections.abc import Callable
from typing import Annotated, Final, ParamSpec

import typer

from gcs_ci_lock.cli import commands
from gcs_ci_lock.errors import LockError
from gcs_ci_lock.system.console import ensure_standard_fds, print_err

_P = ParamSpec("_P")
# In the order of `--help`. Those that only this program starts are hidden.
_COMMANDS: Final[tuple[Callable[..., int], ...]] = (
    commands.run,
    commands.hold,
    commands.acquire,
    commands.check,
    commands.release,
    commands.status,
    commands.freeze,
    commands.unfreeze,
    commands.dry_run,
    commands.keep,
    commands.keep_sidecar,
)
_HIDDEN: Final = (commands.keep, commands.keep_sidecar)

app = typer.Typer(
    name="gcs-ci-lock",
    help="Serialise deployments in CI with a lock kept in Google Cloud Storage.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _exiting(command: Callable[_P, int]) -> Callable[_P, None]:
    """Return a command that exits with the code that `command` returns or that its error has."""

    @functools.wraps(command)
    def exiting(*args: _P.args, **kwargs: _P.kwargs) -> None:
        try:
            code = command(*args, **kwargs)
        except LockError as error:
            print_err(f"gcs-ci-lock: {error}")
            code = error.exit_code
        except Exception as error:  # noqa: BLE001 - a traceback does not help at 3 a.m.
            print_err(f"gcs-ci-lock: failed unexpectedly: {type(error).__name__}: {error}")
            code = LockError.exit_code
        raise typer.Exit(code)

    return exiting


def _show_version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it so
    if wanted:
        from importlib.metadata import version

        print(f"gcs-ci-lock {version('gcs-ci-lock')}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Serialise deployments in CI with a lock kept in Google Cloud Storage."""


for _command in _COMMANDS:
    app.command(
        _command.__name__.replace("_", "-"),
        cls=commands.WithCommand if _command is commands.run else None,
        hidden=_command in _HIDDEN,
    )(_exiting(_command))


def main() -> None:
    """Run the command line; ends the process."""
    ensure_standard_fds()
    app()
