"""What `--help` says, and which commands there are."""

import pytest
import typer.main
from typer.testing import CliRunner

from gcs_ci_lock.cli.app import app

pytestmark = pytest.mark.example

SHOWN = (
    *("run", "hold", "acquire", "check", "release"),
    *("status", "freeze", "unfreeze", "dry-run"),
)
HIDDEN = ("keep", "keep-sidecar")


def help_of(*words: str) -> str:
    result = CliRunner().invoke(app, [*words, "--help"], terminal_width=80)
    assert result.exit_code == 0, result
    return result.stdout


def test_the_commands_are_these_and_two_are_hidden() -> None:
    commands = typer.main.get_group(app).commands

    assert tuple(name for name, one in commands.items() if not one.hidden) == SHOWN
    assert tuple(name for name, one in commands.items() if one.hidden) == HIDDEN


def test_each_command_is_listed_with_its_whole_line_at_80_columns() -> None:
    listed = help_of()

    for name, command in typer.main.get_group(app).commands.items():
        if command.hidden:
            assert f"\n  {name} " not in listed
            continue
        first = (command.help or "").splitlines()[0]
        assert f"  {name:<9} {first}\n" in listed
    assert "..." not in listed.partition("Commands:")[2]
    assert all(len(line) <= 80 for line in listed.splitlines())


@pytest.mark.parametrize("name", SHOWN)
def test_the_first_line_of_a_help_text_is_short_and_a_sentence(name: str) -> None:
    command = typer.main.get_group(app).commands[name]
    first = (command.help or "").splitlines()[0]

    assert len(first) < 60
    assert first.endswith(".")
    assert f"  {first}\n" in help_of(name)


def test_run_shows_where_its_command_belongs() -> None:
    usage = help_of("run").splitlines()[0]

    assert usage == "Usage: gcs-ci-lock run [OPTIONS] {NAME}... -- COMMAND..."


def test_no_other_command_takes_one() -> None:
    for name in SHOWN:
        assert (name == "run") == ("-- COMMAND" in help_of(name).splitlines()[0])


@pytest.mark.parametrize("words", [(), ("--help",), ("-h",)])
def test_help_is_what_it_says_by_itself(words: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, [*words])

    assert "Serialise deployments in CI" in result.output
