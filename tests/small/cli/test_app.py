"""The entry of the command line: errors to exit codes."""

from collections.abc import Callable
from importlib.metadata import version

import pytest
from typer.testing import CliRunner

from gcs_ci_lock.cli import status
from gcs_ci_lock.cli.app import app
from gcs_ci_lock.errors import Denied, LockError, NotAcquired

pytestmark = pytest.mark.example


def failing(error: Exception) -> Callable[..., int]:
    def fail(*_: object, **__: object) -> int:
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (Denied("no permission"), 77, "gcs-ci-lock: no permission\n"),
        (NotAcquired("held"), 75, "gcs-ci-lock: held\n"),
        (LockError("other"), 1, "gcs-ci-lock: other\n"),
        (KeyError("x"), 1, "gcs-ci-lock: failed unexpectedly: KeyError: 'x'\n"),
    ],
)
def test_an_error_is_one_line_and_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, error: Exception, code: int, message: str
) -> None:
    monkeypatch.setattr(status, "status", failing(error))

    result = CliRunner().invoke(app, ["status"])

    assert result.exit_code == code
    assert result.stderr == message
    assert result.stdout == ""


def test_what_a_command_returns_is_its_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "status", lambda *_, **__: 7)

    assert CliRunner().invoke(app, ["status"]).exit_code == 7


def test_its_version_is_that_of_the_package() -> None:
    result = CliRunner().invoke(app, ["--version"])

    assert (result.exit_code, result.stdout) == (0, f"gcs-ci-lock {version('gcs-ci-lock')}\n")


def test_a_command_that_does_not_exist_is_wrong_usage() -> None:
    assert CliRunner().invoke(app, ["lock"]).exit_code == 2
