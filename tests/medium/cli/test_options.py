"""The options of all commands: their variables, and values that are none."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

from gcs_ci_lock.cli.app import app
from tests.support.bucket import TestBucket
from tests.support.shell import Site

pytestmark = pytest.mark.end_to_end


def options() -> Iterator[tuple[str, str, str]]:
    """Return each command's options with their variables."""
    commands = typer.main.get_group(app).commands
    for name, command in commands.items():
        for param in command.params:
            if param.param_type_name == "option" and not command.hidden:
                yield name, param.opts[-1], str(param.envvar)


@pytest.fixture
def site(bucket: TestBucket, tmp_path: Path) -> Iterator[Site]:
    with Site(bucket, tmp_path) as site:
        yield site


def test_every_option_has_its_variable() -> None:
    found = [*options()]

    assert len(found) > 50
    for command, option, variable in found:
        assert variable == "GCS_CI_LOCK_" + option.strip("-").replace("-", "_").upper(), command


def test_a_freeze_may_be_told_by_variables_alone(site: Site) -> None:
    environ = {"GCS_CI_LOCK_REASON": "release week", "GCS_CI_LOCK_UNTIL": "2h"}

    frozen = site.run("freeze", "prod", *site.at, environ=environ)

    assert frozen.exit_code == 0, frozen
    assert site.bucket.record("prod")["frozen"]["until"] is not None


@pytest.mark.parametrize("option", ["--sequence", "--identity"])
def test_an_option_that_protects_is_not_given_empty(site: Site, option: str) -> None:
    refused = site.run("run", "prod", *site.at, option, "", "--", "touch", "ran")

    assert refused.exit_code == 2, refused
    assert f"'{option}'" in refused.err
    assert "it is empty: give it a value, or leave the option out" in refused.err
    assert not (site.folder / "ran").exists()


def test_a_freeze_is_not_made_endless_by_an_empty_end(site: Site) -> None:
    refused = site.run("freeze", "prod", *site.at, "--reason", "x", "--until", "")

    assert refused.exit_code == 2, refused
    assert "'--until'" in refused.err
    assert site.bucket.body("prod") is None


def test_an_identity_that_would_be_cut_is_refused(site: Site) -> None:
    refused = site.run("run", "prod", *site.at, "--identity", "x" * 201, "--", "touch", "ran")

    assert refused.exit_code == 2, refused
    assert "--identity has 201 characters: expected 200 at most" in refused.err
    assert not (site.folder / "ran").exists()


def test_acquire_says_that_it_takes_one_lock(site: Site) -> None:
    shown = site.run("acquire", "--help")
    refused = site.run("acquire", "db", "web", *site.at)

    assert "The lock, such as acme/api/prod." in shown.out
    assert refused.exit_code == 2, refused
    assert "acquire takes one lock" in refused.err
