"""The options of all commands: their variables, and values that protect."""

import inspect
from collections.abc import Iterator

import pytest
import typer.main

from gcs_ci_lock.cli.app import app
from gcs_ci_lock.cli.options import AcquireOptions, with_acquire_options
from tests.support.memory_shell import MemoryShell

pytestmark = pytest.mark.example


def options() -> Iterator[tuple[str, str, str]]:
    """Return each command's options with their variables."""
    commands = typer.main.get_group(app).commands
    for name, command in commands.items():
        for param in command.params:
            if param.param_type_name == "option" and not command.hidden:
                yield name, param.opts[-1], str(param.envvar)


def test_every_option_has_its_variable() -> None:
    found = [*options()]

    assert len(found) > 50
    for command, option, variable in found:
        assert variable == "GCS_CI_LOCK_" + option.strip("-").replace("-", "_").upper(), command


@pytest.mark.parametrize("option", ["--sequence", "--identity"])
def test_an_option_that_protects_is_not_given_empty(shell: MemoryShell, option: str) -> None:
    refused = shell.lock("run", "prod", option, " ", "--", "true")

    assert refused.exit_code == 2
    assert f"'{option}'" in refused.err
    assert "it is empty: give it a value, or leave the option out" in refused.err
    assert shell.world.bucket.objects == {}


def test_an_option_that_is_left_out_is_not_given_empty(shell: MemoryShell) -> None:
    assert shell.lock("run", "prod", "--", "true").exit_code == 0


def test_a_command_gets_the_shared_options_as_one_value_and_its_own_apart() -> None:
    got: list[tuple[AcquireOptions, int]] = []

    def command(options: AcquireOptions, more: int = 7) -> int:
        """Do it."""
        got.append((options, more))
        return 3

    wrapped = with_acquire_options(command)
    parameters = inspect.signature(wrapped).parameters
    given = {name: one.default for name, one in parameters.items()}
    code = wrapped(**{**given, "names": ["db"], "ttl": "1m"})

    assert [*parameters][-1] == "more"
    assert (wrapped.__name__, wrapped.__doc__) == ("command", "Do it.")
    assert code == 3
    assert got == [(AcquireOptions(names=["db"], ttl="1m"), 7)]
